"""Events in, connections out: one pass over a recording, in which all is learned that anybody asks of it.

A :class:`Ledger` takes any events in any order without raising. It keeps sums, as a running proxy needs them; what went
over the connections is looked into by :class:`~hangup.recording.traffic_ledger.TrafficLedger`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hangup.humanize import printable, span
from hangup.humanize import size as in_words
from hangup.recording.connections import Connection
from hangup.recording.dev_server import WEBPACK_PATH, is_webpack, kind_and_origin
from hangup.recording.endings import Last, Step, Told, What
from hangup.recording.events import (
    AnyEvent,
    End,
    Event,
    FilterEvent,
    Frame,
    Handshake,
    Log,
    Note,
    Part,
    Raw,
    Side,
    Stop,
)
from hangup.recording.known import Known
from hangup.wire.frames import BINARY, TEXT

if TYPE_CHECKING:
    from hangup.recording.loops import Loop

STEPS_KEPT = 24
"""How many steps of an ending are kept; what matters is among the first."""

PROBLEMS_KEPT = 32
TEXT_KEPT = 2048

_DATA = frozenset(("text", "binary", "continuation"))


class Ledger:
    """What is known of a recording: ``connections`` by number, and what concerns the whole.

    Memory grows with the number of connections, never with that of events.
    """

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.last_at = 0.0
        """The time of the latest event, in seconds."""
        self.events = 0
        self.lost = 0
        self.http = 0
        self.stopped = False
        self.settled: object = None
        """As of when the fates of the connections were last worked out (:func:`hangup.recording.fates.settle`)."""
        self.looped: tuple[object, list[Loop]] = (None, [])
        """The loops that were last looked for, and as of when (:func:`hangup.recording.fates.loops_in`)."""
        self._feed: dict[type[Event], Callable[[Any], None]] = {
            Handshake: self._handshake,
            Frame: self._frame,
            Part: self._seen,
            Log: self._log,
            Raw: self._raw,
            FilterEvent: self._filter,
            End: self._end,
            Note: self._note,
            Stop: self._stop,
        }

    def known(self) -> Sequence[Known]:
        """All connections, as far as is known of each."""
        return list(self.connections.values())

    def feed(self, event: Event) -> None:
        """Takes the next event."""
        self.events += 1
        if event.at > self.last_at:
            self.last_at = event.at
        feed = self._feed.get(type(event))
        if feed is not None:
            feed(event)

    def feed_all(self, events: Iterable[AnyEvent]) -> None:
        """Takes many events: the same as one by one, and faster, as most are plain messages."""
        connections, feeds = self.connections, self._feed
        count, last_at = 0, self.last_at
        for event in events:
            count += 1
            at = event.at
            if at > last_at:
                last_at = at
            if (
                type(event) is Frame
                and (text := event.text) is not None
                and event.opcode == "text"
                and event.length is None
                and not event.problems
                and not event.left_compressed
                and (connection := connections.get(event.conn)) is not None
                and (side := event.side) in (frames := connection.frames)
                # The first may tell what the connection is for.
                and ((n := event.n) != 1 or not connection.path.endswith(WEBPACK_PATH))
            ):
                connection.last_seen = at
                frames[side] += 1
                connection.bytes[side] += len(text) if text.isascii() else len(text.encode())
                connection.last[side] = Last(n, at, "text")
            elif (feed := feeds.get(type(event))) is not None:
                feed(event)
        self.events += count
        self.last_at = last_at

    def tally(
        self,
        conn: int,
        side: Side,
        frames: int,
        bytes: int,
        last_n: int,
        last_at: float,
        last_opcode: str,
    ) -> None:
        """Sets the sums of what ``side`` sent so far, for who does not feed every data frame.

        Such a feeder feeds everything else, and calls this for both sides before each CLOSE frame and each
        ``end`` event: then the account is the same as if all had been fed. All numbers are totals, control
        frames included.
        """
        connection = self.connections.get(conn)
        if connection is None or side not in connection.frames:
            return
        connection.frames[side] = frames
        connection.bytes[side] = bytes
        if frames:
            connection.last[side] = Last(last_n, last_at, last_opcode)
            connection.last_seen = max(connection.last_seen, last_at)

    def _connection(self, event: Event) -> Connection | None:
        if not event.conn:
            return None
        connection = self.connections.get(event.conn)
        if connection is None:
            connection = Connection(conn=event.conn, first_seen=event.at)
            self.connections[event.conn] = connection
        connection.last_seen = event.at
        return connection

    def _handshake(self, event: Handshake) -> None:
        connection = self._connection(event)
        if connection is None:
            return
        target = event.request.target[:TEXT_KEPT]
        response = event.response
        connection.client = event.client[:TEXT_KEPT]
        connection.server = event.server[:TEXT_KEPT]
        connection.target = target
        connection.path = target.partition("?")[0]
        asked = event.original or event.request
        connection.kind, origin = kind_and_origin(asked)
        connection.origin = origin and origin[:TEXT_KEPT]
        connection.asked = span(event.waited, event.at)
        connection.answered = event.at
        connection.answered_by = event.by[:TEXT_KEPT]
        connection.error = event.error[:TEXT_KEPT]
        if event.problems:
            connection.checks = tuple(problem[:TEXT_KEPT] for problem in event.problems[:PROBLEMS_KEPT])
        if response is not None:
            connection.status = response.status
            connection.phrase = response.reason[:TEXT_KEPT]
            if 300 <= response.status < 400:
                connection.location = _header(response.headers, "location") or ""
            connection.subprotocol = _header(response.headers, "sec-websocket-protocol")
        given = event.returned or response  # what the client saw
        connection.opened = event.at if given is not None and given.status == 101 else None

    def _frame(self, event: Frame) -> None:
        at, side = event.at, event.side
        connection = self.connections.get(event.conn)
        if connection is None:
            connection = self._connection(event)
            if connection is None:
                return
        connection.last_seen = at
        if side not in connection.frames:
            return
        opcode, payload, size = event.opcode, event.payload, event.length
        if size is None:
            size = len(payload)
        connection.frames[side] += 1
        connection.bytes[side] += size
        connection.last[side] = Last(event.n, at, opcode)
        if event.problems:
            self._problems(connection, event.problems)
        if opcode in _DATA:
            connection.left_compressed += event.left_compressed
            if event.n == 1 and side == "server" and is_webpack(connection.path, event):
                connection.kind = "hmr"
            return
        if opcode == "ping":
            connection.pings = {**connection.pings, side: connection.pings[side] + 1}
        elif opcode == "pong":
            connection.pongs = {**connection.pongs, side: connection.pongs[side] + 1}
        elif opcode == "close":
            code, reason = event.code, event.reason
            if code is None and len(payload) >= 2:
                code = int.from_bytes(payload[:2], "big")
                reason = payload[2:].decode(errors="replace")
            step = self._step(connection, at, side, "close", "", code, reason or "", event.n)
            if code is None and size >= 2 and not payload:
                step.unread = True

    def _seen(self, event: Event) -> None:
        self._connection(event)

    def _log(self, event: Log) -> None:
        self._connection(event)

    def _raw(self, event: Raw) -> None:
        connection = self._connection(event)
        side = event.side
        if connection is None or side not in connection.frames:
            return
        self._problems(connection, event.problems)
        if "half-frame" in event.problems:
            announced = f" of {in_words(event.length)}" if event.length is not None else ""
            kind = f"{event.opcode} " if event.opcode else ""
            connection.half = {**connection.half, side: f"a {printable(kind, 20)}frame{announced}"}
            self._step(connection, event.at, side, "half-frame")
        elif side not in connection.junk:
            begins = printable(event.payload[:60].decode(errors="replace"), 60)
            connection.junk = {**connection.junk, side: begins}
            self._step(connection, event.at, side, "not-a-frame")

    def _filter(self, event: FilterEvent) -> None:
        connection = self._connection(event)
        side = event.side
        if connection is None:
            return
        connection.actions += 1
        passed = event.action in ("inject", "forward") and event.wire and event.wire[0] & 0x0F in (TEXT, BINARY)
        if passed and side is not None:
            connection.passed_on = {**connection.passed_on, side: event.at}
        name = event.filter[:TEXT_KEPT]
        if event.n is not None and event.action in ("drop", "replace"):
            for step in connection.steps:
                if step.what == "close" and step.side == side and step.n == event.n:
                    verb = "kept back" if event.action == "drop" else "changed"
                    step.note = f"{verb} by the filter `{name}`"
            return
        code = _close_in(event.wire)
        if event.action != "close" and code is None:
            return
        number, reason = code or (None, "")
        self._step(connection, event.at, side or "server", "close", name or "proxy", number, reason, None, event.note)

    def _end(self, event: End) -> None:
        connection = self.connections.get(event.conn)
        if connection is None:
            connection = self._connection(event)
            if connection is None:
                return
        at, side = event.at, event.side
        connection.last_seen = at
        if side in connection.frames:
            self._step(connection, at, side, event.how, event.by, None, "", None, event.note)

    def _note(self, event: Note) -> None:
        connection = self._connection(event)
        if connection is not None and event.ending:
            connection.untold = printable(event.text, TEXT_KEPT)
            if connection.refused and connection.status is None and not connection.error:
                connection.answered = None  # neither an answer nor a failure: what became of it was not told
            if event.ended:
                connection.told = Told(event.at, event.by or "unknown", event.code, event.reason[:TEXT_KEPT])
        if event.lost <= 0:
            return
        self.lost += event.lost
        for connection in self.connections.values():
            if event.conn in (0, connection.conn) and (event.conn or connection.ended is None):
                connection.lost += event.lost

    def _stop(self, event: Stop) -> None:
        self.stopped = True
        self.http = event.http
        self._connection(event)
        for connection in self.connections.values():
            connection.stopped = True

    def _step(
        self,
        connection: Connection,
        at: float,
        side: Side,
        what: What,
        by: str = "",
        code: int | None = None,
        reason: str = "",
        n: int | None = None,
        note: str = "",
    ) -> Step:
        other: Side = "server" if side == "client" else "client"
        last = connection.last.get(other)
        after = last if last is None or type(last) is Last else Last(last.n, last.at, last.opcode)
        before = connection.frames[other]
        step = Step(
            at, side, what, by[:TEXT_KEPT], code, reason[:TEXT_KEPT], n, note[:TEXT_KEPT], after, before
        )
        steps = connection.steps
        if len(steps) < STEPS_KEPT:
            steps.append(step)
        return step

    def _problems(self, connection: Connection, problems: tuple[str, ...]) -> None:
        known = dict(connection.problems)
        for problem in problems:
            if problem in known or len(known) < PROBLEMS_KEPT:
                known[problem] = known.get(problem, 0) + 1
        connection.problems = known


def _header(headers: list[tuple[str, str]], name: str) -> str | None:
    length = len(name)
    for key, value in headers:
        if len(key) == length and key.lower() == name:
            return value[:TEXT_KEPT]
    return None


def _close_in(wire: bytes | None) -> tuple[int | None, str] | None:
    """Code and reason of the close frame that a filter's bytes begin with, or None."""
    if not wire or len(wire) < 2 or wire[0] & 15 != 8:
        return None
    masked, length = wire[1] & 0x80, wire[1] & 0x7F
    payload = wire[2 + (4 if masked else 0) :][:length]
    if masked:
        payload = bytes(byte ^ wire[2 + i % 4] for i, byte in enumerate(payload) if len(wire) >= 6)
    if len(payload) < 2:
        return None, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")
