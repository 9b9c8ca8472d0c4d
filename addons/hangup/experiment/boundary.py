"""From one value that fails and one that survives to a condition: which other values fail?

Everything here is a generator: it yields a value and is sent True where the connection ends with it, False where it
stays open, None where nobody can tell.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Generator, Sequence
from math import isfinite
from random import Random
from typing import Any

from hangup.experiment.law import Condition
from hangup.experiment.message_values import MISSING, Path, kind_of_value, named, neutral

Asking = Generator[Any, bool | None, Condition]

LETTERS = string.ascii_lowercase
FEW_PLACES = 2
"""Decimal places that hardly anybody minds."""

WORDS = 12
"""Of a text of more words it is not asked which it is."""

ODD_ONES = 4
"""Characters that are tried alone."""

STEPS = 24
"""Values tried at most for one threshold."""

ROUGH_STEPS = 12
"""The same where it is no whole number, which is never found exactly."""


def condition(path: Path, bad: Any, good: Any, known: Sequence[Any]) -> Asking:
    """The condition behind ``bad``, which fails, and ``good``, which does not. ``known`` are others that do no harm."""
    found: Condition
    if isinstance(bad, float) and not isfinite(bad):
        found = Condition(f"{named(path)} is {json.dumps(bad)}, which is not JSON")
    elif _number(bad) and _number(good):
        found = yield from _of_number(path, bad, good, known)
    elif isinstance(bad, str) and isinstance(good, str):
        found = yield from _of_text(path, bad, good, known)
    elif isinstance(bad, list) and isinstance(good, list):
        found = yield from _of_list(path, bad, good)
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


def _threshold(
    survives: Any, fails: Any, make: Callable[[Any], Any], whole: bool = True
) -> Generator[Any, bool | None, tuple[Any, Any]]:
    """The nearest two of which one survives and the other fails; ``make`` makes a value of what lies between."""
    for _ in range(STEPS if whole else ROUGH_STEPS):
        middle = (survives + fails) // 2 if whole else (survives + fails) / 2
        if middle in (survives, fails) or (found := (yield make(middle))) is None:
            break
        survives, fails = (survives, middle) if found else (middle, fails)
    return survives, fails


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _of_number(path: Path, bad: Any, good: Any, known: Sequence[Any]) -> Asking:
    whole = isinstance(bad, int) and isinstance(good, int)
    if isinstance(bad, float) and (places := _places(bad)) > FEW_PLACES:
        if (yield round(bad, FEW_PLACES)) is False:
            return (yield from _of_places(path, bad, places))
    span = abs(bad - good) or 1
    further = bad + (1 if bad > good else -1) * (max(span, abs(bad)) if whole else max(span, abs(bad), 1.0))
    if (yield further) is not True:
        return Condition(f"{named(path)} is {_shown(bad)}")
    low, high = yield from _threshold(good, bad, lambda middle: middle, whole)
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

    low, high = yield from _threshold(FEW_PLACES, places, lambda middle: of(Random(middle), middle))
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


def _text(rng: Random, length: int) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(length))


def _of_text(path: Path, bad: str, good: str, known: Sequence[Any]) -> Asking:
    rng = Random(repr((bad, good)))
    alike = _text(rng, max(len(bad), 1))
    if (yield alike) is not True:
        return (yield from _of_characters(path, bad, good))
    if (yield _text(rng, max(len(good), 1))) is True and len(good) > 0:
        if (alike := _like(rng, good)) != good and (yield alike) is False:
            return Condition(
                f"{named(path)} has a different form from {good!r}, for example {bad[:60]!r}",
                fails=lambda rng: rng.choice((bad, _like(rng, bad))),
                survives=lambda rng: _like(rng, good),
            )
        values = {v for v in (good, *known) if isinstance(v, str)}
        few = ", ".join(repr(v) for v in sorted(values)[:4])
        return Condition(
            f"{named(path)} is not one of the values known to be harmless ({few})",
            fails=lambda rng: _text(rng, rng.randint(3, 12)),
        )
    low, high = yield from _threshold(len(good), len(bad), lambda middle: _text(rng, middle))
    more = len(bad) > len(good)
    size = f"{high:,} characters or {'more' if more else 'fewer'}" if high else "empty"

    def fails_with(rng: Random) -> str:
        return _text(rng, high + (rng.choice((0, 1, max(high, 8))) if more else 0))

    def survives_with(rng: Random) -> str:
        return _text(rng, rng.choice((low, rng.randint(min(len(good), low), low))) if more else low)

    return Condition(
        f"{named(path)} has {size}" if high else f"{named(path)} is empty",
        f"{named(path)}: survives {low:,} characters, fails {high:,}",
        fails=fails_with,
        survives=survives_with,
        edge=(_text(rng, low), _text(rng, high)),
    )


def _like(rng: Random, text: str) -> str:
    """A text of the same form: the last digit of each long number in it is another, or of the last number."""
    numbers = [*re.finditer(r"\d{4,}", text)] or [*re.finditer(r"\d+", text)][-1:]
    for number in numbers:
        at = number.end() - 1
        text = text[:at] + rng.choice("0123456789") + text[at + 1 :]
    return text


def _of_characters(path: Path, bad: str, good: str) -> Asking:
    """A text that fails for what is in it: for a word, for its odd characters, or just so."""
    words = bad.split()
    if 1 < len(words) <= WORDS:
        for word in sorted(dict.fromkeys(words), key=lambda word: word in good.split()):
            if (yield word) is True:
                return _containing(path, word, " ")
    odd = {c for c in bad if not (c.isascii() and c.isalnum())} - set(good)
    if odd:
        if (yield "".join("a" if c in odd else c for c in bad)) is False:
            for one in sorted(odd, key=lambda c: (c.isspace(), c))[:ODD_ONES]:
                if (yield f"ab{one}cd") is True:
                    return _containing(path, one)
    return Condition(
        f"{named(path)} is {bad[:60]!r}", survives=lambda rng: rng.choice((good, _text(rng, max(len(bad), 1))))
    )


def _containing(path: Path, one: str, between: str = "") -> Condition:
    return Condition(
        f"{named(path)} contains {one!r}",
        fails=lambda rng: between.join((_text(rng, rng.randint(1, 6)), one, _text(rng, rng.randint(1, 6)))),
        survives=lambda rng: _text(rng, rng.randint(3, 10)),
    )


def _of_list(path: Path, bad: list[Any], good: list[Any]) -> Asking:
    longer = len(bad) > len(good)
    if longer and good:
        low, high = yield from _threshold(len(good), len(bad), lambda middle: bad[:middle])
        return Condition(
            f"{named(path)} has {high} elements or more",
            f"{named(path)}: survives {low} elements, fails {high}",
            fails=lambda rng: bad[: rng.randint(high, len(bad))],
            edge=(bad[:low], bad[:high]),
        )
    if not bad:
        return Condition(f"{named(path)} is empty")
    return Condition(f"{named(path)} is {str(bad)[:60]}")


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
