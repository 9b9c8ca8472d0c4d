"""The one state machine of a connection: bytes of either side in, events and bytes to send out.

Two directions (:mod:`hangup.direction`: a reader, an assembler, counters), each with a gate for when filters are at
work on it. The proxy, the replayer and the tests drive this same object and bring what it must not
have: clock, sockets.

Observing and forwarding are apart. While no filter is interested in a side (:meth:`Session.plain`) its bytes are sent
on before they are shown here (:meth:`Session.observe`), so that recording costs no latency. Otherwise
:meth:`Session.receive` says what to send, and :meth:`Session.tick` what has become due meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hangup.direction import Direction, Emit, EmitLines
from hangup.filters import HOLD_LIMIT
from hangup.filters.base import SIDES, Close, Cut, Ended, Inject, Kind, Release
from hangup.filters.chain import Bound, Chain
from hangup.filters.encoder import Encoder
from hangup.filters.filter_set import FilterSet
from hangup.filters.output_queue import Outlet
from hangup.filters.pipeline import Gate, perform
from hangup.recording import events
from hangup.recording.events import How, Side
from hangup.recording.fast_path import Simple
from hangup.wire.deflate import Params
from hangup.wire.frames import Mask
from hangup.wire.inflation_budget import InflationBudget
from hangup.wire.masking import mask as pure_mask


class Out(Struct, gc=False):
    """What is to be done on the legs: first the bytes are sent. Then ``ends`` are passed on: each is a side whose
    stream has ended, and how, so that the *other* leg must end likewise. ``cut``, if set, ends both legs as if that
    side had, on account of a filter (its text form)."""

    to_client: bytes = b""
    to_server: bytes = b""
    ends: tuple[tuple[Side, How], ...] = ()
    cut: tuple[Side, How, str] | None = None


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
