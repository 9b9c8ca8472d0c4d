"""Exchanges of messages as trials: the client says just these, in this order."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.exchanges import Exchange, Said
from hangup.experiment.pacing import at_most
from hangup.experiment.sequences import Pattern, told_apart
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial

ARM = "sequence"

OTHERS = 2
"""Harmless messages of so many other kinds are put between."""


def said_by(frame: ClientFrame) -> Said:
    """A recorded message."""
    kind = frame.kind or frame.own_kind.text
    return Said(kind, frame.payload, frame.opcode, constant=frame.constant)


def spoken(case: Case, frames: tuple[int, ...], exchange: Exchange, arm: str = ARM) -> Trial:
    """The trial in which the client says just this, at the times of the ``frames`` (numbers) of the case; what is more
    than these comes right before the last of them."""
    if not exchange:
        return Trial(arm, frames=())
    slots = frames[-len(exchange) :]
    more = len(exchange) - len(slots)
    placed = [*exchange[: len(slots) - 1], exchange[-1]]
    recorded = {frame.n: frame for frame in case.frames}
    edits = tuple(
        (n, Edit(said.payload, said.opcode, recorded=True))
        for n, said in zip(slots, placed, strict=True)
        if (said.payload, said.opcode) != (recorded[n].payload, recorded[n].opcode)
    )
    between = exchange[len(slots) - 1 : len(slots) - 1 + more]
    before = tuple((slots[-1], Edit(said.payload, said.opcode, recorded=True)) for said in between)
    return Trial(arm, frames=slots, edits=edits, before=before)


class Sequences:
    """Asks of exchanges whether they fail, and remembers it."""

    def __init__(
        self, arms: Arms, frames: tuple[int, ...], prelude: tuple[int, ...] = (), pace: float | None = None
    ) -> None:
        self.arms = arms
        self.case = arms.case
        self.frames = frames
        self.prelude = prelude
        """Messages without which nothing can be asked, as it ends in another way: they come before each exchange."""
        self.pace = pace
        """How many messages are said in a second at most, None for as fast as they come."""
        self.known: dict[Exchange, bool] = {}
        self.harmful: set[str] = set()
        """Other kinds of which a message ends it by itself: a failure with one of these may be theirs."""
        self.tried: set[Trial] = set()

    def trial(self, exchange: Exchange, arm: str = ARM) -> Trial:
        trial = spoken(self.case, self.frames, exchange, arm)
        slowly = (at_most(self.pace),) if self.pace is not None else ()
        return replace(trial, frames=(*self.prelude, *(trial.frames or ())), filters=slowly)

    def ask(self, exchange: Exchange) -> Search[bool | None]:
        if exchange in self.known:
            return self.known[exchange]
        trial = self.trial(exchange)
        self.tried.add(trial)
        counts = Counts()
        outcome = yield from self.arms.decide(trial, counts)
        if outcome is Outcome.UNRESOLVED:
            return None
        self.known[exchange] = outcome is Outcome.FAILED
        return self.known[exchange]

    def told_apart(self, told: list[Pattern], pool: list[Exchange]) -> Search[Pattern | None]:
        found = yield from self._told_apart(told, dict(self.known), pool)
        if found is not None or not self.harmful:
            return found
        # Another kind may fail by a rule of its own.
        known = {x: fails for x, fails in self.known.items() if not fails or self.harmful.isdisjoint(_kinds(x))}
        return (yield from self._told_apart(told, known, [x for x in pool if self.harmful.isdisjoint(_kinds(x))]))

    def _told_apart(
        self, told: list[Pattern], known: dict[Exchange, bool], pool: list[Exchange]
    ) -> Search[Pattern | None]:
        return carry_out(self.arms, lambda: told_apart(told, dict(known), pool), self.ask, self.trial)

    def harmless(self, kinds: Iterable[str]) -> Search[Exchange]:
        """Messages of other kinds, which do no harm by themselves."""
        found: list[Said] = []
        mine = [said_by(frame) for frame in reversed(self.case.frames) if not frame.problems]
        theirs = [said_by(frame) for frames in self.case.lived for frame in frames]
        by_kind: dict[str, Said] = {}
        for said in [*mine, *theirs]:
            if said.kind not in kinds:
                by_kind.setdefault(said.kind, said)
        for said in list(by_kind.values())[: 2 * OTHERS]:
            if len(found) >= OTHERS:
                break
            fails = yield from self.ask((said,))
            if fails is False:
                found.append(said)
            elif fails:
                self.harmful.add(said.kind)
        return tuple(found)


def _kinds(exchange: Exchange) -> set[str]:
    return {said.kind for said in exchange}
