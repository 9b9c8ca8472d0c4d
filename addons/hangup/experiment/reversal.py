"""The reversal: the fix of an explanation is found, taken away and put back, until the counts speak."""

from __future__ import annotations

from hangup.experiment import contrasts
from hangup.experiment.arms import Search
from hangup.experiment.climb import Climb
from hangup.experiment.evidence import Counts, Outcome, fisher
from hangup.experiment.ladder import Explanation
from hangup.experiment.shrinking import fewest
from hangup.experiment.trial import Trial
from hangup.experiment.turns import compare
from hangup.experiment.verdict import PROOF, Tried

BLUNT = ("silence", "suspect-dropped", "server-silence")
"""Cures that say little: whatever is wrong with a message, it does no harm when it is not sent."""


SURPRISING = 0.9
"""How probable a failure must have been for its absence to be a surprise."""


class Reversal(Climb):
    """A ladder with the proof of what stands on top of it."""

    def _hear_surprises(self) -> Search[None]:
        """What stays open though the best explanation says that it fails is held against the control, until that is
        shown to be no accident: then it speaks against all that say so, however likely they were."""
        for tried in list(self.arms.named.values()):
            explanation, _ = self.standing.best()
            if tried.outcome is not Outcome.SURVIVED or not tried.filters or tried.arm in self.surprises:
                continue
            if explanation.fails(tried.arm, self.case) < SURPRISING:
                continue
            trial = Trial(tried.arm, tried.filters)
            yield from compare(self.arms, (Trial("control"), self.arms.control), (trial, tried.counts))
            if fisher(self.arms.control, tried.counts) < PROOF:
                self.surprises.append(tried.arm)
                self.standing.update(tried.arm, Outcome.SURVIVED)

    def _reverse(self, explanation: Explanation) -> Search[None]:
        """The cause is taken away and put back in turn, until the counts speak."""
        verdict, control = self.verdict, self.arms.control
        verdict.cause, verdict.without = control, Counts()
        verdict.contrast, verdict.cure = None, ""
        cure = self._cure(explanation)
        if cure is None or cure.arm in BLUNT:
            cure = (yield from self._find_cure(explanation)) or cure
        if cure is None:
            yield from contrasts.show(self.arms, explanation.verdict)
            return
        if len(cure.filters) > 1:
            cure = yield from self._narrow(cure)
        verdict.cure = " + ".join(cure.filters)
        yield from compare(self.arms, (Trial("control"), control), (Trial(cure.arm, cure.filters), cure.counts))

    def _narrow(self, cure: Tried) -> Search[Tried]:
        """Of several filters those that are needed; they are an arm of their own."""
        trial = yield from fewest(self.arms, Trial(cure.arm, cure.filters))
        if trial.filters == cure.filters:
            return cure
        narrow = Tried(f"{cure.arm}-fewest", cure.title, trial.filters, Counts(), Outcome.SURVIVED)
        self.verdict.ladder.append(narrow)
        return narrow

    def _find_cure(self, explanation: Explanation) -> Search[Tried | None]:
        """A rung that the explanation survives, if the ladder could do without it; the best explanation may change."""
        for rung in sorted(reversed(self.rungs), key=lambda rung: rung.name in BLUNT):
            trial = rung.make(self.case)
            if rung.name in self.arms.named or trial is None or not trial.filters:
                continue
            if not explanation.cured_by(rung.name, self.case):
                continue
            yield from self._rung(rung, trial)
            explanation, _ = self.standing.best()
            cure = self._cure(explanation)
            if cure is not None and cure.arm not in BLUNT:
                return cure
        return self._cure(explanation)

    def _cure(self, explanation: Explanation) -> Tried | None:
        """The most telling rung that was survived, as the explanation says it would be; silence only if need be."""
        able = [
            tried
            for tried in self.arms.named.values()
            if tried.outcome is Outcome.SURVIVED and tried.filters and explanation.cured_by(tried.arm, self.case)
        ]
        telling = [tried for tried in able if tried.arm not in BLUNT]
        order = telling or [t for t in able if t.arm == "suspect-dropped"] or able
        return order[0] if order else None
