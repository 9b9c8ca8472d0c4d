"""Frames in, messages out: fragmentation (RFC 6455 5.4), UTF-8 (8.1), what may follow what, and inflating.

An :class:`Assembler` watches one direction. It changes no frame; it adds to each what only the sequence shows:
a continuation of nothing, a new message within another, invalid UTF-8 across fragments, data after a close frame.
"""

from __future__ import annotations

import codecs
from typing import Protocol

from msgspec import Struct

from hangup.wire.close_codes import valid_on_wire
from hangup.wire.frames import BINARY, CLOSE, CONTINUATION, TEXT, Frame, Piece

KEEP_LIMIT = 1 << 20
"""Messages larger than this (bytes) are not kept whole, only counted."""


class Inflate(Protocol):
    """What inflates the compressed messages of a direction (:class:`hangup.wire.deflate.Inflater`)."""

    left: bool
    """Whether the last message was left compressed, being too large to be inflated."""

    def message(self, data: bytes, limit: int) -> tuple[bytes, int, tuple[str, ...]]:
        """The inflated bytes (at most ``limit``), the true length, and problems."""

    def feed(self, data: bytes, limit: int) -> None:
        """Takes a piece of a message; :meth:`message` takes the last one."""

    def abandon(self) -> None:
        """Forgets the pieces."""


class WireMessage(Struct, gc=False):
    """A whole message as the application saw it: ``data`` is None when it was larger than what is kept, or is ``left``
    compressed, being too large to be inflated; ``length`` is then how far inflating came."""

    opcode: int
    data: bytes | None
    length: int
    compressed: bool
    fragments: int
    problems: tuple[str, ...] = ()
    left: bool = False


class Noted(Struct, gc=False):
    """What an :class:`Assembler` has to say about a frame: further problems, and the message that it ended."""

    problems: tuple[str, ...] = ()
    message: WireMessage | None = None


NOTHING = Noted()


def parse_close(payload: bytes) -> tuple[int | None, str | None, tuple[str, ...]]:
    """Code, reason and problems of a close frame's payload (5.5.1): an empty one has neither code nor reason."""
    if not payload:
        return None, None, ()
    if len(payload) == 1:
        return None, None, ("close-one-byte",)
    code = int.from_bytes(payload[:2], "big")
    problems: tuple[str, ...] = () if valid_on_wire(code) else ("close-code",)
    try:
        return code, payload[2:].decode(), problems
    except UnicodeDecodeError:
        return code, payload[2:].decode(errors="replace"), (*problems, "close-reason-utf8")


class Assembler:
    """Follows the messages of one direction.

    ``compressed`` says whether permessage-deflate was negotiated (then RSV1 marks a compressed message), and
    ``inflate`` undoes it. Messages over ``limit`` bytes are counted and not kept; ``inflate`` still sees them so
    that its window stays right.
    """

    def __init__(self, inflate: Inflate | None = None, *, limit: int = KEEP_LIMIT) -> None:
        self._inflate = inflate
        self.limit = limit
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._opcode: int | None = None
        self._packed = False
        self._chunks: list[bytes] = []
        self._length = 0
        self._fragments = 0
        self._valid = True
        self.closed = False

    @property
    def inside(self) -> bool:
        """Whether a message is under way."""
        return self._opcode is not None

    @property
    def idle(self) -> bool:
        """Whether no message is under way and no close frame has passed: then an unfragmented, uncompressed
        frame is a message by itself and need not be shown here."""
        return self._opcode is None and not self.closed

    def frame(self, frame: Frame) -> Noted:
        """Takes the next frame of the direction."""
        problems: list[str] = ["after-close"] if self.closed else []
        opcode = frame.opcode
        if opcode >= 8:
            if opcode == CLOSE:
                self.closed = True
                problems += parse_close(frame.payload)[2]
            return Noted(tuple(problems)) if problems else NOTHING
        message = self._data(frame.fin, frame.rsv, opcode, frame.payload, True, problems)
        if message is None and not problems:
            return NOTHING
        return Noted(tuple(problems), message)

    def piece(self, piece: Piece) -> Noted:
        """Takes a part of a large frame."""
        problems: list[str] = ["after-close"] if self.closed and piece.head else []
        if piece.opcode >= 8:
            if piece.opcode == CLOSE and piece.last:
                self.closed = True
            return Noted(tuple(problems)) if problems else NOTHING
        opcode = piece.opcode if piece.head else CONTINUATION
        message = self._data(piece.fin and piece.last, piece.rsv, opcode, piece.payload, piece.last, problems)
        return Noted(tuple(problems), message)

    def _data(
        self, fin: bool, rsv: int, opcode: int, payload: bytes, whole: bool, problems: list[str]
    ) -> WireMessage | None:
        begins = opcode in (TEXT, BINARY)
        if begins:
            if self._opcode is not None:
                problems.append("interleaved-data")
                self._reset()
            self._opcode = opcode
            self._packed = bool(rsv & 4) and self._inflate is not None
        elif opcode != CONTINUATION:
            return None
        elif self._opcode is None:
            problems.append("orphan-continuation")
            return None
        self._length += len(payload)
        self._fragments += whole
        if self._packed:
            if not fin:
                assert self._inflate is not None
                self._inflate.feed(payload, self.limit)
        elif self._length <= self.limit:
            self._chunks.append(payload)
        if self._opcode == TEXT and not self._packed and self._valid:
            self._check_utf8(payload, fin, problems)
        if not fin:
            return None
        message = self._finish(payload, problems)
        self._reset()
        return message

    def _check_utf8(self, payload: bytes, final: bool, problems: list[str]) -> None:
        try:
            self._utf8.decode(payload, final)
        except UnicodeDecodeError:
            problems.append("invalid-utf8")
            self._valid = False

    def _finish(self, payload: bytes, problems: list[str]) -> WireMessage:
        assert self._opcode is not None
        data: bytes | None = None
        length, left = self._length, False
        if self._packed:
            assert self._inflate is not None
            inflated, length, faults = self._inflate.message(payload, self.limit)
            problems += faults
            left = self._inflate.left
            data = inflated if len(inflated) == length and not faults and not left else None
            if self._opcode == TEXT and data is not None:
                for start in range(0, max(len(data), 1), KEEP_LIMIT):
                    if self._valid:
                        self._check_utf8(data[start : start + KEEP_LIMIT], start + KEEP_LIMIT >= len(data), problems)
        elif length <= self.limit:
            data = b"".join(self._chunks)
        return WireMessage(self._opcode, data, length, self._packed, self._fragments, tuple(problems), left)

    def _reset(self) -> None:
        if self._packed and self._inflate is not None:
            self._inflate.abandon()
        self._opcode = None
        self._packed = False
        self._chunks = []
        self._length = 0
        self._fragments = 0
        self._valid = True
        self._utf8.reset()
