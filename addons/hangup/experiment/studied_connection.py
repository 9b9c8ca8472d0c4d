"""Which connection of a recording is studied, and what the others tell of it: which of them lived, and what its client
hangs up on."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from hangup.errors import RecordingError
from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, derive, judge, latency
from hangup.recording.connections import Connection
from hangup.recording.events import Request, Side
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.traffic import MessageSummary
from hangup.replayable.client_rule import ClientRule, find_rule
from hangup.replayable.handshake_rule import find_handshake_rule

AT_ONCE = 0.1
"""What ends within so many seconds ended together."""


def survivors(connections: Sequence[Connection], chosen: Connection, failure: Failure) -> list[tuple[int, Request]]:
    """The handshakes of connections to the same server that lived, and longer than those that failed."""
    lived = []
    for c in connections:
        if c.opened is None or c.kind != chosen.kind or judge(c, failure) is not Outcome.SURVIVED:
            continue
        lasted = c.lifetime if c.lifetime is not None else c.last_seen - c.opened
        if lasted > max(failure.within or 0.0, 2 * (chosen.lifetime or 0.0), 0.3) and c.traffic.sent is not None:
            lived.append((c.conn, c.traffic.sent))
    return lived


def choose(ledger: Ledger, conn: int | None) -> Connection:
    connections = ledger.connections
    if conn is not None:
        if conn not in connections:
            raise RecordingError(f"there is no connection {conn} (there are {len(connections)})")
        return connections[conn]
    failed = [c for c in connections.values() if c.failed and c.manner is not None and c.kind == "app"]
    failed = [c for c in failed if not (c.refused and c.status is None)] or failed
    # A person who closes the page ends the last connection too: what the others share is the failure.
    usual = derive(failed)
    for connection in reversed(failed):
        if usual is not None and connection.manner == usual.how and connection.hung_up_by in (usual.by, "unknown", ""):
            return _who_spoke(connection, failed, list(connections.values()))
    if failed:
        return failed[-1]
    # An import may not tell of ends; but what was opened anew had one.
    untold = [c for c in connections.values() if c.untold and c.opened is not None and c.kind == "app"]
    again = [c for c in untold if any(other.path == c.path and other.first_seen > c.last_seen for other in untold)]
    if untold:
        return (again or untold)[-1]
    raise RecordingError("no connection in this recording failed: there is nothing to look for")


def _who_spoke(chosen: Connection, failed: Sequence[Connection], connections: Sequence[Connection]) -> Connection:
    """Of those that ended at the same moment and in the same manner as the chosen one, that whose other side had just
    spoken: what it said may have ended them all (a process that crashed), and the others only happened to be there.
    Where several had, that whose message did the least harm elsewhere, and of those the one that spoke last."""
    ended = chosen.ended
    if ended is None:
        return chosen
    together = [
        c
        for c in failed
        if c.ended is not None and abs(c.ended - ended) <= AT_ONCE
        if (c.manner, c.hung_up_by, c.route) == (chosen.manner, chosen.hung_up_by, chosen.route)
    ]
    waits = {c.conn: wait for c in together if (wait := latency(c)) is not None and wait <= AT_ONCE}
    if len(waits) < 2:
        return min(together, key=lambda c: (waits.get(c.conn, inf), c is not chosen))
    side: Side = "client" if chosen.hung_up_by == "server" else "server"
    harmless = {c.conn: _harmless(c, side, failed, connections) for c in together if c.conn in waits}
    return min(together, key=lambda c: (harmless.get(c.conn, inf), waits.get(c.conn, inf), c is not chosen))


def _harmless(one: Connection, side: Side, failed: Sequence[Connection], connections: Sequence[Connection]) -> int:
    """How often a message like the last one of a side was said lately on any connection, when nothing ended right after
    it."""
    last = one.last_message(side)
    fatal = {c.conn for c in failed if (wait := latency(c)) is not None and wait <= AT_ONCE}
    found = 0
    for c in connections:
        said = [m for m in c.traffic.recent if m.side == side and m.data]
        found += sum(_like(m) == _like(last) for m in (said[:-1] if c.conn in fatal else said))
    return found


def _like(message: MessageSummary | None) -> tuple[object, ...]:
    """What makes messages alike; of binary ones of which nothing is known, their first byte."""
    if message is None:
        return ()
    opaque = message.opcode == "binary" and not message.shape.kind
    return message.shape, message.text[:1] if opaque else ""


def client_rule_of(
    recording: Recording, failure: Failure, connections: Sequence[Connection], chosen: Connection
) -> ClientRule | None:
    """By which rule this client hangs up. It is read only where it is needed, so the recording is gone over again."""
    judged: dict[Outcome, list[Connection]] = {outcome: [] for outcome in Outcome}
    for c in connections:
        if c.kind == chosen.kind and c.path == chosen.path:
            judged[judge(c, failure)].append(c)
    failed, others = judged[Outcome.FAILED], judged[Outcome.SURVIVED]
    early = find_handshake_rule(failed, others)
    return early or find_rule(recording, _spans(failed), _spans(others), chosen.ending.code)


def _spans(connections: Sequence[Connection]) -> list[tuple[int, float, float]]:
    """Of those that were open: number, and when they opened and ended."""
    return [
        (c.conn, c.opened, c.ended if c.ended is not None else c.last_seen) for c in connections if c.opened is not None
    ]


def any_end(connections: Sequence[Connection]) -> Failure:
    """Of connections whose ends were not told: any end, about when they were last heard of."""
    seen = [c.last_seen - c.opened for c in connections if c.opened is not None]
    return Failure(within=round(1.5 * max(seen) + 0.5, 3))
