"""The terminal: a console that fits it, and colours that mean the same everywhere.

Everything that was on the wire goes through :func:`hangup.humanize.printable` first, and into ``Text``, never
into rich's markup: a recording must not be able to command the terminal that shows it. A :class:`Screen` sees to it
once more for all that is printed on it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from hangup.humanize import printable
from hangup.processes.ending import leave_dead_terminal
from hangup.recording.events import Side

COLOURS: dict[str, str] = {"client": "cyan", "server": "magenta", "proxy": "yellow", "unknown": "dim"}
"""Whose doing it is."""

ARROWS: dict[Side, str] = {"client": "→", "server": "←"}
"""The direction in which a side sends, client left and server right."""

UNBOUND = 140
"""Columns where there is no terminal to ask."""


class Screen(Console):
    """A console on which no text commands the terminal: control characters, but for line ends, are spelled out."""

    goes_on = False
    """Whether who prints has more to do than that, and goes on when nobody reads it any more."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does; when the terminal has been closed it goes nowhere."""
        try:
            super().print(*objects, **options)
        except BrokenPipeError:
            self.on_broken_pipe()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            leave_dead_terminal()

    def on_broken_pipe(self) -> None:
        """rich: whoever read this is gone (``hangup … | head``)."""
        if not self.goes_on:
            raise BrokenPipeError
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich makes of it; only rich's own segments (a cursor that moves, say) keep their control characters."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control is None and not text.isprintable() and text != "\n":
                clean = "\n".join(map(printable, text.split("\n")))
                segment = Segment(clean, segment.style)
            yield segment


def console(**options: Any) -> Console:
    """A console for stdout: as wide as the terminal, also when piped within one; no markup, no guessing."""
    with suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not _has_terminal() and "COLUMNS" not in os.environ:
        options.setdefault("width", UNBOUND)
    return Screen(highlight=False, markup=False, emoji=False, **options)


def _has_terminal() -> bool:
    for stream in (0, 1, 2):
        with suppress(OSError, ValueError):
            os.get_terminal_size(stream)
            return True
    return False


def safe(text: str, style: str = "", limit: int = 0) -> Text:
    """Somebody else's text, harmless."""
    return Text(printable(text, limit), style)


def tell(message: str) -> None:
    """A remark on stderr."""
    click.echo(f"hangup: {printable(message)}", err=True)
