"""Writing a recording: cheap for the event loop, durable against a kill, and never in the way of traffic.

The event loop's thread encodes and buffers (:meth:`Journal.write`) and every few milliseconds hands the
buffer over (:meth:`Journal.flush`); one thread writes it to the file, whole lines at a time, in append mode
and unbuffered, so that a kill tears at most the last line. While the disk refuses, that thread keeps what it
has and tries again; what is more than ``max_behind`` bytes is dropped, counted, and noted in the file as soon
as it can be. A file that somebody removes or moves away while it is written is gone on from in the next.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pybase64 import b64encode

from hangup.errors import RecordingError
from hangup.humanize import duration, plural, printable, size
from hangup.recorder.journal_files import WATCH, Gone, JournalFiles, at_of, lost
from hangup.recording.cutting import Cutter
from hangup.recording.events import Event, Frame, Header, Note, Part, Raw, encoder

RETRY = 0.25
"""Seconds between two attempts to write while the disk refuses."""

NOT_RECORDED = "NOT RECORDED"
"""What every message begins with that tells of something that is not in the file."""

REASONS_KEPT = 5

LARGE = 1 << 14
"""Lines of so many bytes are not copied once more to be written together with others."""

AT_MOST = 1 << 20
"""Bytes that are buffered before they are handed over, however short a time they have waited."""

_encode = encoder.encode
_encode_lines = encoder.encode_lines
_WITH_PAYLOAD = (Frame, Part, Raw)


class Journal:
    """The file that a recording is written to.

    ``max_size``, ``keep`` and ``on_rotation`` are as in :class:`~hangup.recorder.journal_files.JournalFiles`;
    ``max_payload`` (bytes, 0 for none) cuts the payload of each frame. All methods are for one thread, the
    event loop's.

    ``on_loss(message, lost)`` is called once when an outage begins (``lost`` is 0 as long as nothing had to
    be dropped), and once when it is over or given up, with the number of events that were lost in it; and when the file
    was removed or moved away. A file that cannot be created is such an outage too; only one that exists already raises
    :class:`~hangup.errors.RecordingError`. It and ``on_rotation`` are called *from either thread*, most often the
    journal's own, and must not block; their messages are whole sentences.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: Header,
        *,
        max_size: int = 0,
        max_payload: int = 0,
        keep: int = 0,
        max_behind: int = 64 << 20,
        on_loss: Callable[[str, int], None] = lambda message, lost: None,
        on_rotation: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.path = Path(path)
        self.lost = 0
        """How many events could not be written, or were in a file that was removed."""
        self.reasons: list[str] = []
        """Why, each but once."""
        self.max_behind = max_behind
        self._on_loss = on_loss
        self._cutter = Cutter(max_payload) if max_payload > 0 else None
        self._lines: list[bytes] = []
        self._buffered = 0  # bytes in these
        self._large = False

        # Shared by both threads, under the lock of ``_changed``.
        self._changed = threading.Condition()
        self._blocks: deque[tuple[bytes, bool]] = deque()  # lines, and whether they are a note of what was lost
        self._behind = 0
        self._dropped = 0  # events, since the last note of it in the file
        self._dropped_at = 0.0
        self._outage = ""  # why nothing can be written at present
        self._lost_before = 0  # of ``lost``, what was told already
        self._closing = False
        self._closed = False

        # The writing thread's own.
        self._files = JournalFiles(self.path, header, max_size=max_size, keep=keep, on_rotation=on_rotation)
        self._done = 0  # bytes of the first block that are in the file
        self._last_try = False

        try:
            self._files.ready()
        except FileExistsError:
            raise RecordingError(f"{self.path} exists already: recordings are never overwritten") from None
        except OSError as error:
            if error.errno == errno.EISDIR:
                raise RecordingError(f"{self.path} is a folder") from None
            self._failed(error)
        self._thread = threading.Thread(target=self._run, name="hangup journal", daemon=True)
        self._thread.start()

    @property
    def files(self) -> list[Path]:
        """What was written so far, in order, but for what was deleted to stay within ``keep``."""
        return list(self._files.paths)

    @property
    def outage(self) -> str:
        """Why nothing can be written at present; empty while all is well."""
        return self._outage

    @property
    def pending(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._lines)

    @property
    def behind(self) -> int:
        """Bytes that wait to be written; 0 while the disk refuses, when waiting for it would be of no use."""
        return 0 if self._outage else self.backlog

    @property
    def backlog(self) -> int:
        """Bytes that are not in the file yet, whatever the reason."""
        return self._behind + self._buffered

    def write(self, event: Event) -> None:
        """Buffers an event. One that cannot be encoded is counted as lost, in its place."""
        if self._cutter is not None:
            event = self._cutter.cut(event)
        try:
            if isinstance(event, _WITH_PAYLOAD) and len(event.text or event.base64 or "") > LARGE:
                line = _large_line(event)
            else:
                line = _encode(event) + b"\n"
            self.extend(line)
        except (ValueError, TypeError, OverflowError) as error:
            text = f"an event of kind {type(event).__name__} could not be written: {printable(str(error), 200)}"
            with self._changed:
                self.lost += 1
                known = self._because(text)
            if not known:
                self._tell(f"{NOT_RECORDED}: {text}", 1)
            self._lines.append(_encode(Note(at=event.at, text=text, lost=1)) + b"\n")

    def extend(self, lines: bytes) -> None:
        """Buffers events that are encoded already, each with its newline."""
        self._lines.append(lines)
        self._buffered += len(lines)
        if len(lines) >= LARGE:
            self._large = True
        if self._buffered > AT_MOST:
            self.flush()

    def flush(self) -> None:
        """Hands what is buffered over to the writing thread; never blocks on the disk."""
        lines = self._lines
        if not lines:
            return
        self._lines = []
        self._buffered = 0
        blocks = _blocks(lines) if self._large else [b"".join(lines)]
        self._large = False
        with self._changed:
            fits = not self._blocks or self._behind + sum(map(len, blocks)) <= self.max_behind
            if fits and not self._closed:
                self._queue_note()
                for block in blocks:
                    self._queue(block)
                self._changed.notify()
            else:
                self._drop(lines)
        if not fits:
            self._begin_outage("the disk is too slow for this recording")

    def close(self, timeout: float = 5.0) -> None:
        """Flushes, waits at most ``timeout`` seconds until all is in the file, and closes it."""
        if self._closed:
            return
        self.flush()
        with self._changed:
            self._closing = self._closed = True
            self._changed.notify()
        self._thread.join(timeout)
        if self._thread.is_alive():
            why = f"{self.path} could not be written within {duration(timeout)}"
            with self._changed:
                self.lost += self._left()
                self._because(why)
            self._tell(f"{NOT_RECORDED}: {why}, {lost(self.lost)}", self.lost)

    # Under the lock, from either thread.

    def _because(self, why: str) -> bool:
        """Remembers why something is lost; whether that was known."""
        known = why in self.reasons
        if not known and len(self.reasons) < REASONS_KEPT:
            self.reasons.append(why)
        return known

    def _queue(self, block: bytes, note: bool = False) -> None:
        self._blocks.append((block, note))
        self._behind += len(block)

    def _left(self) -> int:
        """Events that wait to be written."""
        return sum(_count(block) for block, note in self._blocks if not note)

    def _drop(self, lines: list[bytes]) -> None:
        count = sum(map(_count, lines))
        self.lost += count
        self._dropped += count
        self._dropped_at = at_of(lines[-1][lines[-1].rfind(b"\n", 0, -1) + 1 :])

    def _queue_note(self) -> None:
        """A note of what was dropped, in its place among the events."""
        count = self._dropped
        if count:
            self._dropped = 0
            text = f"{plural(count, 'event')} could not be written here and {'is' if count == 1 else 'are'} lost"
            self._queue(_encode(Note(at=self._dropped_at, text=text, lost=count)) + b"\n", True)

    # The writing thread.

    def _run(self) -> None:
        while (block := self._next()) is not None:
            try:
                if (gone := self._files.look()) is not None:
                    self._miss(gone, block)
                self._files.ready()
                while self._done < len(block):
                    self._done = self._files.write(block, self._done)
            except OSError as error:
                self._failed(error)
                with self._changed:
                    if self._last_try:
                        break
                    self._changed.wait_for(lambda: self._closing, RETRY)
            else:
                self._written(block)
        self._finish()

    def _next(self) -> bytes | None:
        """Waits for the next block: empty when only a header is to be written, or it is time to look after the file;
        None when all is done."""
        with self._changed:
            while True:
                if not self._blocks:
                    self._queue_note()
                self._last_try = self._closing
                if self._blocks:
                    return self._blocks[0][0]
                if self._closing:
                    return None
                if self._files.waits or not self._changed.wait(WATCH):
                    return b""

    def _written(self, block: bytes) -> None:
        with self._changed:
            if block:
                self._blocks.popleft()
                self._behind -= len(block)
                self._done = 0
            if not self._outage or self._blocks or self._dropped:
                return
            self._outage = ""
            count = self.lost - self._lost_before
            self._lost_before = self.lost
        where = self._files.paths[-1]
        self._tell(f"recording again, into {where}: {lost(count) if count else 'nothing is lost'}", count)

    def _miss(self, gone: Gone, block: bytes) -> None:
        """The file is not where it was; what is to be written goes into another, in whole lines."""
        self._done = block.rfind(b"\n", 0, self._done) + 1
        if gone.lost:
            with self._changed:
                self.lost += gone.lost
                self._lost_before += gone.lost
                self._because(gone.what)
        self._tell(f"{NOT_RECORDED}: {gone.what}, {lost(gone.lost)}" if gone.lost else gone.what, gone.lost)

    # Outages: told once when one begins, and once when it is over if something was lost.

    def _failed(self, error: OSError) -> None:
        where = self._files.paths[-1] if self._files.paths else self.path
        self._begin_outage(f"cannot write {where}: {error.strerror or error}")

    def _begin_outage(self, why: str) -> None:
        with self._changed:
            if self._outage:
                return
            self._outage = why
            self._because(why)
            count = self.lost - self._lost_before
        kept = f"traffic goes on, and up to {size(self.max_behind)} of events are kept until it works again"
        so_far = f", {lost(count)} so far" if count else ""
        self._tell(f"{NOT_RECORDED}: {why}{so_far} ({kept})", count)

    def _finish(self) -> None:
        """The end. When given up, the file is left with whole lines, and the loss in it if there is room."""
        with self._changed:
            left = self._left()
        if left or self._dropped:
            why = self._outage or "closed too early"
            with self._changed:
                self.lost += left
                self._because(why)
            count = self.lost - self._lost_before
            self._tell(f"{NOT_RECORDED}: the recording is incomplete, {lost(count)}: {why}", count)
            block = self._blocks[0][0] if self._blocks else b""
            note = Note(at=0.0, text=f"{plural(count, 'event')} could not be written: {why}", lost=count)
            self._files.give_up(block, self._done, note)
        elif (gone := self._files.look(at_once=True)) is not None:
            self._miss(gone, b"")
        self._files.close()

    def _tell(self, message: str, lost: int) -> None:
        with suppress(Exception):
            self._on_loss(message, lost)


def _blocks(lines: list[bytes]) -> list[bytes]:
    """What to write at once: a large piece by itself, small ones together."""
    blocks: list[bytes] = []
    small: list[bytes] = []
    for line in lines:
        if len(line) < LARGE:
            small.append(line)
            continue
        if small:
            blocks.append(b"".join(small))
            small = []
        blocks.append(line)
    if small:
        blocks.append(b"".join(small))
    return blocks


def _large_line(event: Frame | Part | Raw) -> bytes:
    """The line of an event with a large payload. Base64 by a library many times as fast as the encoder's own."""
    data = event.base64
    if not data:
        return _encode_lines((event,))  # is slower for a small event, and spares a large one a copy
    event.base64 = b""
    try:
        line = _encode(event)
    finally:
        event.base64 = data
    # What may stand before it is chosen from short lists of words, and cannot be mistaken for it.
    head, mark, tail = line.partition(b'"base64":""')
    assert mark
    return b"".join((head, b'"base64":"', b64encode(data), b'"', tail, b"\n"))


def _count(lines: bytes) -> int:
    """How many events: a newline ends each, and there is none within."""
    return lines.count(b"\n")
