"""A recording's files as one long text, which may still be growing: read on from where reading stopped.

A recording that was rotated (``--max-size``) goes on in further files; a place counts through all of them. A line that
is only half there, as it is just being written or was torn by a kill, is left until it is whole. Files that were
deleted meanwhile (``--keep``) are let go of, as they would keep their room on the disk; what was in them is then a
remark.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from hangup.errors import RecordingError
from hangup.recording import events, reader
from hangup.recording.events import AnyEvent
from hangup.recording.folder import continuation
from hangup.recording.reader import LINE_LIMIT

BLOCK = 1 << 18
"""Bytes that are read at once: some ten milliseconds' work."""

Take = Callable[[bytes, int], None]

_DELETED = events.encode(events.Note(at=0.0, text="deleted with its file, to keep the recording small")) + b"\n"


class Tail:
    """The files from ``path`` on. :meth:`read` gives what is new to ``take(lines, place)``.

    Raises :class:`~hangup.errors.RecordingError` when it cannot be opened or is no recording.
    """

    def __init__(self, path: Path, take: Take) -> None:
        self.header = reader.read(path).header
        self.files: list[Path] = []
        self.read_up_to = 0
        """The place up to which all was read."""
        self.torn = False
        """Whether there is half a line after that."""
        self.complete = False
        """To be set once the recording's last line was seen: then there are no further files."""
        self._take = take
        self._heads: list[int] = []
        self._bases: list[int] = []
        self._open: list[BinaryIO | None] = []
        self._next: Path | None = None
        self._begin(path)

    def _begin(self, path: Path) -> None:
        try:
            file = open(path, "rb", buffering=1 << 16)
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror or error}") from None
        self.files.append(path)
        self._bases.append(self.read_up_to)
        self._open.append(file)
        self._header = True

    @property
    def size(self) -> int:
        """Bytes in all files that were begun, as of now."""
        return self._bases[-1] + os.fstat(self._last.fileno()).st_size

    @property
    def _last(self) -> BinaryIO:
        file = self._open[-1]
        assert file is not None
        return file

    def read(self) -> bool:
        """Reads the next block; whether there was anything."""
        file = self._last
        start = self.read_up_to - self._bases[-1]
        file.seek(start)
        try:
            block = file.read(BLOCK)
            end = block.rfind(b"\n") + 1
            while not end and len(block) < LINE_LIMIT and (more := file.read(max(BLOCK, len(block)))):
                end = more.rfind(b"\n") + 1
                end += len(block) if end else 0
                block += more
        except OSError as error:
            raise RecordingError(f"cannot read {self.files[-1]}: {error.strerror or error}") from None
        if end:
            self._give(block[:end])
            self.torn = False
            return True
        if len(block) >= LINE_LIMIT:
            self._give(block)  # no line at all: it is counted as one that is not understood
            return True
        if block and not self._header and _whole(block):
            self._give(block)
            return True
        self.torn = bool(block)
        return not self.complete and self._rotate()

    def _give(self, lines: bytes) -> None:
        place = self.read_up_to
        self.read_up_to += len(lines)
        if self._header:
            self._header = False
            head = lines.find(b"\n") + 1
            self._heads.append(head)
            lines, place = lines[head:], place + head
        if lines:
            self._take(lines, place)

    def _rotate(self) -> bool:
        """Goes on to the next file; this one is read to its end once more after that has appeared."""
        if self._next is None:
            self._next = continuation(self.files[-1])
            return self._next is not None
        path, self._next = self._next, None
        self.read_up_to = self.size
        self._begin(path)
        for number, file in enumerate(self._open[:-1]):
            if file is not None and not os.fstat(file.fileno()).st_nlink:
                file.close()
                self._open[number] = None
        return True

    def line(self, place: int) -> bytes:
        """The line that stands there."""
        number = bisect_right(self._bases, place) - 1
        file = self._open[number]
        if file is None:
            return _DELETED
        file.seek(place - self._bases[number])
        return file.readline(LINE_LIMIT)

    def event(self, place: int) -> AnyEvent:
        """The event that stands there."""
        return events.decode(self.line(place))

    def lines(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """All lines from a place (0: the first) up to another, but for the headers: some at a time, with the place of
        the first of them."""
        for base, head, file, after in zip(self._bases, self._heads, self._open, [*self._bases[1:], end], strict=False):
            at, last = max(start, base + head), min(end, after)
            if file is None:
                continue
            while at < last:
                file.seek(at - base)
                block = file.read(min(BLOCK, last - at))
                if at + len(block) < last and block[-1:] != b"\n":
                    block = block[: block.rfind(b"\n") + 1] or block + file.readline(LINE_LIMIT)
                if not block:
                    return
                yield at, block
                at += len(block)

    def close(self) -> None:
        """Closes the files."""
        for file in self._open:
            if file is not None:
                file.close()


def _whole(line: bytes) -> bool:
    """Whether a last line without its newline is whole all the same: the beginning of an object never is."""
    try:
        events.decode(line)
    except Exception:
        return False
    return True
