"""By which rule a recorded client hangs up before anything is said: its handshake is not answered in time, or the
answer is one that no client may take (RFC 6455, 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from hangup.recording.connections import Connection
from hangup.replayable.client_rule import BAD_ANSWERS, GRAIN, LEAST, PROMPT, SHARE, SHORTEST, ClientRule


def find_handshake_rule(failed: Sequence[Connection], others: Sequence[Connection]) -> ClientRule | None:
    """The rule that tells why all of ``failed`` were given up, and none of ``others``; None where there is none."""
    if len(failed) < LEAST:
        return None
    return _unanswered(failed, others) or _bad_answer(failed, others)


def _unanswered(failed: Sequence[Connection], others: Sequence[Connection]) -> ClientRule | None:
    waits = [wait for c in failed if c.refused and c.status is None and (wait := _waited(c)) is not None]
    if len(waits) < len(failed):
        return None
    if len(waits) > LEAST and waits[-1] < min(waits[:-1]):
        del waits[-1]  # it may be that the page was left
    if min(waits) < SHORTEST:
        return None
    after = median(waits)
    slack = max(GRAIN, SHARE * after)
    longest = max((wait for c in others if (wait := _waited(c)) is not None), default=0.0)
    if max(waits) - min(waits) > slack or longest > after + slack:
        return None
    return ClientRule("no-answer", after)


def _waited(connection: Connection) -> float | None:
    """Seconds from the request to its answer, or to when it was given up."""
    if connection.asked is None or connection.answered is None:
        return None
    return connection.answered - connection.asked


def _bad_answer(failed: Sequence[Connection], others: Sequence[Connection]) -> ClientRule | None:
    lives = [c.lifetime for c in failed if c.lifetime is not None and not c.frames["client"]]
    if len(lives) < len(failed) or max(lives) > PROMPT:
        return None
    for check in BAD_ANSWERS:
        if all(check in c.checks for c in failed) and not any(check in c.checks for c in others):
            return ClientRule("bad-answer", median(lives), problem=check)
    return None
