"""What became of the connections of a recording, in the light of one another.

A close in order is no failure, unless its client comes again at once; a client that leaves for good has failed, if it
leaves just as it did each time before; and what ends together with the recording ends with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from hangup.recording import loops
from hangup.recording.connections import Connection
from hangup.recording.endings import SETTLED
from hangup.recording.known import Known
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop

LAST_MOMENT = 0.3
"""Seconds before the recording's own end in which endings are part of the end."""

OVERLAP = 0.1
"""Seconds by which a client that closes may open the next one first."""


def settle(ledger: Ledger) -> None:
    """Finds which connection its client opened next, and what that and the others make of each. May be called again,
    and has something to do when more has been read."""
    state = _as_of(ledger)
    if ledger.settled != state:
        settle_all(ledger.known(), ledger.last_at, ledger.stopped)
        ledger.settled = state


def loops_in(ledger: Ledger, now: float) -> list[Loop]:
    """The loops of a recording, as they stand at ``now`` seconds; looked for once, until more has been read."""
    state = _as_of(ledger), now
    known, found = ledger.looped
    if known != state:
        found = loops.find(ledger.known(), now=now)
        ledger.looped = state, found
    return found


def _as_of(ledger: Ledger) -> object:
    return ledger.events, ledger.last_at, ledger.stopped


def settle_all(found: Iterable[Known], last_at: float, stopped: bool) -> None:
    """The same for these connections of a recording, whose last event was at ``last_at`` seconds; ``stopped`` says
    whether it was ended in order."""
    connections = [c for c in found if c.conn > 0]
    for connection in connections:
        connection.successor = connection.reopened = connection.context = None
    _follow(connections)
    _as_before(connections)
    if stopped and len(connections) > 1:
        _with_the_recording(connections, last_at)


def choose(ledger: Ledger) -> Connection | None:
    """The connection that is meant when nobody says which: the last one that failed, else the last one."""
    settle(ledger)
    return max(ledger.connections.values(), key=lambda c: (c.failed, c.conn), default=None)


def _follow(connections: Collection[Known]) -> None:
    clients: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for connection in connections:
        if connection.answered is not None:
            clients[loops.host(connection.client), connection.route].append(connection)
    for alike in clients.values():
        if len(alike) == 1:
            continue
        closers = [c.course.first for c in alike]
        by_client = sum(first is not None and first.side == "client" and not first.by for first in closers)
        # Where servers close, who comes first is another client.
        overlap = OVERLAP if by_client * 2 > sum(first is not None for first in closers) else 0.0
        for chain in loops.chains(alike, overlap=overlap):
            for before, after in zip(chain, chain[1:], strict=False):
                before.successor, before.reopened = after.conn, after.began


def _as_before(connections: Collection[Known]) -> None:
    """A client that gave up for good, as its others were seen to drop."""
    dropped: dict[tuple[str, str | None], list[Known]] = defaultdict(list)
    for connection in connections:
        if connection.fate == "dropped" and connection.ending.by == "client":
            dropped[connection.route, connection.manner].append(connection)
    longest: dict[tuple[str, str | None], float] = {}
    for connection in connections if dropped else ():
        if connection.fate != "left" or not (alike := dropped.get(way := (connection.route, connection.manner))):
            continue
        if way not in longest:
            longest[way] = max(other.lasted for other in alike)
        if connection.ending.code == alike[0].ending.code and connection.lasted <= 2 * longest[way] + 0.5:
            connection.context = "dropped"


def _with_the_recording(connections: Collection[Known], last_at: float) -> None:
    """What ended together with the recording, and in no other way than that, was not dropped."""
    ways: dict[tuple[object, ...], list[Known]] = defaultdict(list)
    for connection in connections:
        if connection.fate == "dropped":
            ending = connection.ending
            ways[connection.route, ending.by, connection.manner, ending.code].append(connection)
    for alike in ways.values():
        late = [c for c in alike if c.successor is None and c.lasted >= SETTLED]
        if len(late) == len(alike) and all(last_at - (c.end or 0.0) <= LAST_MOMENT for c in late):
            for connection in late:
                connection.context = "stopped"
