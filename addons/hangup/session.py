"""The one state machine of a connection: bytes of either side in, events and bytes to send out.

Two directions, each a reader (bytes to frames), an assembler (frames to messages) and counters. The
proxy, the replayer and the tests drive this same object and bring what it must not have: clock, sockets.

Observing and forwarding are apart. While no filter is interested in a side its bytes are sent on before they are
shown here (:meth:`Session.observe`), so that recording costs no latency.
"""

from __future__ import annotations

from collections.abc import Callable

from hangup.recording import events
from hangup.recording.events import Event, How, Side, payload_fields
from hangup.recording.express import Lane
from hangup.wire.deflate import Inflater, Params
from hangup.wire.frames import (
    BINARY,
    CLOSE,
    OPCODE_NAMES,
    TEXT,
    Frame,
    FrameReader,
    Junk,
    Mask,
    Piece,
)
from hangup.wire.masking import mask as pure_mask
from hangup.wire.messages import NOTHING, Assembler, Message, Noted, parse_close

Emit = Callable[[Event], None]
EmitLines = Callable[[list[bytes]], None]


class Counters:
    """What is kept of a direction without its events: frames and payload bytes seen, and the last frame."""

    __slots__ = ("frames", "bytes", "last_n", "last_at", "last_opcode")

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.last_n = 0
        self.last_at = 0.0
        self.last_opcode = ""


class Direction:
    """One side's bytes: read, assembled, counted and turned into events."""

    def __init__(self, session: Session, side: Side, deflate: Params | None, unknown: bool, mask: Mask) -> None:
        self.session = session
        self.side = side
        self.counters = Counters()
        self.reader = FrameReader(side, rsv_data=4 if deflate else 0, rsv_any=unknown, mask=mask)
        self.assembler = Assembler(Inflater(deflate, side) if deflate else None)
        self.lane = Lane(session.conn, side, mask) if session.emit_lines is not None else None
        self._piece_n = 0
        self._pieces = 0

    def observe(self, data: bytes, at: float) -> None:
        """Reads ``data`` and emits its events."""
        if self.lane is None:
            self._observe(data, at)
            return
        pos, end = 0, len(data)
        reader = self.reader
        while reader.inside and pos < end:  # finish the frame that an earlier chunk began
            step = data[pos : pos + reader.missing]
            self._observe(step, at)
            pos += len(step)
        if pos < end and self.assembler.idle:
            pos = self._express(data, pos, at)
        if pos < end:
            self._observe(data[pos:] if pos else data, at)

    def _express(self, data: bytes, pos: int, at: float) -> int:
        """Takes the simple frames at ``pos``; returns where something else begins."""
        session, counters, lane = self.session, self.counters, self.lane
        assert lane is not None and session.emit_lines is not None
        lines: list[bytes] = []
        pos, session.n, size = lane.run(data, pos, session.n, at, lines)
        if lines:
            session.emit_lines(lines)
            counters.frames += len(lines)
            counters.bytes += size
            counters.last_n, counters.last_at, counters.last_opcode = session.n, at, lane.last_opcode
        return pos

    def _observe(self, data: bytes, at: float) -> None:
        session, side, counters, assembler = self.session, self.side, self.counters, self.assembler
        emit, n = session.emit, session.n
        conn = session.conn
        size = 0
        frames = last = 0
        for item in self.reader.feed(data):
            if type(item) is Frame:
                n += 1
                last = n
                opcode, payload, key = item.opcode, item.payload, item.key
                frames += 1
                size += len(payload)
                # The hot path: a whole message in one sound frame is most of all traffic.
                if (
                    (opcode == TEXT or opcode == BINARY)
                    and item.fin
                    and not item.rsv
                    and not item.problems
                    and assembler.idle
                ):
                    try:
                        text, data64 = payload.decode() if payload else None, None
                    except UnicodeDecodeError:
                        text, data64 = None, payload
                    emit(
                        events.Frame(
                            at=at,
                            conn=conn,
                            n=n,
                            side=side,
                            opcode="text" if opcode == TEXT else "binary",
                            mask=key.hex() if key is not None else None,
                            text=text,
                            base64=data64,
                            problems=("invalid-utf8",) if data64 is not None and opcode == TEXT else (),
                        )
                    )
                    counters.last_opcode = "text" if opcode == TEXT else "binary"
                else:
                    # Whoever is told of such a frame may look at the counters, which must include it.
                    counters.frames += frames
                    counters.bytes += size
                    frames = size = 0
                    counters.last_n, counters.last_at, counters.last_opcode = n, at, OPCODE_NAMES[opcode]
                    emit(frame_event(item, assembler.frame(item), at, conn, n, side))
            elif type(item) is Piece:
                if item.head is not None:
                    n += 1
                    self._piece_n = n
                    self._pieces = 0
                size += len(item.payload)
                if self._piece(item, at):
                    frames += 1
                    last = self._piece_n  # the other side may have begun frames since
            else:
                assert type(item) is Junk
                emit(junk_event(item, at, conn, side))
        session.n = n
        if frames:
            counters.frames += frames
            counters.last_n = last
            counters.last_at = at
        counters.bytes += size

    def _piece(self, piece: Piece, at: float) -> bool:
        """Emits a part, and the frame that closes its parts; whether it did the latter."""
        session = self.session
        noted = self.assembler.piece(piece)
        text, data64 = payload_fields(piece.payload)
        session.emit(
            events.Part(
                at=at,
                conn=session.conn,
                n=self._piece_n,
                side=self.side,
                head=piece.head.hex() if piece.head is not None else None,
                text=text,
                base64=data64,
            )
        )
        self._pieces += 1
        if not piece.last:
            return False
        frame = Frame(piece.fin, piece.rsv, piece.opcode, piece.key, b"", piece.problems)
        event = frame_event(frame, noted, at, session.conn, self._piece_n, self.side)
        event.parts = self._pieces
        event.length = piece.length
        session.emit(event)
        self.counters.last_opcode = event.opcode
        return True


def frame_event(frame: Frame, noted: Noted, at: float, conn: int, n: int, side: Side) -> events.Frame:
    """The event of a frame, with what the assembler noted of it."""
    text, data64 = payload_fields(frame.payload)
    event = events.Frame(
        at=at,
        conn=conn,
        n=n,
        side=side,
        opcode=OPCODE_NAMES[frame.opcode],
        fin=frame.fin,
        rsv=frame.rsv,
        mask=frame.key.hex() if frame.key is not None else None,
        text=text,
        base64=data64,
        problems=frame.problems,
        head=frame.head.hex() if frame.head is not None else None,
    )
    if noted is not NOTHING:
        event.problems += noted.problems
        message = noted.message
        if message is not None and (message.compressed or message.fragments > 1):
            _add_message(event, message)
    if frame.opcode == CLOSE:
        event.code, event.reason, _ = parse_close(frame.payload)
    return event


def _add_message(event: events.Frame, message: Message) -> None:
    if message.data is None:
        event.message_length = message.length
        return
    event.message, event.message_base64 = payload_fields(message.data)
    if not message.data:
        event.message = ""


def junk_event(junk: Junk, at: float, conn: int, side: Side) -> events.Raw:
    """The event of bytes that are no whole frame."""
    text, data64 = payload_fields(junk.payload)
    opcode = None if junk.opcode is None else OPCODE_NAMES[junk.opcode]
    return events.Raw(
        at=at,
        conn=conn,
        side=side,
        text=text,
        base64=data64,
        problems=junk.problems,
        opcode=opcode,
        length=junk.length,
    )


class Session:
    """A WebSocket connection after its handshake.

    ``conn`` is its number in the recording; ``emit`` takes its events; ``deflate`` is what permessage-deflate
    was negotiated to, ``unknown_extension`` whether there is one that we cannot read; ``mask`` may be a faster
    masking function. With ``emit_lines`` simple data frames are not emitted as events but given to it encoded. Times (``at``) are seconds from the recording's start.
    """

    def __init__(
        self,
        conn: int,
        emit: Emit,
        *,
        deflate: Params | None = None,
        unknown_extension: bool = False,
        mask: Mask = pure_mask,
        emit_lines: EmitLines | None = None,
    ) -> None:
        self.conn = conn
        self.emit = emit
        self.emit_lines = emit_lines
        self.n = 0
        self.client = Direction(self, "client", deflate, unknown_extension, mask)
        self.server = Direction(self, "server", deflate, unknown_extension, mask)
        self.ended: dict[Side, How] = {}

    def direction(self, side: Side) -> Direction:
        """The direction whose bytes ``side`` sends."""
        return self.client if side == "client" else self.server

    def observe(self, side: Side, data: bytes, at: float) -> None:
        """Records bytes that ``side`` sent and that were sent on unchanged."""
        self.direction(side).observe(data, at)

    def end(self, side: Side, how: How, at: float, *, by: str = "", note: str = "") -> None:
        """Records that ``side`` ended (or half-closed) its leg; a half-received frame is recorded before it."""
        if self.ended.get(side) in ("rst", "error", "timeout") or self.ended.get(side) == how:
            return
        if side not in self.ended:
            junk = self.direction(side).reader.finish()
            if junk is not None:
                self.emit(junk_event(junk, at, self.conn, side))
        self.ended[side] = how
        self.emit(events.End(at=at, conn=self.conn, side=side, how=how, by=by, note=note))
