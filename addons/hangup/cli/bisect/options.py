"""What either kind of bisect is asked for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from hangup.experiment.failure import Failure
from hangup.processes.ending import ending_signals, heard
from hangup.wire.url import Target


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for, of either kind of bisect."""

    failure: Failure | None
    given: tuple[str, ...]
    survive: float | None
    connections: int | None
    seconds: float
    seed: int
    record: Path
    start: str
    backend_logs: tuple[str, ...]
    wait: float
    insecure: bool
    ca: Path | None
    as_json: bool
    markdown: bool
    path: str | None = None
    parallel: int = 8
    command: tuple[str, ...] = ()
    """The person's own client, on which a proved fix is tried; empty where that was not asked for."""
    env_vars: tuple[str, ...] = ()
    """The variables that lead it to the proxy."""
    direct: Target | None = None
    """The backend itself, where the target is a proxy before it."""

    @property
    def quiet(self) -> bool:
        """Whether only the result is to be printed."""
        return self.as_json or self.markdown


class Interruptions:
    """The signals that ask to end, for the time of a block in the main thread: the first one calls ``first``, so that
    what was learned can be said in order; the second one is a :class:`KeyboardInterrupt` there and then, and any
    further one is not heard, as all that is left is to end what was started.

    These are the process's own handlers and not the event loop's, which Windows has not, and which nobody would hear
    while something is written.
    """

    def __init__(self, first: Callable[[], object]) -> None:
        self.first = first
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, Any] = {}
        self._asked = False

    def instead(self, first: Callable[[], object]) -> None:
        """The first signal is to do something else from now on; at once, if it has come already."""
        self.first = first
        self.install()
        if self._asked:
            first()

    def install(self) -> None:
        """Takes the signals, also again from somebody who has taken them meanwhile."""
        for number in ending_signals():
            with suppress(ValueError):  # not the main thread
                before = signal.signal(number, self._ask)
                self._before.setdefault(number, before)

    def __enter__(self) -> Interruptions:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def _ask(self, number: int, frame: object) -> None:
        heard(number)
        if not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self.first)
            return
        for each in self._before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt


def interruptible() -> Interruptions:
    """The first one cancels the task that is within, so that it can end in order."""
    task = asyncio.current_task()
    assert task is not None
    return Interruptions(task.cancel)
