"""The ladder: which interventions there are, which explanations, and what each explanation predicts of each.

A rung is a set of filters. An explanation (a verdict of the vocabulary) says of each rung whether the connection
will *survive* it; whatever it does not name will still fail, and of what stands in ``unsure`` it says nothing. The next
rung is the one whose outcome tells most about which of the standing explanations is right, for what it costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import log
from typing import Literal

import msgspec
from msgspec import Struct

from hangup.diagnosis import causes
from hangup.experiment.costs import Costs
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import VARY
from hangup.experiment.handshakes import CREDENTIALS
from hangup.experiment.trial import Case, ClientFrame, Trial
from hangup.filters.library.inject import Inject
from hangup.filters.tokenizer import quote
from hangup.messages.kind import kind_of
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

SURE = 0.97
"""How far an explanation's prediction is trusted."""

LIKELY = 0.5
"""The weight of a cause that reading alone is sure of, where those of the usual ones are between 0.1 and 3."""

MOSTLY = 0.8
"""How sure it is that a clock runs before the client has said its first message, where that is like no other."""

CHANCE = 0.002
"""How likely it is that a connection lives by a change of its handshake that has nothing to do with the cause."""

def selector(frame: ClientFrame) -> str:
    """The setting of a filter that selects a message's kind, and so the same message with other values."""
    return f"kind={quote(kind_name(frame))}"


def kind_name(frame: ClientFrame) -> str:
    """What a filter's ``kind=`` selects a message by."""
    return frame.kind or frame.own_kind.text


def has_envelope(frame: ClientFrame) -> bool:
    """Whether a message is of a known protocol, whose envelope a server reads before all else."""
    return bool(protocol_of(frame.payload, frame.opcode))


def protocol_of(payload: bytes, opcode: str = "text") -> str:
    """The known protocol that a message is of; empty where it is none."""
    return kind_of(OPCODE_NUMBERS.get(opcode, TEXT), payload).protocol


def is_json(frame: ClientFrame) -> bool:
    """Whether a message's payload is JSON (a bare word is not), or in the envelope of a protocol that carries it."""
    if has_envelope(frame):
        return True
    try:
        json.loads(frame.payload)
    except (ValueError, RecursionError):
        return False
    return True


def is_strict_json(frame: ClientFrame) -> bool:
    """The same, and every reader of JSON takes it: no NaN, no byte order mark."""
    if has_envelope(frame):
        return True
    try:
        msgspec.json.decode(frame.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


Make = Callable[[Case], Trial | None]


class Rung(Struct, frozen=True):
    """An intervention: its name, what it is in words, and the trial that it makes of a case, if it applies."""

    name: str
    title: str
    make: Make
    live: bool = True
    """Whether it can be tried on a live page too, where nothing can be chosen but filters."""


def filters_of(name: str, *filters: str, when: Callable[[Case], bool] = lambda case: True) -> Make:
    return lambda case: Trial(name, filters) if when(case) else None


ACCEPT_CORRECTED = Rung(
    "accept-corrected",
    "Sec-WebSocket-Accept corrected",
    filters_of("accept-corrected", "accept-key", when=lambda case: "accept-key" in case.failed_checks),
)
"""Of both ladders: it is the client that checks it."""


def control_frames(case: Case) -> tuple[str, ...]:
    """Filters that hold back the pings and pongs that the client sends by itself. Where the server pings, no filter
    tells those of its pongs that nobody asked for."""
    unasked = case.client_pongs and not case.server_pings
    return ("drop-ping side=client",) * bool(case.client_pings) + ("drop-pong side=client",) * bool(unasked)


SPOKEN = 4096
"""Bytes of the longest message that a client is made to say again and again."""


def repeated(frame: ClientFrame, every: float) -> str | None:
    """A filter by which the client says a message every so many seconds; None for one that is too large, or unsound."""
    if frame.problems or len(frame.payload) >= SPOKEN or frame.opcode not in ("text", "binary"):
        return None
    opcode: Literal["text", "binary"] = "text" if frame.text else "binary"
    return str(Inject(from_="client", send=frame.payload, as_=opcode, every=every))


def quiet(case: Case) -> tuple[str, ...]:
    """Filters by which the client says nothing: no message, and no control frame of its own."""
    return ("drop side=client",) * bool(case.frames) + control_frames(case)


def broken(opcode: str, when: Callable[[Case], bool] = lambda case: True) -> Make:
    """A control frame that breaks the rules: a server that gets it ends the connection there and then."""

    def make(case: Case) -> Trial | None:
        if case.lifetime < 0.3 or not when(case):
            return None
        word = f"inject from=client send='' as={opcode} rsv=2 at={round(case.lifetime / 4, 2):g}s"
        return Trial(f"broken-{opcode}", (word,), otherwise=0.6 * case.lifetime)

    return make


NO_CONTROL_FRAMES, OWN_ID = "no-control-frames", "unique-id"
BROKEN_PONG = Rung("broken-pong", "an invalid pong frame from the client", broken("pong", lambda c: c.server_pings > 0))
"""With it the connection ends as it was recorded only where pongs do not arrive, or where nobody minds."""
BROKEN_PING = Rung("broken-ping", "an invalid ping frame from the client", broken("ping"))
"""Tells the two apart: pings arrive."""

KEEPALIVE, CLIENT_KEEPALIVE = "control-keepalive", "client-keepalive"
REPAIR, DEFRAGMENT = "repair-malformed side=client", "defragment side=client"
"""The same messages as sound frames, and in one frame each."""
NO_EXTENSIONS = ("strip-extensions", "strip-header Sec-WebSocket-Extensions in=response")
"""None is offered; and none is agreed to on behalf of a server that does not know of it."""
ALONE = 0.1
"""How likely something that takes two clients of one id ends the only one that is played."""
GIVEN = "given"
UNKNOWN = "unknown/"
"""What is none of the explanations: it predicts nothing in particular."""
SOMETHING_SAID = "unknown/message"
"""Something about a message that no explanation names. People are told that it is unknown."""
IN_MESSAGE = "{} in a message"
"""What explains an end by what a message says, where the same cause may lie in the handshake."""
DONATED = "donated-"
CRASH = "server-handler/crash-on-message"
ITS_CONTENT, ANY_HEARTBEAT = (causes.known()[name].property for name in (CRASH, "heartbeat/app-ping-kills"))
WHATEVER_IT_SAYS = (
    "client-lifecycle/poison-replay",
    "identity/stale-resume",
    "message/vocabulary-mismatch",
    "handshake/auth-rejected",
)
"""Causes of which a message may show any property."""


def given_rungs(filters: Iterable[str]) -> list[Rung]:
    """Rungs of a person's own. What hangs on a credential should survive them; of the rest nothing is known."""
    return [Rung(f"{GIVEN}-{i}", f"with {text}", filters_of(f"{GIVEN}-{i}", text)) for i, text in enumerate(filters, 1)]


def donated_rungs(case: Case) -> list[Rung]:
    """Rungs of what connections that stayed open had in their handshakes, and of each part of this one's."""
    rungs = [
        Rung(f"{DONATED}{i}", donation.title, filters_of(f"{DONATED}{i}", donation.filter))
        for i, donation in enumerate(case.donated)
    ]
    known = {donation.filter for donation in case.donated}
    for i, factor in enumerate(case.factors):
        name = f"{VARY}{factor.part}-{i}"
        if factor.filter not in known:
            rungs.append(Rung(name, factor.title, filters_of(name, factor.filter)))
    return rungs


def greets(case: Case) -> bool:
    """Whether the client's first message is like no other of it: a clock may run only once it was said."""
    kinds = [selector(frame) for frame in case.frames]
    return len(kinds) > 2 and kinds.count(kinds[0]) == 1


class Explanation(Struct, frozen=True):
    """What a verdict predicts: the rungs that it survives, those of which it says nothing; it fails at all others.

    ``prior`` is its weight before any trial, given the case; 0 rules it out.
    """

    verdict: str
    trigger: str
    survives: frozenset[str]
    unsure: frozenset[str]
    prior: Callable[[Case], float]
    cures: frozenset[str] = frozenset()
    """Of the rungs of which it says nothing, those whose survival would show the cause taken away all the same."""
    of: str = ""
    """The verdict that people are told, where several explanations have one."""

    @property
    def name(self) -> str:
        """The verdict that people are told."""
        return self.of or self.verdict

    def fails(self, rung: str, case: Case) -> float:
        """The probability that the connection fails at a rung, if this explanation is right."""
        if rung.startswith(GIVEN):
            return 1 - SURE if self.name in CREDENTIALS else 0.5
        if rung.startswith(DONATED):
            # Where several parts differ from those of connections that lived, one may be good only with another.
            tied = len({donation.part for donation in case.donated}) > 1
            return (0.5 if tied else 1 - SURE) if self._shown_by(rung, case) else SURE
        if rung.startswith(VARY):
            return self._fails_varied(rung, case)
        if rung == "silence" and rung in self.unsure and self.trigger == "time":
            return MOSTLY if greets(case) else SURE
        if rung in self.unsure:
            return 0.5
        if rung == BROKEN_PONG.name:
            return 1 - SURE
        if rung == "no-heartbeats" and rung not in self.survives and self.trigger == "frame":
            suspect = case.suspect
            return 1 - SURE if suspect is not None and suspect.beat is not None else SURE
        return 1 - SURE if rung in self.survives else SURE

    def cured_by(self, rung: str, case: Case) -> bool:
        """Whether a survival of this rung shows the cause taken away."""
        if rung.startswith(DONATED):
            return self._shown_by(rung, case)
        if rung.startswith(VARY):
            kind = rung.rpartition("-")[0]
            return kind in self.survives or (kind in self.unsure and self.trigger == "header")
        if rung in self.unsure and (self.trigger == "header" or rung in self.cures):
            return True
        return rung in self.survives or rung.startswith(GIVEN)

    def _fails_varied(self, rung: str, case: Case) -> float:
        """Of the many parts of a kind it is one: each by itself will hardly be it."""
        kind = rung.rpartition("-")[0]
        if kind in self.unsure:
            return 0.5
        if kind not in self.survives:
            return 1 - CHANCE
        parts = {factor.name for factor in case.factors if f"{VARY}{factor.part}" == kind}
        return 1 - min(0.5, 1 / max(1, len(parts)))

    def _shown_by(self, rung: str, case: Case) -> bool:
        return self.verdict in case.donated[int(rung.removeprefix(DONATED))].verdicts


class Standing:
    """The explanations and how probable each still is."""

    def __init__(self, case: Case, explanations: tuple[Explanation, ...]) -> None:
        self.case = case
        self.explanations = {e.verdict: e for e in explanations}
        self.failed: set[str] = set()
        """Parts of the handshake that were changed, and it failed all the same."""
        weights = {e.verdict: e.prior(case) for e in explanations}
        names, read = {e.verdict: e.name for e in explanations}, case.priors
        self.weights = _normal(
            {v: _read(w, read.get(names[v], 0.0)) * _prior(read, names[v]) for v, w in weights.items()}
        )

    def best(self) -> tuple[Explanation, float]:
        """The most probable explanation, and its probability."""
        verdict = max(self.weights, key=lambda v: self.weights[v])
        return self.explanations[verdict], self.weights[verdict]

    def ranked(self) -> Iterator[tuple[str, float]]:
        """All that still stand, the most probable first."""
        told: dict[str, float] = {}
        for verdict, weight in self.weights.items():
            name = self.explanations[verdict].name
            told[name] = told.get(name, 0.0) + weight
        for name in sorted(told, key=lambda name: -told[name]):
            if told[name] >= 0.01:
                yield name, told[name]

    def update(self, rung: str, outcome: Outcome) -> None:
        """Takes the outcome of a rung into account."""
        if outcome is Outcome.UNRESOLVED:
            return
        failed = outcome is Outcome.FAILED
        part = self._part(rung)
        if failed and part in self.failed:
            return  # what did not help as one value mostly does not as another: that says nothing new
        if failed and part:
            self.failed.add(part)
        for verdict, explanation in self.explanations.items():
            chance = explanation.fails(rung, self.case)
            self.weights[verdict] *= chance if failed else 1 - chance
        self.weights = _normal(self.weights)

    def _part(self, rung: str) -> str:
        """The part of the handshake that a rung changes, where there are several rungs for one."""
        if rung.startswith(DONATED):
            return self.case.donated[int(rung.removeprefix(DONATED))].part
        if rung.startswith(VARY):
            factor = self.case.factors[int(rung.rpartition("-")[2])]
            return f"{factor.part} {factor.name}"
        return ""

    def doubt(self, verdict: str) -> None:
        """Something that a verdict predicts was seen not to be so."""
        self.weights = _normal({v: w * (1 - SURE) if v == verdict else w for v, w in self.weights.items()})

    def failed_alone(self) -> None:
        """It failed where no other client was played: what takes two of one id is less likely then. It is not ruled
        out, as a page may be connected."""
        takes_two = {v for v, explanation in self.explanations.items() if OWN_ID in explanation.survives}
        self.weights = _normal({v: w * (ALONE if v in takes_two else 1.0) for v, w in self.weights.items()})

    def confirm(self, verdict: str) -> None:
        """What only this verdict predicts was seen."""
        if verdict in self.weights:
            others = {v: w * (1 - SURE) for v, w in self.weights.items()}
            self.weights = _normal(others | {verdict: max(self.weights[verdict], CHANCE)})

    def go_by(self, property: str) -> None:
        """A law holds that goes by this property of a message. What goes by another one is not it; and a handler that
        fails on what a message says, where it is known what that is, has that name."""
        known = {v: causes.known().get(e.name) for v, e in self.explanations.items()}
        own = [v for v, cause in known.items() if cause is not None and cause.property == property]
        for verdict, cause in known.items():
            if cause is None or not cause.property or cause.property in (property, *_open(self.case)):
                continue
            if cause.trigger in ("message", "count", "rate"):
                self.doubt(verdict)
                self.doubt(verdict)
        if own and own != [CRASH] and CRASH in self.weights:
            share = SURE * self.weights[CRASH]
            self.weights[CRASH] -= share
            self.weights[max(own, key=lambda v: self.weights[v])] += share

    def fails(self, rung: str) -> float:
        """How probable it is that the connection fails at a rung."""
        return sum(self.weights[v] * e.fails(rung, self.case) for v, e in self.explanations.items())

    def gain(self, rung: str, costs: Costs) -> float:
        """The information (in nats) that a rung's outcome is expected to bring for each second that it takes."""
        chances = {v: e.fails(rung, self.case) for v, e in self.explanations.items()}
        fails = self.fails(rung)
        before = _entropy(self.weights.values())
        failed = [w * chances[v] / fails for v, w in self.weights.items()] if fails > 0 else []
        survived = [w * (1 - chances[v]) / (1 - fails) for v, w in self.weights.items()] if fails < 1 else []
        after = fails * _entropy(failed) + (1 - fails) * _entropy(survived)
        return (before - after) / costs.expected(fails)


def _open(case: Case) -> tuple[str, ...]:
    """Properties that a message may have beside the one that a law goes by, and be the cause by them."""
    beats = (ANY_HEARTBEAT,) if case.suspect is not None and case.suspect.beat is not None else ()
    return (ITS_CONTENT, *beats, *(causes.known()[name].property for name in WHATEVER_IT_SAYS))


def _read(usual: float, read: float) -> float:
    """The weight of a cause that is ``usual`` so much in an exchange like this, and that reading thinks so likely: what
    reading is sure of is not made small again by what is usual, but what cannot be stays so."""
    return max(usual, LIKELY * read) if usual > 0 else 0.0


def _prior(priors: Mapping[str, float], verdict: str) -> float:
    """What reading the recording made of a verdict; one that it did not think of is not ruled out."""
    if not priors:
        return 1.0
    category = verdict.partition("/")[0]
    same = max((w for v, w in priors.items() if v.partition("/")[0] == category), default=0.0)
    return 0.05 + priors.get(verdict, 0.0) + 0.25 * same


def _normal(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {v: w / total for v, w in weights.items()} if total > 0 else weights


def _entropy(weights: Iterable[float]) -> float:
    return -sum(w * log(w) for w in weights if w > 0)
