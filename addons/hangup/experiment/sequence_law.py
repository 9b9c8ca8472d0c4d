"""Laws about which messages, in which order and how often: what a smallest exchange is an instance of, by trial, and
fresh exchanges to hold it against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from hangup.diagnosis import causes
from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.exchanges import Exchange, Said, exchanges, fresh, related, renamed, said_again, shared, values
from hangup.experiment.law import Law
from hangup.experiment.message_values import Path, named
from hangup.experiment.rate import COUNTED, RATE
from hangup.experiment.sequence_trials import Sequences, said_by
from hangup.experiment.sequences import Pattern, anything_of, patterns
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Minimal

FORM = {"its size", "its framing", "its bytes", "its encoding", "its opcode", "text that is not JSON"}
"""The properties of a message, in the words of the cause files, that its form is."""

OF_FORM = tuple(name for name, cause in causes.known().items() if cause.property in FORM)
"""What goes by the form of one message: where others fail as well, whatever they say, it is none of these."""

RECKONED = 64
"""Of no more messages it is remembered that each is needed."""

AGAIN = 8
"""Of no more it is asked again, where the failure flickers."""

TAKES_EFFECT = 0.6
"""Seconds after which what a message does has mostly shown."""

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
    asked = Sequences(arms, minimal.frames[prelude:], minimal.frames[:prelude])
    asked.known[base] = True
    if arms.sooner:
        asked.known[tuple(map(said_by, arms.sooner))] = True
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
    free = yield from free_of(asked, base, rng)
    if not free:
        partly = yield from _partly_free(asked, base, rng)
        if partly is not None:
            base, free = partly, True
        elif len({said.kind for said in base}) == 1:
            return Finding()  # their number, or what they say: that would have to be told apart first
    earlier = _said_before(arms.case, minimal, prelude)
    if earlier and not arms.known.survived:
        asked.known[earlier] = False
    others = yield from asked.harmless({said.kind for said in base})
    told = [p for p in patterns(base, others) if free or not (p.valued or p.whatever)]
    pool = list(exchanges(base, others, free=free, rng=rng))
    pattern = yield from asked.told_apart(told, pool)
    if pattern is None:
        return Finding()
    return finding_of(asked, base, others, pattern, told, free)


def _said_before(case: Case, minimal: Minimal, prelude: int) -> Exchange:
    """What the recorded client had said some time before the last of the messages that are needed, and stayed open."""
    last = next(frame for frame in case.frames if frame.n == minimal.frames[-1])
    early = [frame for frame in case.frames if frame.n < last.n and frame.at <= last.at - TAKES_EFFECT]
    return tuple(said_by(frame) for frame in early if frame.n not in minimal.frames[:prelude])


def _one_less(exchange: Exchange) -> Iterable[Exchange]:
    return ((*exchange[:i], *exchange[i + 1 :]) for i in range(len(exchange)))


def finding_of(
    asked: Sequences, base: Exchange, others: Exchange, pattern: Pattern, told: list[Pattern], free: bool
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
    if asked.pace is not None:
        claim.law.sentence += f"; what is sent sooner than {1 / asked.pace:.2g} s after that comes too early"
    shared = frozenset(q for said in base[:-1] for _, q in related(said, base[-1]))
    return Finding(pattern, free, shared, claim)


def free_of(asked: Sequences, base: Exchange, rng: Random) -> Search[bool]:
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


def _partly_free(asked: Sequences, base: Exchange, rng: Random) -> Search[Exchange | None]:
    """The same messages, with those values locked of which it is not the same with others; None where all would be.
    What may be another value is asked of each by itself; of different kinds, where several have the same."""
    able = []
    for path in shared(base) if len({said.kind for said in base}) == 1 else said_again(base):
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


# Predictions.


def _claim(
    asked: Sequences, base: Exchange, others: Exchange, pattern: Pattern, rivals: list[Pattern], free: bool
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
            if claim.gentle:
                exchange = _as_often(exchange, base)
            if rival is not None and tries < MADE // 2 and rival.holds(exchange) is fails:
                continue
            trial = asked.trial(exchange, "prediction")
            tried = exchange in asked.known or asked.trial(exchange) in asked.tried
            if exchange and pattern.holds(exchange) is fails and not tried:
                return trial
        return asked.trial(base if fails == pattern.holds(base) else (), "prediction")

    failing: Callable[[Random], Trial] = lambda rng: made(rng, True)  # noqa: E731
    claim = Claim(law, failing, lambda rng: made(rng, False))
    claim.refutes = OF_FORM if free else ()
    if pattern.valued:  # as many that say otherwise stay open
        claim.refutes += COUNTED, RATE
    return claim


def _as_often(exchange: Exchange, base: Exchange) -> Exchange:
    """The exchange without what is said in it more often than it was: twice may be once too often."""
    left = Counter(said.kind for said in base)
    kept = []
    for said in exchange:
        if left.get(said.kind, 1) > 0:
            kept.append(said)
            left[said.kind] = left.get(said.kind, 1) - 1
    return tuple(kept)


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
