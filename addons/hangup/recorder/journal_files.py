"""The files that a recording is written to, one after the other, each with the header: when the next one is begun,
which old ones are deleted, and whether the current one is still where it was made."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from hangup.humanize import plural, size
from hangup.recording.events import Header, Note, encoder
from hangup.recording.folder import make_folder, rotated
from hangup.system import NEW_AND_PRIVATE

WATCH = 0.5
"""Seconds between two looks at whether the file is still where it was made."""

SHARES = 4
"""Where only the total is bounded, so many files share it."""

_FLAGS = NEW_AND_PRIVATE | os.O_RDWR | os.O_APPEND
_MOST = 1 << 30  # some systems refuse to write more in one call
_BLOCK = 1 << 20

_encode = encoder.encode


class _At(msgspec.Struct):
    at: float = 0.0


_at = msgspec.json.Decoder(_At)


class Gone(NamedTuple):
    """A file is no longer where it was made: what became of it, in words, and how many events were in it if they are
    lost with it."""

    what: str
    lost: int


class JournalFiles:
    """For one thread, the journal's own. What the system refuses raises :class:`OSError`, and can be tried again.

    ``max_size`` (bytes, 0 for none) rotates to ``NAME.2.jsonl`` and so on. ``keep`` (bytes, 0 for no bound) deletes the
    oldest of these files so that all together, with the one that is being filled, never have more.
    ``on_rotation(message)`` is called when the next file has been begun.
    """

    def __init__(
        self, path: Path, header: Header, *, max_size: int, keep: int, on_rotation: Callable[[str], None]
    ) -> None:
        self.path = path
        self.paths: list[Path] = []
        """What was written so far, in order, but for what was deleted to stay within ``keep``."""
        self._header = header
        self._max_size = max_size or keep // SHARES
        self._keep = keep
        self._on_rotation = on_rotation
        self._fd = -1
        self._size = 0  # of the current file, in bytes
        self._head = b""  # of the current file, what of its header is still to be written
        self._head_size = 0
        self._sizes: list[int] = []  # of those before
        self._number = 0
        self._notes = b""  # which the next file begins with, after its header
        self._identity: tuple[int, int] | None = None  # of the current file, where that can be told
        self._look_at = 0.0

    @property
    def waits(self) -> bool:
        """Whether there is something to be written before any event."""
        return self._fd < 0 or bool(self._head)

    def ready(self) -> None:
        """Opens a file if none is open, and writes what stands before its events."""
        if self._fd < 0:
            self._open()
        while self._head:
            written = os.write(self._fd, self._head)
            self._head = self._head[written:]
            self._size = self._head_size = self._size + written

    def write(self, block: bytes, done: int) -> int:
        """Writes lines from where an earlier attempt was stopped, so that a torn line is completed; gives up to where.
        Goes on in the next file when this one is full."""
        with memoryview(block) as view:
            end = self._until(block, done)
            written = os.write(self._fd, view[done:end])
        self._size += written
        return done + written

    def _until(self, block: bytes, start: int) -> int:
        """Up to where the block goes into the current file; rotates when it is full."""
        if not self._max_size:
            return min(len(block), start + _MOST)
        if start and block[start - 1] != 0x0A:  # within a line, whose end belongs into the same file
            return block.find(b"\n", start) + 1
        end = block.rfind(b"\n", start, max(start, start + self._max_size - self._size)) + 1
        if end > start:
            return end
        if self._size > self._head_size:
            self._open(at_of(block[start:]))
            self.ready()
            return self._until(block, start)
        return block.find(b"\n", start) + 1  # one line that is larger than a file may be

    def _open(self, at: float = 0.0) -> None:
        """Opens the next file, whose first event is of the time ``at``."""
        header = self._header
        if self.paths:
            continued = f"continues {self.paths[-1].name}"
            header = replace(header, note=f"{header.note}; {continued}" if header.note else continued)
        with suppress(FileExistsError):  # a file where the folder should be: opening says it better
            make_folder(self.path.parent)
        number = self._number + 1
        while True:
            path = rotated(self.path, number)
            try:
                fd = os.open(path, _FLAGS, 0o600)
                break
            except FileExistsError:
                if not self.paths:
                    raise
                number += 1  # somebody's file is in the way
        if self._fd >= 0:
            os.close(self._fd)
        if self.paths:
            self._sizes.append(self._size)
        self._fd, self._number, self._size = fd, number, 0
        self._identity = _identity(os.fstat(fd))
        with suppress(OSError):
            if _identity(os.stat(path)) != self._identity:
                self._identity = None  # a file system that has no lasting numbers for its files
        self._look_at = time.monotonic() + WATCH
        self.paths.append(path)
        deleted = self._make_room(at)
        self._head = _encode(header) + b"\n" + self._notes
        self._notes = b""
        if number > 1:
            with suppress(Exception):
                self._on_rotation(f"recording continues in {path}{deleted}")

    def _make_room(self, at: float) -> str:
        """Deletes the oldest files until there is room for the new one; what it did, to be added to a sentence."""
        deleted: list[str] = []
        while self._keep and self._sizes and sum(self._sizes) + self._max_size > self._keep:
            try:
                self.paths[0].unlink(missing_ok=True)
            except OSError as error:
                return f"; {self.paths[0]} cannot be deleted: {error.strerror or error}"  # tried again with the next
            deleted.append(self.paths.pop(0).name)
            self._sizes.pop(0)
        if not deleted:
            return ""
        text = f"deleted {', '.join(deleted)}, to keep at most {size(self._keep)}"
        self._notes += _encode(Note(at=at, text=text)) + b"\n"
        return f"; {text}"

    def look(self, at_once: bool = False) -> Gone | None:
        """Looks, now and then or ``at_once``, whether the file is where it was made. If not, the next one is gone on
        in."""
        now = time.monotonic()
        if self._fd < 0 or self._identity is None or (now < self._look_at and not at_once):
            return None
        self._look_at = now + WATCH
        path = self.paths[-1]
        try:
            if _identity(os.stat(path)) == self._identity:
                return None
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return None  # it cannot be told
        removed = not os.fstat(self._fd).st_nlink
        lines, at = self._written()
        os.close(self._fd)
        self._fd = -1
        what = f"{path} was {'removed' if removed else 'moved away'} while it was being written"
        gone = Gone(what, lines if removed else 0)
        self._notes += _encode(Note(at=at, text=what, lost=gone.lost)) + b"\n"
        return gone

    def _written(self) -> tuple[int, float]:
        """How many events are in the current file, and the time of the last. Read from the file: to count all that is
        written would cost more than it is worth for what hardly ever happens."""
        lines, last = -1, b""  # the header is none
        with suppress(OSError):
            os.lseek(self._fd, 0, os.SEEK_SET)
            while block := os.read(self._fd, _BLOCK):
                lines += block.count(b"\n")
                last = (last + block)[-_BLOCK:]
        return max(lines, 0), at_of(last[: last.rfind(b"\n")].rpartition(b"\n")[2])

    def give_up(self, block: bytes, done: int, note: Note) -> None:
        """Leaves the file with whole lines, though only ``done`` bytes of a block could be written, and with a note of
        the loss if there is room."""
        if self.waits:
            return
        torn = done - (block.rfind(b"\n", 0, done) + 1)
        note.at = at_of(block[done - torn :])
        with suppress(OSError):
            if torn:
                os.ftruncate(self._fd, self._size - torn)
            os.write(self._fd, _encode(note) + b"\n")

    def close(self) -> None:
        """Closes the current file."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1


def at_of(lines: bytes) -> float:
    """The time of the first of these lines; 0 where there is none."""
    with suppress(msgspec.MsgspecError, UnicodeError):
        return _at.decode(lines.partition(b"\n")[0]).at
    return 0.0


def lost(count: int) -> str:
    """That so many events are lost, in words."""
    return f"{plural(count, 'event')} {'is' if count == 1 else 'are'} lost"


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
