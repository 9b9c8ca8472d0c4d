"""Loops: a client that opens, drops and opens again.

Connections are grouped by client host and path (the port changes with every one). Within a group they are put
in chains: a connection continues the chain whose last one ended before it was asked for, the one that has
waited longest if there are more, as of clients with one and the same delay. So two tabs that loop beside each
other on one machine come out as two loops, as long as their delays are alike; when they are not, connections
may be swapped between the two, which leaves counts and medians nearly right. A run of short-lived members of
a chain is a loop. Where each connection has a path of its own (an id made anew each time, ``/doc/d17``,
``/doc/d18``), those of one route are taken together, if one opens soon after another's end and no other had just ended:
else they may be other users'. Only the application's connections count: not a dev server's own socket, and no tests of
ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Protocol

from msgspec import Struct

from hangup.humanize import duration, plural, printable, span
from hangup.recording.connections import route_of
from hangup.recording.dev_server import Kind
from hangup.recording.endings import Fate
from hangup.recording.events import Side

SHORT = 10.0
"""A connection that ends within so many seconds of opening is short-lived."""

REOPEN = 300.0
"""Seconds after which a new connection is not taken for a reopened one; back-off seldom waits so long."""

SOON = 3.0
"""Seconds within which a connection with another id in its path is taken for a reopened one."""

_HOWS = {"close": "close", "fin": "FIN", "rst": "RST", "timeout": "timeout", "unknown": "how is not told"}

MINIMUM = 3
"""A loop has at least so many connections."""


class KnownEnding(Protocol):
    """What is asked of an ending."""

    @property
    def by(self) -> str: ...
    @property
    def how(self) -> str: ...
    @property
    def code(self) -> int | None: ...
    @property
    def filter(self) -> str: ...


class Closer(Protocol):
    """Who took the first step towards an end: a side, and who did it in its name."""

    @property
    def side(self) -> Side: ...
    @property
    def by(self) -> str: ...


class KnownCourse(Protocol):
    """What is asked of a course."""

    @property
    def first(self) -> Closer | None: ...


class Known(Protocol):
    """What must be known of a connection to see it among others: a
    :class:`~hangup.recording.connections.Connection`, or the :class:`~hangup.recording.outlines.Outline` of one."""

    successor: int | None
    reopened: float | None
    context: Fate | None

    @property
    def conn(self) -> int: ...
    @property
    def client(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def origin(self) -> str | None: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def began(self) -> float: ...
    @property
    def last_seen(self) -> float: ...
    @property
    def answered(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...
    @property
    def end(self) -> float | None: ...
    @property
    def lifetime(self) -> float | None: ...
    @property
    def lasted(self) -> float: ...
    @property
    def refused(self) -> bool: ...
    @property
    def manner(self) -> str | None: ...
    @property
    def fate(self) -> Fate: ...
    @property
    def failed(self) -> bool: ...
    @property
    def course(self) -> KnownCourse: ...
    @property
    def ending(self) -> KnownEnding: ...


class Loop(Struct):
    """A run of short-lived connections of one client and path, or route where each has a path of its own (``/doc/{}``).

    ``lifetimes`` are in seconds, 0 for a refused handshake; ``gaps`` are the seconds from an end to the next
    request. ``failed`` counts refused handshakes. ``going_on`` says that it had not ended when the recording
    did, ``settled`` is the connection that ended it by staying open. ``ended_by`` and ``how`` are those of
    most of its endings, ``alike`` of them.
    """

    path: str
    client: str
    conns: list[int]
    lifetimes: list[float]
    gaps: list[float]
    failed: int
    first: float
    last: float
    ended_by: str
    how: str
    alike: int
    backing_off: bool
    going_on: bool
    settled: int | None = None

    @property
    def count(self) -> int:
        """How many connections."""
        return len(self.conns)

    @property
    def median_lifetime(self) -> float:
        """In seconds, of those that opened; 0 if none did."""
        return round(median(self.lifetimes), 6) if self.lifetimes else 0.0

    @property
    def median_gap(self) -> float:
        """In seconds."""
        return round(median(self.gaps), 6)

    @property
    def sentence(self) -> str:
        """The loop in words."""
        if self.failed == self.count:
            fate = "every handshake failed"
        else:
            fate = f"each lived {duration(self.median_lifetime)}"
            if self.how != "none":
                mostly = "" if self.alike == self.count else "once " if self.alike == 1 else f"{self.alike} times "
                by = f"by the {self.ended_by}" if self.ended_by != "unknown" else "by an unknown side"
                fate += f", ended {mostly}{by} ({_HOWS[self.how]})"
            if self.failed:
                fate += f" ({plural(self.failed, 'handshake')} failed)"
        pace = "backing off" if self.backing_off else "not backing off"
        text = (
            f"{_numbers(self.conns)} of one client on {printable(self.path, 200)}, {self.count} in "
            f"{duration(self.last - self.first)}: {fate}, opened again after {duration(self.median_gap)} "
            f"(medians), {pace}"
        )
        if self.settled is not None:
            return f"{text}; connection {self.settled} ended it by staying open"
        return f"{text}, still going on at the end" if self.going_on else text

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "path": self.path,
            "client": self.client,
            "count": self.count,
            "failed": self.failed,
            "conns": self.conns,
            "median_lifetime": self.median_lifetime,
            "median_gap": self.median_gap,
            "backing_off": self.backing_off,
            "going_on": self.going_on,
            "settled": self.settled,
            "by": self.ended_by,
            "how": self.how,
            "alike": self.alike,
            "sentence": self.sentence,
        }


def find(
    connections: Iterable[Known],
    *,
    now: float | None = None,
    short: float = SHORT,
    reopen: float = REOPEN,
    minimum: int = MINIMUM,
) -> list[Loop]:
    """The loops among connections, in the order in which they began.

    ``now`` is the time of the recording's last event (by default, of the last of these connections); all times
    are in seconds.
    """
    connections = list(connections)
    if now is None:
        now = max((connection.last_seen for connection in connections), default=0.0)
    groups: dict[tuple[str, str, str | None], list[Known]] = {}
    for connection in connections:
        if connection.answered is not None and connection.kind == "app":
            # Another page, or a program beside it, is another client.
            groups.setdefault((host(connection.client), connection.path, connection.origin), []).append(connection)
    once: dict[tuple[str, str, str | None], list[Known]] = {}
    loops = []
    for (client, path, origin), members in groups.items():
        route = route_of(path)
        if len(members) == 1 and route != path:
            once.setdefault((client, route, origin), []).append(members[0])
        if len(members) < minimum:
            continue
        for chain in chains(members, reopen):
            loops += _runs(chain, client, path, now, short, minimum)
    for (client, route, _), members in once.items():
        for chain in chains(members, min(reopen, SOON), sole=True):
            loops += _runs(chain, client, route, now, short, minimum)
    return sorted(loops, key=lambda loop: (loop.first, loop.conns[0]))


def host(address: str) -> str:
    """The host of ``host:port`` or ``[host]:port``; an address without a port as it is."""
    head, colon, port = address.rpartition(":")
    has_port = port.isdigit() and (":" not in head or head.startswith("["))
    return head if colon and has_port else address


class _Chain:
    __slots__ = ("members", "ended")

    def __init__(self) -> None:
        self.members: list[Known] = []
        self.ended: float | None = None


def chains(
    members: list[Known], reopen: float = REOPEN, overlap: float = 0.0, *, sole: bool = False
) -> list[list[Known]]:
    """The connections of one client in chains, each continued by what was opened after its last one's end.

    A connection that was asked for up to ``overlap`` seconds before that end continues it too: some clients open the
    next one first, and clocks differ. With ``sole``, one that could continue several chains continues none.
    """
    if len(members) == 1:
        return [members]
    found: list[_Chain] = []
    waiting: list[_Chain] = []
    for connection in sorted(members, key=lambda c: (c.began, c.conn)):
        at = connection.began
        waiting = [c for c in waiting if c.ended is not None and at - c.ended <= reopen]
        free = [c for c in waiting if c.ended is not None and c.ended - overlap <= at]
        if free and not (sole and len(free) > 1):
            chain = min(free, key=lambda c: c.ended or 0.0)
        else:
            chain = _Chain()
            found.append(chain)
            waiting.append(chain)
        chain.members.append(connection)
        chain.ended = connection.ended
    return [chain.members for chain in found]


def _runs(chain: list[Known], client: str, path: str, now: float, short: float, minimum: int) -> list[Loop]:
    loops = []
    run: list[Known] = []
    for connection in [*chain, None]:
        # That hangup was stopped says nothing of the one that was open then.
        stopped = connection is not None and connection is chain[-1] and _stopped(connection)
        if connection is not None and not stopped and _short(connection, short):
            run.append(connection)
            continue
        # Still open, but not long enough to tell: the run is neither continued nor over.
        open_yet = connection is not None and (
            _short(connection, short) if stopped else connection.ended is None and now - connection.began <= short
        )
        if len(run) >= minimum:
            loops.append(_loop(run, client, path, now, short, None if open_yet else connection, open_yet))
        run = []
    return loops


def _stopped(connection: Known) -> bool:
    return not connection.refused and connection.ending.by == "proxy" and not connection.ending.filter


def _short(connection: Known, short: float) -> bool:
    if connection.refused:
        return True
    lifetime = connection.lifetime
    return lifetime is not None and lifetime <= short


def _loop(
    run: list[Known],
    client: str,
    path: str,
    now: float,
    short: float,
    settled: Known | None,
    open_yet: bool,
) -> Loop:
    ends = [connection.ended or 0.0 for connection in run]
    gaps = [span(end, after.began) for end, after in zip(ends, run[1:], strict=False)]
    endings = Counter((c.ending.by, c.ending.how) for c in run)
    by, how = max(endings, key=lambda key: endings[key])
    patience = short + 2 * max(gaps)
    return Loop(
        path=path,
        client=client,
        conns=[connection.conn for connection in run],
        lifetimes=[c.lifetime for c in run if c.lifetime is not None],
        gaps=gaps,
        failed=sum(connection.refused for connection in run),
        first=run[0].began,
        last=ends[-1],
        ended_by=by,
        how=how,
        alike=endings[by, how],
        backing_off=_backing_off(gaps),
        going_on=open_yet or (settled is None and now - ends[-1] <= patience),
        settled=settled.conn if settled is not None else None,
    )


def _backing_off(gaps: list[float]) -> bool:
    """Whether the gaps grow: the later ones are clearly longer than the first two, and not just by jitter."""
    head = gaps[:1] if len(gaps) < 4 else gaps[:2]
    tail = gaps[-max(1, len(gaps) // 2) :]
    if len(gaps) < 2:
        return False
    return median(tail) >= 1.5 * median(head) and median(tail) - median(head) >= 0.1


def _numbers(conns: list[int]) -> str:
    """``connections 1 to 7``, or a list when there are gaps."""
    if conns == list(range(conns[0], conns[0] + len(conns))):
        return f"connections {conns[0]} to {conns[-1]}"
    if len(conns) > 8:
        return f"{len(conns)} connections from {conns[0]} to {conns[-1]}"
    return "connections " + ", ".join(map(str, conns))
