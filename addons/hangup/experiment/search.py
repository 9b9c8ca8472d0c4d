"""The search: control, ladder, minimiser, reversal. One change at a time, repeated, and put back.

:func:`search` is a generator. It yields trials and is sent their results; who carries them out may throw
:class:`BudgetSpent` into it at any time, and gets what was learned so far. It returns a :class:`Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import replace

from hangup.errors import HangupError
from hangup.experiment.client_side import CLIENT_EXPLANATIONS, CLIENT_RUNGS
from hangup.experiment.evidence import ERROR, Counts, Outcome, claim, decide, fisher, most_trials
from hangup.experiment.ladder import Explanation, Rung, Standing, given_rungs
from hangup.experiment.minimise import minimise_frames, minimise_payload, minimise_size
from hangup.experiment.server_side import EXPLANATIONS, RUNGS
from hangup.experiment.trial import Case, ClientFrame, Edit, Result, Trial

T = TypeVar("T")
R = TypeVar("R")
Search = Generator[Trial, Result, T]

SETTLED = 0.985
"""An explanation this probable needs no further rung."""

WORTH_IT = 0.004
"""A rung that is expected to bring less than this (nats for its cost) is not tried."""

WORTH_WAITING = 0.02
"""The same for a live page, which must be waited for."""

PROOF = 0.01
"""How small Fisher's p must be for a proof."""

HASTY = 0.03
"""The error of a live ladder while the failure is steady: one trial decides a rung, as a person is waiting for each
reconnect; the reversal still asks for its proof."""

TRIES = 5
"""So many survivals of the unchanged exchange, and no failure: it is not reproduced here."""

BLUNT = ("silence", "suspect-dropped", "server-silence")
"""Cures that say little: whatever is wrong with a message, it does no harm when it is not sent."""

PAYLOAD_TRIES = 40
SHOWN_PAYLOAD = 4096


class BudgetSpent(HangupError):
    """The connections or seconds that an experiment may use are used up."""


class Tried(Struct):
    """A rung of the ladder, or a step of the minimiser, and what came of it."""

    arm: str
    title: str
    filters: tuple[str, ...]
    counts: Counts
    outcome: Outcome

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "arm": self.arm,
            "title": self.title,
            "filters": list(self.filters),
            "failed": self.counts.pair(),
            "unresolved": self.counts.unresolved,
            "outcome": self.outcome.value,
        }


class Minimal(Struct):
    """The smallest failing exchange: which of the client's frames, and the payload of the one that matters.

    ``neighbour`` is what is nearest to it and does not fail, in words.
    """

    frames: tuple[int, ...]
    payload: bytes | None = None
    opcode: str = ""
    neighbour: str = ""
    size_limit: int | None = None

    def summary(self) -> dict[str, object]:
        """For JSON."""
        payload = None if self.payload is None else self.payload[:SHOWN_PAYLOAD].decode(errors="backslashreplace")
        return {
            "frames": list(self.frames),
            "payload": payload,
            "opcode": self.opcode or None,
            "neighbour": self.neighbour or None,
            "size_limit": self.size_limit,
        }


class Verdict(Struct):
    """What the experiments say. ``counts`` are ``with`` the cause and ``without`` it."""

    verdict: str = "unknown/"
    proved: bool = False
    reproduced: bool = True
    probability: float = 0.0
    closer: str = "unknown"
    trigger: str = "none"
    frame: int | None = None
    cause: Counts = field(default_factory=Counts)
    without: Counts = field(default_factory=Counts)
    ladder: list[Tried] = field(default_factory=list)
    standing: list[tuple[str, float]] = field(default_factory=list)
    ruled_out: dict[str, str] = field(default_factory=dict)
    minimal: Minimal | None = None
    cure: str = ""
    connections: int = 0
    stopped: str = ""
    seed: int = 0
    instead: str = ""
    """What happened, where the failure did not."""

    @property
    def p(self) -> float:
        """Fisher's p of the counts."""
        return fisher(self.cause, self.without)

    @property
    def claim(self) -> str:
        """The counts in words."""
        return claim(self.cause, self.without)

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "verdict": self.verdict,
            "proved": self.proved,
            "reproduced": self.reproduced,
            "probability": round(self.probability, 4),
            "closer": self.closer,
            "trigger": {"kind": self.trigger, "frame": self.frame},
            "counts": {"with": self.cause.pair(), "without": self.without.pair(), "p": self.p},
            "ladder": [tried.summary() for tried in self.ladder],
            "standing": [{"verdict": v, "probability": round(w, 4)} for v, w in self.standing],
            "ruled_out": self.ruled_out,
            "minimal": self.minimal.summary() if self.minimal else None,
            "cure": self.cure or None,
            "connections": self.connections,
            "stopped": self.stopped or None,
            "instead": self.instead or None,
            "seed": self.seed,
        }


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
    rungs = [*given_rungs(given), *rungs]
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
        self.control = Counts()
        self.clients = 1
        self.said = ""
        self.explanations = CLIENT_EXPLANATIONS if case.by == "client" else EXPLANATIONS
        self.standing = Standing(case, self.explanations)
        self.verdict = verdict
        verdict.closer = case.by or "unknown"
        self.arms: dict[str, Tried] = {}

    def run(self) -> Search[Verdict]:
        try:
            yield from self._all()
        except BudgetSpent as spent:
            self.verdict.stopped = str(spent) or "the budget is spent"
        self._conclude()
        return self.verdict

    def _all(self) -> Search[None]:
        yield from self._reproduce()
        if not self.verdict.reproduced:
            return
        for _ in range(3):
            yield from self._climb()
            explanation, _ = self.standing.best()
            yield from self._reverse(explanation)
            # The reversal shows how often the control really fails, and what was decided before may be too hasty.
            yield from self._settle()
            if self.standing.best()[0] is explanation:
                break
        if self.minimise and explanation.trigger in ("frame", "count"):
            yield from self._shrink(explanation)

    # The control.

    def _reproduce(self) -> Search[None]:
        """The unchanged exchange must fail here too, twice at least; more often when it flickers."""
        self.verdict.reproduced = False
        yield from self._control(self._tried("control", "as it was recorded", Trial("control"), self.control))
        if not self.verdict.reproduced and self.case.overlaps and self.control.survived:
            # Alone it does not fail. The recorded client was not alone: from here on there are two.
            self.clients = 2
            self.control = Counts()
            title = "as it was recorded, two clients at once"
            yield from self._control(self._tried("control-of-two", title, Trial("control"), self.control))

    def _control(self, tried: Tried) -> Search[None]:
        while True:
            yield from self._try(Trial("control"), self.control)
            c = self.control
            if c.failed >= (2 if not c.survived else 4) or (c.failed >= 2 and c.n >= 12):
                tried.outcome = Outcome.FAILED
                self.verdict.reproduced = True
                return
            tries = 2 if self.case.overlaps and self.clients == 1 else TRIES
            if (c.survived >= tries and c.failed == 0) or c.n >= 20 or c.unresolved >= 4:
                tried.outcome = Outcome.SURVIVED if c.survived else Outcome.UNRESOLVED
                self.verdict.instead = self.said
                return

    # The ladder.

    def _climb(self) -> Search[None]:
        left = {rung.name: rung for rung in self.rungs if rung.make(self.case) is not None}
        while left and self.standing.best()[1] < SETTLED:
            gains = {name: self.standing.gain(name) for name in left}
            name = max(gains, key=lambda n: gains[n])
            if gains[name] < (WORTH_WAITING if self.live else WORTH_IT):
                return
            rung = left.pop(name)
            trial = rung.make(self.case)
            assert trial is not None
            yield from self._rung(rung, trial)

    def _rung(self, rung: Rung, trial: Trial) -> Search[None]:
        tried = self._tried(rung.name, rung.title, trial, Counts())
        before = dict(self.standing.ranked())
        tried.outcome = yield from self._decide(trial, tried.counts)
        self.standing.update(rung.name, tried.outcome)
        after = dict(self.standing.ranked())
        self.watch(list(after.items()))
        for verdict in before:
            if verdict not in after:
                self.verdict.ruled_out[verdict] = f"{rung.title}: failed {tried.counts}"

    def _settle(self) -> Search[None]:
        """Rungs that were decided while the control seemed steadier than it is are tried further."""
        for tried in self._climbed():
            rung = next(rung for rung in self.rungs if rung.name == tried.arm)
            trial = rung.make(self.case)
            assert trial is not None
            if self._says(tried.counts) is None:
                tried.outcome = yield from self._decide(trial, tried.counts)
        self.standing = Standing(self.case, self.explanations)
        for tried in self._climbed():
            self.standing.update(tried.arm, tried.outcome)

    def _climbed(self) -> list[Tried]:
        return [
            tried for tried in self.verdict.ladder if not tried.arm.startswith("control-of") and tried.arm != "control"
        ]

    # The minimiser.

    def _shrink(self, explanation: Explanation) -> Search[None]:
        case = self.case
        guesses = [f.n for f in ([case.suspect] if case.suspect else []) + case.beats[-1:]]
        asking = minimise_frames([f.n for f in case.frames], dict.fromkeys(guesses))
        frames = yield from self._ask(asking, lambda kept: Trial("frames", frames=tuple(kept)))
        minimal = self.verdict.minimal = Minimal(frames)
        if len(frames) > 1:
            minimal.neighbour = "without any one of these frames it survives"
        if len(frames) != 1 or explanation.trigger == "count":
            return
        frame = next(f for f in case.frames if f.n == frames[0])
        minimal.payload, minimal.opcode = frame.payload, frame.opcode
        minimal.neighbour = "without this frame it survives"
        if explanation.verdict == "message/oversize":
            yield from self._limit(frame, minimal)
        else:
            yield from self._payload(frame, minimal)

    def _payload(self, frame: ClientFrame, minimal: Minimal) -> Search[None]:
        def trial(payload: bytes) -> Trial:
            return Trial("payload", frames=(frame.n,), edits=((frame.n, Edit(payload)),))

        asking = minimise_payload(frame.payload, text=frame.text, most=PAYLOAD_TRIES)
        survivors: list[bytes] = []
        payload = yield from self._ask(asking, trial, survivors)
        minimal.payload = payload
        near = min(survivors, key=lambda s: abs(len(s) - len(payload)), default=None)
        if near is not None:
            minimal.neighbour = f"{near[:60].decode(errors='backslashreplace')!r} in its place survives"

    def _limit(self, frame: ClientFrame, minimal: Minimal) -> Search[None]:
        def trial(size: int) -> Trial:
            return Trial("size", frames=(frame.n,), edits=((frame.n, Edit(_of_size(frame.payload, size))),))

        low, high = yield from self._ask(minimise_size(0, len(frame.payload)), trial)
        minimal.size_limit = low
        minimal.payload = _of_size(frame.payload, high)
        minimal.neighbour = f"with {low} bytes it survives"

    def _ask(
        self, asking: Generator[T, bool, R], make: Callable[[T], Trial], survivors: list[T] | None = None
    ) -> Generator[Trial, Result, R]:
        try:
            candidate = next(asking)
            while True:
                outcome = yield from self._decide(make(candidate), Counts())
                if outcome is Outcome.SURVIVED and survivors is not None:
                    survivors.append(candidate)
                candidate = asking.send(outcome is Outcome.FAILED)
        except StopIteration as stop:
            return cast(R, stop.value)

    # The reversal.

    def _reverse(self, explanation: Explanation) -> Search[None]:
        """The cause is taken away and put back in turn, until the counts speak."""
        verdict = self.verdict
        verdict.cause = self.control
        cure = self._cure(explanation)
        if cure is None or cure.arm in BLUNT:
            cure = (yield from self._find_cure(explanation)) or cure
        if cure is None:
            # Nothing that the client does makes a difference: then saying nothing fails as often.
            silence = self.arms.get("silence")
            while silence is not None and silence.outcome is Outcome.FAILED and silence.counts.failed < 3:
                yield from self._try(Trial("silence", silence.filters), silence.counts)
            while self.control.failed < 3 and self.control.failed > self.control.survived:
                yield from self._try(Trial("control"), self.control)
            return
        verdict.cure = " + ".join(cure.filters)
        verdict.without = cure.counts
        most = 2 * most_trials(self.control) + 8
        while fisher(self.control, cure.counts) >= PROOF and cure.counts.n < most:
            yield from self._try(Trial("control"), self.control)
            yield from self._try(Trial(cure.arm, cure.filters), cure.counts)

    def _find_cure(self, explanation: Explanation) -> Search[Tried | None]:
        """A rung that the explanation survives, if the ladder could do without it; the best explanation may change."""
        for rung in sorted(reversed(self.rungs), key=lambda rung: rung.name in BLUNT):
            trial = rung.make(self.case)
            if rung.name in self.arms or not explanation.cured_by(rung.name) or trial is None or not trial.filters:
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
            for tried in self.arms.values()
            if tried.outcome is Outcome.SURVIVED and tried.filters and explanation.cured_by(tried.arm)
        ]
        telling = [tried for tried in able if tried.arm not in BLUNT]
        order = telling or [t for t in able if t.arm == "suspect-dropped"] or able
        return order[0] if order else None

    # Trials.

    def _tried(self, name: str, title: str, trial: Trial, counts: Counts) -> Tried:
        tried = Tried(name, title, trial.filters, counts, Outcome.UNRESOLVED)
        self.arms[name] = tried
        self.verdict.ladder.append(tried)
        return tried

    def _try(self, trial: Trial, counts: Counts) -> Search[Outcome]:
        clients = 1 if self.live else max(trial.clients, self.clients)  # a page's other connections are there anyhow
        if trial.clients != clients:
            trial = replace(trial, clients=clients)
        self.verdict.connections += trial.clients
        result = yield trial
        counts.add(result.outcome)
        self.said = result.sentence
        return result.outcome

    def _decide(self, trial: Trial, counts: Counts) -> Search[Outcome]:
        """Repeats a trial until its outcomes speak; when they disagree, or come to nothing, it is unresolved."""
        most = most_trials(self.control, error=self._error)
        while counts.n < most and counts.unresolved < 3:
            yield from self._try(trial, counts)
            outcome = self._says(counts)
            if outcome is not None:
                return outcome
        return Outcome.UNRESOLVED

    @property
    def _error(self) -> float:
        """A ladder has many rungs, and where outcomes flicker each may mislead: there more is asked of them."""
        if self.live and not self.control.survived:
            return HASTY
        return 0.002 if self.control.survived else ERROR

    def _says(self, counts: Counts) -> Outcome | None:
        return decide(counts, self.control, error=self._error)

    def _conclude(self) -> None:
        verdict = self.verdict
        verdict.standing = list(self.standing.ranked())
        if not verdict.reproduced:
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
        silence = self.arms.get("silence")
        if verdict.cure:
            verdict.proved = verdict.p < PROOF and not verdict.stopped
        elif explanation.verdict == "server-handler/returns-immediately":
            verdict.proved = silence is not None and silence.counts.failed >= 3 and not silence.counts.survived
            if silence is None and not self.case.frames:  # the recorded client said nothing: the control is the silence
                verdict.proved = self.control.failed >= 3 and not self.control.survived


def _of_size(payload: bytes, size: int) -> bytes:
    """The payload cut, or made longer by repeating it, to ``size`` bytes of text."""
    if not payload:
        return b"a" * size
    return (payload * (size // len(payload) + 1))[:size]
