"""Where it is: the same exchange with the backend itself, past what stands between.

What ends it through the target and not directly, an intermediary does. What ends it directly as well is behind it.
"""

from __future__ import annotations

from hangup.diagnosis import causes
from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import Standing
from hangup.experiment.law import Condition, Law
from hangup.experiment.trial import Trial
from hangup.experiment.turns import compare
from hangup.experiment.verdict import PROOF, Verdict

INTERMEDIARY, BACKEND = "intermediary", "backend"

WORDS = "through the target", "directly"

ALIKE = 3
"""So many failures of the direct exchange, and no survival, show that it is the backend."""


def locate(arms: Arms, standing: Standing) -> Search[None]:
    """Compares the two, and tells the verdict and the explanations what came of it."""
    verdict = arms.verdict
    trial = Trial("direct", direct=True)
    tried = arms.add("direct", "directly, bypassing what is in between", trial, Counts())
    kept = verdict.cause, verdict.without
    while tried.counts.failed < ALIKE and not tried.counts.survived and tried.counts.unresolved < 2:
        yield from arms.attempt(trial, tried.counts)
    if tried.counts.survived and not tried.counts.failed:
        tried.outcome = Outcome.SURVIVED
        yield from compare(arms, (Trial("control"), arms.control), (trial, tried.counts))
        if verdict.p < PROOF:
            verdict.place = INTERMEDIARY
    elif tried.counts.failed >= ALIKE:
        tried.outcome = Outcome.FAILED
        verdict.place = BACKEND
    through = verdict.cause, verdict.without
    verdict.cause, verdict.without = kept
    if verdict.place:
        for name in list(standing.weights):
            cause = causes.known().get(name)
            if cause is not None and (cause.place == INTERMEDIARY) is not (verdict.place == INTERMEDIARY):
                standing.doubt(name)
    if verdict.place == INTERMEDIARY and verdict.p >= PROOF:
        _say(verdict, *through, refused=arms.case.how == "refused")


def _say(verdict: Verdict, cause: Counts, without: Counts, *, refused: bool) -> None:
    """Nothing else makes a difference: then this is what is proved."""
    verdict.contrast, verdict.cause, verdict.without = WORDS, cause, without
    directly = "directly it opens" if refused else "directly it stays open"
    if verdict.law is None:
        ends = "is refused" if refused else "drops"
        verdict.law = Law(f"through the target the connection {ends}; {directly}", [])
    else:
        verdict.law.sentence += f"; {directly}"
    verdict.law.conditions.append(Condition(WORDS[0], with_it=cause, without=without))
