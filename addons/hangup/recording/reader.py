"""Reading a recording: streamed line by line, and never stopped by a bad line.

A recording may have been torn by a kill, filled a disk, been written by a newer version, or be no recording
at all. Only the last is an error; the rest is counted and told, as the evidence around it is still good.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hangup.errors import ForeignRecording, RecordingError, VersionError
from hangup.humanize import printable
from hangup.recording import events
from hangup.recording.events import AnyEvent, Header, Stop
from hangup.recording.folder import continuation

LINE_LIMIT = 512 << 20
"""Lines longer than this (bytes) are skipped. The recorder's own are far shorter."""

BATCH = 1 << 16
BATCH_LINES = 2048
"""So many bytes are decoded together, or so many events of another format given."""

HEADER_LIMIT = 16 << 20
"""A first line longer than this (bytes) is not a header."""

SKIPS_KEPT = 10
"""How many skipped lines are remembered with their number and what was wrong."""

Line = dict[str, Any]

UPGRADES: dict[int, Callable[[Line], Line]] = {}
"""Format number -> the function that turns one decoded line (header or event) into the next format's."""

_BOM = b"\xef\xbb\xbf"
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


class _Version(msgspec.Struct):
    hangup: int


_version = msgspec.json.Decoder(_Version)


class Reader:
    """A recording that is read as a stream; iterating again begins anew (for a pipe: goes on).

    ``name`` is for messages, ``path`` None for a pipe. After an iteration ``torn`` says whether the last line
    is half a line, ``skipped`` how many lines were left out because they could not be understood, and
    ``skips`` the first of them as ``(line number, what is wrong)``.
    """

    def __init__(self, file: BinaryIO, name: str, path: Path | None = None) -> None:
        self.name = name
        self.path = path
        self.torn = False
        self.skipped = 0
        self.skips: list[tuple[int, str]] = []
        self.complete = False
        """Whether the last line, :class:`~hangup.recording.events.Stop`, was read."""
        self._pipe = None if path is not None else file
        self._line = 1
        self._version, self.header = self._read_header(file)
        self._start = 0 if path is None else file.tell()

    def __iter__(self) -> Iterator[AnyEvent]:
        return self._events(None)

    def batches(self) -> Iterator[list[AnyEvent]]:
        """The same events as by iterating, many at a time: decoded together, which takes half as long."""
        if self._version != events.FORMAT:
            yield from ([event] for event in self)
            return
        try:
            with self._opened() as file:
                left = b""
                while block := file.read(BATCH):
                    end = block.rfind(b"\n") + 1
                    if end:
                        yield self._decoded(left + block[:end])
                        left = block[end:]
                    else:
                        left += block
                        if len(left) > LINE_LIMIT:
                            left = self._past_the_line(file)
                if left:
                    yield self._decoded(left)
        except OSError as error:
            raise RecordingError(f"cannot read {self.name}: {error.strerror or error}") from None

    def _past_the_line(self, file: BinaryIO) -> bytes:
        """What follows a line that is too long."""
        self._line += 1
        self._skip(f"longer than {LINE_LIMIT} bytes")
        while block := file.read(BATCH):
            end = block.find(b"\n") + 1
            if end:
                return block[end:]
        return b""

    def _decoded(self, lines: bytes) -> list[AnyEvent]:
        try:
            found = events.decode_lines(lines)
            self._line += lines.count(b"\n")
        except _UNREADABLE:
            found = []
            for line in _lines(lines):  # one of them is bad
                self._line += 1
                event = self._event(line)
                if event is not None:
                    found.append(event)
        if found and type(found[-1]) is Stop:
            self.complete = True
        return found

    def _event(self, line: bytes) -> AnyEvent | None:
        """The event of a line; None, and a note of it, where there is none."""
        try:
            event = events.decode(line if self._version == events.FORMAT else _upgraded(line, self._version))
        except _UNREADABLE as error:
            if line[-1:] != b"\n":
                self.torn = True
            elif not line.isspace():
                self._skip(printable(str(error), 200))
            return None
        if type(event) is Stop:
            self.complete = True
        return event

    def _read_header(self, file: BinaryIO) -> tuple[int, Header]:
        line = file.readline(HEADER_LIMIT).removeprefix(_BOM)
        if not line.strip():
            raise ForeignRecording(f"{self.name} is {'empty' if not line else 'not a hangup recording'}")
        try:
            version = _version.decode(line).hangup
        except _UNREADABLE:
            raise ForeignRecording(f"{self.name} is not a hangup recording") from None
        if version > events.FORMAT:
            raise VersionError(
                f"{self.name} was written by a newer hangup (format {version}, this one reads up to "
                f"{events.FORMAT}): upgrade hangup to read it"
            )
        if any(step not in UPGRADES for step in range(max(version, 0), events.FORMAT)) or version < 0:
            raise ForeignRecording(f"{self.name} has the unknown format {version}")
        try:
            if version < events.FORMAT:
                line = _upgraded(line, version)
            header = events.decode_header(line)
        except _UNREADABLE as error:
            why = printable(str(error), 200)
            raise ForeignRecording(f"{self.name} has a first line that is not a header: {why}") from None
        header.hangup = events.FORMAT
        return version, header

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file after its header. It is open only while it is read, so nobody has to close a reader."""
        if self._pipe is not None or self.path is None:
            assert self._pipe is not None
            yield self._pipe
            return
        with open(self.path, "rb") as file:
            file.seek(self._start)
            self._line = 1
            self.torn = self.complete = False
            self.skipped = 0
            self.skips = []
            yield file

    def _events(self, wait: Callable[[], bool] | None) -> Iterator[AnyEvent]:
        try:
            with self._opened() as file:
                for line in self._lines(file, wait):
                    event = self._event(line)
                    if event is not None:
                        yield event
        except OSError as error:
            raise RecordingError(f"cannot read {self.name}: {error.strerror or error}") from None

    def _lines(self, file: BinaryIO, wait: Callable[[], bool] | None) -> Iterator[bytes]:
        """Lines with their newline; only the last may lack it. At the end ``wait`` says whether to go on."""
        readline = file.readline
        while True:
            line = readline(LINE_LIMIT)
            if line[-1:] != b"\n":
                while len(line) < LINE_LIMIT and wait is not None and wait():
                    line += readline(LINE_LIMIT - len(line))
                    if line[-1:] == b"\n":
                        break
                else:
                    if len(line) >= LINE_LIMIT:
                        self._line += 1
                        self._skip(f"longer than {LINE_LIMIT} bytes")
                        del line
                        while (rest := readline(1 << 20)) and rest[-1:] != b"\n":
                            pass
                        continue
                    if line:
                        self._line += 1
                        yield line
                    return
            self._line += 1
            yield line

    def _skip(self, why: str) -> None:
        self.skipped += 1
        if len(self.skips) < SKIPS_KEPT:
            self.skips.append((self._line, why))


def _lines(block: bytes) -> Iterator[bytes]:
    """The lines of a block, each with its newline; the last may lack it."""
    start = 0
    while start < len(block):
        end = block.find(b"\n", start) + 1 or len(block)
        yield block[start:end]
        start = end


def _upgraded(line: bytes, version: int) -> bytes:
    value = msgspec.json.decode(line)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    try:
        for step in range(version, events.FORMAT):
            value = UPGRADES[step](value)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not a line of format {version}: {error!r}") from None
    return msgspec.json.encode(value)


def read(source: str | os.PathLike[str]) -> Reader:
    """Opens a recording; ``-`` is standard input.

    Raises :class:`~hangup.errors.RecordingError` when it cannot be opened, ``ForeignRecording`` when it is
    none, and ``VersionError`` when a newer hangup wrote it.
    """
    if os.fspath(source) == "-":
        return Reader(sys.stdin.buffer, "standard input")
    path = Path(source)
    try:
        if path.is_dir():
            raise ForeignRecording(f"{path} is a folder, not a recording")
        file = open(path, "rb")
        if not file.seekable():  # a named pipe, or the shell's <(…): it cannot be opened twice
            return Reader(file, str(path))
        with file:
            return Reader(file, str(path), path)
    except FileNotFoundError:
        raise RecordingError(f"there is no recording {path}") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def follow(reader: Reader, wait: Callable[[], bool]) -> Iterator[AnyEvent]:
    """The events of a recording that is still being written, on into the files that it is rotated to.

    At the end of what there is, ``wait()`` is called, which sleeps and says whether to look again. Ends by
    itself after the event ``stop``.
    """
    while True:
        following: Path | None = None

        def go_on(current: Reader = reader) -> bool:
            nonlocal following
            # In this order: once the next file is there, this one is read to its end once more, and is done.
            if following is not None:
                return False
            following = continuation(current.path)
            return True if following is not None else wait()

        for event in reader._events(go_on):
            yield event
            if type(event) is Stop:
                return
        if following is None:
            return
        reader = read(following)


def batches(events: Iterable[AnyEvent]) -> Iterable[Iterable[AnyEvent]]:
    """A recording's events, many at a time where it can give them so."""
    many: Callable[[], Iterable[list[AnyEvent]]] | None = getattr(events, "batches", None)
    return (events,) if many is None else many()
