"""Very many connections in little memory: of each that is over, no more than what it takes to see it among the others.

An :class:`Outline` has of a :class:`~hangup.recording.connections.Connection` what loops and fates are found by, and
what connections are selected by. What else is to be shown of the few that are shown is read again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from sys import intern
from typing import Any

from msgspec import Struct

from hangup.humanize import clip, span
from hangup.recording.connections import FOREVER, Connection, Manner, manner_of, route_of
from hangup.recording.dev_server import Kind
from hangup.recording.ending_words import Ending, ending_of
from hangup.recording.endings import SETTLED, Course, Fate, course, fate_among, is_failure
from hangup.recording.events import AnyEvent, End, Event, Frame, Handshake, Note, Stop
from hangup.recording.known import Closer, Known
from hangup.recording.ledger import Ledger
from hangup.recording.loops import host
from hangup.recording.plain_lives import LARGEST, MOST, begins_plainly, plain_life

WHOLE = 200
"""So many connections that were over last are kept whole, unless said otherwise: there may be more to say of them."""

ROUTES = 10_000
"""So many paths are remembered with their routes."""

WAYS = 200
"""Of the last so many ways of ending, one example is kept whole."""

YOUNG = 500
"""Of so many connections that are open, the events are kept until they are over; of more, their sums."""

ODD = 12
"""So many connections with which something was wrong are kept whole."""

Alike = tuple[str, str, int | None, str | None, str, tuple[int | None, str, str]]
"""What connections that ended alike have in common."""


def alike(connection: Connection, ending: Ending) -> Alike:
    """Equal for connections that ended, or failed, alike."""
    failure = connection.status, connection.error, connection.untold
    return ending.by, ending.how, ending.code, ending.reason, ending.filter, failure


class OutlinedEnding(Struct, frozen=True, gc=False):
    """How connections ended, the same for all that ended alike, and who took the ``first`` step. ``manner`` is None
    while one is open."""

    by: str
    how: str
    code: int | None
    filter: str
    first: Closer | None
    alike: Alike
    manner: Manner | None


class Outline(Struct, gc=False):
    """A connection that is over, as far as a :class:`~hangup.recording.connections.Connection` has the same. ``odd`` is
    whether something was wrong with its handshake or its frames."""

    conn: int
    client: str
    path: str
    route: str
    origin: str | None
    kind: Kind
    began: float
    last_seen: float
    answered: float | None
    ended: float | None
    end: float | None
    open_since: float | None
    refused: bool
    alone: Fate
    silence: float | None
    given_up: bool
    ending: OutlinedEnding
    odd: bool
    successor: int | None = None
    reopened: float | None = None
    context: Fate | None = None

    @property
    def course(self) -> OutlinedEnding:
        """Who took the first step."""
        return self.ending

    @property
    def manner(self) -> Manner | None:
        """How it ended; None while it is open, and when hangup ended it."""
        return self.ending.manner

    @property
    def lifetime(self) -> float | None:
        """Seconds from opening to the end; None while it is open, or when it never was."""
        opened = None if self.refused else self.answered
        return None if self.ended is None or opened is None else span(opened, self.ended)

    @property
    def lasted(self) -> float:
        """From opening to where it began to end, or to the last event while it is open."""
        if self.open_since is None:
            return 0.0
        return clip((self.last_seen if self.end is None else self.end) - self.open_since, 0.0, FOREVER)

    @property
    def fate(self) -> Fate:
        """What became of it, by itself and by what its client did next."""
        return self.context if self.context is not None else fate_among(self.alone, self.successor)

    @property
    def failed(self) -> bool:
        """Whether that was a failure."""
        return is_failure(self.fate, self.successor)


class _Way(Struct):
    """A way of ending. ``number`` is the same for those that are alike; ``settled`` and ``unsettled`` are the fates of
    those with which nothing was wrong, by whether they had lasted."""

    ending: OutlinedEnding
    number: int
    settled: Fate | None = None
    unsettled: Fate | None = None


def way_of(known: Known) -> Alike:
    """Equal for those that ended, or failed, alike."""
    if isinstance(known, Outline):
        return known.ending.alike
    assert isinstance(known, Connection)
    return alike(known, known.ending)


class OutlineLedger(Ledger):
    """A ledger that has of most connections, once there are many, no more than an outline; only the others are in
    ``connections``. ``examples`` are the last of each way of ending, and the first with which something was wrong."""

    def __init__(self, whole: int = WHOLE) -> None:
        super().__init__()
        self.whole = whole
        """So many that were over last are kept whole."""
        self.outlines: dict[int, Outline] = {}
        self.examples: dict[int, Connection] = {}
        self.order: list[int] = []
        """All numbers, as the connections were first seen."""
        self._numbers: dict[Alike, int] = {}
        self._next = 0
        self._lasts: dict[int, int] = {}
        self._odd: set[int] = set()
        self._over: deque[int] = deque()
        self._half: set[int] = set()
        self._ways: dict[object, _Way] = {}
        self._routes: dict[str, tuple[str, str]] = {}
        self._young: dict[int, list[AnyEvent]] = {}
        self._lived: dict[int, list[AnyEvent]] = {}
        """The events of connections that may turn out to be plain: of the open ones, and of those that are over."""
        self._example_events: dict[int, list[AnyEvent]] = {}

    def known(self) -> Sequence[Connection | Outline]:
        """All connections, in the order of their numbers. From here on, ``connections`` and ``examples`` have all that
        is whole."""
        self._make_whole()
        for conn, events in self._example_events.items():
            self.examples[conn] = whole([events], [conn]).connections[conn]
        self._example_events.clear()
        found: dict[int, Connection | Outline] = {**self.outlines, **self.connections}
        return [found[conn] for conn in sorted(found)] if self.outlines else list(self.connections.values())

    def feed(self, event: Event) -> None:
        """Takes the next event."""
        if self._young or self._lived:
            self._make_whole(None if isinstance(event, Note | Stop) else event.conn)
        super().feed(event)

    def feed_all(self, events: Iterable[AnyEvent]) -> None:
        """Takes many events: the same as one by one, and faster, as connections with which there is nothing special are
        looked at once, when they are over."""
        if not self.outlines:  # there are few: what is known of them is in the order in which they were seen
            super().feed_all(events)
            return
        young, lived, half = self._young, self._lived, self._half
        for event in events:
            conn = event.conn
            own = young.get(conn)
            if own is not None:
                if (
                    type(event) is Frame
                    and len(own) < MOST
                    and ((text := event.text) is None or len(text) <= LARGEST)
                    and ((data := event.base64) is None or len(data) <= LARGEST)
                    and event.message is None
                ):
                    own.append(event)
                elif type(event) is End and event.how != "open":
                    own.append(event)
                    if conn in half:
                        lived[conn] = young.pop(conn)
                        self._is_over(conn)
                    else:
                        half.add(conn)
                else:
                    self.feed(event)
                    continue
            elif type(event) is Handshake and begins_plainly(event) and self._is_new(conn):
                young[conn] = [event]
                self.order.append(conn)
            else:
                self.feed(event)
                continue
            self.events += 1
            if event.at > self.last_at:
                self.last_at = event.at
        if len(young) > YOUNG:
            for conn in list(young)[: len(young) - YOUNG]:
                self._make_whole(conn)

    def _is_new(self, conn: int) -> bool:
        return conn not in self.connections and conn not in self.outlines and conn not in self._lived

    def _make_whole(self, conn: int | None = None) -> None:
        """Makes connections of the events of one, or of all, of which there were only these."""
        for kept in (self._young, self._lived):
            for number in list(kept) if conn is None else (conn,):
                events = kept.pop(number, None)
                if events is not None:
                    self.connections[number] = whole([events], [number]).connections[number]

    def _connection(self, event: Event) -> Connection | None:
        connection = self.connections.get(event.conn)
        if connection is not None:
            connection.last_seen = event.at
            return connection
        # Something belated is nothing to be made of any more.
        if event.conn in self.outlines:
            return None
        if event.conn:
            self.order.append(event.conn)
        return super()._connection(event)

    def _handshake(self, event: Handshake) -> None:
        super()._handshake(event)
        connection = self.connections.get(event.conn)
        if connection is not None and connection.refused:
            self._is_over(event.conn)

    def _end(self, event: End) -> None:
        Ledger._end(self, event)
        if event.how != "open":
            conn, half = event.conn, self._half
            if conn not in half:
                half.add(conn)
            elif conn in self.connections:
                self._is_over(conn)

    def _is_over(self, conn: int) -> None:
        self._over.append(conn)
        if len(self._over) > self.whole:
            conn = self._over.popleft()
            self._half.discard(conn)
            events = self._lived.get(conn)
            if events is not None:
                outline = self._outline_of(conn, events)
                if outline is not None:
                    self.outlines[conn] = outline
                    del self._lived[conn]
                    return
                self._make_whole(conn)
            connection = self.connections.get(conn)
            if connection is None or conn <= 0:
                return
            read = connection.over or course(connection)
            if read.over is not None:
                connection.over = read  # from here on it is asked for often, and is not to be read anew
                self.outlines[conn] = self.outline(connection)
                del self.connections[conn]

    def _outline_of(self, conn: int, events: list[AnyEvent]) -> Outline | None:
        """What is kept of a connection with these events; None where that is not to be told from them alone."""
        life = plain_life(events)
        way = None if life is None else self._ways.get(("over", "", 101, "", "", life.way))
        if life is None or way is None:
            return None
        alone = way.settled if life.settled else way.unsettled
        if alone is None:
            return None
        self._keep(conn, way.number, False)
        self._example_events[conn] = events
        origin = life.origin
        opened, ended, spoke = life.opened, life.ended, life.spoke
        return Outline(
            conn,
            intern(host(life.client)),
            *self._way_to(life.path),
            origin and intern(origin),
            life.kind,
            span(life.waited, opened),
            life.last_seen,
            opened,
            ended,
            ended,
            opened,
            False,
            alone,
            None if spoke is None else clip(ended - spoke, 0.0, FOREVER),
            False,
            way.ending,
            False,
        )

    def _way_to(self, path: str) -> tuple[str, str]:
        """A path and its route, the same ones for all connections on it."""
        found = self._routes.get(path)
        if found is None:
            if len(self._routes) >= ROUTES:
                self._routes.clear()
            path = intern(path)
            found = self._routes[path] = path, intern(route_of(path))
        return found

    def outline(self, connection: Connection) -> Outline:
        """What is kept of a connection."""
        read = connection.course
        way = self._way(connection, read)
        shared = way.ending
        end = read.began
        odd = bool(connection.problems or connection.checks or connection.left_compressed)
        self._keep(connection.conn, way.number, odd)
        self.examples[connection.conn] = connection
        origin = connection.origin
        opened = connection.open_since
        refused = read.state == "refused"
        return Outline(
            connection.conn,
            intern(host(connection.client)),
            *self._way_to(connection.path),
            origin and intern(origin),
            connection.kind,
            connection.began,
            connection.last_seen,
            connection.answered,
            read.over,
            end,
            opened,
            refused,
            connection.alone if refused or odd else self._alone(connection, way, opened, end),
            connection.silent_before(end),
            shared.by == "client" and connection.gives_up("client"),
            shared,
            odd,
        )

    @staticmethod
    def _alone(connection: Connection, way: _Way, opened: float | None, end: float | None) -> Fate:
        """Its fate by itself. Of connections that ended in one way, only how long they lasted makes a difference."""
        until = connection.last_seen if end is None else end
        settled = opened is not None and until - opened >= SETTLED
        found = way.settled if settled else way.unsettled
        if found is None:
            found = connection.alone
            if settled:
                way.settled = found
            else:
                way.unsettled = found
        return found

    def _way(self, connection: Connection, read: Course) -> _Way:
        """How it ended, worked out once for all that ended in the same way."""
        first, told = read.first, connection.told
        step: tuple[object, ...] = ()
        if first is not None:
            step = first.side, first.what, first.by, first.code, first.reason, first.unread
        elif told is not None:
            step = told.by, told.code, told.reason
        key = read.state, connection.answered_by, connection.status, connection.error, connection.untold, step
        way = self._ways.get(key)
        if way is None:
            ending = ending_of(connection, read)
            known: Any = first
            same = alike(connection, ending)
            manner = manner_of(read, told)
            shared = OutlinedEnding(ending.by, ending.how, ending.code, ending.filter, known, same, manner)
            if len(self._ways) >= ROUTES:
                self._ways.clear()
                self._numbers.clear()
            way = self._ways[key] = _Way(shared, self._numbers.setdefault(same, self._next))
            self._next += 1
        return way

    def _keep(self, conn: int, key: int, odd: bool) -> None:
        """Makes room for a connection as an example of how it ended, in the place of an earlier one."""
        before = self._lasts.pop(key, None)
        self._lasts[key] = conn
        if before is None and len(self._lasts) > WAYS:
            before = self._lasts.pop(next(iter(self._lasts)))
        if before is not None and before not in self._odd:
            self.examples.pop(before, None)
            self._example_events.pop(before, None)
        if odd and len(self._odd) < ODD:
            self._odd.add(conn)


def whole(events: Iterable[Iterable[AnyEvent]], numbers: Collection[int]) -> Ledger:
    """A ledger of only some connections of a recording, given in batches."""
    ledger = Ledger()
    wanted = {0, *numbers}
    for batch in events:
        ledger.feed_all([event for event in batch if event.conn in wanted])
    return ledger
