"""Exchanges of messages: what a client says in one, the same with other values, and others that are like it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.message_values import MISSING, Path, at, join, leaves, put, says_kind, split

PERMUTED = 4
"""Of exchanges of so many messages all orders are tried."""

PATHS = 6
"""So many values of a message are looked at."""


class Said(Struct, frozen=True):
    """A message of the client in an exchange: its kind, and what it says. Values at ``locked`` paths stay as they are,
    as with others it is not the same failure (the text of a query, say), and so do those that are the same in every
    message (``constant``)."""

    kind: str
    payload: bytes
    opcode: str = "text"
    locked: frozenset[Path] = frozenset()
    constant: frozenset[Path] = frozenset()


Exchange = tuple[Said, ...]


@cache
def values(said: Said) -> dict[Path, Any]:
    """The scalars in a message that may be others, but for those that make its kind."""
    value = split(said.payload)[1]
    if value is MISSING:
        return {}
    found = {path: at(value, path) for path in leaves(value) if path and path not in said.locked | said.constant}
    scalars = {path: v for path, v in found.items() if isinstance(v, str | int | float)}
    return {path: v for path, v in scalars.items() if not says_kind(said.kind, path, v)}


def fresh(
    said: Said, rng: Random, kept: Sequence[Path] = (), names: dict[Any, Any] | None = None, *, small: bool = False
) -> Said:
    """The message with other values of the same types, but for those that are ``kept``. ``names`` gives the same value
    the same new one, also in other messages, and different ones different ones; with ``small`` they are short and near
    0, else they may be larger than they were."""
    head, value = split(said.payload)
    names = {} if names is None else names
    for path, old in values(said).items():
        if path in kept or isinstance(old, bool):
            continue
        key = type(old), old
        while key not in names:
            new = _other(old, rng, small)
            if new != old and new not in names.values():
                names[key] = new
        value = put(value, path, names[key])
    return said if value is MISSING else replace(said, payload=join(head, value))


def renamed(exchange: Exchange, rng: Random, *, small: bool = False) -> Exchange:
    """The exchange with other values; what was equal stays equal, and nothing else becomes it."""
    names: dict[Any, Any] = {}
    return tuple(fresh(said, rng, names=names, small=small) for said in exchange)


def _other(value: Any, rng: Random, small: bool) -> Any:
    if isinstance(value, str):
        length = 3 if small else rng.randint(3, max(2 * len(value), 8))
        return "".join(rng.choice("bcdefghijk") for _ in range(length))
    most = 99 if small else max(2 * abs(value), 99)
    return rng.randint(0, most) if isinstance(value, int) else round(rng.uniform(0, most), 1)


def shared(base: Exchange) -> list[Path]:
    """Where each message of an exchange has a value."""
    first = list(values(base[0]))
    return [path for path in first if all(path in values(said) for said in base)][:PATHS]


def said_again(base: Exchange) -> list[Path]:
    """Where messages of an exchange have the same value at the same place."""
    found: dict[Path, None] = {}
    for one, other in itertools.combinations(base, 2):
        found |= dict.fromkeys(p for p, q in related(one, other) if p == q)
    return list(found)[:PATHS]


def related(one: Said, other: Said) -> list[tuple[Path, Path]]:
    """Where two messages say the same."""
    mine, theirs = values(one), values(other)
    return [
        (p, q)
        for q, value in theirs.items()
        for p, same in mine.items()
        if same == value and type(same) is type(value) and not isinstance(value, bool)
    ][:PATHS]


def exchanges(base: Exchange, others: Exchange, *, free: bool, rng: Random) -> Iterator[Exchange]:
    """Exchanges that are like this one: in another order, with other messages in between or in the place of some.
    Where ``free``, values may be changed."""
    n = len(base)
    if n <= PERMUTED:
        yield from itertools.permutations(base)
        for i, said in itertools.product(range(n), dict.fromkeys(base)):
            yield (*base[:i], said, *base[i + 1 :])
    else:
        yield base[::-1]
        yield (*base[1:], base[0])
    for said in {said.kind: said for said in base}.values():
        yield (said,) * n
    places = range(n) if n <= PERMUTED else (0, n // 2, n - 1)
    for x in others:
        for i in places:
            yield (*base[:i], x, *base[i:])
            yield (*base[:i], x, *base[i + 1 :])
        yield (x,)
        yield (x,) * n
        yield base[:-1] + (x,) * 3
        yield ((x,) * n + base)[-n:]
        yield tuple(itertools.chain.from_iterable((said, x) for said in base[:-1]))
        yield tuple(itertools.chain.from_iterable((x, said) for said in base))
    if free:
        yield from _varied(base, rng)


def _varied(base: Exchange, rng: Random) -> Iterator[Exchange]:
    """Exchanges with other values, of which some are equal."""
    yield tuple(fresh(said, rng) for said in base)
    one = fresh(base[0], rng)
    if len({said.kind for said in base}) == 1:
        yield (one,) * len(base)
        for path in shared(base):
            yield tuple(fresh(one, rng, kept=(path,)) for _ in base)
            yield tuple(fresh(one, rng, kept=[p for p in values(one) if p != path]) for _ in base)
    elif len(base) == 2:
        for p, q in related(*base):
            yield fresh(base[0], rng, kept=(p,)), fresh(base[1], rng, kept=(q,))
            yield base[0], fresh(base[1], rng, kept=[each for each in values(base[1]) if each != q])
