"""Which messages, in which order and how often: the patterns of which a smallest failing exchange may be an instance.

``A`` and then ``B`` may fail because ``B`` comes after ``A``, because both were said, because ``B`` is not the first
message, because there are two messages at all, because both have the same id: one exchange does not tell. Each of these
is a :class:`Pattern`, which says of any exchange whether it fails; :func:`told_apart` tries exchanges on which the
patterns that are left disagree, until they agree on all that can be tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from msgspec import Struct

from hangup.experiment.exchanges import PERMUTED, Exchange, Said, related, shared, values
from hangup.experiment.law import Condition
from hangup.experiment.message_values import MISSING, Path, named
from hangup.humanize import plural, printable, with_article

MOST = 16
"""So many exchanges are tried to tell patterns apart."""


Holds = Callable[[Exchange], bool]


class Pattern(Struct, frozen=True):
    """``words`` complete the sentence *the server drops the connection …*; ``holds`` says of an exchange whether it
    fails; ``boundary`` is the threshold, where there is one. Where ``valued``, it is about values in messages; where
    ``ordered``, all but the last must come before it; where it says ``whatever``, it does not matter what they say."""

    words: str
    holds: Holds
    boundary: str = ""
    valued: bool = False
    ordered: bool = False
    whatever: bool = False

    @property
    def condition(self) -> Condition:
        """As a part of a law."""
        return Condition(self.words, self.boundary)


Asking = Generator[Exchange, bool | None, Pattern | None]
"""Yields exchanges, is sent True for one that fails, False for one that stays open, None for what cannot be told."""


def called(kind: str) -> str:
    """A kind in a sentence."""
    return f"`{printable(kind, 40)}`"


def ordinal(n: int) -> str:
    """``5th``."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{ending}"


def patterns(base: Exchange, others: Exchange = ()) -> list[Pattern]:
    """What a smallest exchange of several messages may be an instance of, the simplest first. ``others`` are messages
    of other kinds that can be put between."""
    kinds = [said.kind for said in base]
    whatever = ", whatever else is sent" if others else ""
    found = list(_of_one_kind(base, whatever) if len(set(kinds)) == 1 else _of_kinds(base))
    n = len(base)
    words = f"when the client has sent {n:,} messages, whatever they contain"
    boundary = f"survives {plural(n - 1, 'message')}, fails {n:,}"
    return [*found, Pattern(words, lambda x: len(x) >= n, boundary, whatever=True)]


def _of_one_kind(base: Exchange, whatever: str) -> Iterator[Pattern]:
    n, kind = len(base), base[0].kind
    boundary = f"{called(kind)}: survives {n - 1:,}, fails {n:,}"
    yield Pattern(
        f"on its {ordinal(n)} {called(kind)}{whatever}",
        lambda x: sum(said.kind == kind for said in x) >= n,
        boundary,
    )
    yield Pattern(
        f"on the {ordinal(n)} {called(kind)} in a row",
        lambda x: any(all(said.kind == kind for said in x[i : i + n]) for i in range(len(x) - n + 1)),
        boundary,
    )
    for path in shared(base):
        there = [values(said)[path] for said in base]
        often = max(there.count(value) for value in there)
        if often == n:
            count = "was used before" if n == 2 else f"was used {n - 1:,} times before"
            yield Pattern(
                f"on {with_article(called(kind))} whose {named(path)} {count} on the same connection",
                _equal(kind, path, n),
                boundary if n > 2 else "",
                valued=True,
            )
        elif often == 1:
            yield Pattern(
                f"on the {ordinal(n)} different {named(path)} among its {called(kind)} messages",
                _different(kind, path, n),
                f"{named(path)}: survives {n - 1:,} different values, fails {n:,}",
                valued=True,
            )
    if len(set(base)) == 1:
        yield Pattern(
            f"when exactly the same {called(kind)} is sent {'twice' if n == 2 else f'{n:,} times'}",
            lambda x: any(said.kind == kind and x.count(said) >= n for said in x),
            boundary if n > 2 else "",
            valued=True,
        )


def _those(exchange: Exchange, kind: str | None, path: Path) -> dict[Any, int]:
    """The values at a path of the messages of a kind (None: of any), and how often each is there."""
    counts: dict[Any, int] = {}
    for said in exchange:
        if kind in (None, said.kind) and path in values(said):
            value = values(said)[path]
            counts[value] = counts.get(value, 0) + 1
    return counts


def _equal(kind: str | None, path: Path, n: int) -> Holds:
    return lambda x: max(_those(x, kind, path).values(), default=0) >= n


def _different(kind: str, path: Path, n: int) -> Holds:
    return lambda x: len(_those(x, kind, path)) >= n


def _of_kinds(base: Exchange) -> Iterator[Pattern]:
    kinds = tuple(said.kind for said in base)
    single = len(set(kinds)) == len(kinds)
    if single and len(kinds) <= PERMUTED:
        yield from (_ordered(kinds, pairs) for pairs in _orders(len(kinds)))
    else:
        yield Pattern(f"when {_listed(kinds)} come in this order", lambda x: _in_order(x, kinds), ordered=True)
        words = f"when {_listed(kinds)} have been sent, in any order"
        yield Pattern(words, lambda x: _all_there(x, kinds))
    n = len(kinds)
    yield Pattern(
        f"when {called(kinds[-1])} comes right after {_listed(kinds[:-1])}",
        lambda x: any(tuple(said.kind for said in x[i : i + n]) == kinds for i in range(len(x) - n + 1)),
    )
    yield Pattern(
        f"when {called(kinds[0])} is the first message and {_listed(kinds[1:])} {'comes' if n == 2 else 'come'} later",
        lambda x: bool(x) and x[0].kind == kinds[0] and _in_order(x, kinds),
        ordered=True,
    )
    if n == 2:
        yield from _of_two(base)
    for path in shared(base):
        if len({values(said)[path] for said in base}) == 1:
            count = "was used before" if n == 2 else f"was used {n - 1:,} times before"
            yield Pattern(
                f"on any message whose {named(path)} {count} on the same connection",
                _equal(None, path, n),
                valued=True,
            )


def _of_two(base: Exchange) -> Iterator[Pattern]:
    first, last = base
    yield Pattern(
        f"on any message after {called(first.kind)}", lambda x: any(said.kind == first.kind for said in x[:-1])
    )
    yield Pattern(
        f"on {with_article(called(last.kind))} that is not the first message",
        lambda x: any(said.kind == last.kind for said in x[1:]),
    )
    for p, q in related(first, last):
        yield Pattern(
            f"when {called(last.kind)} comes after {with_article(called(first.kind))} with the same {named(q)}",
            _with_related(first.kind, p, last.kind, q, there=True),
            valued=True,
        )


def _with_related(first: str, p: Path, last: str, q: Path, *, there: bool) -> Holds:
    """Whether a ``last`` has, or lacks, a ``first`` before it that says the same."""

    def like(exchange: Exchange, value: Any) -> bool:
        return any(said.kind == first and values(said).get(p, MISSING) == value for said in exchange)

    return lambda x: any(b.kind == last and like(x[:i], values(b).get(q)) is there for i, b in enumerate(x))


Pairs = frozenset[tuple[int, int]]


def _orders(n: int) -> list[Pairs]:
    """Which of so many messages must come before which: every order in part that agrees with the recorded one, the
    full one first, and last that it does not matter."""
    every = [(i, j) for i in range(n) for j in range(i + 1, n)]
    found = []
    for size in range(len(every), -1, -1):
        for chosen in itertools.combinations(every, size):
            pairs = frozenset(chosen)
            if all((a, d) in pairs for a, b in pairs for c, d in pairs if b == c):
                found.append(pairs)
    return found


def _ordered(kinds: tuple[str, ...], pairs: Pairs) -> Pattern:
    def holds(exchange: Exchange) -> bool:
        spots = [[i for i, said in enumerate(exchange) if said.kind == kind] for kind in kinds]
        return any(all(chosen[a] < chosen[b] for a, b in pairs) for chosen in itertools.product(*spots))

    n = len(kinds)
    if not pairs:
        both = f"both {_listed(kinds)}" if n == 2 else _listed(kinds)
        either = "either" if n == 2 else "any"
        words = f"when {both} have been sent, in {either} order"
    elif len(pairs) == n * (n - 1) // 2:
        if n == 2:
            words = f"when {called(kinds[0])} comes before {called(kinds[1])}; the other way round, it stays open"
        else:
            words = f"when {_listed(kinds)} come in this order, and in no other"
    else:
        least = [(a, b) for a, b in pairs if not any((a, c) in pairs and (c, b) in pairs for c in range(n))]
        told = " and ".join(f"{called(kinds[a])} before {called(kinds[b])}" for a, b in sorted(least))
        words = f"when {_listed(kinds)} have been sent, {told}"
    return Pattern(words, holds, ordered=all((i, n - 1) in pairs for i in range(n - 1)))


def _listed(kinds: Sequence[str]) -> str:
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    told = [called(kind) if count == 1 else f"{count:,} {called(kind)}" for kind, count in counts.items()]
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]


def _in_order(exchange: Exchange, kinds: Sequence[str]) -> bool:
    there = iter(said.kind for said in exchange)
    return all(kind in there for kind in kinds)


def _all_there(exchange: Exchange, kinds: Sequence[str]) -> bool:
    there = [said.kind for said in exchange]
    return all(there.count(kind) >= kinds.count(kind) for kind in set(kinds))


def needed(last: Said, before: Exchange, undone: Exchange = ()) -> list[Pattern]:
    """What a message may be an instance of that ends the connection by itself, and did no harm after ``before``. Any of
    ``undone`` undoes that."""
    kind = last.kind
    found: list[Pattern] = [_undone(before[0].kind, tuple(said.kind for said in undone), kind)] if undone else []
    by_kind = {said.kind: said for said in before}
    for other, said in by_kind.items():
        found.append(_without((other,), kind))
        for p, q in related(said, last):
            one = f"{with_article(called(other))} with the same {named(q)}"
            found.append(
                Pattern(
                    f"on {with_article(called(kind))} without {one} before it",
                    _with_related(other, p, kind, q, there=False),
                    valued=True,
                )
            )
    for two in itertools.combinations(by_kind, 2):
        found.append(_without(two, kind))
    if len(by_kind) > 2:
        found.append(_without(tuple(by_kind), kind))
    for other in by_kind:
        found.append(Pattern(f"when the first message is not {called(other)}", _begins(other, otherwise=True)))
    found.append(Pattern(f"when {called(kind)} is the first message", _begins(kind)))
    return [*found, anything_of(kind)]


def _undone(needed: str, undone: tuple[str, ...], kind: str) -> Pattern:
    """It fails unless the one came before it, and none of the others since."""

    def holds(exchange: Exchange) -> bool:
        there = False
        for said in exchange:
            if said.kind == kind and not there:
                return True
            there = said.kind == needed or (there and said.kind not in undone)
        return False

    since = " or ".join(map(called, undone))
    return Pattern(
        f"on {with_article(called(kind))} unless {with_article(called(needed))} came before it, and no {since} since",
        holds,
    )


def anything_of(kind: str) -> Pattern:
    """It fails on every message of a kind."""
    return Pattern(f"on any {called(kind)}", lambda x: any(said.kind == kind for said in x))


def _begins(kind: str, *, otherwise: bool = False) -> Holds:
    return lambda x: bool(x) and (x[0].kind != kind) is otherwise


def _without(others: tuple[str, ...], kind: str) -> Pattern:
    told = " and ".join(f"{with_article(called(other))}" for other in others)

    def holds(exchange: Exchange) -> bool:
        missing = set(others)
        for said in exchange:
            if said.kind == kind and missing:
                return True
            missing.discard(said.kind)
        return False

    return Pattern(f"on {with_article(called(kind))} without {told} before it", holds)


# Telling them apart.


def told_apart(standing: list[Pattern], known: dict[Exchange, bool], exchanges: Sequence[Exchange]) -> Asking:
    """The pattern that agrees with all that is known and was tried; None where there is none, or where others are
    left that say otherwise of what could not be told."""
    standing = [p for p in standing if all(p.holds(x) is fails for x, fails in known.items())]
    left = [x for x in dict.fromkeys(exchanges) if x not in known]
    untold: list[Exchange] = []
    for _ in range(MOST):
        splits = [(abs(2 * sum(p.holds(x) for p in standing) - len(standing)), len(x), x) for x in left]
        splits = [each for each in splits if each[0] < len(standing)]
        if not splits:
            break
        exchange = min(splits, key=lambda each: each[:2])[2]
        left.remove(exchange)
        fails = yield exchange
        if fails is None:
            untold.append(exchange)
            continue
        known[exchange] = fails
        standing = [p for p in standing if p.holds(exchange) is fails]
    agree = all(len({p.holds(x) for p in standing}) <= 1 for x in [*left, *untold])
    return standing[0] if standing and agree else None
