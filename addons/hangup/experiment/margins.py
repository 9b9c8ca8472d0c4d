"""How long a trial must stay open to have survived: as long as an unchanged connection hardly ever does.

The rule. Times to failure are taken to be log-normal: what is late is late by a share of itself. Of a next one, given
those that were seen of the unchanged exchange, all but one in a thousand come before::

    exp(m + t * s * sqrt(1 + 1/n))

with ``m`` the mean of the logarithms, ``t`` Student's 0.999 quantile for ``n`` degrees of freedom, and ``s`` their
spread, to which a spread of three per cent is added as if it had been seen once: two times that are alike by chance do
not make a steady failure. So a failure that comes after 60 s sharp asks for 68 s once it was seen four times and for
64 s after six, and one that comes after anything from 30 to 90 s for about four and a half minutes. It is estimated
anew with each failure.

It is never less than :func:`least` above their median, which is what a busy machine needs, nor more than a few times
the longest (:data:`MOST`). Before three were seen here it is half as long again as the longest, also of those that were
recorded, and a bit: the recorded ones may have come of other traffic, and tell nothing of the spread. The controls
themselves are always given that long at least: a failure that comes late now and then must show in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log, sqrt
from statistics import fmean, median

from msgspec.structs import replace

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure
from hangup.experiment.trial import Result, Trial

UNCHANGED = "control"
"""The arm of the unchanged exchange."""

SPREAD = 0.03
"""The share by which times to failure are believed to vary, before any was seen."""

ENOUGH = 3
"""So many times to failure say something about their spread."""

MOST = (36.0, 3.0)
"""No failure is waited for longer than so many times the longest seen: the first divided by how many were seen, and at
least the second. Of failures that come at random, one in two hundred comes later than that."""

ADDED = 0.75
"""Seconds that are added before the logarithm is taken: what a machine adds is no share of anything."""

WAIT = 0.25
"""Seconds for which what was not to end by then is watched on."""

_T = (318.31, 22.33, 10.21, 7.17, 5.89, 5.21, 4.79, 4.50, 4.30, 4.14, 4.02, 3.93, 3.85, 3.79, 3.73)
"""Student's 0.999 quantile for 1, 2, … degrees of freedom; for more, the last."""


def least(seconds: float) -> float:
    """By how many seconds what fails after ``seconds`` is outlived at least."""
    return ADDED + 0.02 * seconds


def bound(times: Iterable[float]) -> float:
    """What hardly any further time to failure exceeds, in seconds, given these (in seconds, three or more)."""
    seen = list(times)
    n = len(seen)
    logs = [log(each + ADDED) for each in seen]
    mean = fmean(logs)
    spread = sqrt((SPREAD**2 + sum((each - mean) ** 2 for each in logs)) / n)
    quantile = _T[min(n, len(_T)) - 1]
    most = max(MOST[0] / n, MOST[1]) * max(seen) + ADDED
    # The exponent is bounded for the few that differ by orders of magnitude.
    late: float = exp(min(mean + quantile * spread * sqrt(1 + 1 / n), log(most + ADDED))) - ADDED
    middle = median(seen)
    return max(late, middle + least(middle))


def wide(longest: float) -> float:
    """The same in seconds, where nothing is known but the longest time to failure."""
    return 1.5 * longest + 0.5 + WAIT


def holds_back(filters: Iterable[str]) -> bool:
    """Whether some of these filters (in their text form) let things happen later than they would."""
    return any(each.startswith(("delay", "throttle")) for each in filters)


class Margins:
    """How long trials must stay open. ``lifetime`` is that of the exchange that is studied, in seconds; ``survive`` by
    how much the longest is to be outlived, None to derive it. What a person has said of the failure (``within``) stays.
    """

    def __init__(self, failure: Failure, lifetime: float, survive: float | None = None) -> None:
        self._given = failure
        self._survive: float | None = survive
        self._recorded = lifetime
        self._seen: list[float] = []
        self._longest: float = max([lifetime, *(failure.ages or ())])
        self._fixed = failure.within is not None and failure.ages is None

    def learn(self, trial: Trial, result: Result) -> None:
        """Takes what came of a trial: of the unchanged exchange it is known then how long it takes to fail."""
        if trial.arm == UNCHANGED and result.outcome is Outcome.FAILED and result.lifetime is not None:
            self.add(result.lifetime)

    def add(self, lifetime: float) -> None:
        """The unchanged exchange has failed after so many seconds."""
        self._seen.append(lifetime)
        self._longest = max(self._longest, lifetime)

    def of(self, trial: Trial) -> float:
        """After how many seconds from opening a trial has survived."""
        if trial.patience is not None:
            return trial.patience
        unchanged = trial.arm == UNCHANGED or holds_back(trial.filters)
        return self.unchanged if unchanged else self.survived

    @property
    def fails_after(self) -> float:
        """When it usually fails, in seconds from opening."""
        return median(self._seen) if self._seen else self._recorded

    @property
    def survived(self) -> float:
        """The same of a trial that changes something, in seconds."""
        if self._fixed:
            return (self._given.within or 0.0) + (WAIT if self._survive is None else self._survive)
        if self._survive is not None:
            return self._longest + self._survive
        if len(self._seen) < ENOUGH:
            return self.unchanged
        return bound(self._seen)

    @property
    def unchanged(self) -> float:
        """The same for the unchanged exchange, of which it is to be learned."""
        if self._fixed or self._survive is not None:
            return self.survived
        early = len(self._seen) >= ENOUGH
        return max(wide(self._longest), bound(self._seen) if early else 0.0)

    @property
    def failure(self) -> Failure:
        """The failure, with what is known by now of how late it may come."""
        within = self._given.within
        if within is None or self._fixed:
            return self._given
        return replace(self._given, within=round(max(within, self.survived, self.unchanged), 3))
