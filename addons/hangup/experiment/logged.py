"""What the backend logged at the moment of the failure, out of all that it logged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, judge
from hangup.recording.connections import Connection
from hangup.recording.events import Log
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger

BEFORE = 1.2
"""Seconds: some servers take as long from the exception to the end (Daphne does)."""

LATE = 0.25
"""Seconds by which a line may be late: it goes through a pipe, or a file that is looked at from time to time."""

KEPT = 20_000
MOST = 5
_VARIES = re.compile(r"0x[0-9a-f]+|\d+")


def logged(recording: Recording, failure: Failure, most: int = MOST) -> list[Log]:
    """At most ``most`` entries of the log from the end of one connection that failed, in order of time: those that
    come with failures and not with what survived. Where all that is logged comes with both, all of it."""
    ledger = Ledger()
    logs: list[Log] = []
    for event in recording:
        ledger.feed(event)
        if isinstance(event, Log) and len(logs) < KEPT:
            logs.append(event)
    if not logs:
        return []
    outcomes = [(connection, judge(connection, failure)) for connection in ledger.connections.values()]
    failed = [c for c, outcome in outcomes if outcome is Outcome.FAILED]
    moments = [found for c in failed if (found := _within(logs, _last(c), (c.ended or 0.0) + LATE))]
    if not moments:
        return []
    sound: set[str] = set()
    for c, outcome in outcomes:
        if outcome is Outcome.SURVIVED and not _follows(c, failed):
            sound |= _shapes(_within(logs, c.first_seen, (c.ended or c.last_seen) + LATE))
    often = Counter(shape for found in moments for shape in _shapes(found))
    telling = {shape for shape, count in often.items() if shape not in sound and 2 * count >= len(moments)}
    for found in reversed(moments):
        chosen = [log for log in found if _shape(log) in telling]
        if chosen:
            return _once(chosen)[-most:]
    return _once(moments[-1])[-most:]


def _last(connection: Connection) -> float:
    """From when on what is logged may be of a connection's end."""
    return max(connection.first_seen, (connection.ended or 0.0) - BEFORE)


def _follows(connection: Connection, failed: Iterable[Connection]) -> bool:
    """Whether it came so soon after a failure that the late words of that would be taken for its own."""
    return any(0 <= connection.first_seen - (other.ended or 0.0) <= LATE for other in failed)


def _within(logs: Iterable[Log], begin: float, end: float) -> list[Log]:
    return [log for log in logs if begin <= log.at <= end]


def _once(logs: list[Log]) -> list[Log]:
    """Without what says the same again: another client may have failed at the same moment."""
    return list({_shape(log): log for log in reversed(logs)}.values())[::-1]


def _shapes(logs: Iterable[Log]) -> set[str]:
    return {_shape(log) for log in logs}


def _shape(log: Log) -> str:
    """What two entries have in common that say the same of two connections."""
    return _VARIES.sub("#", log.text)
