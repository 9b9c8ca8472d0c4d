"""What came of a trial, as its connection says."""

from __future__ import annotations

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, another, judge, untried
from hangup.experiment.last_words import Words, alike
from hangup.experiment.trial import Result, Trial
from hangup.recording.connections import Connection


def result_of(
    trial: Trial, connection: Connection, recorded: Connection, failure: Failure, last_words: Words | None = None
) -> Result:
    """What came of a trial whose connection is over; ``recorded`` is the one that is studied. ``last_words`` are those
    of the server's last message, None where they are not known."""
    outcome = judge(connection, failure, trial.otherwise)
    why = untried(connection, recorded)
    if why and trial.otherwise is None:
        outcome = Outcome.UNRESOLVED
    other = another(connection, failure) if outcome is Outcome.UNRESOLVED and not why else ""
    told = outcome is Outcome.FAILED and trial.otherwise is None and last_words is not None and failure.words
    if told and not (last_words and alike(failure.words, last_words)):
        outcome, other = Outcome.UNRESOLVED, f"{connection.ending.sentence}, after another last message of the server's"
    said = connection.ending.sentence
    asked, opened = connection.asked, connection.opened
    waited = None if asked is None or opened is None else opened - asked
    return Result(
        outcome, connection.lifetime, connection.conn, said, untried=why, another=other, answered_after=waited
    )
