"""What the backend logged at the moment of the failure, out of all that it logged."""

from __future__ import annotations

import re
from collections import Counter, deque

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, judge
from hangup.recording.account import Connection, Ledger
from hangup.recording.events import Log
from hangup.recording.formats import Recording

BEFORE, AFTER = 0.3, 0.5
"""The moment of a failure, in seconds around a connection's end."""

KEPT = 20_000
MOST = 5
_VARIES = re.compile(r"0x[0-9a-f]+|\d+")


def logged(recording: Recording, failure: Failure, most: int = MOST) -> list[Log]:
    """At most ``most`` entries of the log from the end of one connection that failed, in order of time: those that
    come with failures and not with what survived. Where all that is logged comes with both, all of it."""
    ledger = Ledger()
    logs: deque[Log] = deque(maxlen=KEPT)
    for event in recording:
        ledger.feed(event)
        if isinstance(event, Log):
            logs.append(event)
    if not logs:
        return []
    outcomes = [(connection, judge(connection, failure)) for connection in ledger.connections.values()]
    failed = [found for c, outcome in outcomes if outcome is Outcome.FAILED and (found := _at_the_end(c, logs))]
    if not failed:
        return []
    # Trials follow one another at once: what is logged late of a failure may come while the next one lives.
    near = {id(log) for found in failed for log in found}
    others = [log for log in logs if id(log) not in near]
    survived = [c for c, outcome in outcomes if outcome is Outcome.SURVIVED]
    sound = {_shape(log) for log in others if any(_meanwhile(c, log) for c in survived)}
    often = Counter(shape for found in failed for shape in {_shape(log) for log in found})
    telling = {shape for shape, count in often.items() if shape not in sound and 2 * count >= len(failed)}
    for found in reversed(failed):
        chosen = [log for log in found if _shape(log) in telling]
        if chosen:
            return _once(chosen)[-most:]
    return _once(failed[-1])[-most:]


def _once(logs: list[Log]) -> list[Log]:
    """Without what says the same again: another client may have failed at the same moment."""
    return list({_shape(log): log for log in reversed(logs)}.values())[::-1]


def _at_the_end(connection: Connection, logs: deque[Log]) -> list[Log]:
    ended = connection.ended
    return [] if ended is None else [log for log in logs if ended - BEFORE <= log.at <= ended + AFTER]


def _meanwhile(connection: Connection, log: Log) -> bool:
    """Whether a line was logged while a connection lived; what is logged of its end says nothing of a failure."""
    ended = connection.ended
    return connection.first_seen <= log.at and (ended is None or log.at <= ended + AFTER)


def _shape(log: Log) -> str:
    """What two entries have in common that say the same of two connections."""
    return _VARIES.sub("#", log.text)
