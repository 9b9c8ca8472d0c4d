"""The one pass over a recording in which what went over its connections is looked into as well."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import compress, repeat
from operator import methodcaller, sub
from typing import Any

from hangup.messages.shapes import OTHER, Shape, Shapes
from hangup.recording.connections import Connection
from hangup.recording.endings import Last
from hangup.recording.events import AnyEvent, End, Event, FilterEvent, Frame, Handshake, Header, Log, Raw, Side
from hangup.recording.known import Known
from hangup.recording.ledger import Ledger
from hangup.recording.outlines import Outline, OutlineLedger
from hangup.recording.reader import batches
from hangup.recording.traffic import OPENING, PREVIEW, RECENT, KindCount, MessageSummary, SideTraffic, Traffic, octets

FIRST_KEPT, LAST_KEPT = 100, 300
"""So many connections are looked into, from the beginning and before the end."""

MANY = 1000
"""With more connections than this, most are not looked into at all."""

LOGS_KEPT = 400
FILTERS_KEPT = 200

EXACT = 20_000
"""So many messages of a recording are parsed each for itself. After that, what begins with the same kind and has as
many strings in it counts as the same form, but for the last ones of each connection, which are parsed in any case."""

SMALL = 4096
"""Characters; of a larger message only the summary is kept, and not the event."""

HEAD = 80
HEADS_KEPT = 512

_DATA = frozenset(("text", "binary", "continuation"))


class TrafficLedger(Ledger):
    """A ledger whose connections have their :attr:`~hangup.recording.connections.Connection.traffic`: of the first and
    the last ones, where there are very many. Memory is bounded for each connection, whatever its length."""

    def __init__(self, header: Header | None = None) -> None:
        super().__init__()
        self.header = header or Header(hangup=0, started="")
        self.shapes = Shapes()
        self.logs: deque[Log] = deque(maxlen=LOGS_KEPT)
        self.filters: deque[FilterEvent] = deque(maxlen=FILTERS_KEPT)
        """When filters were switched, not each time that they acted."""
        self.others: dict[int, Outline] = {}
        """Outlines of connections of which nothing more is kept."""
        self.passed_over = 0
        """Connections that are not looked into any more, being too many."""
        self._exact = EXACT
        self._looked = 0
        self._late: deque[int] = deque()

    def known(self) -> Sequence[Known]:
        """All connections, in the order of their numbers where of some there are only outlines."""
        if not self.others:
            return super().known()
        found: dict[int, Known] = {**self.others, **self.connections}
        return [found[conn] for conn in sorted(found)]

    @property
    def looked_into(self) -> list[Connection]:
        """The connections of which the traffic is known, in the order of their numbers."""
        found = self.connections
        return [found[conn] for conn in sorted(found) if conn > 0 and found[conn].looked_into is not None]

    def among(self, every: Ledger) -> TrafficLedger:
        """The same with all that ``every`` knows, a ledger of the same recording of which only the connections that are
        :func:`worth_a_look` were fed to this one. The connections are those of ``every`` itself."""
        found = TrafficLedger(self.header)
        found.shapes, found.logs, found.filters = self.shapes, self.logs, self.filters
        found.connections = every.connections
        found.events, found.last_at, found.stopped = every.events, every.last_at, every.stopped
        found.lost, found.http, found.settled, found.looped = every.lost, every.http, every.settled, every.looped
        for conn, connection in every.connections.items():
            mine = self.connections.get(conn)
            connection.looked_into = None if mine is None else mine.looked_into
            found.passed_over += conn > 0 and connection.looked_into is None
        return found

    def feed_all(self, events: Iterable[AnyEvent]) -> None:
        """Takes many events: the same as one by one, and much faster, as the plain messages of each connection are
        taken together."""
        runs: dict[int, list[Frame]] = {}
        conn: int | None = None
        append: Any = None
        for event in events:
            if (
                type(event) is Frame
                and (text := event.text) is not None
                and event.opcode == "text"
                and event.fin
                and not event.rsv
                and event.length is None
                and not event.parts
                and not event.problems
                and event.n != 1  # the first may tell what the connection is for
                and len(text) <= SMALL
            ):
                if event.conn != conn:
                    conn = event.conn
                    append = runs.setdefault(conn, []).append
                append(event)
                continue
            if event.conn in runs:
                self._take(event.conn, runs.pop(event.conn))
                conn = None
            self.feed(event)
        for number, run in runs.items():
            self._take(number, run)

    def _take(self, conn: int, run: list[Frame]) -> None:
        """Takes plain text messages of one connection, in order."""
        times = [event.at for event in run]
        self.events += len(run)
        self.last_at = max(self.last_at, max(times))
        connection = self.connections.get(conn)
        traffic = None if connection is None else connection.looked_into
        if connection is None or traffic is None or traffic.frozen or any(h.opcode for h in traffic.halves.values()):
            for event in run:
                self._frame(event)
            return
        connection.last_seen = times[-1]
        traffic.pause = _longest(traffic.pause, traffic.at, times)
        traffic.at = times[-1]
        traffic.opened += run[: OPENING - len(traffic.opened)]
        traffic.seen += run[-RECENT:]
        texts: list[str] = [event.text for event in run]  # type: ignore[misc]
        sizes = [len(text) if text.isascii() else len(text.encode()) for text in texts]
        alike: list[tuple[KindCount, int, float, list[int]]] | None = [] if self._exact <= 0 else None
        for side, half in traffic.halves.items():
            mine = [event.side == side for event in run]
            if not any(mine):
                continue
            its_times, its_sizes = list(compress(times, mine)), list(compress(sizes, mine))
            self._sums(connection, half, side, list(compress(run, mine)), its_times, its_sizes)
            if alike is not None:
                kind = _of_one_kind(half, list(compress(texts, mine)))
                alike = None if kind is None else [*alike, (kind, len(its_times), its_times[-1], its_sizes)]
        if alike is not None:
            for kind, count, last, its_sizes in alike:
                kind.add_all(count, last, its_sizes)
        # The kinds in the order of both sides, as one may answer the other.
        elif self._exact > 0:
            self._exact -= len(run)
            for event, text, size in zip(run, texts, sizes, strict=True):
                self._counts(traffic, traffic.halves[event.side], self.shapes.of_text(text), event, size)
        else:
            self._kinds(traffic, zip(run, texts, sizes, strict=True))

    @staticmethod
    def _sums(
        connection: Connection, half: SideTraffic, side: Side, said: list[Frame], times: list[float], sizes: list[int]
    ) -> None:
        total = sum(sizes)
        last = said[-1]
        connection.frames[side] += len(said)
        connection.bytes[side] += total
        connection.last[side] = Last(last.n, last.at, last.opcode)
        half.pause = _longest(half.pause, half.at, times)
        half.at = times[-1]
        half.messages += len(said)
        half.size += total
        half.largest = max(half.largest, max(sizes))
        half.last_seen = half.frame_seen = last
        if half.first_seen is None:
            half.first_seen = said[0]

    def _kinds(self, traffic: Traffic, run: Iterable[tuple[Frame, str, int]]) -> None:
        """Counts messages by how they begin, where that is known to tell their kind."""
        client, server = traffic.client.heads, traffic.server.heads
        for event, text, size in run:
            head = text[: text.find(",", 0, HEAD)]
            alike = (client if event.side == "client" else server).get(head)
            known = None if alike is None else alike.get(text.count('"'))
            if known is None:
                half = traffic.halves[event.side]
                shape = self.shapes.of_text(text)
                count = self._counts(traffic, half, shape, event, size)
                if shape.beat is None and shape.kind and f'"{shape.kind}"' in head and len(half.heads) < HEADS_KEPT:
                    half.heads.setdefault(head, {})[text.count('"')] = count
                continue
            known.count += 1
            known.last = event.at
            if size > known.largest:
                known.largest = size
            elif size < known.smallest:
                known.smallest = size

    def _connection(self, event: Event) -> Connection | None:
        known = event.conn in self.connections
        connection = super()._connection(event)
        if connection is None or known or event.conn < 0:
            return connection
        connection.looked_into = Traffic(self.shapes)
        self._looked += 1
        if self._looked > FIRST_KEPT:
            self._late.append(event.conn)
            if len(self._late) > LAST_KEPT:
                self.connections[self._late.popleft()].looked_into = None
                self.passed_over += 1
        return connection

    def _handshake(self, event: Handshake) -> None:
        super()._handshake(event)
        connection = self.connections.get(event.conn)
        traffic = None if connection is None else connection.looked_into
        if traffic is not None:
            traffic.request = event.original or event.request
            traffic.sent = event.request
            traffic.response = event.response
            traffic.at = traffic.client.at = traffic.server.at = event.at

    def _log(self, event: Log) -> None:
        super()._log(event)
        self.logs.append(event)

    def _end(self, event: End) -> None:
        super()._end(event)
        connection = self.connections.get(event.conn)
        if connection is not None and connection.looked_into is not None and event.how != "open":
            connection.looked_into.frozen = True

    def _raw(self, event: Raw) -> None:
        super()._raw(event)
        connection = self.connections.get(event.conn)
        traffic = None if connection is None else connection.looked_into
        if traffic is not None and not traffic.frozen and not traffic.junk and "not-a-frame" in event.problems:
            traffic.junk = event.side + ": " + event.payload[:200].decode(errors="replace")

    def _filter(self, event: FilterEvent) -> None:
        super()._filter(event)
        if event.conn == 0:
            self.filters.append(event)
            return
        traffic = self.connections[event.conn].looked_into
        if traffic is None:
            return
        name = event.filter[:PREVIEW]
        if name in traffic.acted or len(traffic.acted) < 16:
            traffic.acted[name] = traffic.acted.get(name, 0) + 1
        half = traffic.halves.get(event.side) if event.side else None
        if half is not None and event.action in ("drop", "replace") and not traffic.frozen:
            last = half.last
            if last is not None and last.n == event.n:
                half.kept[last.shape] = half.kept.get(last.shape, 0) + 1

    def _frame(self, event: Frame) -> None:
        super()._frame(event)
        connection = self.connections.get(event.conn)
        traffic = None if connection is None else connection.looked_into
        half = None if traffic is None else traffic.halves.get(event.side)
        if traffic is None or half is None:
            return
        if traffic.frozen:
            traffic.late += 1
            return
        opcode = event.opcode
        if opcode != "close":
            _passes(traffic, half, event.at)
        if opcode not in _DATA:
            self._control(traffic, half, event)
            return
        message = self._message(half, event)
        if message is None:
            return
        half.messages += 1
        half.size += message.size
        half.largest = max(half.largest, message.size)
        half.compressed += message.compressed
        half.last_seen = half.frame_seen = message
        traffic.seen.append(message)
        if half.first_seen is None:
            small = event.text is not None and event.fin and event.message is None and message.size <= SMALL
            half.first_seen = event if small and opcode == "text" and not event.rsv else message
        if len(traffic.opened) < OPENING:
            traffic.opened.append(message)
        self._counts(traffic, half, message.shape, event, message.size)

    def _counts(self, traffic: Traffic, half: SideTraffic, shape: Shape, event: Frame, size: int) -> KindCount:
        count = half.count(shape, event.at, event.n, size)
        if shape.beat is not None:
            traffic.spoken.add(event.at, event.n, event.side, shape)
        return count

    def _control(self, traffic: Traffic, half: SideTraffic, event: Frame) -> None:
        side, opcode = event.side, event.opcode
        payload = event.payload
        if opcode == "close":
            text = f"{event.code or ''} {event.reason or ''}".strip()
        else:
            text = payload[:PREVIEW].decode(errors="replace")
        message = MessageSummary(event.n, event.at, side, opcode, OTHER, event.size, text, problems=event.problems)
        traffic.seen.append(message)
        if opcode == "close":
            traffic.frozen = True
            return
        half.frame_seen = message
        other: Side = "server" if side == "client" else "client"
        if opcode == "ping":
            traffic.beating(side).ping(event.at, event.n, OTHER, payload)
        elif opcode == "pong":
            traffic.beating(other).pong(event.at, OTHER, payload)

    def _message(self, half: SideTraffic, event: Frame) -> MessageSummary | None:
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
        summary = MessageSummary(event.n, event.at, event.side, opcode, shape, whole, text, fragments, compressed)
        summary.problems = problems
        return summary

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
            return self.shapes.of_text(text), text[:PREVIEW], octets(text)
        raw = text.encode() if text is not None else data or b""
        return self.shapes.of_bytes(raw), raw[:PREVIEW].decode("latin-1"), len(raw)


def _of_one_kind(half: SideTraffic, texts: list[str]) -> KindCount | None:
    """The count of their kind, where all of these messages are known to be of one."""
    first = texts[0]
    end = first.find(",", 0, HEAD)
    known = half.heads.get(first[:end], {}).get(first.count('"')) if end > 0 else None
    if known is None or not all(map(methodcaller("startswith", first[: end + 1]), texts)):
        return None
    return known if len(set(map(str.count, texts, repeat('"')))) == 1 else None


def _longest(known: float, before: float, times: list[float]) -> float:
    """The longest pause, with those between these times."""
    if times[-1] - before <= known and times == sorted(times) and times[0] >= before:
        return known  # the usual case: all of it is no longer
    return max(known, times[0] - before, max(map(sub, times[1:], times), default=0.0))


def _passes(traffic: Traffic, half: SideTraffic, at: float) -> None:
    """Keeps the longest pauses."""
    traffic.pause = max(traffic.pause, at - traffic.at)
    half.pause = max(half.pause, at - half.at)
    traffic.at = half.at = at


def look_into(header: Header, events: Iterable[AnyEvent]) -> TrafficLedger:
    """The one pass: all that is known of a recording."""
    ledger = TrafficLedger(header)
    for batch in batches(events):
        ledger.feed_all(batch)
    return ledger


def worth_a_look(order: Sequence[int], conn: int | None = None) -> set[int]:
    """Which connections are looked into, of these numbers in the order in which they were first seen: the first and the
    last, and ``conn`` in any case, in the place of another."""
    wanted = {*order[:FIRST_KEPT], *order[-LAST_KEPT:]}
    return wanted if conn is None or conn in wanted else wanted - {order[-LAST_KEPT]} | {conn}


def look_into_again(
    header: Header, read: Callable[[], Iterable[list[AnyEvent]]], conn: int | None = None
) -> TrafficLedger:
    """The same of a recording that can be read more than once, by ``read``. Where it has very many connections, those
    that are not looked into are only outlined; ``conn`` is one that is in any case."""
    ledger = TrafficLedger(header)
    for batch in read():
        ledger.feed_all(batch)
        if len(ledger.connections) > MANY:
            break
    else:
        return ledger
    outlined = OutlineLedger()
    for batch in read():
        outlined.feed_all(batch)
    order = [number for number in outlined.order if number > 0]
    wanted = worth_a_look(order, conn if conn in outlined.outlines else None)
    # Of what is only outlined, events of its own are passed over; what concerns all is not.
    ledger = TrafficLedger(header)
    for batch in read():
        ledger.feed_all([event for event in batch if event.conn in wanted or event.conn <= 0])
    ledger.passed_over = len(order) - len(ledger.looked_into)
    ledger.last_at, ledger.lost = outlined.last_at, outlined.lost
    ledger.others = {
        known.conn: known if isinstance(known, Outline) else outlined.outline(known)
        for known in outlined.known()
        if known.conn > 0 and known.conn not in wanted
    }
    return ledger
