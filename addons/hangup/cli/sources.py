"""What a command reads: files that can be gone over twice, how far it has come, and what was wrong with them."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hangup.cli.screen import tell
from hangup.errors import RecordingError
from hangup.humanize import plural, printable
from hangup.processes.tshark import open_recording
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import Recording
from hangup.recording.reader import Reader
from hangup.system import open_private, temporary_path

WORTH_A_BAR = 32 << 20
"""Files smaller than this (bytes) are done before a bar is drawn."""

STEP = 4 << 20
"""A bar moves on after so many bytes."""


class Source:
    """A recording that may be gone over more than once, with a progress bar on a terminal.

    ``name`` is as the user gave it.
    """

    def __init__(self, path: Path, name: str, format: str | None) -> None:
        self.name = name
        self._path = path
        self._size = path.stat().st_size
        self.recording: Recording = open_recording(path, format, name=name)

    @property
    def header(self) -> Header:
        """The recording's header."""
        return self.recording.header

    def events(self, doing: str) -> Iterator[AnyEvent]:
        """All events; ``doing`` is what the bar says."""
        for batch in self.batches(doing):
            yield from batch

    def batches(self, doing: str) -> Iterator[list[AnyEvent]]:
        """The same, many at a time."""
        screen = Console(stderr=True)
        if not isinstance(self.recording, Reader) or self._size < WORTH_A_BAR or not screen.is_terminal:
            yield from self.recording.batches()
            return
        columns = (TextColumn(doing), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=screen, transient=True) as progress, open(self._path, "rb") as file:
            counting = _Counting(file, progress, progress.add_task(doing, total=self._size))
            self.recording = Reader(counting, self.name)  # type: ignore[arg-type]
            yield from self.recording.batches()

    def confess(self) -> None:
        """Says on stderr what could not be read."""
        recording = self.recording
        if recording.torn:
            tell(f"{self.name} ends abruptly; its incomplete last part is ignored")
        if recording.skipped:
            first, why = recording.skips[0]
            left_out = plural(recording.skipped, "part")
            tell(f"{left_out} of {self.name} could not be understood, the first at {first}: {printable(why, 200)}")


class _Counting:
    """A file that tells the bar how much of it was read."""

    def __init__(self, file: BinaryIO, progress: Progress, task: Any) -> None:
        self._file = file
        self._progress = progress
        self._task = task
        self._read = 0

    def readline(self, limit: int = -1) -> bytes:
        return self._count(self._file.readline(limit))

    def read(self, size: int = -1) -> bytes:
        return self._count(self._file.read(size))

    def _count(self, data: bytes) -> bytes:
        self._read += len(data)
        if self._read >= STEP or not data:
            self._progress.advance(self._task, self._read)
            self._read = 0
        return data


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the collector: what reading makes has no cycles, and to look for them takes as long as reading."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def opened(name: str, format: str | None = None) -> Iterator[Source]:
    """Opens what the user named, ``-`` being standard input; a pipe is kept in a temporary file meanwhile."""
    with ExitStack() as stack:
        path = Path(name)
        if name == "-" or path.is_fifo():
            kept = stack.enter_context(temporary_path())
            pipe: Any = sys.stdin.buffer if name == "-" else stack.enter_context(open(path, "rb"))
            try:
                with open_private(kept) as copy:
                    shutil.copyfileobj(pipe, copy, 1 << 20)
            except OSError as error:
                raise RecordingError(f"cannot save the imported recording: {error.strerror or error}") from None
            path = kept
            name = "standard input" if name == "-" else name
        elif not path.is_file():
            open_recording(path, format)  # which says what is wrong
        yield Source(path, name, format)
