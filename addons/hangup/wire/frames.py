"""Bytes in, frames out: RFC 6455 section 5, without judging.

The reader of one direction is in one of three states, and never leaves the last::

    boundary ──header──> inside a frame ──last byte──> boundary
        └──────── bytes that cannot be a frame ──────> junk

It never raises and never loses a byte: what :meth:`FrameReader.feed` and :meth:`FrameReader.finish` give
back, joined in order, is what went in (``wire`` of each item, or header and masked payload). Whatever is wrong
is named in ``problems`` and passed on; who reads decides what to do about it.

Frames larger than ``PIECE_LIMIT`` come as :class:`Piece` items while they arrive, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

from msgspec import Struct

from hangup.wire.masking import mask as pure_mask

Side = Literal["client", "server"]
Mask = Callable[[bytes, bytes], bytes]
"""``mask(key, data)``: the payload XOR the four-byte key, repeated."""

PIECE_LIMIT = 1 << 20
"""Frames with a longer payload (bytes) come in pieces."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
OPCODE_NAMES: tuple[str, ...] = tuple(OPCODES.get(i, f"0x{i:x}") for i in range(16))
"""Name of each opcode; a reserved one is spelled in hex (``0x3``)."""
OPCODE_NUMBERS: dict[str, int] = {name: i for i, name in enumerate(OPCODE_NAMES)}


class Frame(Struct, gc=False):
    """One frame as it was on the wire. ``payload`` is unmasked; ``key`` the masking key, None when unmasked.

    ``head`` is the header's bytes when they are not the canonical ones for the other fields. ``wire`` is
    the whole frame's bytes, kept only when the reader was told to.
    """

    fin: bool
    rsv: int
    opcode: int
    key: bytes | None
    payload: bytes
    problems: tuple[str, ...] = ()
    head: bytes | None = None
    wire: bytes | None = None


class Piece(Struct, gc=False):
    """A part of a large frame. The first has ``head`` (the header's bytes), the last has ``last`` set."""

    fin: bool
    rsv: int
    opcode: int
    key: bytes | None
    payload: bytes
    length: int
    problems: tuple[str, ...]
    head: bytes | None
    last: bool
    wire: bytes | None = None


class Junk(Struct, gc=False):
    """Bytes that are no whole frame. Of a half frame, ``opcode`` and ``length`` say what its header announced."""

    payload: bytes
    problems: tuple[str, ...]
    opcode: int | None = None
    length: int | None = None


Item = Frame | Piece | Junk


@cache
def _first_bytes(rsv_data: int, rsv_any: bool) -> tuple[tuple[bool, int, int, tuple[str, ...], bool], ...]:
    """For each first byte: fin, rsv, opcode, its problems, and whether it cannot begin a frame at all."""
    table = []
    for byte in range(256):
        fin, rsv, opcode = bool(byte & 0x80), byte >> 4 & 7, byte & 15
        problems = []
        reserved = opcode not in OPCODES
        if reserved:  # 5.2: "if an unknown opcode is received, the receiving endpoint MUST fail"
            problems.append("reserved-opcode")
        # 5.2: RSV "MUST be 0 unless an extension is negotiated"; RFC 7692 6: RSV1 only on a message's first frame
        bad_rsv = bool(rsv) and not rsv_any and (rsv & ~rsv_data != 0 or opcode not in (TEXT, BINARY))
        if bad_rsv:
            problems.append("rsv")
        if opcode >= 8 and not fin and not reserved:  # 5.5: control frames "MUST NOT be fragmented"
            problems.append("control-fragmented")
        # Three faults in one byte, as every letter has them that could begin a stray line of text: not a frame.
        junk = bad_rsv and not fin and (reserved or opcode >= 8)
        table.append((fin, rsv, opcode, tuple(problems), junk))
    return tuple(table)


class FrameReader:
    """Splits one direction's bytes into frames, for any chunking.

    ``side`` is who sends: a client must mask, a server must not (5.1). ``rsv_data`` are the RSV bits (4 is RSV1)
    that negotiated extensions allow on data frames, ``rsv_any`` is set when an extension that we do not know was
    negotiated. ``mask`` unmasks (a faster one than ours may be given). With ``keep_wire`` each item carries its
    bytes.
    """

    def __init__(
        self,
        side: Side,
        *,
        rsv_data: int = 0,
        rsv_any: bool = False,
        mask: Mask = pure_mask,
        keep_wire: bool = False,
    ) -> None:
        self.side = side
        self.keep_wire = keep_wire
        self._masked = 0x80 if side == "client" else 0
        self._mask_problem = ("unmasked",) if side == "client" else ("masked",)
        self._first = _first_bytes(rsv_data, rsv_any)
        self._mask = mask
        self._held: list[bytes] = []
        self._size = 0
        self._need = 2
        self._junk = False
        self._piece: Piece | None = None
        self._left = 0
        self._offset = 0

    @property
    def pending(self) -> int:
        """How many bytes of a frame that is not complete are held here."""
        return self._size

    @property
    def buffered(self) -> bytes:
        """The bytes of a frame that is not complete, as far as they are held here."""
        return b"".join(self._held)

    @property
    def lost(self) -> bool:
        """Whether what comes is no longer made of frames."""
        return self._junk

    @property
    def inside(self) -> bool:
        """Whether the last byte that was fed lies within a frame."""
        return self._size > 0 or self._piece is not None

    @property
    def missing(self) -> int:
        """While inside a frame: how many bytes are wanted next. No more than these belong to it, or to its header."""
        return self._left if self._piece is not None else self._need - self._size

    def feed(self, data: bytes) -> list[Item]:
        """The items that ``data`` completes."""
        if self._size:
            self._held.append(data)
            self._size += len(data)
            if self._size < self._need:
                return []
            data = self._take_held()
        items: list[Item] = []
        if self._junk:
            if data:
                items.append(Junk(data, ("not-a-frame",)))
            return items
        pos = self._continue_piece(data, items) if self._piece is not None else 0
        end = len(data)
        first, masked, unmask, keep = self._first, self._masked, self._mask, self.keep_wire
        append = items.append
        while end - pos >= 2:
            fin, rsv, opcode, problems, junk = first[data[pos]]
            second = data[pos + 1]
            length = second & 0x7F
            start = pos + 2
            head_problem = False
            if junk:
                if b"HTTP/".startswith(data[pos : pos + 5]) and end - pos < 5:
                    self._need = 5
                    break
                self._junk = True
                append(Junk(data[pos:], ("not-a-frame",)))
                return items
            if length > 125:
                # 5.2: 126 and 127 announce a length of 16 or 64 bits, "the minimal number of bytes MUST be used"
                wide = 2 if length == 126 else 8
                start += wide
                if start > end:
                    self._need = start - pos
                    break
                length = int.from_bytes(data[start - wide : start], "big")
                if opcode >= 8:
                    problems += ("control-too-long",)
                if length < (126 if wide == 2 else 65536):
                    problems += ("length-not-minimal",)
                    head_problem = True
                elif length >> 63:  # no stream can hold it: from here on nothing can be told apart
                    self._junk = True
                    append(Junk(data[pos:], (*problems, "length-top-bit", "not-a-frame")))
                    return items
            if second & 0x80 != masked:
                problems += self._mask_problem
            body = start + 4 if second & 0x80 else start
            stop = body + length
            if stop > end:
                if length <= PIECE_LIMIT:
                    self._need = stop - pos
                    break
                if body > end:
                    self._need = body - pos
                    break
                key = data[start:body] if second & 0x80 else None
                self._piece = Piece(fin, rsv, opcode, key, b"", length, problems, data[pos:body], False)
                self._left = length
                self._offset = 0
                pos = body + self._continue_piece(data[body:], items)
                continue
            payload = data[body:stop]
            key = None
            if second & 0x80:
                key = data[start:body]
                payload = unmask(key, payload)
            append(
                Frame(
                    fin,
                    rsv,
                    opcode,
                    key,
                    payload,
                    problems,
                    data[pos:body] if head_problem else None,
                    data[pos:stop] if keep else None,
                )
            )
            pos = stop
        else:
            self._need = 2
        if pos < end:
            self._held.append(data[pos:])
            self._size = end - pos
        return items

    def _take_held(self) -> bytes:
        """What is held, which is then no longer: joined once, however many chunks it came in."""
        data = b"".join(self._held)
        self._held.clear()
        self._size = 0
        return data

    def _continue_piece(self, data: bytes, items: list[Item]) -> int:
        """Takes what belongs to the large frame under way; returns how many bytes that was."""
        piece = self._piece
        assert piece is not None
        taken = data[: self._left]
        if not taken and self._left:
            return 0
        self._left -= len(taken)
        payload = taken
        if piece.key is not None:
            shift = self._offset & 3
            payload = self._mask(piece.key[shift:] + piece.key[:shift], taken)
        self._offset += len(taken)
        last = self._left == 0
        wire = None
        if self.keep_wire:
            wire = (piece.head or b"") + taken
        items.append(
            Piece(
                piece.fin,
                piece.rsv,
                piece.opcode,
                piece.key,
                payload,
                piece.length,
                piece.problems,
                piece.head,
                last,
                wire,
            )
        )
        piece.head = None
        if last:
            self._piece = None
        return len(taken)

    def finish(self) -> Junk | None:
        """What was left of a frame when the stream ended: its bytes that were not given back yet, or None."""
        if self._piece is not None:
            piece, self._piece = self._piece, None
            # No piece was given out yet when the stream ended right after the header.
            return Junk(piece.head or b"", ("half-frame",), piece.opcode, piece.length)
        if not self._size:
            return None
        data = self._take_held()
        if len(data) < 2:
            return Junk(data, ("half-frame",), data[0] & 15)
        length: int | None = data[1] & 0x7F
        if length is not None and length > 125:
            wide = 2 if length == 126 else 8
            length = int.from_bytes(data[2 : 2 + wide], "big") if len(data) >= 2 + wide else None
        return Junk(data, ("half-frame",), data[0] & 15, length)


def announced(head: bytes) -> int:
    """How many bytes of payload a data frame's header (2 bytes at least) announces; 0 where they are compressed, and so
    say nothing of the message's size, and for a control frame."""
    if len(head) < 2 or head[0] & 0x48:
        return 0
    short = head[1] & 0x7F
    return short if short < 126 else int.from_bytes(head[2 : 4 if short == 126 else 10], "big")


def header(fin: bool, rsv: int, opcode: int, key: bytes | None, length: int) -> bytes:
    """The canonical header for a payload of ``length`` bytes (5.2)."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    flag = 0x80 if key is not None else 0
    if length < 126:
        head = bytes((first, flag | length))
    elif length < 65536:
        head = bytes((first, flag | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, flag | 127)) + length.to_bytes(8, "big")
    return head + key if key is not None else head


def serialize(frame: Frame, mask: Mask = pure_mask) -> bytes:
    """The frame's bytes on the wire, exactly as they were read."""
    if frame.wire is not None:
        return frame.wire
    head = frame.head
    if head is None:
        head = header(frame.fin, frame.rsv, frame.opcode, frame.key, len(frame.payload))
    return head + (frame.payload if frame.key is None else mask(frame.key, frame.payload))
