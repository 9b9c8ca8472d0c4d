"""Loops: a client that opens, drops and opens again.

Connections are grouped by client host and path (the port changes with every one). What a page opens for its first
mount and gives up for the second (:mod:`~hangup.recording.double_mounts`) is left out. Within a group they are put in
chains: a connection continues the chain whose last one ended before it was asked for, the one that has waited longest
if there are more, as of clients with one and the same delay. So two tabs that loop beside each other on one machine
come out as two loops, as long as their delays are alike; when they are not, connections may be swapped between the
two, which leaves counts and medians nearly right. A run of short-lived members of a chain is a loop; so are members
that stay open for long and yet end alike, after the same time or the same silence, with the client back at once
(:mod:`~hangup.recording.recurrence`).

Where each connection has a path of its own (an id made anew each time, ``/doc/d17``, ``/doc/d18``), those of one
route are taken together, if one opens soon after another's end and no other had just ended: else they may be other
users'. Only the application's connections count: not a dev server's own socket, and no tests of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from statistics import median

from msgspec import Struct

from hangup.humanize import duration, plural, printable, span
from hangup.recording.double_mounts import mounted_twice
from hangup.recording.known import Known
from hangup.recording.recurrence import BRIEF, brief, recurring

REOPEN = 300.0
"""Seconds after which a new connection is not taken for a reopened one; back-off seldom waits so long."""

SOON = 3.0
"""Seconds within which a connection with another id in its path is taken for a reopened one."""

_HOWS = {"close": "close", "fin": "FIN", "rst": "RST", "timeout": "timeout", "unknown": "how is unknown"}

LONGER = 2
"""A connection that is open for so many times as long as those of a loop is no part of it."""

MINIMUM = 3
"""A loop has at least so many connections."""


class Loop(Struct):
    """A run of connections that one client loses, and opens again, on one path; or on one route, where each has a path
    of its own (``/doc/{}``).

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
            fate = f"each was open for {duration(self.median_lifetime)}"
            if self.how != "none":
                mostly = "" if self.alike == self.count else "once " if self.alike == 1 else f"{self.alike} times "
                by = f"by the {self.ended_by}" if self.ended_by != "unknown" else "by an unknown side"
                fate += f", ended {mostly}{by} ({_HOWS[self.how]})"
            if self.failed:
                fate += f" ({plural(self.failed, 'handshake')} failed)"
        pace = "backing off" if self.backing_off else "not backing off"
        text = (
            f"{_numbers(self.conns)} of one client on {printable(self.path, 200)}, {self.count} in "
            f"{duration(self.last - self.first)}: {fate}, reopened after {duration(self.median_gap)} "
            f"(medians), {pace}"
        )
        if self.settled is not None:
            return f"{text}; it stopped with connection {self.settled}, which stayed open"
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
    short: float = BRIEF,
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
        if len(members) > 1 and (twice := mounted_twice(members)):
            members = [connection for connection in members if connection.conn not in twice]
        if len(members) == 1 and (route := members[0].route) != path:
            once.setdefault((client, route, origin), []).append(members[0])
        if len(members) < minimum:
            continue
        for chain in chains(members, reopen):
            loops += _runs(chain, client, path, now, short, minimum)
    for (client, route, _), members in once.items():
        if len(members) < minimum:
            continue
        for chain in chains(members, min(reopen, SOON), sole=True):
            loops += _runs(chain, client, route, now, short, minimum)
    return sorted(loops, key=lambda loop: (loop.first, loop.conns[0]))


def host(address: str) -> str:
    """The host of ``host:port`` or ``[host]:port``; an address without a port as it is."""
    if ":" not in address:
        return address
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
    if len(chain) < minimum:
        return []
    loops = []
    for run, after in _alike(chain, short, minimum):
        if len(run) < minimum:
            continue
        long = [connection.lifetime or 0.0 for connection in run if not brief(connection, short)]
        usual = max(short, LONGER * median(long)) if long else short
        stopped = after is not None and after is chain[-1] and _stopped(after)
        # Still open, but not long enough to tell: the run is neither continued nor over.
        open_yet = after is not None and (
            brief(after, usual) if stopped else after.ended is None and now - after.began <= usual
        )
        loops.append(_loop(run, client, path, now, usual, None if open_yet else after, open_yet))
    return loops


def _alike(chain: list[Known], short: float, minimum: int) -> list[tuple[list[Known], Known | None]]:
    """The chain in runs that may be loops, each with the connection that came after it."""
    group_of: dict[int, int] = {}
    for number, members in enumerate(recurring(chain, minimum, short), 1):
        group_of |= {connection.conn: number for connection in members}
    # That hangup was stopped says nothing of the one that was open then.
    short_lived = [brief(each, short) and not (each is chain[-1] and _stopped(each)) for each in chain]
    labels = [0 if is_short else group_of.get(each.conn) for each, is_short in zip(chain, short_lived, strict=True)]
    stretches = [(label, list(at)) for label, at in groupby(range(len(chain)), key=lambda at: labels[at])]
    for (before, _), (label, places), (after, _) in zip(stretches, stretches[1:], stretches[2:], strict=False):
        if label == 0 and before and before == after and len(places) < minimum:
            for place in places:  # a refusal or two on the way are part of the loop around them
                labels[place] = before
    runs: list[tuple[list[Known], Known | None]] = []
    for label, places_alike in groupby(range(len(chain)), key=lambda at: labels[at]):
        places = list(places_alike)
        if label is not None:
            after_all = chain[places[-1] + 1] if places[-1] + 1 < len(chain) else None
            runs.append(([chain[place] for place in places], after_all))
    return runs


def _stopped(connection: Known) -> bool:
    return not connection.refused and connection.ending.by == "proxy" and not connection.ending.filter


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
