"""Two arms in turn, until their counts speak: in an order that no backend can keep step with, and where the failure
flickers, in counts that begin anew.

What chose the arms (a fix was tried, and it stayed open) must not count towards their proof as well: of many that are
tried while a failure flickers, some stay open by luck.
"""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Arms, Search
from hangup.experiment.costs import Turn, turns_ahead
from hangup.experiment.evidence import Counts, fisher, most_trials
from hangup.experiment.verdict import PROOF

CHANGED = 0.001
"""How likely it may be by chance that the cause fails so much less than at first: less likely, and it is another
backend by now."""


def compare(arms: Arms, cause: Turn, without: Turn, patient: bool = True) -> Search[None]:
    """Tries an arm with the cause and one without it, by turns; the verdict's counts are theirs. ``patient`` is whether
    to go on where either comes to nothing, or the one without fails too."""
    verdict, before = arms.verdict, arms.known
    steady = not before.survived
    if steady:
        verdict.cause, verdict.without = cause[1], without[1]
        yield from _alternate(arms, cause, without, patient, before)
    if arms.known.survived:
        verdict.cause, verdict.without = Counts(), Counts()
        yield from _alternate(arms, cause, without, patient, before)
        if cause[0].arm == "control" and fisher(before, verdict.cause) < CHANGED:
            verdict.changed = f"as it was recorded it failed {before} at first, and {verdict.cause} later"


def _alternate(arms: Arms, cause: Turn, without: Turn, patient: bool, before: Counts) -> Search[None]:
    counted = arms.verdict.cause, arms.verdict.without
    steady = counted[0] is cause[1]
    rng = Random(counted[1].n)
    most = 2 * most_trials(arms.known) + 8
    while fisher(*counted) >= PROOF and max(map(_tried, counted)) < most and not (steady and arms.known.survived):
        if (not patient and _hopeless(arms, *counted)) or fisher(before, counted[0]) < CHANGED:
            return
        turns = list(zip((cause, without), counted, strict=True))
        rng.shuffle(turns)
        for (trial, counts), own in turns:
            if fisher(*counted) >= PROOF:
                arms.ahead = turns_ahead((cause[0], counted[0]), (without[0], counted[1]), trial)
                outcome = yield from arms.attempt(trial, counts)
                if own is not counts:
                    own.add(outcome)


def _tried(counts: Counts) -> int:
    return counts.n + counts.unresolved


def _hopeless(arms: Arms, cause: Counts, without: Counts) -> bool:
    return cause.unresolved > 2 or without.unresolved > 2 or (without.failed > 1 and not arms.known.survived)
