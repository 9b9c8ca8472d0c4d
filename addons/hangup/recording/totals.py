"""What is counted of all connections together, as they come and go: for who asks again and again while a proxy runs.

:class:`Totals` is fed events after the :class:`~hangup.recording.ledger.Ledger` has taken them, and asks its
connections for all that it says, so that it says what ``show`` does. What is over is added up once; what is under way
is looked at when somebody asks. Memory and the number of sums are bounded, whatever clients ask for.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from hangup.humanize import printable
from hangup.messages.shapes import OTHER
from hangup.recording.beats import Heartbeats
from hangup.recording.connections import Connection, route_of
from hangup.recording.endings import SIDES, over_for_good
from hangup.recording.events import End, Event, FilterEvent, Frame, Handshake, Side, Stop
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop
from hangup.recording.redaction.placeholders import Vault

PATHS = 50
"""So many path templates that connections were opened on have sums of their own, and as many that were refused only."""

VALUES = 40
"""So many close codes, and so many statuses, have sums of their own."""

REST = "other"
"""What all others are counted as."""

LONGEST = 120
"""Characters of a path template."""

ROUTES = 10_000
"""So many paths are remembered with their templates."""

LIFETIMES = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0)
WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROUND_TRIPS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes that times are counted in, in seconds."""


_NUMBER = re.compile(r"/\d{1,2}(?=/|$)")


class Distribution:
    """Times (seconds), counted in classes up to each of ``bounds``, and one for what is longer than all of them."""

    __slots__ = ("bounds", "counts", "sum", "least", "most")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.least = self.most = 0.0

    def add(self, value: float) -> None:
        """One more."""
        first = not self.count
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
        self.least = value if first else min(self.least, value)
        self.most = value if first else max(self.most, value)

    @property
    def count(self) -> int:
        """How many."""
        return sum(self.counts)


class Volume(Struct, gc=False):
    """What one side sent on connections of one path: frames, their payload bytes on the wire, and the pings and pongs
    among the frames."""

    frames: int = 0
    bytes: int = 0
    pings: int = 0
    pongs: int = 0

    def add(self, connection: Connection, side: Side) -> None:
        """And what it sent on this one."""
        self.frames += connection.frames[side]
        self.bytes += connection.bytes[side]
        self.pings += connection.pings[side]
        self.pongs += connection.pongs[side]


class Ended(Struct, frozen=True):
    """How connections of a path ended: by whom, how, and with what close code (empty for none)."""

    path: str
    by: str
    how: str
    code: str


class Refused(Struct, frozen=True):
    """How handshakes of a path were refused: by whom, and with what HTTP status (empty for no answer)."""

    path: str
    by: str
    status: str


class _Few:
    """The first ``most`` different values as they are, all others as :data:`REST`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self.known:
            return value
        if len(self.known) >= self.most:
            return REST
        self.known.add(value)
        return value


class _UnderWay(Struct):
    """A connection that is open, or whose legs have not both ended. ``counted`` is whether its end has been, ``gone``
    whose leg has ended."""

    path: str
    counted: bool = False
    gone: str = ""


class Totals:
    """The sums of all connections of ``ledger``. To be :meth:`fed <feed>` each event after it, but data frames.

    ``opened`` by path; ``ended`` and ``refused`` by what :class:`Ended` and :class:`Refused` say; ``lifetimes`` by
    path, of what is over; ``waits`` of all handshakes that were answered; ``round_trips`` of pings by the side that
    sent them.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.opened: Counter[str] = Counter()
        self.ended: Counter[Ended] = Counter()
        self.refused: Counter[Refused] = Counter()
        self.lifetimes: dict[str, Distribution] = {}
        self.waits = Distribution(WAITS)
        self.round_trips: dict[Side, Distribution] = {side: Distribution(ROUND_TRIPS) for side in SIDES}
        self.version = 0
        """Grows with whatever changes one of the sums above."""
        self._volumes: dict[tuple[str, Side], Volume] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._beats: dict[tuple[int, Side], Heartbeats] = {}
        self._paths, self._refused_paths = _Few(PATHS), _Few(PATHS)
        self._codes, self._statuses = _Few(VALUES), _Few(VALUES)
        self._templates: dict[str, str] = {}
        self._vault = Vault()

    # What is asked.

    def open(self) -> Counter[str]:
        """How many connections are open, by path."""
        found = Counter(dict.fromkeys(self.opened, 0))
        found.update(each.path for each in self._under_way.values() if not each.counted)
        return found

    def under_way(self, conn: int) -> bool:
        """Whether something may still come of this connection: it is open, or its legs have not both ended."""
        return conn in self._under_way

    def volumes(self, tally: Callable[[int], None] = lambda conn: None) -> dict[tuple[str, Side], Volume]:
        """What was sent so far, by path and side. ``tally`` is called first with the number of each connection under
        way, to bring its sums up to date where data frames are not fed."""
        found = {key: Volume(each.frames, each.bytes, each.pings, each.pongs) for key, each in self._volumes.items()}
        for conn, each in self._under_way.items():
            tally(conn)
            self._add(found, conn, each.path)
        return found

    def looping(self, found: Sequence[Loop]) -> dict[tuple[str, bool], tuple[int, int]]:
        """Of loops: how many, and of how many connections, by path and whether they still go on."""
        sums: dict[tuple[str, bool], tuple[int, int]] = {}
        for loop in found:
            key = self._known_path(loop.path), loop.going_on
            loops, connections = sums.get(key, (0, 0))
            sums[key] = loops + 1, connections + loop.count
        return sums

    # What is fed.

    def feed(self, event: Event) -> None:
        """Takes the next event."""
        kind = type(event)
        if kind is Frame:
            self._frame(event)  # type: ignore[arg-type]
        elif kind is Handshake:
            self._handshake(event)  # type: ignore[arg-type]
        elif kind is End:
            self._end(event)  # type: ignore[arg-type]
        elif kind is FilterEvent:
            self._look(event.conn)
        elif kind is Stop:
            for conn in list(self._under_way):
                self._look(conn, last=True)

    def _handshake(self, event: Handshake) -> None:
        connection = self.ledger.connections.get(event.conn)
        if connection is None:
            return
        self.version += 1
        template = self.template(connection.path)
        if connection.status is not None:
            self.waits.add(connection.waited)
        if connection.refused:
            path = template if template in self._paths.known else self._refused_paths(template)
            status = "" if connection.status is None else self._statuses(str(connection.status))
            self.refused[Refused(path, connection.ending.by, status)] += 1
            return
        path = self._paths(template)
        self.opened[path] += 1
        self._under_way[event.conn] = _UnderWay(path)

    def _frame(self, event: Frame) -> None:
        if event.opcode == "close":
            self._look(event.conn)
            return
        each = self._under_way.get(event.conn)
        if each is None or each.counted:
            return
        conn, side, at = event.conn, event.side, event.at
        if event.opcode == "ping":
            beats = self._beats.get((conn, side))
            if beats is None:
                beats = self._beats[conn, side] = Heartbeats()
            beats.ping(at, event.n, OTHER, event.payload)
        elif event.opcode == "pong":
            asked: Side = "server" if side == "client" else "client"
            beats = self._beats.get((conn, asked))
            if beats is not None and (since := beats.waiting) is not None:
                beats.pong(at, OTHER, event.payload)
                if beats.waiting is None:
                    self.version += 1
                    self.round_trips[asked].add(max(at - since, 0.0))

    def _end(self, event: End) -> None:
        each = self._under_way.get(event.conn)
        if each is None:
            return
        last = False
        if event.how != "open":
            last = each.gone not in ("", event.side)
            each.gone = each.gone or event.side
        self._look(event.conn, last)
        if last:  # nothing can come any more
            self._add(self._volumes, event.conn, each.path)
            del self._under_way[event.conn]

    def _look(self, conn: int, last: bool = False) -> None:
        """Whether a connection is over by now; after its ``last`` event, what it then is, it stays."""
        each, connection = self._under_way.get(conn), self.ledger.connections.get(conn)
        if each is None or each.counted or connection is None:
            return
        read = connection.course
        if read.over is None or not (last or over_for_good(connection, read)):
            return
        each.counted = True
        self.version += 1
        ending = connection.ending
        code = "" if ending.code is None else self._codes(str(ending.code))
        self.ended[Ended(each.path, ending.by, ending.how, code)] += 1
        if (lifetime := connection.lifetime) is not None:
            times = self.lifetimes.get(each.path)
            if times is None:
                times = self.lifetimes[each.path] = Distribution(LIFETIMES)
            times.add(lifetime)
        for side in SIDES:
            self._beats.pop((conn, side), None)

    def _add(self, volumes: dict[tuple[str, Side], Volume], conn: int, path: str) -> None:
        connection = self.ledger.connections.get(conn)
        if connection is None:
            return
        for side in SIDES:
            volume = volumes.get((path, side))
            if volume is None:
                volume = volumes[path, side] = Volume()
            volume.add(connection, side)

    # Paths.

    def template(self, path: str) -> str:
        """What a path has in common with others: without ids, and without whatever may be a secret."""
        route = route_of(path)
        template = self._templates.get(route)
        if template is None:
            if len(self._templates) >= ROUTES:
                self._templates.clear()
                self._vault = Vault()
            # A placeholder is as volatile as what it stands for, and the number of a room as its id.
            template = _NUMBER.sub("/{}", route_of(self._vault.text(route, url=True)))
            template = printable(template, LONGEST)
            self._templates[route] = template
        return template

    def _known_path(self, path: str) -> str:
        template = self.template(path)
        return template if template in self._paths.known or template in self._refused_paths.known else REST
