"""From one value that fails and one that survives to a condition: which other values fail?

Everything here is a generator: it yields a value and is sent True where the connection ends with it, False where it
stays open, None where nobody can tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Sequence
from math import isfinite
from random import Random
from typing import Any

from hangup.experiment.law import Condition
from hangup.experiment.message_values import MISSING, Path, canonical, kind_of_value, named, neutral
from hangup.experiment.text_boundary import like, of_letters, of_text
from hangup.experiment.threshold import threshold

Asking = Generator[Any, bool | None, Condition]

_LAST_NUMBER = re.compile(r"\d+(?!.*\d)", re.S)

FEW_PLACES = 2
"""Decimal places that hardly anybody minds."""


def condition(path: Path, bad: Any, good: Any, known: Sequence[Any]) -> Asking:
    """The condition behind ``bad``, which fails, and ``good``, which does not. ``known`` are others that do no harm."""
    found: Condition
    if isinstance(bad, float) and not isfinite(bad):
        found = Condition(f"{named(path)} is {json.dumps(bad)}, which is not JSON")
    elif _number(bad) and _number(good):
        found = yield from _of_number(path, bad, good, known)
    elif isinstance(bad, str) and isinstance(good, str):
        found = yield from of_text(path, bad, good, known)
    elif isinstance(bad, list) and isinstance(good, list):
        found = yield from _of_list(path, bad, good, known)
    elif bad is MISSING:
        found = Condition(f"{named(path)} is missing", holds=lambda value: value is MISSING)
    elif good is MISSING:
        found = yield from _of_presence(path, bad, known)
    else:
        found = yield from _of_type(path, bad, good)
    found.path = path
    found.fails = found.fails or (lambda rng: bad)
    harmless = [good, *known]
    found.survives = found.survives or (lambda rng: rng.choice(harmless))
    return found


def _of_presence(path: Path, bad: Any, known: Sequence[Any]) -> Asking:
    """It does no harm when it is missing: is it that it is there at all, or what it says?"""
    others = [value for value in known if value != bad][:1] or [v for v in (neutral(bad), "a", 1) if v != bad][:2]
    for other in others:
        told = yield other
        if told is False:
            return (yield from condition(path, bad, other, known))
        if told is None:
            return Condition(f"{named(path)} is {str(bad)[:60]}")
    pool = [bad, *others]
    there = Condition(f"{named(path)} is present", fails=lambda rng: rng.choice(pool))
    there.holds = lambda value: value is not MISSING
    return there


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _of_number(path: Path, bad: Any, good: Any, known: Sequence[Any]) -> Asking:
    whole = isinstance(bad, int) and isinstance(good, int)
    if isinstance(bad, float) and (places := _places(bad)) > FEW_PLACES:
        if (yield round(bad, FEW_PLACES)) is False:
            return (yield from _of_places(path, bad, places))
    beyond = [v for v in known if _number(v) and (v >= bad if bad > good else v <= bad)]
    if beyond:  # what is further away does no harm
        return Condition(f"{named(path)} is {_shown(bad)}", holds=lambda value: value == bad)
    span = abs(bad - good) or 1
    further = bad + (1 if bad > good else -1) * (max(span, abs(bad)) if whole else max(span, abs(bad), 1.0))
    if (yield further) is not True:
        return Condition(f"{named(path)} is {_shown(bad)}")
    low, high = yield from threshold(good, bad, lambda middle: middle, whole)
    more = bad > good
    boundary = f"{named(path)}: survives {_shown(low)}, fails {_shown(high)}"
    far = abs(further - high)
    room = abs(low - good)
    return Condition(
        f"{named(path)} is {_shown(high)} or {'more' if more else 'less'}",
        boundary,
        fails=_spread(high, far if more else -far, whole),
        survives=_spread(low, -room if more else room, whole),
        edge=(low, high),
    )


def _places(value: float) -> int:
    """How many decimal places it is written with."""
    return len(repr(value).partition(".")[2]) if "e" not in repr(value) else 0


def _of_places(path: Path, bad: float, places: int) -> Asking:
    def of(rng: Random, places: int) -> float:
        whole = rng.randint(1, 3)
        return float(f"{whole}." + "".join(rng.choice("123456789") for _ in range(places)))

    low, high = yield from threshold(FEW_PLACES, places, lambda middle: of(Random(middle), middle))
    return Condition(
        f"{named(path)} has {high} decimal places or more",
        f"{named(path)}: survives {low} decimal places, fails {high}",
        fails=lambda rng: of(rng, min(high, 15)) if high <= 15 else bad,
        survives=lambda rng: of(rng, rng.randint(1, low)),
        edge=(of(Random(0), low), of(Random(0), high)) if high <= 15 else None,
    )


def _spread(edge: Any, width: Any, whole: bool) -> Callable[[Random], Any]:
    """Values from an edge on: often the edge itself, else further away."""

    def make(rng: Random) -> Any:
        if rng.random() < 0.4 or not width:
            return edge
        share = width * rng.random()
        return edge + (int(share) if whole else share)

    return make


def _of_list(path: Path, bad: list[Any], good: list[Any], known: Sequence[Any]) -> Asking:
    """How long it is, where as many others fail as well, and none of the ``known`` ones is as long; that an element
    stands in it twice; or just so."""
    if not bad:
        return Condition(f"{named(path)} is empty", holds=lambda value: value == [])
    if (found := (yield from _same_key(path, bad))) is not None:
        return found
    distinct = [each for n, each in enumerate(bad) if each not in bad[:n]]
    if len(distinct) < len(bad) and (yield distinct) is False:
        twice = distinct[:1] * 2
        if (yield twice) is True:
            return Condition(
                f"{named(path)} has the same element twice",
                fails=lambda rng: [*rng.sample(distinct, rng.randint(1, len(distinct)))] * 2,
                survives=lambda rng: rng.sample(distinct, rng.randint(1, len(distinct))),
            )
    elif len(bad) > len(good) > 0 and not any(isinstance(v, list) and len(v) >= len(bad) for v in known):
        pool = [*good, *(each for each in distinct if each not in good)]

        def some(rng: Random, length: int) -> list[Any]:
            fresh = [_another(rng, pool) for _ in range(length)]
            return fresh if all(type(e) in (int, float, str) for e in fresh) else _repeated(good, length)

        if (yield some(Random(0), len(bad))) is True:
            low, high = yield from threshold(len(good), len(bad), lambda middle: some(Random(middle), middle))
            return Condition(
                f"{named(path)} has {high} elements or more",
                f"{named(path)}: survives {low} elements, fails {high}",
                fails=lambda rng: some(rng, rng.randint(high, len(bad))),
                survives=lambda rng: some(rng, rng.randint(1, low)),
                edge=(some(Random(1), low), some(Random(1), high)),
            )
    return Condition(f"{named(path)} is {str(bad)[:60]}", holds=lambda value: value == bad)


def _same_key(path: Path, bad: list[Any]) -> Generator[Any, bool | None, Condition | None]:
    """That two of its elements, which are objects, have the same value of some key."""
    if len(bad) < 2 or not all(isinstance(each, dict) for each in bad):
        return None
    for key in bad[0]:
        values = [canonical(each.get(key, MISSING)) for each in bad if key in each]
        distinct = [each for n, each in enumerate(bad) if key in each and values.index(canonical(each[key])) == n]
        if len(values) < len(bad) or len(distinct) == len(bad) or len(distinct) < 1 or (yield distinct) is not False:
            continue
        one = next(each for each in bad if values.count(canonical(each[key])) > 1)
        other = next((each for each in distinct if each is not one), one)
        if (yield [one, {**other, key: one[key]}]) is not True:
            continue
        return _twice(path, key, distinct)
    return None


def _twice(path: Path, key: str, distinct: list[Any]) -> Condition:
    """The condition that two elements have the same value of a key; ``distinct`` are some that all differ in it."""

    def some(rng: Random) -> list[Any]:
        return rng.sample(distinct, rng.randint(1, len(distinct)))

    def fails(rng: Random) -> list[Any]:
        made = some(rng)
        made.insert(rng.randint(0, len(made)), {**rng.choice(distinct), key: rng.choice(made)[key]})
        return made

    return Condition(f"two elements of {named(path)} have the same `{key}`", fails=fails, survives=some)


def _repeated(elements: list[Any], length: int) -> list[Any]:
    """So many elements like these; those that are objects differ in all their texts and numbers, as the same one twice
    may be what does harm."""
    return [_numbered(elements[n % len(elements)], n // len(elements)) for n in range(length)]


def _numbered(value: Any, round: int) -> Any:
    if not round or isinstance(value, bool) or value is None:
        return value
    if isinstance(value, dict):
        return {key: _numbered(each, round) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbered(each, round) for each in value]
    if isinstance(value, str):
        return _LAST_NUMBER.sub(lambda found: f"{found[0]}{round}", value)
    return value + round if isinstance(value, int) else value


def _another(rng: Random, pool: Sequence[Any]) -> Any:
    """An element like those of a pool, but most probably none of them."""
    one = rng.choice(pool)
    if isinstance(one, str):
        return like(rng, one) if any(c.isdigit() for c in one) else one[:1] + of_letters(rng, max(len(one) - 1, 1))
    if isinstance(one, bool) or not isinstance(one, int | float):
        return one
    numbers = [each for each in pool if _number(each)]
    low, high = min(numbers), max(numbers)
    return rng.randint(low, high + 8) if all(isinstance(each, int) for each in numbers) else rng.uniform(low, high)


_SAMPLES: dict[str, tuple[Any, ...]] = {
    "a number": (7, 0.5),
    "a string": ("x", "hello"),
    "a boolean": (True, False),
    "a list": ([1],),
    "an object": ({"x": 1},),
}


def _of_type(path: Path, bad: Any, good: Any) -> Asking:
    """Another type: any value of it?"""
    kind = kind_of_value(bad)
    wanted = kind_of_value(good)
    others = [v for v in _SAMPLES.get(kind, ()) if v != bad]
    if not others:
        is_it = Condition(f"{named(path)} is {kind}" if kind == "null" else f"{named(path)} is {bad!r}")
        is_it.holds = lambda value: value == bad and type(value) is type(bad)
        return is_it
    if (yield others[0]) is True:
        samples = [bad, *others]
        found = Condition(f"{named(path)} is {kind}, not {wanted}", fails=lambda rng: rng.choice(samples))
        found.holds = lambda value: kind_of_value(value) == kind
        return found
    return Condition(f"{named(path)} is {bad!r}")
