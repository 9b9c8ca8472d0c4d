"""The law of a client that gives its handshake up unanswered: the server answers, but later than the client waits.

No filter makes a server faster. So it is the played client that waits longer, or less long, and what is found is when
the answer comes.
"""

from __future__ import annotations

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.trial import Trial
from hangup.humanize import duration

PATIENT, TIMES = 10.0, 4.0
"""A patient client waits so many seconds, or so many times as long as the recorded one where that is more."""

MEASURED = 4
"""So many answers are waited for, to see how late they come."""

NEAR = 0.06
"""By which share of itself, beside what they vary by, the times that are tried keep away from when answers came."""

AT_LEAST = 0.08
"""The same in seconds, where that is more."""


def answer_time_law(arms: Arms) -> Search[Claim | None]:
    """That law; None where the client waits for the answer, or none comes at all."""
    rule = arms.case.client_rule
    if rule is None or rule.on != "no-answer" or arms.verdict.cure:
        return None
    patience = max(PATIENT, TIMES * rule.after)
    trial = Trial("waits-longer", gives_up=patience)
    tried = arms.add(trial.arm, f"a client that waits up to {duration(patience)} for the answer", trial, Counts())
    tried.outcome = yield from arms.decide(trial, tried.counts)
    answers = [arms.last.answered_after]
    while tried.outcome is Outcome.SURVIVED and len(answers) < MEASURED:
        yield from arms.attempt(trial, tried.counts)
        answers.append(arms.last.answered_after)
    waits = [wait for wait in answers if wait is not None]
    if tried.outcome is not Outcome.SURVIVED or len(waits) < len(answers) or tried.counts.failed:
        return None
    first, last = min(waits), max(waits)
    slack = max(AT_LEAST, NEAR * last, last - first)
    low, high = first - slack, last + slack
    if low < rule.after - slack:
        return None  # it is answered as soon as the client stops waiting, or sooner: that is not why it gives up
    words = f"the client waits less than {last:.3g} s for the answer to its handshake"
    condition = Condition(words, f"fails {low:.3g} s, survives {high:.3g} s")
    sentence = f"{arms.case.ends}: the server answers only after {last:.3g} s"
    claim = Claim(
        Law(sentence, [condition]),
        lambda rng: Trial("prediction", gives_up=round(rng.uniform(max(0.2 * low, 0.05), low), 3)),
        lambda rng: Trial("prediction", gives_up=round(rng.uniform(high, 1.5 * high), 3)),
    )
    claim.edges = [(Trial("prediction", gives_up=low), True), (Trial("prediction", gives_up=high), False)]
    claim.margin = slack
    return claim
