"""One side of a connection: its bytes are read, assembled, counted and turned into events.

All that is simple goes a fast way: many frames at once (:mod:`hangup.recording.fast_path`), or, where nothing is to be
recorded but sums, none of them looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hangup.filters.surroundings import Scanned
from hangup.recording import events
from hangup.recording.events import Event, Side
from hangup.recording.fast_path import Lane, Screen, Simple
from hangup.recording.frame_events import frame_event, junk_event, last_part_event, part_event
from hangup.wire.deflate import Inflater, Params
from hangup.wire.frames import BINARY, CLOSE, OPCODE_NAMES, OPCODES, TEXT, Frame, FrameReader, Mask, Piece
from hangup.wire.inflation_budget import InflationBudget
from hangup.wire.messages import Assembler, Noted

Emit = Callable[[Event], None]
EmitLines = Callable[[bytes], None]


class Observer(Protocol):
    """What a direction needs of the session around it. ``n`` is the number of the last frame of either side; the rest
    is as the session has it."""

    conn: int
    n: int
    emit: Emit
    emit_lines: EmitLines | None
    bulky: Callable[[int], bool]
    sums: bool

    def write(self, direction: Direction, frames: list[Simple], n: int, at: float) -> None:
        """Writes down simple frames, of which the one before had the number ``n``."""
        ...


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

    def __init__(
        self,
        session: Observer,
        side: Side,
        deflate: Params | None,
        unknown: bool,
        mask: Mask,
        budget: InflationBudget,
    ) -> None:
        self.session = session
        self.side: Side = side
        self.counters = Counters()
        self.messages = 0
        self.controls = 0
        self.reader = FrameReader(side, rsv_data=4 if deflate else 0, rsv_any=unknown, mask=mask)
        self.assembler = Assembler(Inflater(deflate, side, budget=budget) if deflate else None)
        self.lane = Lane(session.conn, side, mask) if session.emit_lines is not None else None
        self._plain_heads = (0x81, 0x82, 0xC1, 0xC2) if deflate else (0x81, 0x82)
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
        if pos < end and self.assembler.idle and not reader.lost:
            pos = self._express(data, pos, at)
        if pos < end:
            self._observe(data[pos:] if pos else data, at)

    def count(self, data: bytes, at: float) -> int:
        """Counts the whole and ordinary data frames that ``data`` begins with, without looking at what they say;
        returns where something else begins, which is to be observed. Only with ``sums``."""
        pos, end, masked = 0, len(data), self.side == "client"
        if self.reader.inside or self.reader.lost:
            return 0
        while pos + 2 <= end:
            first, second = data[pos], data[pos + 1]
            size, head = second & 0x7F, 6 if masked else 2
            if first not in self._plain_heads or (second > 0x7F) is not masked or size == 127:
                break
            if size == 126:
                size, head = int.from_bytes(data[pos + 2 : pos + 4], "big"), head + 2
                if size < 126:
                    break
            if pos + head + size > end:
                break
            counters, session = self.counters, self.session
            session.n = counters.last_n = session.n + 1
            counters.frames += 1
            counters.bytes += size
            counters.last_at, counters.last_opcode = at, OPCODE_NAMES[first & 15]
            self.messages += 1
            pos += head + size
        return pos

    def _express(self, data: bytes, pos: int, at: float) -> int:
        """Takes the simple frames at ``pos``; returns where something else begins."""
        scanned = self.scan(data, pos, at, None)
        if scanned.frames:
            self.session.write(self, scanned.frames, scanned.n, at)
        return scanned.stop

    def scan(self, data: bytes, pos: int, at: float, screen: Screen | None) -> Scanned:
        """Takes the simple frames at ``pos`` and counts them; they are still to be written down."""
        session, lane = self.session, self.lane
        assert lane is not None
        scanned = Scanned(pos, session.n, [], [])
        frames = scanned.frames
        scanned.stop, size = lane.scan(data, pos, frames, screen, scanned.passed)
        if frames:
            session.n += len(frames)
            self._took(len(frames), size, OPCODE_NAMES[frames[-1][0] & 15], at)
        return scanned

    def _took(self, count: int, size: int, last: str, at: float) -> None:
        counters = self.counters
        counters.frames += count
        counters.bytes += size
        counters.last_n, counters.last_at, counters.last_opcode = self.session.n, at, last
        self.messages += count

    def _observe(self, data: bytes, at: float) -> None:
        session, side, counters, assembler = self.session, self.side, self.counters, self.assembler
        emit, conn = session.emit, session.conn
        for item in self.reader.feed(data):
            if type(item) is Frame:
                opcode, payload, key = item.opcode, item.payload, item.key
                if session.sums and opcode < CLOSE and not item.problems:
                    session.n += 1
                    self._took(1, len(payload), OPCODE_NAMES[opcode], at)
                    continue
                # The hot path: a whole message in one sound frame is most of all traffic.
                if (
                    (opcode == TEXT or opcode == BINARY)
                    and item.fin
                    and not item.rsv
                    and not item.problems
                    and assembler.idle
                ):
                    session.n = n = session.n + 1
                    self.messages += 1
                    counters.frames += 1
                    counters.bytes += len(payload)
                    counters.last_n, counters.last_at = n, at
                    counters.last_opcode = "text" if opcode == TEXT else "binary"
                    problems: tuple[str, ...] = ()
                    data64: bytes | None = None
                    try:
                        text = payload.decode() if payload else None
                    except UnicodeDecodeError:
                        text, data64 = None, payload
                        if opcode == TEXT:
                            problems = ("invalid-utf8",)
                    else:
                        if session.bulky(len(payload)):
                            text, data64 = None, payload
                    emit(
                        events.Frame(
                            at=at,
                            conn=conn,
                            n=n,
                            side=side,
                            opcode=counters.last_opcode,
                            mask=key.hex() if key is not None else None,
                            text=text,
                            base64=data64,
                            problems=problems,
                        )
                    )
                else:
                    self.record(item, at)
            elif type(item) is Piece:
                self.record(item, at)
            else:
                emit(junk_event(item, at, conn, side))  # type: ignore[arg-type]

    def record(self, item: Frame | Piece, at: float) -> tuple[int, Noted]:
        """Emits the event of any frame, or of a part of a large one; gives its number and what the assembler noted."""
        session, counters = self.session, self.counters
        if type(item) is Piece:
            return self._piece(item, at)
        assert type(item) is Frame
        session.n = n = session.n + 1
        # Whoever is told of such a frame may look at the counters, which must include it.
        counters.frames += 1
        counters.bytes += len(item.payload)
        counters.last_n, counters.last_at, counters.last_opcode = n, at, OPCODE_NAMES[item.opcode]
        noted = self.assembler.frame(item)
        self._count(item.opcode, noted)
        session.emit(frame_event(item, noted, at, session.conn, n, self.side))
        return n, noted

    def _piece(self, piece: Piece, at: float) -> tuple[int, Noted]:
        session, counters = self.session, self.counters
        if piece.head is not None:
            session.n += 1
            self._piece_n = session.n
            self._pieces = 0
        n = self._piece_n  # the other side may have begun frames since
        counters.bytes += len(piece.payload)
        noted = self.assembler.piece(piece)
        self._pieces += 1
        session.emit(part_event(piece, at, session.conn, n, self.side))
        if piece.last:
            counters.frames += 1
            counters.last_n, counters.last_at, counters.last_opcode = n, at, OPCODE_NAMES[piece.opcode]
            self._count(piece.opcode, noted)
            session.emit(last_part_event(piece, noted, at, session.conn, n, self.side, self._pieces))
        return n, noted

    def _count(self, opcode: int, noted: Noted) -> None:
        if noted.message is not None:
            self.messages += 1
        elif opcode >= CLOSE and opcode in OPCODES:
            self.controls += 1
