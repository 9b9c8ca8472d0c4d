"""How many trials are enough: a sequential test, and the counts behind every claim.

A failure may flicker. So a single survival proves as much as the failure's own rate allows and no more: with a
control that fails every time, two are enough; with one that fails half the time, it takes seven. The test is Wald's
(sequential probability ratio): does this arm fail as the control does, or hardly ever?
"""

from __future__ import annotations

import enum
from math import comb, log, sqrt

from msgspec import Struct

STRAY = 0.02
"""The rate at which an arm that is sound may still fail, for reasons of its own."""

ERROR = 0.01
"""How often the sequential test may be wrong, in either direction."""

_STEADY = 0.99
_PRIOR_STEADY = 0.9
"""Most failures come every time: that is believed until one trial says otherwise."""


class Outcome(enum.Enum):
    """What came of a trial, or of an arm's trials together."""

    FAILED = "failed"
    SURVIVED = "survived"
    UNRESOLVED = "unresolved"

    @property
    def words(self) -> str:
        """As people are told it: that a trial survived means that its connection stayed open."""
        return "stayed open" if self is Outcome.SURVIVED else self.value


class Counts(Struct):
    """How often an arm failed, and how often it survived; what was neither is counted apart."""

    failed: int = 0
    survived: int = 0
    unresolved: int = 0

    @property
    def n(self) -> int:
        """Trials with an outcome."""
        return self.failed + self.survived

    def add(self, outcome: Outcome) -> None:
        """Counts a trial."""
        if outcome is Outcome.FAILED:
            self.failed += 1
        elif outcome is Outcome.SURVIVED:
            self.survived += 1
        else:
            self.unresolved += 1

    def __add__(self, other: Counts) -> Counts:
        failed, survived = self.failed + other.failed, self.survived + other.survived
        return Counts(failed, survived, self.unresolved + other.unresolved)

    def pair(self) -> list[int]:
        """``[failed, n]``, as it stands in reports."""
        return [self.failed, self.n]

    def __str__(self) -> str:
        return f"{self.failed}/{self.n}" if self.n else "–"


def rate(control: Counts) -> float:
    """The control's failure rate, cautiously: mostly steady at first, and what the counts say once they flicker."""
    f, s = control.failed, control.survived
    # Two explanations, a steady failure and one of any rate, weighed by how well each predicts these counts.
    steady = _PRIOR_STEADY * _STEADY**f * (1 - _STEADY) ** s
    anyhow = (1 - _PRIOR_STEADY) / ((f + s + 1) * comb(f + s, f))
    weight = steady / (steady + anyhow)
    mean = (f + 1) / (f + s + 2)
    # One standard deviation low: who takes a failure for more frequent than it is takes luck for a cure.
    cautious = mean - sqrt(mean * (1 - mean) / (f + s + 3))
    return weight * _STEADY + (1 - weight) * cautious


def decide(arm: Counts, control: Counts, *, error: float = ERROR) -> Outcome | None:
    """What the trials of an arm say, or None when there are too few: FAILED (as the control does), SURVIVED."""
    fails = min(max(rate(control), 3 * STRAY), 0.985)
    score = arm.failed * log(fails / STRAY) + arm.survived * log((1 - fails) / (1 - STRAY))
    limit = log((1 - error) / error)
    if score >= limit:
        return Outcome.FAILED
    if score <= -limit:
        return Outcome.SURVIVED
    return None


def most_trials(control: Counts, *, error: float = ERROR) -> int:
    """After so many trials without a decision an arm is unresolved: its outcomes disagree."""
    fails = min(max(rate(control), 3 * STRAY), 0.985)
    alone = log((1 - error) / error) / log((1 - STRAY) / (1 - fails))
    return int(3 * alone) + 4


def fisher(with_cause: Counts, without: Counts) -> float:
    """Fisher's exact test, one-sided: how likely it is that trials with the cause fail at least that much more often
    than those without, if the cause made no difference."""
    a, n, b, m = with_cause.failed, with_cause.n, without.failed, without.n
    if not n or not m:
        return 1.0
    total = comb(n + m, a + b)
    ways = sum(comb(n, k) * comb(m, a + b - k) for k in range(a, min(n, a + b) + 1))
    return min(1.0, ways / total)


def claim(with_cause: Counts, without: Counts, words: tuple[str, str] = ("with the cause", "without it")) -> str:
    """The counts of a claim in words: ``failed 5 of 5 trials with the cause, 0 of 5 without it (p = 0.004)``; of one
    side only where the other was not tried."""
    if not (with_cause.n and without.n):
        side = 0 if with_cause.n else 1
        return f"failed {_of((with_cause, without)[side])} trials {words[side]}"
    p = fisher(with_cause, without)
    shown = f"{p:.2g}" if p >= 0.0001 else "< 0.0001"
    equals = "" if shown.startswith("<") else "= "
    return f"failed {_of(with_cause)} trials {words[0]}, {_of(without)} {words[1]} (p {equals}{shown})"


def _of(counts: Counts) -> str:
    return f"{counts.failed} of {counts.n}"
