"""Rows of what is known of connections: the numbers and words of ``hangup show --json``, from the same reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hangup.recording.connections import Connection, route_of
from hangup.recording.endings import leg
from hangup.recording.events import AnyEvent, Handshake
from hangup.recording.fates import loops_in, settle
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop
from hangup.recording.moments import absolute
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.release import release_of
from hangup.tables.hiding import apart, hide, learn_of_connections

Add = Callable[[str, tuple[Any, ...]], None]
"""Takes a row of the table of this name."""


class Clock:
    """Moments of a recording that was ``started`` then (ISO 8601), in microseconds since 1970; None where unknown."""

    def __init__(self, started: str) -> None:
        begun = absolute(started, 0.0)
        self._base = None if begun is None else round(begun.timestamp() * 1e6)

    def __call__(self, at: float | None) -> int | None:
        if self._base is None or at is None or not -1e11 < at < 1e11:
            return None
        return self._base + round(at * 1e6)


def add_connections(
    add: Add, source: Recording, head: tuple[str, str, str], redactor: Redactor | None, learned: bool
) -> None:
    """Adds a recording's rows to ``recordings``, ``connections`` and ``loops``. ``head`` is its name, day and target;
    ``learned`` says that the redactor has met all of its secrets."""
    ledger = Ledger()
    others: list[AnyEvent] = []
    releases: dict[int, str] = {}
    want = redactor is not None and not learned
    for batch in source.batches():
        ledger.feed_all(batch)
        some = apart(batch)
        for event in some:
            if type(event) is Handshake and event.response is not None:
                releases[event.conn] = release_of(event.response.headers)
        if want:
            others += some
    settle(ledger)
    found = loops_in(ledger, ledger.last_at)
    known = list(ledger.connections.values())
    before = [_before(connection) for connection in known]
    text: Callable[[str], str] = str
    url: Callable[[str], str] = str
    if redactor is not None:
        vault = redactor.vault
        if want:
            learn_of_connections(redactor, ledger, others, source)
        text, url = vault.text, lambda target: vault.text(target, url=True)
        for connection in known:
            hide(connection, redactor)
    clock = Clock(source.header.started)
    looping = {conn for loop in found for conn in loop.conns}
    for connection, facts in zip(known, before, strict=True):
        add("connections", (
            *head,
            connection.conn,
            *_connection(connection, facts, clock, url, text(releases.get(connection.conn, ""))),
            connection.conn in looping,
            *facts[1:],
            *_sums(connection),
            *_ending(connection, clock),
        ))  # fmt: skip
    for loop in found:
        add("loops", (*head, *_loop(loop, clock, text, url)))
    header = source.header
    add("recordings", (
        *head, clock(0.0), ledger.last_at, len(known), len(found), sum(facts[2] for facts in before), ledger.http,
        source.complete, source.torn, source.skipped, ledger.lost, text(header.source), header.version,
    ))  # fmt: skip


def _before(connection: Connection) -> tuple[str, str, bool, str | None]:
    """What follows from texts that are hidden afterwards: route, fate, whether it failed, manner."""
    return route_of(connection.target), connection.fate, connection.failed, connection.manner


def _connection(
    connection: Connection, facts: tuple[Any, ...], clock: Clock, url: Callable[[str], str], release: str
) -> Iterable[Any]:
    return (
        connection.client, connection.server, connection.path, url(facts[0]), connection.target, connection.kind,
        connection.origin, release or None, connection.status, connection.subprotocol, connection.asked,
        connection.opened, clock(connection.began), connection.waited, connection.lifetime, connection.silence,
        connection.successor, connection.gap,
    )  # fmt: skip


def _sums(connection: Connection) -> Iterable[Any]:
    frames, size, pings, pongs = connection.frames, connection.bytes, connection.pings, connection.pongs
    return (
        frames["client"], frames["server"], size["client"], size["server"], pings["client"], pings["server"],
        pongs["client"], pongs["server"], list(connection.problems), sum(connection.problems.values()),
        list(connection.checks), connection.error or None, connection.actions, connection.lost,
        leg(connection, "client"), leg(connection, "server"),
    )  # fmt: skip


def _ending(connection: Connection, clock: Clock) -> Iterable[Any]:
    ending = connection.ending
    return (
        ending.by, ending.how, ending.code, ending.reason, ending.sentence, ending.at, clock(ending.at),
        ending.filter or None, ending.crossed, ending.half_closed,
    )  # fmt: skip


def _loop(loop: Loop, clock: Clock, text: Callable[[str], str], url: Callable[[str], str]) -> Iterable[Any]:
    return (
        url(loop.path), loop.client, loop.count, loop.failed, loop.conns, loop.median_lifetime, loop.median_gap,
        loop.backing_off, loop.going_on, loop.settled, loop.ended_by, loop.how, loop.alike, loop.first, loop.last,
        clock(loop.first), text(loop.sentence),
    )  # fmt: skip
