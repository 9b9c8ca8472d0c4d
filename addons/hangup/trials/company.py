"""Trials side by side: whether that may be done, and what came of those that were carried out beforehand.

A search asks for one trial at a time. Most must be repeated, and many are known beforehand (:attr:`Trial.beside`):
where the unchanged exchange fails alone and in company just alike, they are carried out together, and their results are
kept until they are asked for.

Where it takes long to fail, the recorded connection stands for the one that fails alone: so the very first controls are
carried out together, and count as one; only if they fail in another way than it did, it is tried alone and again
together.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from msgspec.structs import replace

from hangup.experiment.costs import LONG
from hangup.experiment.evidence import Outcome
from hangup.experiment.trial import Result, Trial

ALIKE = 0.5
"""By which share of the shortest (and by how many seconds, where that is more) lifetimes may differ and be alike."""

SLACK = 0.3


TOGETHER = 4
"""So many controls show whether company is harmless."""


APART = 0.08
"""So many seconds after one another they begin: what ends each of them by itself does so at its own time, and what ends
all of them (a process that restarts) does so at once."""

AT_ONCE = APART / 3

WIDELY = 2.0
"""At most so many seconds are they apart where it is known how long one lasts: the further, the less do two that end
at times of their own end together by chance."""


class Company:
    """``most`` is how many trials may run at once; until that is known to be harmless, one. ``recorded`` is how long
    (seconds) the recorded connection took to fail, if it was alone."""

    def __init__(self, most: int, recorded: float = 0.0) -> None:
        self.most = most
        self._recorded = Result(Outcome.FAILED, recorded) if recorded >= LONG else None
        self._alone: Result | None = None
        self._tested = most <= 1
        self.harmless = False
        self._restarted = False
        self._kept: dict[Trial, deque[Result]] = defaultdict(deque)

    @property
    def room(self) -> int:
        """How many trials run at once, as far as is known; before it is known it is hoped for."""
        return self.most if self.harmless or not self._tested else 1

    def take(self, trial: Trial) -> Result | None:
        """The result of a trial that was carried out already, once."""
        kept = self._kept.get(_plain(trial))
        return kept.popleft() if kept else None

    def plan(self, trial: Trial) -> list[Trial]:
        """What to carry out now: the trial, and others with it."""
        if not self._suitable(trial):
            return [trial]
        if trial.arm == "control" and (self._alone or self._recorded) is not None and not self._tested:
            return [trial] * min(self.most, TOGETHER)
        if not self.harmless:
            return [trial]
        kept = {each: len(results) for each, results in self._kept.items()}
        others = []
        for each in filter(self._suitable, trial.beside):
            if kept.get(_plain(each), 0) > 0:
                kept[_plain(each)] -= 1
            else:
                others.append(each)
        return [trial, *others][: self.most]

    def apart(self, trials: Sequence[Trial]) -> float:
        """How many seconds after one another they are to begin."""
        if len(trials) < 2 or self._tested or self.harmless:
            return 0.0
        lasts = (self._alone.lifetime or 0.0) if self._alone is not None else 0.0
        return max(APART, min(lasts / TOGETHER, WIDELY))

    def restarted(self) -> None:
        """The backend was there, and then it was not, for a while: what runs beside what ends it ends as well."""
        self._restarted = True
        self.harmless, self._tested = False, True
        self._kept.clear()

    def learn(self, trials: Sequence[Trial], results: Sequence[Result]) -> bool:
        """Takes what came of trials; the first of them was asked for, the others are kept. False where they say
        nothing, as they were together and failed in another way than the recorded one alone."""
        restarted, self._restarted = self._restarted, False
        if restarted and len(trials) > 1:
            return False
        if len(trials) > 1 and self._recorded is not None and self._alone is None and not self._tested:
            recorded, self._recorded = self._recorded, None
            alike = all(_alike(recorded, each) for each in results) and not _ended_at_once(results)
            self._tested = self.harmless = alike
            return self.harmless  # the others are not kept: what ended one of them may have ended them all
        for trial, result in zip(trials[1:], results[1:], strict=True):
            if not result.unreachable and result.outcome is not Outcome.UNRESOLVED:
                self._kept[_plain(trial)].append(result)
        if any(result.unreachable for result in results):
            self.harmless, self._tested = False, True  # what one trial does, the others suffer
            self._kept.clear()
        elif trials[0].arm == "control" and not self._tested:
            if len(trials) > 1:
                self._tested = True
                self.harmless = self._alone is not None and all(_alike(self._alone, each) for each in results)
                self.harmless = self.harmless and not _ended_at_once(results)
                if not self.harmless:
                    self._kept.clear()
            elif self._suitable(trials[0]) and results[0].outcome is Outcome.FAILED:
                self._alone = results[0]
        return True

    @staticmethod
    def _suitable(trial: Trial) -> bool:
        alone = trial.clients == 1 and not trial.neighbours
        return alone and not trial.stagger and not trial.alone


def _plain(trial: Trial) -> Trial:
    return replace(trial, beside=()) if trial.beside else trial


def _alike(one: Result, other: Result) -> bool:
    if one.outcome is not other.outcome:
        return False
    if one.lifetime is None or other.lifetime is None:
        return one.lifetime is other.lifetime
    least = min(one.lifetime, other.lifetime)
    return abs(one.lifetime - other.lifetime) <= max(ALIKE * least, SLACK)


def _ended_at_once(results: Sequence[Result]) -> bool:
    """Whether two of them that did not begin together ended together; or all began together though they should not
    (what starts anew keeps them waiting, and lets them in at once), and ended so."""
    spans = [(began, over) for each in results for began, over in each.spans if over is not None]
    pairs = [(one, other) for n, one in enumerate(spans) for other in spans[n + 1 :]]
    apart = [(one, other) for one, other in pairs if abs(one[0] - other[0]) > 2 * AT_ONCE]
    return any(abs(one[1] - other[1]) < AT_ONCE for one, other in apart or pairs)
