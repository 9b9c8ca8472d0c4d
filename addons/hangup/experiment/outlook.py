"""How a search stands while it goes on: what is certain by now, and about what it would still cost."""

from __future__ import annotations

from msgspec import Struct

from hangup.experiment.costs import TWICE, Costs, turns_ahead
from hangup.experiment.evidence import Outcome
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import PROOF, Verdict
from hangup.humanize import duration, plural, printable

RUNGS = 4
"""So many rungs a ladder is expected to need in all, and at least one."""

PREDICTIONS = 8
SHRINKING = 12
"""Trials of a minimiser, as far as one can tell."""

RULED_OUT = 4
"""So many causes that are ruled out are named."""


USUAL = 60
"""Connections that most searches take in all: what a longer one still costs is no less than was thought."""


class Outlook(Struct, frozen=True):
    """What is still to be done, in words, and its cost in trials and seconds, roughly: where it is ``late``, at
    least that."""

    steps: tuple[str, ...]
    trials: int
    seconds: float
    late: bool = False

    def __str__(self) -> str:
        *first, last = self.steps
        steps = f"{', '.join(first)} and {last}" if first else last
        about = "at least" if self.late else "about"
        return f"{steps}: {about} {plural(self.trials, 'more connection')}, {duration(self.seconds)}"


def outlook(verdict: Verdict, costs: Costs, *, beside: int = 1, live: bool = False) -> Outlook:
    """What a search whose verdict has grown so far would still cost, if all goes as expected. ``beside`` is how many
    trials run at once; on a ``live`` page nothing is made smaller nor predicted."""
    steps: list[tuple[str, int, int]] = []  # what, trials that fail, trials that survive
    failed = verdict.ladder[0].counts.failed if verdict.ladder else 0
    if not verdict.reproduced or failed < TWICE:
        steps.append(("reproducing the failure", max(1, TWICE - failed), 0))
    cured = bool(verdict.cure) or any(t.outcome is Outcome.SURVIVED and t.filters for t in verdict.ladder)
    if not cured:
        arms = max(1, RUNGS - max(0, len(verdict.ladder) - 1))
        steps.append(("finding what prevents it", TWICE * (arms - 1), TWICE))
    if verdict.p >= PROOF:
        needed = turns_ahead((Trial("control"), verdict.cause), (Trial("fix"), verdict.without))
        failing = sum(trial.arm == "control" for trial in needed)
        steps.append(("the proof", failing, len(needed) - failing))
    if not live:
        if verdict.minimal is None:
            steps.append(("the smallest exchange that fails", SHRINKING // 2, SHRINKING // 2))
        left = PREDICTIONS - (verdict.law.predicted if verdict.law is not None else 0)
        if left > 0:
            steps.append(("testing the rule on new exchanges", left // 2, left - left // 2))
    trials = sum(failing + surviving for _, failing, surviving in steps)
    seconds = sum(failing * costs.failing + surviving * costs.surviving for _, failing, surviving in steps)
    if beside > 1 and trials:  # where they take long, those of one step run beside those of the next
        seconds = max(1.0, trials / beside) * max(costs.failing, costs.surviving)
    return Outlook(tuple(what for what, *_ in steps), trials, seconds, not live and verdict.connections >= USUAL)


def certain(verdict: Verdict) -> list[str]:
    """What is known by now, whatever comes, in words."""
    known = []
    control = verdict.ladder[0].counts if verdict.ladder else None
    if verdict.reproduced and control is not None and control.failed >= TWICE:
        known.append(f"the failure happens here (failed {control})")
    cure = verdict.cure or next(
        (" + ".join(t.filters) for t in verdict.ladder if t.outcome is Outcome.SURVIVED and t.filters), ""
    )
    if cure:
        known.append(f"the connection stays open with {printable(cure, 100)}")
    if verdict.p < PROOF:
        known.append(verdict.claim)
    if verdict.ruled_out:
        named = list(verdict.ruled_out)[:RULED_OUT]
        more = len(verdict.ruled_out) - len(named)
        known.append(f"it is not {', '.join(named)}" + (f" nor {plural(more, 'other cause')}" if more else ""))
    return known
