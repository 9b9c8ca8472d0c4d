"""Events in, traces out: a recording streams by, and what the diagnosis needs of each connection is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from hangup.diagnosis.shapes import OTHER, Shape, Shapes
from hangup.diagnosis.traces import Beats, Count, Half, Message, Trace
from hangup.recording.connections import Ledger
from hangup.recording.events import End, Event, FilterEvent, Frame, Handshake, Header, Log, Raw, Side

FIRST_KEPT, LAST_KEPT = 100, 300
"""So many connections are kept in detail, from the beginning and before the end."""

SHAPES_KEPT = 24
"""Shapes that are counted for each side of a connection; further ones count as one."""

LOGS_KEPT = 400
FILTERS_KEPT = 200
PREVIEW = 100
OPENING = 8
"""Messages that are kept of a connection's beginning."""

_DATA = frozenset(("text", "binary", "continuation"))


class Collector:
    """Events in, traces out. ``ledger`` is the account of the whole recording."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.ledger = Ledger()
        self.shapes = Shapes()
        self.traces: dict[int, Trace] = {}
        self.logs: deque[Log] = deque(maxlen=LOGS_KEPT)
        self.filters: deque[FilterEvent] = deque(maxlen=FILTERS_KEPT)
        """When filters were switched, not each time that they acted."""
        self.passed_over = 0
        """Connections of which no detail is kept."""
        self._late: deque[int] = deque()
        self._passed = 0
        self._nobody = Trace(0)

    def feed(self, event: Event) -> None:
        """Takes the next event."""
        self.ledger.feed(event)
        kind = type(event)
        if kind is Frame:
            self._frame(event)  # type: ignore[arg-type]
        elif kind is Handshake:
            self._handshake(event)  # type: ignore[arg-type]
        elif kind is End:
            if event.how != "open":  # type: ignore[attr-defined]
                self._trace(event).frozen = True
        elif kind is Raw:
            self._raw(event)  # type: ignore[arg-type]
        elif kind is FilterEvent:
            self._filter(event)  # type: ignore[arg-type]
        elif kind is Log:
            self.logs.append(event)  # type: ignore[arg-type]

    def finish(self) -> list[Trace]:
        """The traces with their accounts, in the order of their numbers."""
        for conn, trace in self.traces.items():
            trace.account = self.ledger.connections.get(conn) or trace.account
        return [self.traces[conn] for conn in sorted(self.traces) if conn > 0]

    def _trace(self, event: Event) -> Trace:
        conn = event.conn
        trace = self.traces.get(conn)
        if trace is None:
            if 0 < conn <= self._passed:
                return self._nobody  # an old connection, of which we keep no detail any more
            trace = self.traces[conn] = Trace(conn)
            if conn > 0 and len(self.traces) > FIRST_KEPT:
                self._late.append(conn)
                if len(self._late) > LAST_KEPT:
                    self._passed = max(self._passed, self._late[0])
                    del self.traces[self._late.popleft()]
                    self.passed_over += 1
        return trace

    def _handshake(self, event: Handshake) -> None:
        trace = self._trace(event)
        trace.request = event.original or event.request
        trace.host = next((value for name, value in event.request.headers if name.lower() == "host"), "")
        trace.response = event.response
        trace.waited, trace.error, trace.by = event.waited, event.error, event.by
        trace.at = trace.client.at = trace.server.at = event.at

    def _frame(self, event: Frame) -> None:
        trace = self.traces.get(event.conn) or self._trace(event)
        side = event.side
        half = trace.halves.get(side)
        if half is None:
            return
        opcode = event.opcode
        if trace.frozen:
            trace.late += 1
            return
        if opcode != "close":
            at = event.at
            pause = at - trace.at
            if pause > trace.pause:
                trace.pause = pause
            trace.at = at
            pause = at - half.at
            if pause > half.pause:
                half.pause = pause
            half.at = at
        if opcode not in _DATA:
            self._control(trace, half, event)
            return
        text = event.text
        if text is not None and opcode == "text" and event.fin and not (event.rsv or event.parts or half.opcode):
            if event.length is None:  # the hot path: most of all messages are this
                shape = self.shapes.of_text(text)
                message = Message(
                    event.n, event.at, side, opcode, shape, len(text), text[:PREVIEW], problems=event.problems
                )
            else:
                shape = self.shapes.of_unknown(opcode)
                message = Message(
                    event.n, event.at, side, opcode, shape, event.length, text[:PREVIEW], problems=event.problems
                )
        else:
            whole = self._assemble(half, event)
            if whole is None:
                return
            message = whole
        half.messages += 1
        size, shape = message.size, message.shape
        half.size += size
        if size > half.largest:
            half.largest = size
        if message.compressed:
            half.compressed += 1
        half.last = half.frame = message
        counts = half.shapes
        count = counts.get(shape)
        if count is not None:
            count.add(message)
        elif len(counts) < SHAPES_KEPT:
            counts[shape] = Count(message)
        elif OTHER in counts:
            counts[OTHER].add(message)
        else:
            counts[OTHER] = Count(message)
        trace.recent.append(message)
        if half.first is None:
            half.first = message
            if side == "client":
                _note_ids(trace, message, event)
        if len(trace.opening) < OPENING:
            trace.opening.append(message)
        beat = shape.beat
        if beat is not None:
            other: Side = "server" if side == "client" else "client"
            if beat.kind == "ping":
                # What answers a ping may look like one itself (`{"type":"heartbeat"}`, `{}`).
                asked = trace.beats.get((other, "app"))
                if asked is not None and asked.waiting is not None and asked.shape is shape:
                    asked.pong(message)
                    return
                self._beats(trace, side, "app").ping(message)
            else:
                self._beats(trace, other, "app").pong(message)

    def _beats(self, trace: Trace, side: Side, level: str) -> Beats:
        beats = trace.beats.get((side, level))
        if beats is None:
            beats = trace.beats[side, level] = Beats()
        return beats

    def _control(self, trace: Trace, half: Half, event: Frame) -> None:
        side, opcode = event.side, event.opcode
        payload = event.payload
        if opcode == "close":
            text = f"{event.code or ''} {event.reason or ''}".strip()
        else:
            text = payload[:PREVIEW].decode(errors="replace")
        message = Message(event.n, event.at, side, opcode, OTHER, event.size, text, problems=event.problems)
        trace.recent.append(message)
        if opcode == "close":
            trace.frozen = True
            return
        half.frame = message
        other: Side = "server" if side == "client" else "client"
        if opcode == "ping":
            self._beats(trace, side, "control").ping(message, payload)
        elif opcode == "pong":
            self._beats(trace, other, "control").pong(message, payload)

    def _assemble(self, half: Half, event: Frame) -> Message | None:
        """The message that this frame completes, if it does."""
        opcode = event.opcode
        fragments, size, compressed, problems = half.parts
        if opcode == "continuation":
            opcode = half.opcode or "text"
        else:
            fragments, size, compressed, problems = 0, 0, False, ()
        fragments += 1
        size += event.size
        compressed = compressed or bool(event.rsv & 4)
        problems = (problems + event.problems)[:8]
        if not event.fin:
            half.opcode, half.parts = opcode, (fragments, size, compressed, problems)
            return None
        half.opcode, half.parts = "", (0, 0, False, ())
        shape, text, whole = self._content(event, opcode, fragments, compressed, size)
        return Message(event.n, event.at, event.side, opcode, shape, whole, text, fragments, compressed, problems)

    def _content(
        self, event: Frame, opcode: str, fragments: int, compressed: bool, size: int
    ) -> tuple[Shape, str, int]:
        """Shape, preview and size (inflated) of a message whose last frame this is."""
        if event.message_length is not None:
            return self.shapes.of_unknown(opcode), "", event.message_length
        text: str | None = event.message
        data: bytes | None = event.message_base64
        if text is None and data is None:
            if event.parts or event.length is not None or fragments > 1 or compressed:
                return self.shapes.of_unknown(opcode), "", size
            text, data = event.text, event.base64
        if text is None and data is None:
            text = "" if opcode == "text" else None
            data = b""
        if opcode == "text":
            if text is None:
                return self.shapes.of_broken_text(), "", len(data or b"")
            return self.shapes.of_text(text), text[:PREVIEW], max(len(text), size if not compressed else 0)
        raw = text.encode() if text is not None else data or b""
        return self.shapes.of_bytes(raw), raw[:PREVIEW].decode("latin-1"), len(raw)

    def _raw(self, event: Raw) -> None:
        trace = self._trace(event)
        if not trace.frozen and not trace.junk and "not-a-frame" in event.problems:
            trace.junk = event.side + ": " + event.payload[:200].decode(errors="replace")

    def _filter(self, event: FilterEvent) -> None:
        if event.conn == 0:
            self.filters.append(event)
            return
        trace = self._trace(event)
        name = event.filter[:PREVIEW]
        if name in trace.acted or len(trace.acted) < 16:
            trace.acted[name] = trace.acted.get(name, 0) + 1
        half = trace.halves.get(event.side) if event.side else None
        if half is not None and event.action in ("drop", "replace") and not trace.frozen:
            last = half.last
            if last is not None and last.n == event.n:
                half.kept[last.shape] = half.kept.get(last.shape, 0) + 1


_ID_KEYS = ("id", "client", "user", "session", "device", "uid", "uuid", "sub", "peer", "name", "account", "login")


def _note_ids(trace: Trace, message: Message, event: Frame) -> None:
    """Keeps what in a client's first message may say who it is."""
    if not message.shape.json or message.size > 4096:
        return
    found: Any = None
    try:
        found = msgspec.json.decode(event.message or event.text or "")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    if isinstance(found, dict):
        for body in ("", "data", "payload", "params", "d"):
            inner = found.get(body) if body else found
            if isinstance(inner, dict):
                for key, value in list(inner.items())[:32]:
                    low = key.lower()
                    if isinstance(value, str | int) and any(low.endswith(word) for word in _ID_KEYS):
                        trace.ids[key] = str(value)[:80]


def collect(header: Header, events: Iterable[Event]) -> Collector:
    """Feeds all events to a new collector."""
    collector = Collector(header)
    feed = collector.feed
    for event in events:
        feed(event)
    return collector
