"""A recording that lacks something: what is said of it at the end, and the exit code of the command that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hangup.cli.screen import tell
from hangup.humanize import plural

if TYPE_CHECKING:
    from hangup.recorder.recorder import Recorder

EXIT_CODE = 74
"""EX_IOERR of sysexits.h."""


def exit_code(recorder: Recorder | None, code: int = 0, say: Callable[[str], None] = tell) -> int:
    """``code``, unless that would mean that all is well though something was not recorded, which is said. To be asked
    once the recorder is closed."""
    if recorder is None or not recorder.lost:
        return code
    why = "; ".join(recorder.journal.reasons)
    lacks = f"{plural(recorder.lost, 'event')} could not be kept"
    say(f"the recording is incomplete: {lacks}{f' ({why})' if why else ''}")
    return code or EXIT_CODE
