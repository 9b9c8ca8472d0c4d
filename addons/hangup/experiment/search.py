"""The search: control, ladder, reversal, minimiser. One change at a time, repeated, and put back.

:func:`search` is a generator. It yields trials and is sent their results; who carries them out may throw
:class:`BudgetSpent` into it at any time, and gets what was learned so far. It returns a :class:`Verdict`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median

from msgspec.structs import replace

from hangup.experiment import contrasts, rate
from hangup.experiment.absent_answer import absent_answer
from hangup.experiment.arms import Arms, Search, says_the_same
from hangup.experiment.claim import Claim
from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.clocks import find_timers
from hangup.experiment.companions import crowd, same_id, seems_crowded
from hangup.experiment.costs import rungs_ahead
from hangup.experiment.count_law import count_law
from hangup.experiment.drift import look_again
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.handshake_laws import handshake_law
from hangup.experiment.idle_law import idle_law
from hangup.experiment.ladder import GIVEN, Explanation, Rung, Standing, donated_rungs, given_rungs, selector
from hangup.experiment.law import Law
from hangup.experiment.predict import other_law, refined, with_factor
from hangup.experiment.predict import test as predict
from hangup.experiment.priors import explanations
from hangup.experiment.server_side import RUNGS
from hangup.experiment.shrinking import fewest, shrink
from hangup.experiment.timers import Clock, fitting
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.experiment.turns import compare
from hangup.experiment.unconditional import ENDS, unconditional
from hangup.experiment.varying import vary, vary_with_message
from hangup.experiment.verdict import PROOF, BudgetSpent, Minimal, Tried, Verdict

__all__ = ["PROOF", "SETTLED", "BudgetSpent", "Minimal", "Search", "Tried", "Verdict", "Watch", "search"]

SETTLED = 0.985
"""An explanation this probable needs no further rung."""

WORTH_IT = 0.004
"""A rung that is expected to bring less than this (nats in the time of a failure, or a third of a survival's) is not
tried."""

WORTH_WAITING = 0.02
"""The same for a live page, which must be waited for."""

HELPLESS = 0.2
"""What fails in a larger share of its trials is no fix, however much seldomer that is."""

TRIES = 5
"""So many survivals of the unchanged exchange, and no failure: it is not reproduced here."""

COUNTED = "process/message-count-limit"
CROWDED = "handshake/limit"
RIVALS = 0.35
"""Probability of other categories that predict the same of the cure, up to which the counts speak for the one."""
UNANSWERED = 0.1
"""The same, where the server ends after a message that it has not answered: it may as well not have liked it."""
SURELY_READ = 0.8
"""Confidence of reading alone from which on no other category is proved, if what it names cannot be tried."""
DOUBTFUL = 0.05
"""Probability from which on it is worth asking whether it is the number of messages or what they say."""

CLOCKS = {
    "process/worker-timeout": {Clock.AGE},
    "intermediary/lifetime-cap": {Clock.AGE},
    "message/init-missing": {Clock.AGE},
    "intermediary/idle-timeout": {Clock.CLIENT, Clock.SERVER, Clock.EITHER},
    "heartbeat/app-pong-missing-from-client": {Clock.CLIENT_MESSAGES, Clock.CLIENT},
}
"""What each of these goes by."""

BLUNT = ("silence", "suspect-dropped", "server-silence")
"""Cures that say little: whatever is wrong with a message, it does no harm when it is not sent."""

Watch = Callable[[list[tuple[str, float]]], None]
"""Is told how probable each explanation that stands is, the most probable first."""


def search(
    case: Case,
    *,
    live: bool = False,
    rungs: Iterable[Rung] | None = None,
    given: Iterable[str] = (),
    minimise: bool = True,
    watch: Watch = lambda standing: None,
    verdict: Verdict | None = None,
) -> Search[Verdict]:
    """Searches for the cause of ``case``. With ``live`` only what filters can do is tried; and only so can be found
    why a client hangs up. ``given`` are filters of the person's own that may be the cure: a fresh token, say.
    ``verdict`` is the one that will be returned: its ladder and counts can be looked at as they grow."""
    if rungs is None:
        rungs = CLIENT_RUNGS if case.by == "client" else RUNGS
    rungs = [*given_rungs(given), *donated_rungs(case), *rungs]
    return _Search(case, live, tuple(rungs), minimise and not live, watch, verdict or Verdict()).run()


class _Search:
    def __init__(
        self, case: Case, live: bool, rungs: tuple[Rung, ...], minimise: bool, watch: Watch, verdict: Verdict
    ) -> None:
        self.case = case
        self.live = live
        self.watch = watch
        self.rungs = [rung for rung in rungs if rung.live or not live]
        self.minimise = minimise
        self.explanations = explanations(case.by)
        self.standing = Standing(case, self.explanations)
        self.verdict = verdict
        verdict.closer = case.by or "unknown"
        self.arms = Arms(case, live, verdict)
        self.outcomes: list[Outcome] = []
        """What came of the control, in order."""
        self.shown = ""
        """The verdict that the counts are about."""
        self.counted = False
        """Whether a number of messages was held against all trials."""
        self.paced: Claim | None = None
        """The law of a pace that is too high."""
        self.asked_pace = False

    def run(self) -> Search[Verdict]:
        try:
            yield from self._all()
        except BudgetSpent as spent:
            self.verdict.stopped = str(spent) or "the budget is spent"
            if not self.verdict.cause.n:
                self.verdict.cause = self.arms.control
        self._conclude()
        return self.verdict

    def _all(self) -> Search[None]:
        yield from self._reproduce()
        mixed = self.arms.clients > 1 and self.arms.control.survived > 0
        if self.minimise and (not self.verdict.reproduced or mixed or seems_crowded(self.outcomes)):
            if (yield from self._crowded()):
                return
        if not self.verdict.reproduced:
            return
        claim: Claim | None = None
        for _ in range(3):
            yield from self._climb()
            claim = (yield from vary(self.arms, self.rungs, self._step)) or claim
            yield from self._pace()
            explanation, _ = self.standing.best()
            yield from self._reverse(explanation)
            if self.verdict.changed:
                return
            # The reversal shows how often the control really fails, and what was decided before may be too hasty.
            yield from self._settle()
            if self.standing.best()[0] is explanation:
                break
        self.shown = explanation.verdict
        if explanation.verdict == rate.RATE:
            claim = self.paced
        elif explanation.trigger != "header":
            claim = None
        if explanation.trigger in ("time", "count"):
            yield from find_timers(self.arms)
            self._hear_clocks()
            if (heard := self.standing.best()[0]) is not explanation:
                explanation = heard
                yield from self._reverse(explanation)
                self.shown = explanation.verdict
        if self.minimise and explanation.verdict == COUNTED:
            # Before it is made smaller, which takes long where every message counts.
            yield from self._as_many("as-many", tuple(frame.n for frame in self.case.frames))
            explanation, _ = self.standing.best()
        if self.minimise and (explanation.trigger in ("frame", "count") or self._takes_a_message(explanation)):
            claim = yield from shrink(self.arms, explanation.verdict, count=explanation.trigger == "count")
            claim = (yield from self._earlier()) or claim
            minimal = self.verdict.minimal
            alone = minimal is not None and len(minimal.frames) == 1
            if claim is not None and alone and not any(condition.path for condition in claim.law.conditions):
                claim = yield from self._with_handshake(claim)
        if self.standing.weights.get(COUNTED, 0.0) > DOUBTFUL and self.verdict.minimal is not None:
            yield from self._as_many("as-many-of-these", self.verdict.minimal.frames)
        if not self.live and self.minimise:
            trigger = self.standing.best()[0].trigger
            if self.arms.clients > 1:
                claim = yield from same_id(self.arms)
                if claim is None and (yield from self._crowded()):
                    return
            if claim is None:
                claim = yield from absent_answer(self.arms)
            if not self.arms.untold:
                claim = claim or count_law(self.case, self.verdict, trigger)
                claim = claim or handshake_law(self.arms, self.verdict, trigger)
                claim = claim or idle_law(self.arms, self.verdict)
                claim = claim or other_law(self.arms, self.verdict, trigger)
                claim = claim or unconditional(self.arms, self.verdict)
            if claim is not None:
                yield from self._predict(claim, trigger)
        law = self.verdict.law
        if law is not None:
            self._count_predictions(law)
        if (law is not None and not law.holds) or (self.verdict.p >= PROOF and self.arms.known.survived):
            yield from look_again(self.arms)

    def _pace(self) -> Search[None]:
        """Is it how fast the messages come, and not how many there are? Then the boundary, before anything is claimed:
        with it the fix is the one that changes least."""
        if self.live or not self.minimise:
            return
        if self.standing.best()[0].trigger == "count":
            yield from rate.slow_enough(self.arms)
            self._reckon()
        if self.standing.best()[0].verdict == rate.RATE and not self.asked_pace:
            self.asked_pace = True
            self.paced = yield from rate.find(self.arms)
            self._reckon()

    def _crowded(self) -> Search[bool]:
        """Whether it is that there are too many connections: that a law about it holds."""
        alone = not self.verdict.reproduced
        if alone and not (self.case.lately and self.arms.control.survived):
            return False
        claim = yield from crowd(self.arms)
        if claim is None:
            return False
        self.verdict.reproduced = True
        yield from self._predict(claim, "peer")
        if claim.law.holds:
            self.shown = CROWDED
            return True
        self.verdict.law, self.verdict.reproduced = None, not alone
        return False

    def _predict(self, claim: Claim, trigger: str) -> Search[None]:
        """Holds a law against what is new; one that said too much is narrowed, and held against it again. Where only
        that showed that the failure flickers, what was found before is looked for again."""
        steady = not self.arms.known.survived
        self.verdict.law = claim.law
        yield from predict(self.arms, claim)
        if claim.counts and claim.law.conditions:
            verdict, condition = self.verdict, claim.law.conditions[0]
            verdict.cause, verdict.without = verdict.cause + condition.with_it, verdict.without + condition.without
        if steady and self.arms.known.survived and not claim.law.holds and trigger in ("frame", "count"):
            again = yield from shrink(self.arms, self.shown, count=trigger == "count")
            claim = again or count_law(self.case, self.verdict, trigger) or claim
            if claim.law is not self.verdict.law:
                self.verdict.law = claim.law
                yield from predict(self.arms, claim, seed=2)
        if claim.law.holds and self.verdict.cure and self.verdict.p >= PROOF:
            fix = Trial("with-fix", tuple(self.verdict.cure.split(" + ")))
            yield from compare(self.arms, (Trial("control"), self.arms.control), (fix, Counts()))
        minimal = self.verdict.minimal
        if claim.law.holds or minimal is None:
            return
        narrower = yield from refined(self.arms, minimal, claim)
        if narrower is not None:
            self.verdict.law = narrower.law
            yield from predict(self.arms, narrower, seed=1)

    def _with_handshake(self, claim: Claim) -> Search[Claim]:
        """Whatever such a message says it ends the connection, though others like it did no harm: what else must be
        so?"""
        factor = yield from vary_with_message(self.arms, self.rungs, self._step)
        explanation, _ = self.standing.best()
        if factor is None or explanation.trigger != "header":
            return claim
        if self.verdict.cure != factor.filter:
            yield from self._reverse(explanation)
            self.shown = explanation.verdict
        return with_factor(claim, factor)

    def _takes_a_message(self, explanation: Explanation) -> bool:
        """Whether it hangs on the handshake, and on a message as well."""
        spared = (self.arms.named.get(arm) for arm in ("silence", "suspect-dropped", "first-only", "benign-instead"))
        able = explanation.trigger == "header" and self.case.how != "refused" and self.case.suspect is not None
        return able and any(tried is not None and tried.outcome is Outcome.SURVIVED for tried in spared)

    def _count_predictions(self, law: Law) -> None:
        """Where no fix was found, the law's own exchanges are the two sides of the proof."""
        tried = law.conditions[0]
        if law.holds and self.verdict.p >= PROOF and not self.verdict.cure:
            control = self.arms.control
            failed, survived = control.failed + tried.with_it.failed, control.survived + tried.with_it.survived
            self.verdict.cause, self.verdict.without = Counts(failed, survived), tried.without

    def _earlier(self) -> Search[Claim | None]:
        """Where one message is enough, and it is not the last, of which all was asked so far: the end came late, and
        other messages went on. It is asked again of the one that matters."""
        minimal, suspect, old = self.verdict.minimal, self.case.suspect, self.case
        if minimal is None or len(minimal.frames) != 1 or suspect is None or minimal.frames == (suspect.n,):
            return None
        alone = [p for p in self.arms.pulses if p.ended and sum(message for _, message in p.client) == 1]
        delays = [p.age - next(at for at, message in p.client if message) for p in alone]
        self.case = self.arms.case = replace(
            old, culprit=minimal.frames[0], reaction=median(delays) if delays else old.reaction, priors={}
        )
        for rung in self.rungs:
            tried = self.arms.named.get(rung.name)
            if tried is not None and rung.make(old) != rung.make(self.case):
                del self.arms.named[rung.name]
                tried.arm += "-before"
        self._reckon()
        yield from self._climb()
        explanation, _ = self.standing.best()
        yield from self._reverse(explanation)
        yield from self._settle()
        self.shown = explanation.verdict
        self.verdict.timers = []
        return (yield from shrink(self.arms, explanation.verdict, count=False))

    def _hear_clocks(self) -> None:
        """Which clocks agree with all that was tried speaks for and against what ends by one."""
        clocks = {timer.clock for timer in self.verdict.timers}
        if not clocks and sum(pulse.ended for pulse in self.arms.pulses) < ENDS:
            return
        for verdict, needed in CLOCKS.items():
            if not clocks & needed:
                self.standing.doubt(verdict)

    def _check_count(self) -> None:
        """A number of messages must agree with all that was tried: else it is how fast they come, or something else."""
        timers = fitting(self.arms.pulses, self.arms.rate)
        self.counted = not self.arms.pulses or any(t.clock is Clock.COUNT for t in timers)
        if self.counted:
            self.standing.doubt("handshake/limit")
        else:
            self.standing.doubt(COUNTED)
            self.shown = self.standing.best()[0].verdict
            self.verdict.timers = []
            self.verdict.ruled_out[COUNTED] = "it ends after different numbers of messages, or outlives as many"

    def _as_many(self, arm: str, frames: tuple[int, ...]) -> Search[None]:
        """Is it really their number? As many messages at the same times, but only the first stays as it was: where that
        is survived, it is what they say."""
        if len(frames) < 2:
            return
        first, *others = (frame for frame in self.case.frames if frame.n in frames)
        other = self._harmless(frames) or first
        edits = tuple((frame.n, Edit(other.payload, other.opcode)) for frame in others)
        trial = Trial(arm, frames=frames, edits=edits)
        tried = self.arms.add(arm, "as many messages, but one and the same", trial, Counts())
        if says_the_same(self.case, trial):  # they were alike to begin with
            self._check_count()
            return
        tried.outcome = yield from self.arms.decide(trial, tried.counts)
        self.standing.update("as-many", tried.outcome)
        self.watch(list(self.standing.ranked()))
        self.shown = self.standing.best()[0].verdict
        if tried.outcome is Outcome.SURVIVED:
            self.verdict.timers = []
            self.verdict.ruled_out[COUNTED] = f"{tried.title}: failed {tried.counts}"
        elif self.shown == COUNTED:
            self._check_count()

    def _harmless(self, frames: tuple[int, ...]) -> ClientFrame | None:
        """A message that is none of these, if there is one, else one of the kind that is the most frequent but for the
        last one's."""
        kinds = Counter(selector(frame) for frame in self.case.frames if not frame.problems)
        last = self.case.frames[-1]
        kinds.pop(selector(last), None)
        often = next((kind for kind, _ in kinds.most_common(1)), "")
        spare = [frame for frame in self.case.frames if frame.n not in frames and not frame.problems]
        alike = [frame for frame in self.case.frames[1:] if selector(frame) == often]
        return next(iter([*spare, *alike]), None)

    # The control.

    def _reproduce(self) -> Search[None]:
        """The unchanged exchange must fail here too, twice at least; more often when it flickers."""
        arms = self.arms
        self.verdict.reproduced = False
        yield from self._control(arms.add("control", "as it was recorded", Trial("control"), arms.control))
        if not self.verdict.reproduced and self.case.overlaps and arms.control.survived:
            # Alone it does not fail. The recorded client was not alone: from here on there are two.
            arms.clients = 2
            arms.control = Counts()
            title = "as it was recorded, two clients at once"
            yield from self._control(arms.add("control-of-two", title, Trial("control"), arms.control))

    def _control(self, tried: Tried) -> Search[None]:
        c = tried.counts
        while True:
            self.arms.ahead = self._rungs_ahead() if c.failed and not c.survived else ()
            self.outcomes.append((yield from self.arms.attempt(Trial("control"), c)))
            if c.failed >= (2 if not c.survived else 4) or (c.failed >= 2 and c.n >= 12):
                tried.outcome = Outcome.FAILED
                self.verdict.reproduced = True
                if not self.live and self.verdict.closer == "unknown":
                    self.verdict.closer = "server"  # the client is played, and ends nothing
                return
            tries = 2 if self.case.overlaps and self.arms.clients == 1 else TRIES
            if (c.survived >= tries and c.failed == 0) or c.n >= 20 or c.unresolved >= 4:
                tried.outcome = Outcome.SURVIVED if c.survived else Outcome.UNRESOLVED
                self.verdict.instead = self.arms.last.sentence
                self.verdict.untried = self.arms.last.untried if c.unresolved >= 4 else ""
                return

    # The ladder.

    def _climb(self) -> Search[None]:
        left = self._left()
        for name in [name for name in left if name.startswith(GIVEN)]:  # what a person asked for is tried in any case
            yield from self._step(self._rung_named(name))
            del left[name]
        while left and self.standing.best()[1] < SETTLED:
            costs = self.arms.costs
            gains = {name: self.standing.gain(name, costs) for name in left}
            name = max(gains, key=lambda n: gains[n])
            if gains[name] * costs.unit < (WORTH_WAITING if self.live else WORTH_IT):
                return
            self.arms.ahead = rungs_ahead(name, left, gains, self.standing.fails(name))
            yield from self._step(self._rung_named(name))
            del left[name]

    def _left(self) -> dict[str, Trial]:
        """The rungs that apply and are not tried yet."""
        untried = (rung for rung in self.rungs if rung.name not in self.arms.named)
        return {rung.name: trial for rung in untried if (trial := rung.make(self.case)) is not None}

    def _rung_named(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def _rungs_ahead(self) -> tuple[Trial, ...]:
        """What a ladder will begin with, if the failure is seen once more."""
        left, costs = self._left(), self.arms.costs
        gains = {name: self.standing.gain(name, costs) for name in left}
        name = max(gains, key=lambda n: gains[n], default="")
        return (left[name], left[name], *rungs_ahead(name, left, gains, self.standing.fails(name))) if name else ()

    def _step(self, rung: Rung) -> Search[None]:
        trial = rung.make(self.case)
        assert trial is not None
        yield from self._rung(rung, trial)

    def _rung(self, rung: Rung, trial: Trial) -> Search[None]:
        tried = self.arms.add(rung.name, rung.title, trial, Counts())
        before = dict(self.standing.ranked())
        if says_the_same(self.case, trial):
            return
        tried.outcome = yield from self.arms.decide(trial, tried.counts)
        self.standing.update(rung.name, tried.outcome)
        after = dict(self.standing.ranked())
        self.watch(list(after.items()))
        for verdict in before:
            if verdict not in after:
                self.verdict.ruled_out[verdict] = f"{rung.title}: failed {tried.counts}"

    def _settle(self) -> Search[None]:
        """Rungs that were decided while the control seemed steadier than it is are tried further."""
        for tried in self._climbed():
            trial = self._rung_named(tried.arm).make(self.case)
            if trial is None or trial.filters != tried.filters:
                continue  # it was made for the case, such as the slower exchange at a pace of its own
            if self.arms.says(tried.counts) is None:
                tried.outcome = yield from self.arms.decide(trial, tried.counts)
        self._reckon()

    def _reckon(self) -> None:
        self.standing = Standing(self.case, self.explanations)
        for tried in self._climbed():
            self.standing.update(tried.arm, tried.outcome)
        if self.verdict.ruled_out.get(rate.RATE) in rate.NO_PACE:
            self.standing.doubt(rate.RATE)

    def _climbed(self) -> list[Tried]:
        rungs = {rung.name for rung in self.rungs}
        return [tried for tried in self.verdict.ladder if tried.arm in rungs]

    # The reversal.

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
        narrow = Tried(f"{cure.arm}-fewest", f"{cure.title}: what matters", trial.filters, Counts(), Outcome.SURVIVED)
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

    def _rivals(self, category: str) -> float:
        """How probable explanations of other categories are together that what cured it would bear out as well."""
        cures = [t.arm for t in self.arms.named.values() if t.filters and " + ".join(t.filters) == self.verdict.cure]
        if self._only_silence():
            cures.append("silence")
        return sum(
            weight
            for name, weight in self.standing.weights.items()
            if name.partition("/")[0] != category
            and any(self.standing.explanations[name].cured_by(arm, self.case) for arm in cures)
        )

    def _only_silence(self) -> bool:
        """Whether a fix that takes some messages away comes to the same as silence: the client has nothing else to
        say."""
        heartbeats = self.verdict.cure.startswith("drop-heartbeat side=client")
        return heartbeats and len(self.case.beats) == len(self.case.frames)

    def _bearable(self, category: str) -> float:
        """How probable rivals may be. Silence cures whatever is said: it needs more to go on."""
        read = max(self.case.priors, key=lambda v: self.case.priors[v], default="")
        if read not in self.standing.explanations and self.case.priors.get(read, 0.0) > SURELY_READ:
            if read.partition("/")[0] != category:
                return -1.0  # what reading alone is sure of cannot be tried here
        answered = self.case.replied if self.shown == "server-handler/returns-after-message" else True
        answered = answered and not (self._only_silence() and self.verdict.law is None)
        return RIVALS if answered else UNANSWERED

    def _conclude(self) -> None:
        verdict = self.verdict
        verdict.standing = list(self.standing.ranked())
        if not verdict.reproduced:
            return
        if self.shown == CROWDED:
            verdict.verdict, verdict.trigger = CROWDED, "peer"
            verdict.proved = verdict.p < PROOF and verdict.law is not None and verdict.law.predicted > 0
            return
        explanation, probability = self.standing.best()
        category = explanation.verdict.partition("/")[0]
        together = sum(w for v, w in self.standing.weights.items() if v.partition("/")[0] == category)
        verdict.probability = probability
        if together < 0.6:
            return
        verdict.verdict = explanation.verdict
        verdict.trigger = explanation.trigger
        minimal = verdict.minimal
        if minimal is not None and minimal.frames:
            verdict.frame = minimal.frames[-1]
        elif self.case.suspect is not None and explanation.trigger == "frame":
            verdict.frame = self.case.suspect.n
        alone = category != "unknown" and self._rivals(category) <= self._bearable(category)
        checked = explanation.verdict != COUNTED or self.counted
        if explanation.verdict == COUNTED and not self.live and self.minimise:
            checked = checked and rate.counts_against(self.arms)
        if explanation.verdict == rate.RATE:
            checked = rate.shown_by(self.arms)
        # Without a law no more than a fix was compared, which fits many causes where several messages matter, or none
        # does, or where the search was cut short.
        other = minimal is not None and len(minimal.frames) != 1
        cut = (bool(verdict.stopped) or other) and self.minimise and explanation.trigger in ("frame", "count")
        holds = verdict.law.holds if verdict.law is not None else not cut
        verdict.proved = self.shown == explanation.verdict and verdict.p < PROOF and alone and checked and holds
        helps = verdict.without.failed <= HELPLESS * verdict.without.n
        verdict.proved = verdict.proved and helps and not verdict.changed
