"""A proved fix, tried on the client that had the failure: with it the client stays connected, without it it is dropped
again.

That is a search like any other: :func:`verify` yields trials, whose filters are the fix or none, and is sent what came
of them. Who carries them out has the client's own connections for it.
"""

from __future__ import annotations

from math import ceil, log

from msgspec import Struct

from hangup.experiment.arms import Search
from hangup.experiment.evidence import Counts, Outcome, rate
from hangup.experiment.trial import Result, Trial
from hangup.experiment.verdict import BudgetSpent, Verdict
from hangup.humanize import duration

TIMES = 6.0
"""So many times the longest life before is convincing to look at, where that is not long."""

AT_MOST = 10.0
"""So many seconds longer than it, where it is."""

DOUBT = 0.01
"""How likely the failure may be to stay away by chance."""

TRIES = 3
"""Connections of which nothing can be told, before it is given up."""


class Verification(Struct):
    """What came of the fix on the client itself. ``longest`` is the longest time (seconds) after which it was dropped
    before, ``survived`` after which it counts as staying connected."""

    filters: tuple[str, ...]
    longest: float
    survived: float
    applied: Result | None = None
    removed: Result | None = None
    why: str = ""
    """Why it is not known, where it is not."""

    @property
    def stays(self) -> float:
        """For how long the client is watched with the fix, in seconds."""
        return max(self.survived, min(TIMES * self.longest, self.longest + AT_MOST))

    @property
    def verified(self) -> bool | None:
        """Whether the client stayed connected with the fix and was dropped without it; None where it is not known."""
        if self.applied is None or self.applied.outcome is Outcome.UNRESOLVED:
            return None
        if self.applied.outcome is Outcome.FAILED:
            return False
        if self.removed is None or self.removed.outcome is Outcome.UNRESOLVED:
            return None
        return self.removed.outcome is Outcome.FAILED

    def lines(self) -> list[str]:
        """In sentences."""
        said = []
        applied, removed = self.applied, self.removed
        if applied is not None and applied.outcome is Outcome.SURVIVED:
            said.append(f"Fix applied: the client stayed connected for {_seconds(applied)}{self._times(applied)}.")
        elif applied is not None and applied.outcome is Outcome.FAILED:
            said.append(f"Fix applied: the client was still dropped after {_seconds(applied)}.")
        if removed is not None and removed.outcome is Outcome.FAILED:
            said.append(f"Fix removed: it dropped again after {_seconds(removed)}.")
        elif removed is not None and removed.outcome is Outcome.SURVIVED:
            said.append(f"Fix removed: it stayed connected as well, for {_seconds(removed)}, so this proves nothing.")
        if self.verified is None:
            said.append(f"Not verified: {self.why or 'its connections do not show it'}.")
        return said

    def _times(self, result: Result) -> str:
        """How much longer than ever before."""
        if result.lifetime is None or self.longest <= 0:
            return ""
        times = result.lifetime / self.longest
        said = f"{times:.0f} times" if times >= 2 else f"{times:.2g} times"
        return f", {said} as long as ever before"


def _seconds(result: Result) -> str:
    lifetime = result.lifetime or 0.0
    return f"{lifetime:.1f} s" if lifetime < 60 else duration(lifetime)


def verify(verification: Verification, control: Counts) -> Search[Verdict]:
    """Carries it out. ``control`` is how often the unchanged exchange failed: so often must its absence be seen."""
    never = 1 - min(rate(control), 1 - DOUBT) if control.failed else 0.5
    most = max(1, ceil(log(DOUBT) / log(never)))
    fix = Trial("fix-applied", verification.filters, patience=round(verification.stays, 3))
    try:
        yield from _until(verification, fix, "applied", Outcome.SURVIVED, 1)
        if verification.applied is not None and verification.applied.outcome is Outcome.SURVIVED:
            yield from _until(verification, Trial("fix-removed"), "removed", Outcome.FAILED, most)
    except BudgetSpent as spent:
        verification.why = str(spent)
    return Verdict()


def _until(
    verification: Verification, trial: Trial, which: str, wanted: Outcome, most: int
) -> Search[None]:
    """Until a connection is what is wanted, at most so many of which something can be told."""
    told = untold = 0
    while told < most and untold < TRIES:
        result = yield trial
        if result.outcome is Outcome.UNRESOLVED or (trial.filters and result.acted == 0 and not told):
            untold += 1
            verification.why = _why(trial, result)
            continue
        told += 1
        setattr(verification, which, result)
        if result.outcome is wanted:
            return


def _why(trial: Trial, result: Result) -> str:
    if result.outcome is not Outcome.UNRESOLVED:
        return f"`{' + '.join(trial.filters)}` had nothing to act on with this client"
    return f"a connection ended in another way: {result.sentence or result.untried}"
