"""Which connections of a recording are shown: those that were asked for, and of these no more than one can look at."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hangup.cli.sources import undisturbed
from hangup.recording import loops
from hangup.recording.choice import Choice
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, FilterEvent
from hangup.recording.fates import settle_all
from hangup.recording.formats import Recording
from hangup.recording.known import Known
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop
from hangup.recording.outlines import Alike, Outline, OutlineLedger, way_of, whole

GROUPS = 12
"""So many ways of ending are told, and so many connections with problems."""

MEMBERS = 1000
"""So many connections that ended alike are named."""


class Group(Struct):
    """Connections that ended alike: the last of them stands for all, ``conns`` are the first of their numbers."""

    last: int
    conns: list[int]

    @property
    def others(self) -> list[int]:
        """The numbers without the last one's."""
        return [conn for conn in self.conns if conn != self.last]


class Chosen(Struct):
    """What is shown of a recording. ``total`` counts all of its connections, ``count`` those that fit; ``connections``
    are the last of these, ``groups`` are the last ways in which they ended. ``known`` has what is told of each."""

    ledger: Ledger
    total: int
    count: int
    connections: list[Connection]
    groups: list[Group]
    more_groups: int
    codes: list[int]
    odd: list[Connection]
    loops: list[Loop]
    changes: list[FilterEvent]
    known: dict[int, Connection]


def choose(source: Recording, choice: Choice, rows: int) -> Chosen:
    """Reads a recording, and again for what is shown of it, if there is too much to be kept. ``rows`` is 0 for all."""
    # What cannot be read again is kept.
    ledger = OutlineLedger() if source.path is not None and rows else Ledger()
    changes: list[FilterEvent] = []
    with undisturbed():
        for batch in source.batches():
            ledger.feed_all(batch)
            changes += _changes(batch)
        known = ledger.known()
        settle_all(known, ledger.last_at, ledger.stopped)
        found = loops.find(known, now=ledger.last_at)
        fitting = choice.fitting(known, found, ledger.last_at)
        groups = _groups(fitting)
        codes = {each.ending.code for each in fitting if each.ending.by != "proxy"} - {None}
        shown = fitting[-rows:] if rows else fitting
        odd = [each for each in fitting if _is_odd(each)][:GROUPS]
        told = list(groups.values())[-GROUPS:]
        wanted = [each.conn for each in (*shown, *odd)] + [group.last for group in told]
        there = ledger.connections
        if isinstance(ledger, OutlineLedger):
            there = {**ledger.examples, **there}
        if any(conn not in there for conn in wanted):
            again = whole(source.batches(), wanted).connections
            there = {conn: there.get(conn) or again[conn] for conn in wanted}
    if choice.words:
        numbers = {each.conn for each in fitting}
        found = [loop for loop in found if not numbers.isdisjoint(loop.conns)]
    return Chosen(
        ledger=ledger,
        total=len(known),
        count=len(fitting),
        connections=[there[each.conn] for each in shown],
        groups=told,
        more_groups=len(groups) - len(told),
        codes=sorted(code for code in codes if code is not None),
        odd=[there[each.conn] for each in odd],
        loops=found,
        changes=changes,
        known=there,
    )


def _changes(batch: list[AnyEvent]) -> list[FilterEvent]:
    return [event for event in batch if type(event) is FilterEvent and not event.conn]


def _is_odd(each: Known) -> bool:
    if isinstance(each, Outline):
        return each.odd
    assert isinstance(each, Connection)
    return bool(each.problems or each.checks or each.left_compressed)


def _groups(connections: Sequence[Known]) -> dict[Alike, Group]:
    """Endings that are alike, in the order of the last of each."""
    groups: dict[Alike, Group] = {}
    last: dict[Alike, int] = {}
    for place, each in enumerate(connections):
        key = way_of(each)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(each.conn, [])
        group.last = each.conn
        last[key] = place
        if len(group.conns) < MEMBERS:
            group.conns.append(each.conn)
    return {key: groups[key] for key in sorted(groups, key=last.__getitem__)}
