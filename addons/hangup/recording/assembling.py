"""The whole messages of a recording, of all its connections, from its ``frame`` and ``part`` events.

A recording repeats most messages of several or compressed frames whole (``Frame.message``); what is too large for
that is put together here again.
"""

from __future__ import annotations

from msgspec import Struct

from hangup.recording.events import AnyEvent, End, Frame, Handshake, Part, Side
from hangup.recording.negotiation import compression
from hangup.wire import deflate
from hangup.wire.frames import OPCODE_NUMBERS, Piece
from hangup.wire.frames import Frame as WireFrame
from hangup.wire.inflation_budget import FILE_SPARE, InflationBudget, whole
from hangup.wire.messages import Assembler, Noted

MESSAGE_LIMIT = 64 << 20
"""Messages larger than this (bytes) are told of, but not put together."""

Key = tuple[int, Side]


class Message(Struct):
    """A whole text or binary message. ``at`` and ``n`` are its last frame's; ``length`` is in bytes.

    ``data`` is None when it is not known: too large, cut in the recording, a broken deflate stream, or ``left``
    compressed, as it inflates to far more than was on the wire.
    """

    conn: int
    side: Side
    at: float
    n: int
    opcode: str
    data: bytes | None
    length: int
    fragments: int = 1
    compressed: bool = False
    left: bool = False

    @property
    def text(self) -> str | None:
        """The message when it is text, with what is not UTF-8 replaced; None for a binary or unknown one."""
        return self.data.decode(errors="replace") if self.opcode == "text" and self.data is not None else None


class Messages:
    """Feed it all events in order; it answers with each message when its last frame has come.

    ``limit`` (bytes) is the largest message that is put together.
    """

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._deflate: dict[int, deflate.Params] = {}
        # Without a clock: what a file says of its times must not buy more.
        self._inflation = whole()
        self._directions: dict[Key, Assembler] = {}
        self._opcodes: dict[Key, str] = {}
        self._parts: dict[Key, Piece] = {}
        self._broken: set[Key] = set()

    def feed(self, event: AnyEvent) -> Message | None:
        """The message that ``event`` completes."""
        if isinstance(event, Frame):
            return self._frame(event)
        if isinstance(event, Part):
            self._part(event)
        elif isinstance(event, Handshake):
            self._handshake(event)
        elif isinstance(event, End):
            key = event.conn, event.side
            self._directions.pop(key, None)
            self._opcodes.pop(key, None)
            self._parts.pop(key, None)
            self._broken.discard(key)
        return None

    def under_way(self, conn: int, side: Side) -> bool:
        """Whether a message of this side has begun and is not complete."""
        return (conn, side) in self._opcodes or (conn, side) in self._parts

    def _handshake(self, event: Handshake) -> None:
        self._deflate.pop(event.conn, None)
        if event.response is not None:
            params = compression(event.response)
            if params is not None:
                self._deflate[event.conn] = params

    def _frame(self, event: Frame) -> Message | None:
        key = event.conn, event.side
        opcode = event.opcode
        data_frame = opcode == "text" or opcode == "binary"
        if data_frame and event.fin and not event.rsv and not event.parts and key not in self._opcodes:
            # Nearly all messages: one frame.
            data = None if event.length is not None and event.length != len(event.payload) else event.payload
            return Message(event.conn, event.side, event.at, event.n, opcode, data, event.size)
        if opcode not in ("text", "binary", "continuation"):
            self._parts.pop(key, None)
            return None
        if data_frame:
            self._opcodes[key] = opcode
        noted = self._assemble(event, key)
        kind = self._opcodes.get(key)
        if not event.fin or kind is None:
            return None
        del self._opcodes[key]
        return self._message(event, kind, noted)

    def _message(self, event: Frame, opcode: str, noted: Noted) -> Message:
        found = noted.message
        data: bytes | None = None
        if event.message is not None:
            data = event.message.encode()
        elif event.message_base64 is not None:
            data = event.message_base64
        elif found is not None and not found.problems:
            data = found.data
        length = len(data) if data is not None else event.message_length or (found.length if found else event.size)
        message = Message(event.conn, event.side, event.at, event.n, opcode, data, length)
        if found is not None:
            message.fragments, message.compressed = found.fragments, found.compressed
            message.left = found.left and data is None
        return message

    def _assemble(self, event: Frame, key: Key) -> Noted:
        piece = self._parts.pop(key, None)
        whole = event.sha256 is None and (bool(event.parts) or event.size == len(event.payload))
        if not whole:
            self._broken.add(key)
        if key in self._broken:
            return Noted()
        direction = self._direction(key)
        if event.parts:
            return Noted() if piece is None else direction.piece(_ended(piece))
        number = OPCODE_NUMBERS[event.opcode]
        return direction.frame(WireFrame(event.fin, event.rsv, number, None, event.payload))

    def _part(self, event: Part) -> None:
        key = event.conn, event.side
        payload = event.payload
        if event.length is not None and event.length != len(payload):
            self._broken.add(key)
        if event.head is not None:
            first = _first_byte(event.head)
            piece = Piece(bool(first & 128), first >> 4 & 7, first & 15, None, b"", 0, (), b"h", False)
        elif key in self._parts:
            piece = self._parts[key]
        else:
            return
        if piece.opcode < 8 and key not in self._broken:
            piece.payload = payload
            self._direction(key).piece(piece)
        self._parts[key] = piece
        piece.head = None

    def _direction(self, key: Key) -> Assembler:
        direction = self._directions.get(key)
        if direction is None:
            params = self._deflate.get(key[0])
            budget = InflationBudget(FILE_SPARE, within=self._inflation)
            inflater = deflate.Inflater(params, key[1], budget=budget) if params is not None else None
            direction = self._directions[key] = Assembler(inflater, limit=self._limit)
        return direction


def _ended(piece: Piece) -> Piece:
    # In a recording the frame itself comes after its parts, and only it says that they were all.
    piece.payload = b""
    piece.last = True
    return piece


def _first_byte(head: str) -> int:
    try:
        return int(head[:2], 16)
    except ValueError:
        return 0x82
