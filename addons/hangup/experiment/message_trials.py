"""Other messages in the place of one that is suspected: what is like it, and how they are tried.

By replay we say them ourselves, as edits of what the client said. On a live page both sides say what they want; there a
filter rewrites the message on its way, so that a message of the server's can be varied as well as one of the client's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import kind_name
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.experiment.verdict import Minimal
from hangup.filters.library.rewrite import Rewrite
from hangup.recording.events import Side

ARM = "values"

LEFT_OUT = 0.25
"""So often is nothing said in the place of a message, where something else could be."""

Make = Callable[[bytes, str, Random | None], Trial]


class InPlace:
    """What may be said in the place of ``frame``.

    ``kin`` are harmless messages of its kind, the latest first, ``others`` harmless ones of other kinds with their
    opcodes, of which ``again`` are of kinds that came more than once: what a connection begins with may not be said
    again. ``make`` makes the trial in which another payload (and opcode, where one is given) is said; with a source
    of randomness what else is said is varied, too. ``context`` says in words what must come before, ``ends`` what
    happens, ``whose`` who says the message.
    """

    def __init__(
        self,
        arms: Arms,
        frame: ClientFrame,
        make: Make,
        kin: list[bytes],
        others: list[tuple[bytes, str]],
        again: list[tuple[bytes, str]],
        *,
        context: str = "",
        whose: str = "",
    ) -> None:
        self.arms, self.frame, self.make = arms, frame, make
        self.left_out: Trial | None = None
        """The trial in which nothing is said in its place, where that can be."""
        self.kin, self.others, self.again = kin, others, again
        self.context, self.ends, self.whose = context, arms.case.ends, whose

    @property
    def reader(self) -> str:
        """Who reads the message: ``client`` or ``server``."""
        return "client" if self.whose else "server"

    def harmless(self, rng: Random, among: Sequence[tuple[bytes, str]] | None = None) -> Trial:
        """A trial in which something harmless is said instead, of another kind, or nothing at all."""
        others = self.others if among is None else among
        if self.left_out is not None:
            others = [each for each in others if each in self.again]
            if not others or rng.random() < LEFT_OUT:
                return self.left_out
        return self.trial(*rng.choice(others))

    def trial(self, payload: bytes, opcode: str = "", rng: Random | None = None) -> Trial:
        """The trial in which this is said."""
        return self.make(payload, opcode, rng)

    def ask(self, payload: bytes, opcode: str = "") -> Search[bool | None]:
        """Whether the connection ends when this is said; None where nobody can tell."""
        outcome = yield from self.arms.decide(self.trial(payload, opcode), Counts())
        self.arms.unsure = self.arms.unsure or outcome is Outcome.UNRESOLVED
        return None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED


def said_by_us(arms: Arms, minimal: Minimal, frame: ClientFrame) -> InPlace:
    """By replay: among the messages of the smallest exchange."""
    case, frames = arms.case, minimal.frames
    beside = [f.n for f in case.frames if f.n < frame.n and f.kind != frame.kind and f.n not in frames]

    kin, others = harmless_kin(case, frame), _others(case.frames, frame)
    before = tuple(f.n for f in case.frames if f.n <= frame.n)
    known = {payload for payload, _ in others}

    def make(payload: bytes, opcode: str, rng: Random | None) -> Trial:
        if payload in known:  # where it was said, all was said that led up to it
            return Trial(ARM, frames=before, edits=((frame.n, Edit(payload, opcode)),))
        more = rng.sample(beside, min(rng.choice((0, 0, 1, 2)), len(beside))) if rng is not None else []
        numbers = tuple(sorted({*frames[:-1], *more, frame.n}))
        return Trial(ARM, frames=numbers, edits=((frame.n, Edit(payload, opcode)),))

    place = InPlace(arms, frame, make, kin, others, _again(case.frames, others), context=_context(case, frames[:-1]))
    place.left_out = Trial(ARM, frames=before[:-1])
    return place


def rewritten(arms: Arms, side: Side, frame: ClientFrame) -> InPlace:
    """On a live page: every message of the kind of ``frame``, on its way from ``side``."""
    case = arms.case
    said = case.frames if side == "client" else list(case.asked)

    def make(payload: bytes, opcode: str, rng: Random | None) -> Trial:
        if payload == frame.payload:  # that is what is said anyhow; to rewrite it so would change nothing
            return Trial(ARM)
        return Trial(ARM, (str(Rewrite(side=side, kind=kind_name(frame), to=payload)),))

    kin = harmless_kin(case, frame) if side == "client" else _earlier(said, frame)
    whose = " from the server" if case.asks_client else ""
    others = [(payload, opcode) for payload, opcode in _others(said, frame) if opcode == frame.opcode]
    return InPlace(arms, frame, make, kin, others, _again(said, others), whose=whose)


def harmless_kin(case: Case, frame: ClientFrame) -> list[bytes]:
    """Harmless messages of the same kind, the latest first; where there are none, those of the same name within its
    protocol (``graphql-ws:subscribe:orders`` and ``graphql-ws:subscribe``)."""
    found = dict.fromkeys([*_earlier(case.frames, frame), *case.harmless.get(frame.kind, ())])
    if not found and (name := name_within(frame.kind)):
        alike = [f.payload for f in reversed(case.frames) if f.n < frame.n and name_within(f.kind) == name]
        others = (p for kind, each in case.harmless.items() if name_within(kind) == name for p in each)
        found = dict.fromkeys([*alike, *others])
    return [payload for payload in found if payload != frame.payload]


def name_within(kind: str) -> str:
    """A kind without what of its name it is; empty where it is of no protocol."""
    return ":".join(kind.split(":")[:2]) if ":" in kind else ""


def _earlier(said: Sequence[ClientFrame], frame: ClientFrame) -> list[bytes]:
    """Those of the same kind that the same side said before, the latest first."""
    mine = (f.payload for f in reversed(said) if f.n < frame.n and f.kind == frame.kind and not f.problems)
    return [payload for payload in dict.fromkeys(mine) if payload != frame.payload]


def _others(said: Sequence[ClientFrame], frame: ClientFrame) -> list[tuple[bytes, str]]:
    mine = [(f.payload, f.opcode) for f in said if f.n < frame.n and f.kind != frame.kind and not f.problems]
    return list(dict.fromkeys(mine))


def stand_ins(case: Case, frame: ClientFrame) -> list[tuple[bytes, str]]:
    """Harmless messages that the client may say in the place of this one, one of each kind: of its own kind, of its
    protocol's layer (``socket.io:chat`` for ``socket.io:typing``), then others that came more than once."""
    kin = [(payload, frame.opcode) for payload in _earlier(case.frames, frame)[:1]]
    layer = frame.kind.partition(":")[0] if ":" in frame.kind else ""
    others = _others(case.frames, frame)
    kinds = {(f.payload, f.opcode): f.kind for f in case.frames}
    alike = [each for each in others if layer and kinds[each].startswith(f"{layer}:")]
    first = case.frames[0].payload if case.frames else b""
    beside = [each for each in alike if each[0] != first]  # what a connection begins with may not be said again
    one_of_each = {kinds[each]: each for each in (*_again(case.frames, others), *beside)}
    found = sorted(one_of_each.values(), key=lambda each: each not in beside)
    return [*kin, *found]


def _again(said: Sequence[ClientFrame], others: list[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    often = Counter(f.kind for f in said)
    kinds = {(f.payload, f.opcode): f.kind for f in said}
    return [each for each in others if often[kinds[each]] > 1]


def _context(case: Case, frames: tuple[int, ...]) -> str:
    """What must have been said before, in words."""
    kinds = list(dict.fromkeys(f"`{f.kind or f.opcode}`" for f in case.frames if f.n in frames))
    return f", after {', '.join(kinds[:4])}" if kinds else ""
