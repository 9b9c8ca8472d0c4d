"""A simulated backend in simulated time: what becomes of one trial of a search, through the real filters.

A :class:`Plant` says which exchange was recorded and what its backend really goes by. A :class:`World` plays trials
against it: the noise (a failure that flickers, drops that have nothing to do with it) and the history (what one
connection leaves behind for the next) are its own, and come from a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random

from hangup.experiment.evidence import Outcome
from hangup.experiment.timers import Pulse
from hangup.experiment.trial import Case, Result, Trial
from hangup.experiment.verdict import Verdict
from hangup.filters import base
from hangup.filters import text as filter_text
from hangup.filters.base import Message
from hangup.filters.library.answer_ping import AnswerPing
from hangup.filters.library.inject import Inject
from hangup.filters.library.keepalive import Keepalive
from hangup.recording.events import Request
from hangup.wire.frames import OPCODE_NUMBERS

PROMPT = 0.003
"""Seconds in which a server answers a message by an end."""

BROKEN = 1002
"""Ends with another code than the failure's: they are another end."""


@dataclass
class Played:
    """What reaches the backend: ``said`` are messages and control frames (seconds, opcode, payload), in order."""

    said: list[tuple[float, str, bytes]]
    request: Request
    clients: int
    acted: int = 0
    broken: float | None = None
    """When a frame came that breaks the rules."""

    @property
    def messages(self) -> list[tuple[float, str, bytes]]:
        """All but control frames."""
        return [each for each in self.said if each[1] in ("text", "binary")]


@dataclass(frozen=True)
class End:
    """How the backend ends a connection: when, and whether as the failure does or in another way."""

    at: float
    another: str = ""


OPCODE_NAMES = {number: name for name, number in OPCODE_NUMBERS.items() if number}

Truth = Callable[[Played], End | None]
"""What a backend does with an exchange, when nothing flickers."""


@dataclass
class Past:
    """What a backend remembers of earlier connections."""

    connections: int = 0
    failures: int = 0
    last: Outcome | None = None
    clock: float = 0.0


@dataclass
class Plant:
    """A recorded failure, and what it really goes by. ``names`` are beginnings of verdicts that name it rightly;
    ``exact`` says whether a threshold was found. ``history`` overrules the truth: it is asked first, and says
    ``fail``, ``survive``, ``another`` or ``gone``; empty where it has nothing to say."""

    case: Case
    truth: Truth
    names: tuple[str, ...] = ()
    exact: Callable[[Verdict], bool] | None = None
    rate: float = 1.0
    stray: float = 0.0
    stray_alike: bool = False
    history: Callable[[Past, Random], str] = lambda past, rng: ""
    caused: bool = True
    """Whether it is the traffic that makes it fail."""


@dataclass
class World:
    """Plays trials against a plant; all chance comes from ``rng``."""

    plant: Plant
    rng: Random
    past: Past = field(default_factory=Past)

    def play(self, trial: Trial) -> Result:
        """One trial."""
        plant, past = self.plant, self.past
        played = play(plant.case, trial)
        past.connections += trial.clients
        patience = trial.patience if trial.patience is not None else 1.5 * plant.case.lifetime + 0.75
        said = plant.history(past, self.rng)
        if said == "gone":
            return Result(Outcome.UNRESOLVED, unreachable=True, untried="refused")
        end = plant.truth(played)
        if end is not None and not end.another and self.rng.random() >= plant.rate:
            end = None
        if said == "survive":
            end = None
        elif said in ("fail", "another"):
            last = played.messages[-1][0] if played.messages else 0.01
            end = End(last + PROMPT, "closed with another code" if said == "another" else "")
        if plant.stray and self.rng.random() < plant.stray:
            at = self.rng.uniform(0.0, min(plant.case.lifetime, end.at if end is not None else patience))
            end = End(at, "" if plant.stray_alike else "somebody cut it off")
        result = self._result(trial, played, end, patience)
        past.last = result.outcome
        past.failures += result.outcome is Outcome.FAILED
        past.clock += result.lifetime or 0.0
        return result

    def _result(self, trial: Trial, played: Played, end: End | None, patience: float) -> Result:
        acted = played.acted
        if played.broken is not None and (end is None or end.at > played.broken):
            end = End(played.broken + PROMPT, f"closed with {BROKEN}")
        if end is not None and end.at > patience:
            end = None
        if end is None:
            age = patience
            outcome, another = Outcome.SURVIVED, ""
        else:
            age = end.at
            outcome, another = (Outcome.UNRESOLVED, end.another) if end.another else (Outcome.FAILED, "")
        if trial.otherwise is not None and end is not None:
            sooner = bool(end.another) or age < trial.otherwise
            outcome, another = Outcome.SURVIVED if sooner else Outcome.FAILED, ""
        pulse = None
        if self.plant.case.how != "refused" and not (end is not None and end.another):
            heard = tuple((at, opcode in ("text", "binary")) for at, opcode, _ in played.said if at <= age)
            pulse = Pulse(age, end is not None, heard)
        return Result(outcome, age, acted=acted, another=another, pulse=pulse)


def ends(plant: Plant, trial: Trial) -> Outcome:
    """What comes of a trial when nothing flickers and nothing is left of earlier ones."""
    quiet = Plant(plant.case, plant.truth)
    return World(quiet, Random(0)).play(trial).outcome


parsed = cache(filter_text.parse)


def play(case: Case, trial: Trial) -> Played:
    """The exchange of a trial, as it reaches the backend."""
    edits = dict(trial.edits)
    patience = trial.patience if trial.patience is not None else 1.5 * case.lifetime + 0.75
    filters = [parsed(form) for form in trial.filters]
    played = Played([], case.request, trial.clients)
    kept = [f for f in case.frames if trial.frames is None or f.n in trial.frames]
    for index, frame in enumerate(kept, 1):
        opcode, payload = frame.opcode, frame.payload
        if frame.n in edits:
            opcode, payload = edits[frame.n].opcode or opcode, edits[frame.n].payload
        gone = False
        for each in filters:
            if isinstance(each, Inject | Keepalive | AnswerPing) or base.Kind.MESSAGE not in each.wants("client"):
                continue
            message = Message("client", OPCODE_NUMBERS[opcode], payload, index, index, index, frame.at, frame.at)
            actions = each.apply(message, each.begin(None)) or ()  # type: ignore[arg-type]
            for action in actions:
                played.acted += 1
                if isinstance(action, base.Drop):
                    gone = True
                elif isinstance(action, base.Replace):
                    payload = action.data
                    opcode = OPCODE_NAMES.get(action.opcode or 0, opcode)
        if not gone:
            played.said.append((frame.at, opcode, payload))
    for each in filters:
        _timed(each, played, patience)
        if base.Kind.REQUEST in each.wants("client"):
            asked = base.Request(played.request, 0.0)
            for action in each.apply(asked, each.begin(None)) or ():  # type: ignore[arg-type]
                if isinstance(action, base.Change) and isinstance(action.to, Request):
                    played.request = action.to
                    played.acted += 1
    played.said.sort(key=lambda each: each[0])
    return played


def _timed(each: base.Filter, played: Played, patience: float) -> None:
    """What a filter says by itself."""
    if isinstance(each, Inject) and each.from_ == "client":
        if each.at is not None and each.rsv:
            played.broken = each.at
            played.acted += 1
        step = each.every or 0.0
        moments = [step * k for k in range(1, int(patience / step) + 1)] if step else []
        if each.at is not None and not each.rsv:
            moments.append(each.at)
        played.said += [(at, each.as_, each.send) for at in moments]
        played.acted += len(moments)
    elif isinstance(each, Keepalive):
        last, due = 0.0, []
        for at in [*sorted(at for at, _, _ in played.said), patience]:
            while at - last > each.every:
                last += each.every
                due.append(last)
            last = at
        opcode = "ping" if each.send is None else "text"
        played.said += [(at, opcode, each.send or b"") for at in due]
        played.acted += len(due)
