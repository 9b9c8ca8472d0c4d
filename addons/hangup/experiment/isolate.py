"""The smallest difference between a message that ends the connection and one of its like that does not.

Zeller's *isolate*: from a pair, a failing message and its nearest harmless neighbour, the difference is narrowed until
nothing of it can be left away; then each part of it is made a condition (:mod:`.boundary`). So a candidate is always as
well-formed as what the client really sends, and does not fail for a reason of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from hangup.experiment.boundary import condition
from hangup.experiment.law import Condition
from hangup.experiment.list_elements import one_element
from hangup.experiment.message_values import (
    MISSING,
    Path,
    at,
    canonical,
    differences,
    join,
    leaves,
    named,
    neutral,
    put,
    split,
)
from hangup.experiment.minimise import minimise_frames

KIN = 3
"""So many harmless messages are tried as neighbours."""

PARTS = 12
"""So many parts of an object are looked at, one by one."""

KNOWN = 40
"""Harmless values of one part that are remembered."""

Asking = Generator[bytes, bool | None, "Difference | None"]
"""Yields payloads, is sent True for one that fails, False for one that survives, None for what cannot be told."""


class Difference(Struct):
    """What was found: the conditions, the message that fails by them and is otherwise like its ``neighbour``, which
    survives, and what did not matter."""

    conditions: list[Condition]
    payload: bytes
    neighbour: bytes
    irrelevant: list[str]
    head: bytes
    base: Any
    """The neighbour: its envelope and its value."""
    kin: list[Any]
    """Other harmless values that have the same parts."""

    def with_values(self, new: Mapping[Path, Any], base: Any = None) -> bytes:
        """The neighbour, or one of its ``kin``, with other values at some paths."""
        value = self.base if base is None else base
        for path, each in new.items():
            value = put(value, path, each)
        return join(self.head, value)


def isolate(payload: bytes, kin: Sequence[bytes], kept: Path = ()) -> Asking:
    """Narrows the difference between ``payload`` and its like. ``kin`` are harmless messages of the same kind, ``kept``
    the path of what makes the kind. None where it is no JSON, or where all of its kind fail, whatever they say."""
    head, bad = split(payload)
    if bad is MISSING:
        return None
    values = [value for each in kin if (value := split(each)[1]) is not MISSING and type(value) is type(bad)]
    values = sorted(_distinct(values), key=lambda value: sum(1 for _ in differences(bad, value)))
    plain = bad
    tried: list[Any] = []
    for path in leaves(bad):
        if path != kept and path:
            plain = put(plain, path, neutral(at(bad, path)))
    bases, refuted = [*values[:KIN], plain], False
    earlier: list[Condition] = []
    while bases:
        base = bases.pop(0)
        paths = list(differences(bad, base))
        if not paths:
            continue

        def made(numbers: Sequence[int], base: Any = base, paths: list[Path] = paths) -> bytes:
            value = base
            for number in numbers:
                value = put(value, paths[number], at(bad, paths[number]))
            return join(head, value)

        order = sorted(range(len(paths)), key=lambda n: _oddness(at(bad, paths[n]), [at(v, paths[n]) for v in values]))
        least = yield from _narrowed(made, len(paths), order)
        if not least:
            continue  # the neighbour fails as well, or nobody can tell
        found = yield from _difference(head, bad, base, paths, [paths[number] for number in least], values)
        yield from _joined(found, earlier, bad)
        other = next((value for value in values if value != base and _all_hold(found, value)), None)
        if other is None:
            return found
        # One that did no harm is so, too: what fails is less well-formed than it. That one is the better neighbour.
        refuted = True
        earlier = found.conditions
        if other in bases:
            bases.remove(other)
        elif len(tried) >= KIN:
            continue
        tried.append(other)
        bases.insert(0, other)
    if refuted:
        return None
    # All of its kind fail, whatever their values: but do they without one of their parts?
    parts = [*((key,) for key in _keys(bad)), *(path for path in leaves(bad) if len(path) > 1)]
    for part in [part for part in parts if part != kept[: len(part)]][:PARTS]:
        without = put(bad, part, MISSING)
        if isinstance(part[-1], str) and (yield join(head, without)) is False:
            return (yield from _difference(head, bad, without, [part], [part], values))
    return None


def _joined(found: Difference, earlier: Sequence[Condition], bad: Any) -> Generator[bytes, bool | None, None]:
    """Adds the conditions that were found beside another neighbour, of which each but this one was so: those that are
    needed here as well, as without any one of them the message does no harm."""
    paths = {condition.path for condition in found.conditions}
    for other in earlier:
        if other.path in paths or other.survives is None or at(found.base, other.path) is MISSING:
            continue
        rest = {path: at(bad, path) for path in paths}
        if (yield found.with_values({**rest, other.path: other.survives(Random(len(paths)))})) is False:
            found.conditions.append(other)
            name = named(other.path)
            found.irrelevant = [each for each in found.irrelevant if each != name]
            found.kin = [value for value in found.kin if at(value, other.path) is not MISSING]


def _all_hold(found: Difference, value: Any) -> bool:
    """Whether all conditions are known to be so of a value; of what it has no place for, nothing is."""
    tests = [(condition.holds, condition.path) for condition in found.conditions]
    return all(
        holds is not None and at(value, path[:-1]) is not MISSING and holds(at(value, path)) for holds, path in tests
    )


def _difference(
    head: bytes, bad: Any, base: Any, paths: Sequence[Path], least: Sequence[Path], values: Sequence[Any]
) -> Generator[bytes, bool | None, Difference]:
    """The conditions: ``paths`` are all the differences from the neighbour, ``least`` those that are needed."""
    bad, base, least = yield from _elementwise(head, bad, base, least, values)
    needed: list[Path] = []
    for number, path in enumerate(least):
        base, narrowed = yield from _inside(head, bad, base, path, [*needed, *least[number + 1 :]])
        needed += narrowed
    others = [named(path) for path in paths if path not in (*needed, *least)]
    like = [value for value in values if all(at(value, path) is not MISSING for path in needed)]
    # Of all differences those that matter: where they are within an object, the rest of it belongs to both.
    whole = base
    for path in needed:
        whole = put(whole, path, at(bad, path))
    found = Difference([], join(head, whole), join(head, base), others, head, base, like[:KNOWN])
    for path in needed:
        found.conditions.append((yield from _condition(found, bad, path, needed, values)))
    return found


def _elementwise(
    head: bytes, bad: Any, base: Any, least: Sequence[Path], values: Sequence[Any]
) -> Generator[bytes, bool | None, tuple[Any, Any, list[Path]]]:
    """The same pair with lists of one element each, where one element is enough, and what is different then."""
    found: list[Path] = []
    paths = least
    least = list(dict.fromkeys(map(_list_of, paths)))
    for number, path in enumerate(least):
        rest = base
        for other in (*found, *least[number + 1 :]):
            rest = put(rest, other, at(bad, other))
        each = (yield from one_element(head, bad, rest, path, values)) if path else None
        if each is None:
            found += [p for p in paths if p[: len(path)] == path]
            continue
        bad = put(bad, path, [each.fails])
        base, rest = (put(value, path, [each.survives]) for value in (base, rest))
        inner = list(differences(at(bad, path), at(base, path), path))

        def made(numbers: Sequence[int], rest: Any = rest, inner: list[Path] = inner, bad: Any = bad) -> bytes:
            value = rest
            for chosen in numbers:
                value = put(value, inner[chosen], at(bad, inner[chosen]))
            return join(head, value)

        needed = yield from _narrowed(made, len(inner), [])
        found += [inner[chosen] for chosen in needed or range(len(inner))]
    return bad, base, found


def _list_of(path: Path) -> Path:
    """The list within the message that a path leads through, or else the path; the message itself is none."""
    return next((path[:n] for n, step in enumerate(path) if n and isinstance(step, int)), path)


def _inside(
    head: bytes, bad: Any, base: Any, path: Path, others: Sequence[Path]
) -> Generator[bytes, bool | None, tuple[Any, list[Path]]]:
    """Narrows a difference that is a whole object, which the neighbour has not, to the parts without which it survives.
    What is left of the object then stands in the neighbour, too. ``others`` are the other differences that are needed.
    Returns the neighbour and the differences."""
    parts = [(*path, key) for key in _keys(at(bad, path))][:PARTS]
    if not parts or isinstance(at(base, path), dict):
        return base, [path]
    rest = base
    for other in others:
        rest = put(rest, other, at(bad, other))

    def without(removed: Sequence[Path]) -> Any:
        value = bad
        for part in removed:
            value = put(value, part, MISSING)
        return at(value, path)

    guilty = []
    for part in parts:
        if (yield join(head, put(rest, path, without([part])))) is False:
            guilty.append(part)
    if not guilty or (len(guilty) > 1 and (yield join(head, put(rest, path, without(guilty)))) is not False):
        return base, [path]  # that it is there at all, or it cannot be told
    base = put(base, path, without(guilty))
    found: list[Path] = []
    for number, part in enumerate(guilty):
        base, paths = yield from _inside(head, bad, base, part, [*others, *found, *guilty[number + 1 :]])
        found += paths
    return base, found


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _narrowed(
    made: Callable[[Sequence[int]], bytes], count: int, guesses: list[int]
) -> Generator[bytes, bool | None, tuple[int, ...] | None]:
    """The least subset of the differences that fails; None where it cannot be told."""
    asking = minimise_frames(range(count), guesses=guesses[:6])
    try:
        candidate = next(asking)
        while True:
            fails = yield made(candidate)
            if fails is None and candidate == ():
                return None
            candidate = asking.send(fails is True)
    except StopIteration as stop:
        found: tuple[int, ...] = stop.value
        return found


def _condition(
    found: Difference, bad: Any, path: Path, needed: list[Path], values: Sequence[Any]
) -> Generator[bytes, bool | None, Condition]:
    others = {other: at(bad, other) for other in needed if other != path}
    # Where a harmless message says the same here, it does no harm for something else that it says.
    own = canonical(at(bad, path))
    known = [value for each in values if (value := at(each, path)) is not MISSING and canonical(value) != own][:KNOWN]
    asking = condition(path, at(bad, path), at(found.base, path), known)
    try:
        value = next(asking)
        while True:
            value = asking.send((yield found.with_values({**others, path: value})))
    except StopIteration as stop:
        made: Condition = stop.value
        return made


def _distinct(values: Sequence[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(canonical(value), value)
    return list(seen.values())


def _oddness(value: Any, harmless: Sequence[Any]) -> float:
    """How far a value is from what is usual at its place: the odd ones are tried first. Lower is odder."""
    there = [each for each in harmless if each is not MISSING]
    if value is MISSING or value is None or value in ("", [], {}):
        return 0.0
    if there and not any(type(value) is type(each) for each in there):
        return 1.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        numbers = [each for each in there if isinstance(each, int | float)]
        return 2.0 if numbers and not min(numbers) <= value <= max(numbers) else 4.0
    if isinstance(value, str):
        texts = [each for each in there if isinstance(each, str)]
        if texts and len(value) > 2 * max(map(len, texts)):
            return 1.5
        return 5.0 if len(set(texts)) == len(texts) else 3.0  # every message has another: an id
    return 3.0
