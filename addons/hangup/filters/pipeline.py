"""One direction while filters are at work on it: what is held until it is whole, what is decided, what goes on.

What no filter wants passes at once, frame by frame. What filters want whole is held until it is, up to a limit. A frame
or message of which a byte has passed already, when a filter is switched on, passes to its end.
"""

from __future__ import annotations

from hangup.filters import HOLD_LIMIT
from hangup.filters.base import NONE, TRAFFIC, Close, Control, Inject, Kind, Message, Stray
from hangup.filters.chain import Bound, Decision
from hangup.filters.encoder import RSV1, Held, close_payload
from hangup.filters.output_queue import Outlet, Unit
from hangup.filters.surroundings import GatedConnection, GatedDirection
from hangup.recording.fast_path import Screen, Simple
from hangup.recording.frame_events import junk_event
from hangup.wire.deflate import EFFORT
from hangup.wire.frames import BINARY, CLOSE, CONTINUATION, OPCODES, TEXT, Frame, Junk, Piece
from hangup.wire.messages import KEEP_LIMIT, Noted, WireMessage

_DONE, _PASSING, _HOLDING = range(3)
_BEGINS = (TEXT, BINARY)
_DATA = (TEXT, BINARY, CONTINUATION)


class Gate:
    """The filtered way of one direction."""

    def __init__(
        self, connection: GatedConnection, direction: GatedDirection, outlet: Outlet, limit: int = HOLD_LIMIT
    ) -> None:
        self.connection = connection
        self.direction = direction
        self.outlet = outlet
        self.encoder = outlet.encoder
        self.limit = limit
        self.plain = True
        """There is nothing to do: bytes may pass before they are read."""
        self._wants = NONE
        self._wants_messages = False
        self._screen: Screen | None = _nothing
        self._skip = 0
        self._rest = False
        self._state = _DONE
        self._held: list[Held] = []
        self._held_bytes = 0
        self._packed = False
        self._problems: tuple[str, ...] = ()
        self._mark = 0

    # In and out of work.

    def refresh(self, at: float) -> None:
        """The chain has changed."""
        chain, side = self.connection.chain, self.direction.side
        self._wants = chain.wants(side) & TRAFFIC
        self._wants_messages = Kind.MESSAGE in self._wants
        self._screen = chain.screen(side) if self._wants_messages else _nothing
        self.outlet.let_go(at)
        if self._wants:
            self.enter()
        if self._held and not self._wants_messages and not (self._packed and self.encoder.dirty):
            self._release(at)

    def enter(self) -> None:
        """Goes to work, wherever in a frame or message the stream stands."""
        if not self.plain:
            return
        self.plain = False
        reader, assembler, outlet = self.direction.reader, self.direction.assembler, self.outlet
        reader.keep_wire = True
        self._skip = reader.pending
        self._rest = outlet.in_frame = reader.inside
        self._state = _PASSING if assembler.inside else _DONE
        outlet.in_message = assembler.inside
        outlet.closed = outlet.closed or assembler.closed or reader.lost
        assembler.limit = max(self.limit, KEEP_LIMIT)

    def settle(self, at: float) -> None:
        """Back to nothing to do, if nothing is left to be done."""
        outlet = self.outlet
        if self.plain or self._wants or self.encoder.dirty or outlet.sealed:
            return
        if not outlet.empty:
            return
        self.plain = True
        reader = self.direction.reader
        reader.keep_wire = False
        begun = reader.buffered[self._skip :]
        if begun:
            outlet.rest(begun, inside=True, open=None)
        self.direction.assembler.limit = KEEP_LIMIT

    def finish(self, at: float) -> None:
        """The stream has ended: what is left of it goes out, and into the recording."""
        junk = self.direction.reader.finish()
        if not self.plain:
            self._release(at)
        if junk is not None:
            self._junk(junk, at)

    # Bytes in.

    def feed(self, data: bytes, at: float) -> None:
        """Takes what the side sent."""
        direction = self.direction
        pos, end = 0, len(data)
        if direction.lane is not None:
            reader = direction.reader
            while reader.inside and pos < end:
                step = data[pos : pos + reader.missing]
                self._read(step, at)
                pos += len(step)
            if pos < end and direction.assembler.idle and not reader.lost and not self._rest and self._calm:
                pos = self._express(data, pos, at)
        if pos < end:
            self.connection.catch_up()
            self._read(data[pos:] if pos else data, at)

    @property
    def _calm(self) -> bool:
        """What is not wanted may go out at once."""
        return not (self.outlet.busy or self.outlet.sealed)

    def _read(self, data: bytes, at: float) -> None:
        for item in self.direction.reader.feed(data):
            if type(item) is Junk:
                self._junk(item, at)
            else:
                self._item(item, at)  # type: ignore[arg-type]

    def _express(self, data: bytes, pos: int, at: float) -> int:
        """Simple frames, each a message: what concerns no filter goes out first, and is written down after."""
        direction, outlet, connection = self.direction, self.outlet, self.connection
        scanned = direction.scan(data, pos, at, self._screen)
        frames, n, stop = scanned.frames, scanned.n, scanned.stop
        if not frames:
            return pos
        start, written, index = pos, 0, direction.messages - len(frames)
        for i in scanned.passed:
            first, _, payload, _, begin, end = frames[i]
            item = self._message(first & 15, payload, n + i + 1, index + i + 1, at)
            verdict = connection.chain.decide(item, Kind.MESSAGE)
            if verdict is None:
                continue
            if begin > start:
                outlet.plain(data[start:begin])
            connection.write(direction, frames[written : i + 1], n + written, at)
            self._simple(verdict, item, frames[i], data[begin:end], at)
            start, written = end, i + 1
            if not self._calm:
                self._one_by_one(data, frames[written:], n + written, index + written, at)
                return stop
        if stop > start:
            outlet.plain(data[start:stop])
        if written < len(frames):
            connection.write_later(direction, frames[written:] if written else frames, n + written, at)
        return stop

    def _one_by_one(self, data: bytes, frames: list[Simple], n: int, index: int, at: float) -> None:
        """The same for frames that may have to wait, or must not pass."""
        for i, frame in enumerate(frames):
            first, _, payload, _, begin, end = frame
            item = self._message(first & 15, payload, n + i + 1, index + i + 1, at)
            wanted = self._wants_messages and not self.outlet.sealed
            verdict = self.connection.chain.decide(item, Kind.MESSAGE) if wanted else None
            self.connection.write(self.direction, [frame], n + i, at)
            self._simple(verdict, item, frame, data[begin:end], at)

    def _message(self, opcode: int, payload: bytes, n: int, index: int, at: float) -> Message:
        return Message(self.direction.side, opcode, payload, n, n, index, at, at - self.connection.opened)

    def _simple(self, verdict: Decision | None, item: Message, frame: Simple, wire: bytes, at: float) -> None:
        """Carries out what was decided on a simple frame, which has just been written down."""
        self._mark = self.outlet.sent
        self._decided(verdict, item, [Held(item.n, wire, item.data, frame[1])], at)

    # Frames, and parts of large ones.

    def _item(self, item: Frame | Piece, at: float) -> None:
        whole = type(item) is Frame
        begins = whole or item.head is not None
        ends = whole or item.last  # type: ignore[union-attr]
        opcode, wire, outlet = item.opcode, item.wire or b"", self.outlet
        if begins and self._held and (opcode in _BEGINS or opcode == CLOSE or opcode not in OPCODES):
            # A new message within one that is not finished: the receiver is to see just that. Only pings and pongs
            # overtake; and what is sent first stands first in the recording.
            self._release(at)
        mark = outlet.sent
        n, noted = self.direction.record(item, at)
        data = opcode in _DATA and "orphan-continuation" not in noted.problems
        open = not (item.fin and ends) if data else None
        if begins and opcode in _BEGINS:
            self._begin(bool(item.rsv & RSV1) and self.encoder.compresses, mark)
        if self._rest:  # its beginning has passed; so do its end, and the rest of its message
            self._state = _PASSING if data else self._state
            outlet.rest(wire[self._skip :], inside=not ends, open=open)
            outlet.closed = outlet.closed or opcode == CLOSE
            self._skip, self._rest = 0, not ends
        elif outlet.sealed:
            outlet.say(at, "drop", outlet.sealed, (n,))
        elif not data:
            self._single(item, Unit(wire, (n,), inside=not ends, close=ends and opcode == CLOSE), noted, mark, at)
        elif self._state == _HOLDING:
            self._hold(Held(n, wire, item.payload, item.key, item.rsv, begins), item.problems + noted.problems, at)
            if noted.message is not None and self._held:
                self._whole(noted.message, at)
        else:
            self._deliver(None, Unit(wire, (n,), open=open, inside=not ends), mark, at)
        if noted.message is not None:
            self._state = _DONE
        if not outlet.empty:
            outlet.settle(at)

    def _begin(self, packed: bool, mark: int) -> None:
        """A message begins."""
        self._packed, self._mark, self._problems = packed, mark, ()
        whole = self._wants_messages or (packed and self.encoder.dirty)
        self._state = _HOLDING if whole else _PASSING

    def _hold(self, held: Held, problems: tuple[str, ...], at: float) -> None:
        self._held.append(held)
        self._held_bytes += len(held.wire)
        self._problems += problems
        if self._held_bytes > self.limit and not (self._packed and self.encoder.dirty):
            self._give_up(f"it would have to hold more than {self.limit} bytes", at)

    def _give_up(self, why: str, at: float) -> None:
        """The message cannot be held until it is whole: it passes as it is."""
        self.outlet.say(at, "pass", self._first(Kind.MESSAGE), (self._held[0].n,), note=f"passes unfiltered: {why}")
        self._release(at)

    def _release(self, at: float) -> None:
        """Sends on what is held of a message that is not finished; the rest of it will pass."""
        held = self._take_held()
        if not held:
            return
        self._state = _PASSING
        if self._packed and self.encoder.dirty:
            why = "unfinished, and only whole messages can be compressed again"
            self.outlet.say(at, "drop", self.encoder.dirty, _numbers(held), note=why)
        else:
            self._deliver(None, Unit(_wire(held), _numbers(held), open=True), self._mark, at)

    def _take_held(self) -> list[Held]:
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def _whole(self, message: WireMessage, at: float) -> None:
        """All of a message is here."""
        data = message.data
        held = self._held
        if data is None and "deflate" in self._problems:
            data = b"".join([part.payload for part in held])
        if data is None:
            self._give_up(f"it inflates to {message.length} bytes", at)
            return
        side, connection = self.direction.side, self.connection
        item = Message(
            side,
            message.opcode,
            data,
            held[0].n,
            held[-1].n,
            self.direction.messages,
            at,
            at - connection.opened,
            message.compressed,
            message.fragments,
            self._problems,
        )
        verdict = connection.chain.decide(item, Kind.MESSAGE) if self._wants_messages else None
        self._decided(verdict, item, self._take_held(), at)

    def _decided(self, verdict: Decision | None, item: Message, held: list[Held], at: float) -> None:
        """Carries out what the filters made of a message."""
        encoder = self.encoder
        unit = Unit(_wire(held), _numbers(held), open=False)
        if self.outlet.sealed and verdict is None:
            self.outlet.say(at, "drop", self.outlet.sealed, unit.ns)
            return
        changed = verdict is not None and verdict.changed
        if item.compressed and verdict is not None and (changed or verdict.dropped):
            encoder.touch(verdict.done[-1].by)
            if encoder.dirty:
                self.direction.assembler.limit = EFFORT
        if verdict is None or not verdict.dropped:
            reframe = verdict.reframe if verdict is not None else None
            anew = item.compressed and encoder.dirty and "deflate" not in item.problems
            if changed or anew or reframe is not None:
                content = verdict.item if verdict is not None else item
                unit.wire = encoder.message(content, held, changed=changed, reframe=reframe)
            if anew:
                unit.action, unit.by = "reencode", encoder.dirty
        self._deliver(verdict, unit, self._mark, at)

    def _single(self, item: Frame | Piece, unit: Unit, noted: Noted, mark: int, at: float) -> None:
        """A control frame, or one that belongs to no message."""
        known = item.opcode in OPCODES and item.opcode >= CLOSE
        side, connection, n = self.direction.side, self.connection, unit.ns[0]
        age, problems = at - connection.opened, item.problems + noted.problems
        verdict = None
        if type(item) is Piece:
            pass  # larger than any control frame may be, by far
        elif known and self._wants & Kind.CONTROL:
            index = self.direction.controls
            control = Control(side, item.opcode, item.payload, n, index, at, age, problems)
            verdict = connection.chain.decide(control, Kind.CONTROL)
        elif not known and self._wants & Kind.STRAY:
            stray = Stray(side, item.opcode, item.payload, n, at, age, problems)
            verdict = connection.chain.decide(stray, Kind.STRAY)
        if verdict is not None and known and (verdict.changed or verdict.reframe is not None):
            unit.wire = self.encoder.control(verdict.item, item.key, verdict.reframe)
        self._deliver(verdict, unit, mark, at, overtakes=known and not unit.close)

    def _junk(self, junk: Junk, at: float) -> None:
        """Bytes that are no whole frame."""
        outlet, connection, side = self.outlet, self.connection, self.direction.side
        self._release(at)
        wire = junk.payload[self._skip :]
        event = junk_event(junk, at, connection.conn, side)
        if self.plain:
            connection.emit(event)
            return
        verdict = None
        if self._wants & Kind.STRAY and not self._rest and not outlet.sealed:
            age = at - connection.opened
            stray = Stray(side, junk.opcode, junk.payload, None, at, age, junk.problems)
            verdict = connection.chain.decide(stray, Kind.STRAY)
        self._skip, self._rest = 0, False
        event.kept = bool(outlet.sealed or outlet.busy or verdict is not None)
        connection.emit(event)
        unit = Unit(wire)
        if event.kept:
            unit.action, unit.by = "forward", self._first(Kind.STRAY)
        if outlet.sealed:
            outlet.say(at, "drop", outlet.sealed, ())
        else:
            self._deliver(verdict, unit, outlet.sent, at)
            outlet.closed = outlet.closed or "not-a-frame" in junk.problems

    # Out.

    def _deliver(self, verdict: Decision | None, unit: Unit, mark: int, at: float, *, overtakes: bool = False) -> None:
        """Sends a unit, as the filters decided. ``mark`` is how much had gone out when its frames were recorded."""
        outlet, perform = self.outlet, self.connection.perform
        n = unit.ns[0] if unit.ns else None
        if verdict is not None:
            for bound, action in verdict.before:
                perform(bound, action, n, at)
            if verdict.wait > 0 and not verdict.dropped:
                unit.due, unit.holder = at + verdict.wait, verdict.holder
            now = unit.due <= at and (overtakes or not outlet.busy) and not verdict.dropped
            done = verdict.done
            for each in done[:-1] if now else done:
                outlet.say(at, each.action, each.by, unit.ns, note=each.note)
            if done:
                last = done[-1]
                unit.action, unit.by, unit.note = last.action if now else "forward", last.by, last.note
        if verdict is None or not verdict.dropped:
            if not unit.action and outlet.sent != mark:
                unit.action, unit.by = "forward", self._first(self._wants if unit.open is None else Kind.MESSAGE)
            (outlet.control if overtakes else outlet.data)(unit, at)
        if verdict is not None:
            for bound, later in verdict.after:
                perform(bound, later, n, at)

    def _first(self, kind: Kind) -> str:
        """The filter on whose account something is held."""
        return self.connection.chain.first(self.direction.side, kind) or self.encoder.dirty


def _nothing(opcode: int, data: bytes) -> bool:
    return False


def _wire(held: list[Held]) -> bytes:
    return held[0].wire if len(held) == 1 else b"".join([part.wire for part in held])


def _numbers(held: list[Held]) -> tuple[int, ...]:
    return tuple([part.n for part in held if part.first])


def perform(outlet: Outlet, bound: Bound, action: Inject | Close, n: int | None, at: float) -> None:
    """Puts a frame of a filter's into the stream of an outlet's side."""
    by = bound.entry.text
    if isinstance(action, Inject):
        outlet.inject(action.opcode, action.data, by, n, action.note, at, action.rsv)
    else:
        outlet.inject(CLOSE, close_payload(action.code, action.reason), by, n, action.note, at)
        outlet.sealed = by
