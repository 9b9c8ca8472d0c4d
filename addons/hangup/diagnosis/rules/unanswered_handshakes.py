"""A handshake that is not answered: the client gives up first, or the server is not to be reached."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Hypothesis, Trigger, cite_all
from hangup.humanize import duration, printable
from hangup.recording.connections import numbered
from hangup.recording.endings import SETTLED


def given_up(case: Case) -> Iterator[Hypothesis]:
    """The client gives up while it waits for the answer: each time after as long, as by a deadline of its own."""
    lives = [life for life in case.victims if life.fate == "abandoned"]
    waits = [life.waited for life in lives]
    if len(lives) < 2 or len(lives) < 0.7 * case.count or middle(waits) < 0.3:
        return
    trigger = Trigger("time", lives[0].conn)
    hypothesis = Hypothesis("client-lifecycle/connect-deadline", closer="client", trigger=trigger)
    text = f"the client gave up {len(lives)} times before the handshake was answered, after {duration(middle(waits))}"
    hypothesis.says("gave-up-before-the-answer", 1.0, text, cite_all(lives))
    alike = max(waits) - min(waits) <= 0.1 * middle(waits) + 0.05
    if alike:
        hypothesis.says(
            "waited-as-long-each-time",
            1.0,
            "and waited as long each time: that is a deadline of its own",
            cite_all(lives),
        )
    else:
        hypothesis.says("waited-differently-each-time", -1.0, "and waited another time each time", cite_all(lives))
    answered = [life for life in case.lives if life.open_since is not None]
    if answered and min(life.waited for life in answered) >= 0.5 * middle(waits):
        hypothesis.says(
            "answers-take-as-long", 1.0, "the server takes about as long when it does answer", cite_all(answered[:3])
        )
    yield hypothesis


def unreachable(case: Case) -> Iterator[Hypothesis]:
    """Nobody listens, or nobody does any more."""
    if case.mode != "unreachable":
        return
    lives = case.victims
    error = printable(lives[0].error, 120) or "no answer"
    before = [life for life in case.lives if life.open_since is not None and life.began < lives[0].began]
    if before:
        hypothesis = Hypothesis("process/crash", closer="server", trigger=Trigger("time", before[-1].conn))
        hypothesis.says(
            "was-reachable-before",
            1.0,
            f"the server was there before ({numbered(before)}) and then was not: {error}",
            cite_all(lives),
        )
        yield hypothesis
        return
    later = [life for life in case.lives if life.open_since is not None]
    trigger = Trigger("none", lives[0].conn)
    if later:
        text = f"the backend could not be reached at first ({error}), and was there later ({numbered(later)})"
        if all(life.lasted >= SETTLED for life in later) and not any(life.fate == "dropped" for life in later):
            hypothesis = Hypothesis("none/harmless-errors", closer="none", trigger=trigger)
            yield hypothesis.says("reachable-later", 1.0, text, cite_all([lives[0], *later]))
        else:
            hypothesis = Hypothesis("unknown/", closer="server", trigger=trigger)
            yield hypothesis.says("reachable-later", 1.0, text, cite_all([lives[0], *later]))
        return
    hypothesis = Hypothesis("unknown/", closer="server", trigger=trigger)
    yield hypothesis.says(
        "never-reached",
        1.0,
        f"the backend was never reached: {error}; is it running, and is it there?",
        cite_all(lives),
    )
