"""The one state machine of a connection: bytes of either side in, events and bytes to send out.

Two directions, each a reader (bytes to frames), an assembler (frames to messages), counters, and a gate for when
filters are at work on it. The proxy, the replayer and the tests drive this same object and bring what it must not
have: clock, sockets.

Observing and forwarding are apart. While no filter is interested in a side (:meth:`Session.plain`) its bytes are sent
on before they are shown here (:meth:`Session.observe`), so that recording costs no latency. Otherwise
:meth:`Session.receive` says what to send, and :meth:`Session.tick` what has become due meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hangup.filters import HOLD_LIMIT
from hangup.filters.base import SIDES, Close, Cut, Ended, Inject, Kind, Release
from hangup.filters.chain import Bound, Chain
from hangup.filters.encoder import Encoder
from hangup.filters.filter_set import FilterSet
from hangup.filters.output_queue import Outlet
from hangup.filters.pipeline import Gate, perform
from hangup.filters.surroundings import Scanned
from hangup.recording import events
from hangup.recording.events import Event, How, Side
from hangup.recording.fast_path import Lane, Screen, Simple
from hangup.recording.frame_events import frame_event, junk_event, last_part_event, part_event
from hangup.wire.deflate import Inflater, Params
from hangup.wire.frames import BINARY, CLOSE, OPCODE_NAMES, OPCODES, TEXT, Frame, FrameReader, Mask, Piece
from hangup.wire.inflation_budget import InflationBudget
from hangup.wire.masking import mask as pure_mask
from hangup.wire.messages import Assembler, Noted

Emit = Callable[[Event], None]
EmitLines = Callable[[bytes], None]


class Out(Struct, gc=False):
    """What is to be done on the legs: first the bytes are sent. Then ``ends`` are passed on: each is a side whose
    stream has ended, and how, so that the *other* leg must end likewise. ``cut``, if set, ends both legs as if that
    side had, on account of a filter (its text form)."""

    to_client: bytes = b""
    to_server: bytes = b""
    ends: tuple[tuple[Side, How], ...] = ()
    cut: tuple[Side, How, str] | None = None


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
        session: Session,
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


class Session:
    """A WebSocket connection after its handshake.

    ``conn`` is its number in the recording; ``emit`` takes its events; ``deflate`` is what permessage-deflate was
    negotiated to (``given`` what the client was told, where a filter made that differ), ``unknown_extension`` whether
    there is one that we cannot read; ``mask`` may be a faster masking function. With ``emit_lines`` simple data
    frames are not emitted as events but given to it encoded; ``bulky`` says of a payload's size in bytes whether its
    event had better carry it as base64 even if it is text. ``chain`` are its filters, which hold at most
    ``hold_limit`` bytes of each side. ``inflation`` is what may be inflated of all connections together. With ``sums``
    sound data frames are only counted, where no filter is at work.
    Times (``at``) are seconds from the recording's start.
    """

    def __init__(
        self,
        conn: int,
        emit: Emit,
        *,
        deflate: Params | None = None,
        given: Params | None | bool = True,
        unknown_extension: bool = False,
        mask: Mask = pure_mask,
        emit_lines: EmitLines | None = None,
        bulky: Callable[[int], bool] = lambda size: False,
        chain: Chain | None = None,
        hold_limit: int = HOLD_LIMIT,
        inflation: InflationBudget | None = None,
        sums: bool = False,
    ) -> None:
        self.conn = conn
        self.sums = sums
        self.emit = emit
        self.emit_lines = emit_lines
        self.bulky = bulky
        self.n = 0
        client_deflate = deflate if isinstance(given, bool) else given
        budget = InflationBudget(within=inflation)
        self.client = Direction(self, "client", client_deflate, unknown_extension, mask, budget)
        self.server = Direction(self, "server", deflate, unknown_extension, mask, budget)
        self.ended: dict[Side, How] = {}
        self.chain = chain or Chain(FilterSet(), conn, 0.0)
        self.chain.quiet_since = self._quiet_since
        self._unwritten: list[tuple[Direction, list[Simple], int, float]] = []
        self._ends: list[tuple[Side, How]] = []
        self._cut: tuple[Side, How, str] | None = None
        self._gates = {
            side: Gate(
                self,
                self.direction(side),
                Outlet(side, conn, emit, Encoder(side, params, self.chain.random, mask), self._pass_end, hold_limit),
                hold_limit,
            )
            for side, params in zip(SIDES, (client_deflate, deflate), strict=True)
        }
        self._version = -1
        self._follow(self.opened)

    @property
    def opened(self) -> float:
        """When the handshake succeeded."""
        return self.chain.opened

    def direction(self, side: Side) -> Direction:
        """The direction whose bytes ``side`` sends."""
        return self.client if side == "client" else self.server

    # Bytes.

    def plain(self, side: Side) -> bool:
        """Whether bytes of ``side`` may be sent on as they are, before they are observed."""
        return self._gates[side].plain and self._version == self.chain.filters.version

    def observe(self, side: Side, data: bytes, at: float) -> None:
        """Records bytes that ``side`` sent and that were sent on unchanged; only while :meth:`plain`."""
        if self._unwritten:
            self.catch_up()
        self.direction(side).observe(data, at)

    def receive(self, side: Side, data: bytes, at: float) -> Out:
        """Takes bytes that ``side`` sent; says what to send on. Once that is sent, :meth:`catch_up`."""
        if self._unwritten:
            self.catch_up()
        if self._version != self.chain.filters.version:
            self._follow(at)
        gate = self._gates[side]
        if gate.plain:
            gate.outlet.plain(data)
            self.direction(side).observe(data, at)
        else:
            gate.feed(data, at)
        return self._out(at)

    def salvage(self, side: Side, data: bytes) -> Out:
        """What may be sent on after :meth:`receive` has failed, which must not happen: what it had decided, or else
        what it was given."""
        out = Out(self._gates["server"].outlet.take(), self._gates["client"].outlet.take())
        if out.to_client or out.to_server:
            return out
        return Out(to_server=data) if side == "client" else Out(to_client=data)

    def end(self, side: Side, how: How, at: float, *, by: str = "", note: str = "") -> Out:
        """Records that ``side`` ended (or half-closed) its leg; a half-received frame is recorded before it.

        Says whether that is to be passed on now. ``by`` is who did it when it was not the peer; then nothing is.
        """
        if self.ended.get(side) in ("rst", "error", "timeout") or self.ended.get(side) == how:
            return Out()
        self.catch_up()
        gate = self._gates[side]
        if side not in self.ended:
            gate.finish(at)
        self.ended[side] = how
        self.emit(events.End(at=at, conn=self.conn, side=side, how=how, by=by, note=note))
        if by:
            return Out()
        verdict = None
        if self.chain.wants(side) & Kind.END:
            verdict = self.chain.decide(Ended(side, how, at, at - self.opened), Kind.END)
        if verdict is None:
            gate.outlet.end(how, at)
        else:
            for done in verdict.done:
                gate.outlet.say(at, done.action, done.by, (), note=done.note or f"its end ({how})")
            if not verdict.dropped:
                gate.outlet.end(how, at, verdict.wait, verdict.holder)
            for bound, action in verdict.after:
                self.perform(bound, action, None, at)
        return self._out(at)

    # Filters and time.

    def refresh(self, at: float) -> Out:
        """The filters have changed: follows at once, without waiting for the next frame."""
        self._follow(at)
        return self._out(at)

    def deadline(self) -> float | None:
        """When :meth:`tick` is to be called, or None."""
        times = [gate.outlet.deadline() for gate in self._gates.values()]
        if len(self.ended) < 2:
            times.append(self.chain.deadline())
        return min((at for at in times if at is not None), default=None)

    def tick(self, at: float) -> Out:
        """Says what has become due."""
        if self._version != self.chain.filters.version:
            self._follow(at)
        self.catch_up()
        if len(self.ended) < 2:
            for bound, action in self.chain.wake(at):
                self.perform(bound, action, None, at)
        for gate in self._gates.values():
            gate.outlet.tick(at)
        return self._out(at)

    def _follow(self, at: float) -> None:
        self.catch_up()
        self.chain.refresh()
        self._version = self.chain.version
        for gate in self._gates.values():
            gate.refresh(at)

    def perform(self, bound: Bound, action: Inject | Close | Cut | Release, n: int | None, at: float) -> None:
        """Carries out what a filter does beside the item that it was shown."""
        if isinstance(action, Cut):
            self._cut = self._cut or (action.side, action.how, bound.entry.text)
            return
        gate = self._gates[action.side]
        if isinstance(action, Release):
            gate.outlet.release(bound, at)
            return
        gate.enter()
        perform(gate.outlet, bound, action, n, at)

    def write(self, direction: Direction, frames: list[Simple], n: int, at: float) -> None:
        """Writes down simple frames, of which the one before had the number ``n``."""
        assert self.emit_lines is not None and direction.lane is not None
        self.emit_lines(direction.lane.lines(frames, n, at))

    def write_later(self, direction: Direction, frames: list[Simple], n: int, at: float) -> None:
        """The same, but only by :meth:`catch_up`."""
        self._unwritten.append((direction, frames, n, at))

    def catch_up(self) -> None:
        """Writes down what there was no time for before it was sent on. Whatever else is asked of the session does this
        first, so that the recording stays in order."""
        unwritten, self._unwritten = self._unwritten, []
        for direction, frames, n, at in unwritten:
            self.write(direction, frames, n, at)

    def _pass_end(self, side: Side, how: How) -> None:
        self._ends.append((side, how))

    def _quiet_since(self, side: Side) -> float:
        return self.direction(side).counters.last_at or self.opened

    def _out(self, at: float) -> Out:
        client, server = self._gates["client"], self._gates["server"]
        for gate in (client, server):
            if not gate.plain:
                gate.settle(at)
        out = Out(server.outlet.take(), client.outlet.take())
        if self._ends or self._cut is not None:
            out.ends, self._ends = tuple(self._ends), []
            out.cut, self._cut = self._cut, None
        return out
