"""Laws about which messages, in which order and how often: what a smallest exchange is an instance of, by trial, and
fresh exchanges to hold it against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.exchanges import Exchange, Said, exchanges, fresh, related, renamed, shared, values
from hangup.experiment.law import Law
from hangup.experiment.message_values import Path, named
from hangup.experiment.sequences import Pattern, anything_of, needed, patterns, told_apart
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.experiment.verdict import Minimal
from hangup.messages.kind import kind_of
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

ARM = "sequence"

OTHERS = 2
"""Harmless messages of so many other kinds are put between."""

RECKONED = 64
"""Of no more messages it is remembered that each is needed."""

AGAIN = 8
"""Of no more it is asked again, where the failure flickers."""

MADE = 80
"""So many exchanges are made at most to find one that a law says something of."""


class Finding(Struct):
    """The pattern of the smallest exchange, None where none agrees with all that was tried. ``free`` says that it does
    not matter what the messages say; ``claim`` holds it against fresh exchanges."""

    pattern: Pattern | None = None
    free: bool = False
    shared: frozenset[Path] = frozenset()
    """Where the last message says what one before it says."""
    claim: Claim | None = None


def said_by(frame: ClientFrame) -> Said:
    """A recorded message."""
    kind = frame.kind or kind_of(OPCODE_NUMBERS.get(frame.opcode, TEXT), frame.payload).text
    return Said(kind, frame.payload, frame.opcode)


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


class _Sequences:
    """Asks of exchanges whether they fail, and remembers it."""

    def __init__(self, arms: Arms, frames: tuple[int, ...], prelude: tuple[int, ...] = ()) -> None:
        self.arms = arms
        self.case = arms.case
        self.frames = frames
        self.prelude = prelude
        """Messages without which nothing can be asked, as it ends in another way: they come before each exchange."""
        self.known: dict[Exchange, bool] = {}
        self.tried: set[Trial] = set()

    def trial(self, exchange: Exchange, arm: str = ARM) -> Trial:
        trial = spoken(self.case, self.frames, exchange, arm)
        return replace(trial, frames=(*self.prelude, *(trial.frames or ())))

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
        known = dict(self.known)
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
            if len(found) < OTHERS and (yield from self.ask((said,))) is False:
                found.append(said)
        return tuple(found)


def sequence_law(arms: Arms, minimal: Minimal, prelude: int = 0) -> Search[Finding]:
    """What the smallest exchange is an instance of, where it has several messages. The first ``prelude`` of them only
    lead up to the others."""
    steady = not arms.known.survived
    found = yield from _sequence_law(arms, minimal, prelude)
    if steady and arms.known.survived:  # as was not known before: what was survived may have been by luck
        found = yield from _sequence_law(arms, minimal, prelude)
    return found


def _sequence_law(arms: Arms, minimal: Minimal, prelude: int) -> Search[Finding]:
    by_number = {frame.n: frame for frame in arms.case.frames}
    base = tuple(said_by(by_number[n]) for n in minimal.frames[prelude:])
    asked = _Sequences(arms, minimal.frames[prelude:], minimal.frames[:prelude])
    asked.known[base] = True
    if not arms.unsure:
        asked.known[()] = False
        if not arms.known.survived and len(base) <= RECKONED:
            asked.known.update({rest: False for rest in _one_less(base)})
    if arms.known.survived and len(base) <= AGAIN:
        # It flickers: what was left away, and seemed to be needed, is asked of again.
        for rest in _one_less(base):
            if (yield from asked.ask(rest)) is not False:
                return Finding()
    rng = Random(len(base))
    free = yield from _free(asked, base, rng)
    if not free and len({said.kind for said in base}) == 1:
        partly = yield from _partly_free(asked, base, rng)
        if partly is None:
            return Finding()  # their number, or what they say: that would have to be told apart first
        base, free = partly, True
    others = yield from asked.harmless({said.kind for said in base})
    told = [p for p in patterns(base, others) if free or not p.valued]
    pool = list(exchanges(base, others, free=free, rng=rng))
    pattern = yield from asked.told_apart(told, pool)
    if pattern is None:
        return Finding()
    return _finding(asked, base, others, pattern, told, free)


def _one_less(exchange: Exchange) -> Iterable[Exchange]:
    return ((*exchange[:i], *exchange[i + 1 :]) for i in range(len(exchange)))


def _finding(
    asked: _Sequences, base: Exchange, others: Exchange, pattern: Pattern, told: list[Pattern], free: bool
) -> Finding:
    rivals = [*(each for each in told if each is not pattern), *map(anything_of, {said.kind for said in base})]
    claim = _claim(asked, base, others, pattern, rivals, free)
    if free:
        if base[-1].locked:
            others_free = (named(path) for path in values(base[-1]))
            claim.law.irrelevant += [name for name in others_free if name not in pattern.words]
        else:
            rest = "the rest of the messages' content" if pattern.valued else "the content of the messages"
            claim.law.irrelevant.append(rest)
    else:
        claim.law.sentence += "; this holds for messages as recorded"
    shared = frozenset(q for said in base[:-1] for _, q in related(said, base[-1]))
    return Finding(pattern, free, shared, claim)


def _free(asked: _Sequences, base: Exchange, rng: Random) -> Search[bool]:
    """Whether it fails whatever the messages say, as long as equal values stay equal."""
    for small in (False, True):
        if (yield from asked.ask(renamed(base, rng, small=small))) is not True:
            return False
    last = base[-1]
    if len({said.kind for said in base}) > 1:
        for said in map(said_by, reversed(asked.case.frames)):
            like = said.kind == last.kind or (_opaque(said) and _opaque(last))
            if like and said != last:  # one that did no harm at its time
                return (yield from asked.ask((*base[:-1], said))) is True
    return True


def _partly_free(asked: _Sequences, base: Exchange, rng: Random) -> Search[Exchange | None]:
    """The same messages of one kind, with those values locked of which it is not the same with others; None where all
    would be. What may be another value is asked of each by itself."""
    able = []
    for path in shared(base):
        if (yield from asked.ask(renamed(_locked(base, {path}), rng))) is True:
            able.append(path)
    made = _locked(base, able)
    if not able or (len(able) > 1 and (yield from asked.ask(renamed(made, rng))) is not True):
        return None
    # What was asked with other values in the locked places tells of another failure.
    less = zip(_one_less(base), _one_less(made), strict=True)
    known = {rest: False for before, rest in less if asked.known.get(before) is False}
    asked.known = {made: True, **({(): False} if () in asked.known else {}), **known}
    return made


def _locked(base: Exchange, free: Iterable[Path]) -> Exchange:
    """The same messages, of whose values only these may be others."""
    return tuple(replace(said, locked=frozenset(values(said)) - frozenset(free)) for said in base)


def _opaque(said: Said) -> bool:
    """Whether it is binary: then its kind is no more than a guess by its first byte and its size."""
    return said.opcode == "binary" and not values(said)


def need_law(arms: Arms, minimal: Minimal) -> Search[Finding | None]:
    """Whether the one message that is enough lacks something that clients said before it who stayed open. None where it
    does not; a finding without a pattern where that could not be told."""
    case = arms.case
    frame = next(frame for frame in case.frames if frame.n == minimal.frames[-1])
    last = said_by(frame)
    own = {f.kind for f in case.frames}
    found = next(iter(_befores(case, last.kind, own)), None)
    if found is None:
        return None
    before, theirs = found
    asked = _Sequences(arms, minimal.frames)
    asked.known[(last,)] = True
    if not arms.unsure:
        asked.known[()] = False
    helped = yield from asked.ask((*before, last))
    if helped is True and theirs is not None and theirs != last:
        if (yield from asked.ask((theirs,))) is False:
            return None  # theirs does no harm by itself: it is what the message says
        last = theirs
        helped = yield from asked.ask((*before, last))
    if helped is not False:
        return None if helped else Finding()
    before = yield from _fewest(asked, before, last)
    others = yield from asked.harmless({*(said.kind for said in before), last.kind})
    rng = Random(len(before))
    free = yield from _free(asked, (last,), rng)
    if free:
        free = (yield from asked.ask(renamed((*before, last), rng))) is False
    if not free and any(related(said, last) for said in before):
        return Finding()
    pool = list(_around(before, last, others, free, rng))
    told = [p for p in needed(last, before) if free or not p.valued]
    pattern = yield from asked.told_apart(told, pool)
    if pattern is None:
        return Finding()
    return _finding(asked, (*before, last), others, pattern, told, free)


def _befores(case: Case, kind: str, own: set[str]) -> Iterable[tuple[Exchange, Said | None]]:
    """What others said before a message of the kind, and that message; those that said one first, and what is new."""
    found: list[tuple[bool, int, Exchange, Said | None]] = []
    if case.opening is not None:  # what its protocol begins with
        opening = Said(kind_of(TEXT, case.opening).text, case.opening)
        found.append((False, 0, (opening,), None))
    for frames in case.lived:
        said = [said_by(frame) for frame in frames]
        at = next((i for i, each in enumerate(said) if each.kind == kind), None)
        before = tuple(said[: at if at is not None else len(said)])
        if any(each.kind not in own for each in before):
            found.append((at is None, len(before), before, said[at] if at is not None else None))
    found.sort(key=lambda each: (each[0], each[1]))
    return [(before, theirs) for _, _, before, theirs in found]


def _fewest(asked: _Sequences, before: Exchange, last: Said) -> Search[Exchange]:
    """Of what comes before, as little as still keeps the connection open."""
    one_each = tuple({said.kind: said for said in before}.values())
    if len(one_each) < len(before) and (yield from asked.ask((*one_each, last))) is False:
        before = one_each
    for said in before:
        if len(before) > 1:
            rest = tuple(each for each in before if each is not said)
            if (yield from asked.ask((*rest, last))) is False:
                before = rest
    return before


def _around(before: Exchange, last: Said, others: Exchange, free: bool, rng: Random) -> Iterable[Exchange]:
    yield (*before, last)
    yield (last, *before)
    for i in range(len(before)):
        yield (*before[:i], *before[i + 1 :], last)
        yield (before[i],)
        yield (before[i], last)
    yield (*before, last, last)
    for x in others:
        yield (x, last)
        yield (x,)
        yield (x, *before, last)
        yield (*before, x, last)
        yield (*before, last, x)
    if free:
        yield (*before, fresh(last, rng))
        yield (*(fresh(said, rng) for said in before), last)
        for said in before:
            for p, q in related(said, last):
                other = tuple(fresh(each, rng, (p,)) if each is said else each for each in before)
                yield (*other, fresh(last, rng, (q,)))
                yield (*before, fresh(last, rng, kept=[path for path in values(last) if path != q]))


# Predictions.


def _claim(
    asked: _Sequences, base: Exchange, others: Exchange, pattern: Pattern, rivals: list[Pattern], free: bool
) -> Claim:
    """The law of a pattern. It is mostly held against exchanges of which another pattern would say something else."""
    law = Law(f"{asked.case.ends} {pattern.words}", [pattern.condition])

    doubled = [(*base[: i + 1], *base[i:]) for i in range(min(len(base), 2))]

    def made(rng: Random, fails: bool) -> Trial:
        if doubled and pattern.holds(doubled[-1]) is fails and doubled[-1] not in asked.known:
            return asked.trial(doubled.pop(), "prediction")
        rival = rng.choice(rivals) if rivals and rng.random() < 0.75 else None
        for tries in range(MADE):
            exchange = _mutated(base, others, free, rng)
            if rival is not None and tries < MADE // 2 and rival.holds(exchange) is fails:
                continue
            trial = asked.trial(exchange, "prediction")
            tried = exchange in asked.known or asked.trial(exchange) in asked.tried
            if exchange and pattern.holds(exchange) is fails and not tried:
                return trial
        return asked.trial(base if fails == pattern.holds(base) else (), "prediction")

    failing: Callable[[Random], Trial] = lambda rng: made(rng, True)  # noqa: E731
    return Claim(law, failing, lambda rng: made(rng, False))


def _mutated(base: Exchange, others: Exchange, free: bool, rng: Random) -> Exchange:
    """An exchange that is a few steps from this one: near the boundary, mostly."""
    said = list(base)
    if rng.random() < 0.3:
        said.insert(rng.randrange(len(said) + 1), rng.choice(base))  # the same again
    if free:
        way = rng.randrange(4)
        if way == 0:
            said = list(renamed(tuple(said), rng))
        elif way == 1:
            said = [fresh(each, rng) for each in said]
        elif way == 2 and values(base[-1]):
            kept = [path for path in values(base[-1]) if rng.random() < 0.5]
            said[-1] = fresh(said[-1], rng, kept)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        step, at = rng.randrange(4), rng.randrange(len(said) + 1)
        pool = [*others, *others, *base]
        if step == 0:
            said.insert(at, rng.choice(pool))
        elif step == 1 and len(said) > 1:
            del said[at % len(said)]
        elif step == 2 and len(said) > 1:
            i, j = rng.sample(range(len(said)), 2)
            said[i], said[j] = said[j], said[i]
        elif others and said:
            said[at % len(said)] = rng.choice(others)
    return tuple(said)
