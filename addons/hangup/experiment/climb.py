"""The control and the ladder: is the failure seen here, and which explanations stand after each thing that is tried."""

from __future__ import annotations

from collections.abc import Callable

from hangup.experiment import rate
from hangup.experiment.arms import Arms, Search, pings_arrive, says_the_same
from hangup.experiment.claim import Claim
from hangup.experiment.clocks import counting
from hangup.experiment.costs import rungs_ahead
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import BROKEN_PING, BROKEN_PONG, CLIENT_KEEPALIVE, GIVEN, Rung, Standing
from hangup.experiment.priors import explanations
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Tried, Verdict

SETTLED = 0.985
"""An explanation this probable needs no further rung."""

WORTH_IT = 0.004
"""A rung that is expected to bring less than this (nats in the time of a failure, or a third of a survival's) is not
tried."""

WORTH_WAITING = 0.02
"""The same for a live page, which must be waited for."""

TRIES = 5
"""So many survivals of the unchanged exchange, and no failure: it is not reproduced here."""

Watch = Callable[[list[tuple[str, float]]], None]
"""Is told how probable each explanation that stands is, the most probable first."""


class Climb:
    """What a search knows, and its ladder. ``live``, ``rungs`` and ``watch`` as in
    :func:`~hangup.experiment.search.search`."""

    def __init__(
        self, case: Case, live: bool, rungs: tuple[Rung, ...], minimise: bool, watch: Watch, verdict: Verdict
    ) -> None:
        self.case = case
        self.live = live
        self.watch = watch
        self.rungs = [rung for rung in rungs if rung.live or not live]
        self.minimise = minimise
        self.explanations = explanations("client" if case.asks_client else "server")
        self.standing = Standing(case, self.explanations)
        self.verdict = verdict
        verdict.titles = {rung.name: rung.title for rung in self.rungs}
        verdict.closer = case.by or "unknown"
        self.arms = Arms(case, live, verdict)
        self.outcomes: list[Outcome] = []
        """What came of the control, in order."""
        self.shown = ""
        """The verdict that the counts are about."""
        self.borne_out = ""
        """The cause that a law which held says by itself, where it says one."""
        self.nameless = False
        """A law held that leaves open which cause it is."""
        self.surprises: list[str] = []
        """Rungs that were survived though they should have failed, and that are no accident."""
        self.crowded = False
        """Whether it is how many connections there are, or which."""
        self.counted = False
        """Whether a number of messages was held against all trials."""
        self.paced: Claim | None = None
        """The law of a pace that is too high."""
        self.asked_pace = False

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
        elif self.verdict.reproduced:
            self.standing.failed_alone()

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
        if rung.name == CLIENT_KEEPALIVE:  # what keeps it open may be messages of one kind only
            trial = counting(self.arms) or trial
        yield from self._rung(rung, trial)

    def _rung(self, rung: Rung, trial: Trial) -> Search[None]:
        tried = self.arms.add(rung.name, rung.title, trial, Counts())
        before = dict(self.standing.ranked())
        if says_the_same(self.case, trial):
            return
        tried.outcome = yield from self.arms.decide(trial, tried.counts)
        if rung == BROKEN_PONG and tried.outcome is Outcome.FAILED and (guard := BROKEN_PING.make(self.case)):
            beside = self.arms.add(BROKEN_PING.name, BROKEN_PING.title, guard, Counts())
            yield from self.arms.decide(guard, beside.counts)  # its outcome is an end of its own, and no fix
        self.standing.update(rung.name, self._tells(tried))
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
        if self.arms.clients == 1 and self.verdict.reproduced:
            self.standing.failed_alone()
        for tried in self._climbed():
            self.standing.update(tried.arm, self._tells(tried))
        for arm in self.surprises:
            self.standing.update(arm, Outcome.SURVIVED)
        if self.verdict.ruled_out.get(rate.RATE) in rate.NO_PACE:
            self.standing.doubt(rate.RATE)

    def _tells(self, tried: Tried) -> Outcome:
        """What a rung says of the explanations: an invalid pong without effect says nothing of pongs where an invalid
        ping has none either."""
        if tried.arm != BROKEN_PONG.name or tried.outcome is not Outcome.FAILED:
            return tried.outcome
        return tried.outcome if pings_arrive(self.arms) else Outcome.UNRESOLVED

    def _climbed(self) -> list[Tried]:
        rungs = {rung.name for rung in self.rungs}
        return [tried for tried in self.verdict.ladder if tried.arm in rungs]
