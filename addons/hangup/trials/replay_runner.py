"""Where trials are carried out: each is one play of the recorded client against the target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hangup.errors import BackendError
from hangup.experiment.costs import CONNECTING, Costs
from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure
from hangup.experiment.margins import Margins
from hangup.experiment.pacing import failure_in, patience
from hangup.experiment.search import BudgetSpent, Search, Verdict
from hangup.experiment.trial import Case, Result, Trial
from hangup.filters.filter_set import FilterSet
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import EventSink
from hangup.replayable.client_script import Transcript
from hangup.trials.company import AT_ONCE, Company
from hangup.trials.lateness import Lateness
from hangup.trials.message_times import MessageTimesSink
from hangup.trials.neighbours import Others
from hangup.trials.trial_result import result_of
from hangup.wire.url import Target

Progress = Callable[[Trial, Result], None]


RESPITE = 0.3
"""Seconds that a backend which was never reached has to come up before the next trial."""

OPEN = 0.6
"""Seconds that a connection must stay open of which it was the handshake that failed."""

RETURN = 3.0
"""Seconds that one has to come back that was there: what the trial before it did may have ended its process."""


PARALLEL = 8
"""Trials at once."""


class Budget(Struct):
    """How many connections and seconds an experiment may use."""

    connections: int = 400
    seconds: float = 600.0


class ReplayRunner:
    """Carries out a search by replay. ``sink`` records every trial; ``progress`` is told of each.

    ``direct`` is the backend itself, where ``target`` is what stands before it. ``other`` gives the transcript of
    another connection of the recording, by its number.
    ``survive`` is by how many seconds a trial must outlive the failure to have survived, None to learn it. Up to
    ``parallel`` trials are carried out at once, where they do not disturb one another.
    """

    def __init__(
        self,
        transcript: Transcript,
        target: Target,
        failure: Failure,
        case: Case,
        sink: EventSink,
        *,
        budget: Budget | None = None,
        survive: float | None = None,
        seed: int = 0,
        insecure: bool = False,
        ca: Path | None = None,
        parallel: int = PARALLEL,
        direct: Target | None = None,
        other: Callable[[int], Transcript] | None = None,
        progress: Progress = lambda trial, result: None,
    ) -> None:
        self.transcript = transcript
        self.target = target
        self.direct = direct
        self._others = Others(other, target, insecure=insecure, ca=ca)
        self.failure = failure
        self.case = case
        self.sink = sink
        self.budget = budget or Budget()
        self.survive = survive
        self.margins = Margins(failure, case.lifetime, survive)
        self.seed = seed
        self.insecure = insecure
        self.ca = ca
        self.progress = progress
        self.company = Company(1 if case.overlaps else parallel, 0.0 if case.asks_client else case.lifetime)
        self.connections = 0
        self.trials: list[tuple[Trial, Result]] = []
        """What was tried so far, and what came of it."""
        self._started = asyncio.get_running_loop().time()
        self._reached = False
        self._lateness = Lateness()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return asyncio.get_running_loop().time() - self._started

    @property
    def costs(self) -> Costs:
        """What a trial takes."""
        return Costs(self.margins.fails_after + CONNECTING, self.margins.survived + CONNECTING)

    async def run(self, search: Search[Verdict]) -> Verdict:
        """Carries it out to its end, or to the end of the budget."""
        with self._lateness:
            return await self._run(search)

    async def _run(self, search: Search[Verdict]) -> Verdict:
        try:
            trial = next(search)
            while True:
                if self.connections + trial.clients > self.budget.connections:
                    trial = search.throw(BudgetSpent(f"budget exhausted: {self.budget.connections} connections"))
                elif self.seconds > self.budget.seconds:
                    trial = search.throw(BudgetSpent(f"budget exhausted: {self.budget.seconds:g} seconds"))
                else:
                    try:
                        async with asyncio.timeout(self.budget.seconds - self.seconds) as limit:
                            result = await self.carry_out(trial)
                    except TimeoutError:
                        if not limit.expired():
                            raise
                        continue  # the budget is spent in the midst of it
                    except asyncio.CancelledError:
                        # Somebody interrupts: what was learned so far is worth having.
                        _stay()
                        trial = search.throw(BudgetSpent("interrupted"))
                        continue
                    self.progress(trial, result)
                    trial = search.send(result)
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict

    async def carry_out(self, trial: Trial) -> Result:
        """One trial, and others with it that will be asked for next."""
        if (known := self.company.take(trial)) is not None:
            return known
        room = max(1, self.budget.connections - self.connections)
        trials = self.company.plan(trial)[:room]
        apart = self.company.apart(trials)
        results = await asyncio.gather(
            *(self._one(each, len(trials) > 1, number * apart) for number, each in enumerate(trials))
        )
        if not self.company.learn(trials, results):
            return await self.carry_out(trial)
        return results[0]

    async def _one(self, trial: Trial, together: bool, after: float = 0.0) -> Result:
        """A trial, after so many seconds: its clients at once, or one after the other, of which any that fails is a
        failure."""
        await asyncio.sleep(after)
        began = asyncio.get_running_loop().time()
        results = await asyncio.gather(*(self._play(trial, k) for k in range(trial.clients)))
        left = [each.left_at for each in results if each.left_at is not None]
        results = [_by_itself(each, left) for each in results]
        order = [Outcome.FAILED, Outcome.UNRESOLVED, Outcome.SURVIVED]
        result = min(results, key=lambda each: order.index(each.outcome))
        if len(results) > 1:
            conns = tuple(each.conn for each in results if each.conn is not None)
            spans = tuple(span for each in results for span in each.spans)
            acted = sum(each.acted or 0 for each in results)
            result = replace(result, conns=conns, spans=spans, pulse=None, acted=acted)
        result = replace(result, late=self._lateness.since(began), together=together)
        self.margins.learn(trial, result)
        self.trials.append((trial, result))
        return result

    async def _play(self, trial: Trial, client: int) -> Result:
        await asyncio.sleep(trial.rest + client * trial.stagger)
        result = await self._play_once(trial)
        if result.unreachable and self._reached and await self._returned():
            self.company.restarted()
            return await self._play_once(trial)
        self._reached = self._reached or not result.unreachable
        return result

    async def _returned(self) -> bool:
        """Waits until the backend takes connections again; whether it does."""
        deadline = asyncio.get_running_loop().time() + RETURN
        while asyncio.get_running_loop().time() < deadline:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(self.target.host, self.target.port)
                writer.close()
                return True
            await asyncio.sleep(0.05)
        return False

    async def _play_once(self, trial: Trial) -> Result:
        self.connections += 1 + len(trial.neighbours)
        conn = self.connections
        async with self._others.beside(self.transcript, trial.neighbours, conn, self.sink, self.seed):
            result = await self._play_main(trial, conn)
        conns = tuple(range(conn - len(trial.neighbours), conn + 1))
        beside = [self.sink.ledger.connections.get(number) for number in conns[:-1]]
        if any(each is None or each.opened is None for each in beside):
            why = "another connection that was to be there did not open"
            return replace(result, outcome=Outcome.UNRESOLVED, untried=why, conns=conns)
        return replace(result, conns=conns) if beside else result

    async def _play_main(self, trial: Trial, conn: int) -> Result:
        sink = MessageTimesSink(self.sink, last_words=bool(self.failure.words))
        settings = ReplaySettings(
            pace="clock" if trial.speed > 1 and not self.transcript.survey.correlations else "causal",
            speed=trial.speed,
            survive=self._patience(trial),
            seed=self.seed + conn,
            insecure=self.insecure,
            ca=self.ca,
            patience=1.0 / min(1.0, trial.speed),
            rule=self.case.client_rule,
            gives_up=trial.gives_up,
            # A client that was told to go closes because of that: it is what the server does that is looked at.
            leaves=False if self.case.by == "server" and self.transcript.survey.by == "client" else None,
        )
        frames = None if trial.frames is None else frozenset(trial.frames)
        filters = FilterSet(trial.filters)
        try:
            outcome = await play(
                self.transcript,
                self.direct if trial.direct and self.direct is not None else self.target,
                sink,
                settings,
                conn=conn,
                filters=filters,
                frames=frames,
                edits=dict(trial.edits),
                before=trial.before,
            )
        except BackendError as error:
            if not self._reached:
                await asyncio.sleep(RESPITE)
            return Result(Outcome.UNRESOLVED, None, conn, str(error), unreachable=True, untried=str(error))
        live = outcome.live
        failure = failure_in(trial, self.case, self.margins.failure)
        recorded = self.transcript.survey.connection
        result = result_of(trial, live, recorded, failure, sink.last_words(live) if failure.words else None)
        spans = () if live.opened is None else ((live.opened, live.ended if live.manner is not None else None),)
        acted = sum(entry.hits for entry in filters)
        if outcome.survived:
            result = replace(result, left_at=live.ending.at)
        return replace(result, spans=spans, pulse=sink.pulse(live, self.failure), acted=acted)

    def _patience(self, trial: Trial) -> float | None:
        """How long a trial must stay open to have survived, in seconds."""
        if self.failure.how == "refused" and trial.patience is None:  # it need only open, and stay open
            return OPEN + (self.survive or 0.0)
        return patience(trial, self.case, self.margins.of(trial))


def _by_itself(result: Result, left: Sequence[float]) -> Result:
    """What came of one of several clients; where it ended just as the replay ended another (at these times), it did
    so for that."""
    ends = [over for _, over in result.spans if over is not None]
    if result.outcome is Outcome.FAILED and any(0 <= over - at <= AT_ONCE for over in ends for at in left):
        return replace(result, outcome=Outcome.SURVIVED)
    return result


def _stay() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
