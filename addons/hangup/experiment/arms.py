"""The arms of a search: what is tried, how often, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import TypeVar

from msgspec.structs import replace

from hangup.experiment.costs import CONNECTING, RECONNECTING, Costs
from hangup.experiment.evidence import ERROR, Counts, Outcome, decide, most_trials
from hangup.experiment.failure import Failure
from hangup.experiment.ladder import BROKEN_PING
from hangup.experiment.margins import Margins
from hangup.experiment.timers import Pulse
from hangup.experiment.trial import Case, ClientFrame, Result, Trial
from hangup.experiment.verdict import BudgetSpent, Tried, Verdict
from hangup.humanize import plural, printable, printable_bytes

T = TypeVar("T")
R = TypeVar("R")
Search = Generator[Trial, Result, T]
"""Yields trials, is sent their results."""

HASTY = 0.03
"""The error of a live ladder while the failure is steady: one trial decides a rung, as a person is waiting for each
reconnect; the reversal still asks for its proof."""

LOOKS, AGAIN = 3, 3
"""So often the unchanged exchange is tried again, so many times, when an arm's outcomes disagree."""

OFTEN_SO = 3
"""So often must trials have ended in one other way for one more such end to be believed at once."""

GONE = 6
"""When the backend cannot be reached so many times in a row, something has brought it down for good."""


def _says_otherwise(trial: Trial) -> bool:
    """Whether a trial changes what the client says: that may end a connection for reasons of its own."""
    changed = any(filter.startswith(("flip-opcode", "rewrite")) for filter in trial.filters)
    return changed or bool(trial.edits or trial.before)


def says_the_same(case: Case, trial: Trial) -> bool:
    """Whether the edits of a trial leave all messages as they were: it is no evidence of what they should change."""
    said = {frame.n: frame for frame in case.frames}
    edits = [(said[n], edit) for n, edit in trial.edits if n in said]
    return bool(edits) and all(f.payload == e.payload and e.opcode in ("", f.opcode) for f, e in edits)


def _keeps_back(trial: Trial) -> bool:
    """Whether what the client says goes on later than it says it: then its moments tell nothing."""
    return any(filter.startswith(("throttle", "delay", "max-unanswered")) for filter in trial.filters)


def _gone(before: Trial | None) -> str:
    """That the server is not there any more, and what it was sent last; None where nothing was."""
    if before is None:
        return "the server does not answer"
    if said := [*before.before, *before.edits]:
        did = f"sent {printable_bytes(said[-1][1].payload, 80)!r}"
    elif before.filters:
        did = f"tried it with `{printable(' + '.join(before.filters), 120)}`"
    elif before.frames is not None:
        did = f"sent only {plural(len(before.frames), 'message')} of the recording"
    else:
        did = "sent what was recorded"
    return f"the server stopped answering after hangup {did}"


class Arms:
    """Tries, and keeps count in ``verdict``. ``control`` is the unchanged exchange, ``clients`` how many play it at
    once; ``pulses`` are of all trials with one client that had one."""

    def __init__(self, case: Case, live: bool, verdict: Verdict) -> None:
        self.case = case
        self.live = live
        self.verdict = verdict
        self.control = Counts()
        self._learned: list[Counts] = []
        """The outcomes of arms that fail as the control does."""
        self._looked = 0
        self.idle = False
        """Whether the last trial's filters acted on nothing."""
        self.unsure = False
        """Whether something smaller came to nothing: then the smallest need not be."""
        self.untold = False
        """Whether it could not be told apart what the smallest exchange is an instance of: then no law is said."""
        self.sooner: tuple[ClientFrame, ...] = ()
        """What was said until the end when as many messages as were recorded ended it after another number of them."""
        self.hurried = False
        """Whether it stays open where all is said more slowly, and no pace was found: something comes too early."""
        self.together = 0
        """How many trials had others beside them."""
        self.alone = False
        """Whether no trials run side by side any more: they disturb one another."""
        self.clients = 1
        self.last = Result(Outcome.UNRESOLVED)
        self.pulses: list[Pulse] = []
        self.ahead: tuple[Trial, ...] = ()
        """What will probably be asked for after the next trial; carried out with it where trials take long."""
        self._margins = Margins(Failure(), case.lifetime)
        self._before: Trial | None = None
        """The trial after which the backend could not be reached."""
        self._unreachable = 0
        self.named: dict[str, Tried] = {}
        self._other_ways: Counter[str] = Counter()
        """How often trials ended in each way that is not the failure's."""

    def add(self, name: str, title: str, trial: Trial, counts: Counts) -> Tried:
        """A new arm."""
        tried = Tried(name, title, trial.filters, counts, Outcome.UNRESOLVED)
        self.named[name] = tried
        self.verdict.ladder.append(tried)
        return tried

    def attempt(self, trial: Trial, counts: Counts, beside: tuple[Trial, ...] = ()) -> Search[Outcome]:
        """One trial. ``beside`` are those that are likely to follow."""
        clients = 1 if self.live else max(trial.clients, self.clients)  # a page's other connections are there anyhow
        if trial.clients != clients:
            trial = replace(trial, clients=clients)
        self.verdict.connections += trial.clients + len(trial.neighbours)
        if not self.live and self.costs.long:
            beside = (*beside, *self.ahead)
        self.ahead = ()
        if self.alone:
            trial, beside = replace(trial, alone=True), ()
        result = self.last = yield (replace(trial, beside=beside) if beside else trial)
        self.together += result.together
        self._margins.learn(trial, result)
        if result.another:
            self._other_ways[result.another.partition(",")[0]] += 1
            for tried in self.verdict.ladder:
                if tried.counts is counts:
                    tried.another = result.another
        self.idle = bool(trial.filters) and result.acted == 0 and not (trial.edits or trial.frames is not None)
        if self.idle and result.outcome is not Outcome.UNRESOLVED:
            # It changed nothing: no evidence for what it should have changed. With nothing else of its own either, it
            # was one more unchanged run.
            own = trial.otherwise is not None or trial.patience is not None or trial.stagger or clients != self.clients
            if not own:
                self.control.add(result.outcome)
            counts.add(Outcome.UNRESOLVED)
            return Outcome.UNRESOLVED
        counts.add(result.outcome)
        if not result.unreachable:
            self._before, self._unreachable = trial, 0
        else:
            self._unreachable += 1
            if self._unreachable >= GONE:
                raise BudgetSpent(_gone(self._before))
        alone = clients == 1 and not trial.neighbours
        if result.pulse is not None and alone and trial.otherwise is None and not (
            _says_otherwise(trial) or _keeps_back(trial)
        ):
            self.pulses.append(result.pulse)
        return result.outcome

    @property
    def costs(self) -> Costs:
        """What a trial takes."""
        more = RECONNECTING if self.live else CONNECTING
        return Costs(self._margins.fails_after + more, self._margins.survived + more)

    def decide(self, trial: Trial, counts: Counts) -> Search[Outcome]:
        """Repeats a trial until its outcomes speak; when they disagree, or come to nothing, it is unresolved."""
        most = most_trials(self.known, error=self._error)
        while counts.n < most and counts.unresolved < (2 if self.live else 3):
            if counts.unresolved and self._again_so(counts):
                break
            yield from self.attempt(trial, counts, () if counts.n % 2 or self.live else (trial,))
            outcome = self.says(counts)
            if outcome is not None:
                if outcome is Outcome.FAILED:
                    self._learn(counts)
                return outcome
            if self.idle and (self.live or counts.unresolved >= 2):
                break
            if counts.failed and counts.survived:
                yield from self._look_again()
        return Outcome.UNRESOLVED

    def _again_so(self, counts: Counts) -> bool:
        """Whether it ended in another way that was seen often enough: what is so once will be so again."""
        way = self.last.another.partition(",")[0]
        return bool(way) and not counts.n and self._other_ways[way] >= OFTEN_SO

    def _look_again(self) -> Search[None]:
        """An arm whose outcomes disagree, though the failure seemed to come every time: does it?"""
        if self.live or self.known.survived or self._looked >= LOOKS:
            return
        self._looked += 1
        for _ in range(AGAIN):
            yield from self.attempt(Trial("control"), self.control)

    def says(self, counts: Counts) -> Outcome | None:
        """What these outcomes say, None when they are too few."""
        return decide(counts, self.known, error=self._error)

    @property
    def known(self) -> Counts:
        """How often the failure comes: by the control, and by what was found to fail as it does."""
        counted = (self.control, *self._learned)
        return Counts(sum(each.failed for each in counted), sum(each.survived for each in counted))

    @property
    def rate(self) -> float:
        """How often the failure comes, 1 while it never stayed away."""
        known = self.known
        return known.failed / known.n if known.survived else 1.0

    def _learn(self, counts: Counts) -> None:
        """An arm fails as the control does: its outcomes tell how often that is, too."""
        if counts is not self.control and all(counts is not each for each in self._learned):
            self._learned.append(counts)

    @property
    def _error(self) -> float:
        """A ladder has many rungs, and where outcomes flicker each may mislead: there more is asked of them."""
        if self.live and not self.control.survived:
            return HASTY
        return 0.002 if self.known.survived else ERROR


def pings_arrive(arms: Arms) -> bool:
    """Whether an invalid ping frame was seen to end the connection there and then."""
    tried = arms.named.get(BROKEN_PING.name)
    return tried is not None and tried.counts.survived > tried.counts.failed
