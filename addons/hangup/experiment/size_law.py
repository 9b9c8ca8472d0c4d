"""The law of a limit of size, and messages of a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import DEEPEST, MISSING, Path, at, kind_of_value, leaves, put, split
from hangup.experiment.message_values import join as joined
from hangup.experiment.trial import ClientFrame, Edit, Trial

LARGE = 1024
"""Bytes from which on a message may be too large for somebody."""

SHORT = 16
"""A text of no more characters may be a word that is needed, and is no burden."""


def of_this_size(frame: ClientFrame, payload: bytes, frames: tuple[int, ...], arm: str = "size") -> Trial:
    """The trial in which a message of some size is said in the place of this one, among these ``frames``."""
    return Trial(arm, frames=frames, edits=((frame.n, Edit(payload)),))


def size_law(
    ends: str,
    frame: ClientFrame,
    base: bytes,
    frames: tuple[int, ...],
    low: int,
    high: int,
    most: tuple[int, int] | None = None,
) -> Claim:
    """A limit of size: ``low`` bytes survive, ``high`` fail; ``frames`` are those that are sent with it. ``base`` is
    what the message says, and ``ends`` how the law begins. With ``most`` larger ones survive again: these are the
    largest size that fails and the smallest above it that does not."""
    words, boundary = f"a message has {high:,} bytes or more", f"survives {low:,} B, fails {high:,} B"
    if most is not None:
        words = f"a message has {high:,} to {most[0]:,} bytes"
        boundary += f"; fails {most[0]:,} B, survives {most[1]:,} B"
    law = Law(f"{ends} when {words}", [Condition(words, boundary)], ["the content of the message"])
    claim = sizes_near(law, low, high, lambda size: of_this_size(frame, of_size(base, size), frames, "values"), most)
    claim.nameless = most is not None  # that is no limit
    return claim


def sizes_near(
    law: Law, low: int, high: int, trial: Callable[[int], Trial], most: tuple[int, int] | None = None
) -> Claim:
    """The claim of a law of size; ``trial`` makes the trial with a message of so many bytes, ``most`` as in
    :func:`size_law`."""

    def fails(rng: Random) -> Trial:
        size = high + rng.choice((0, 1, rng.randint(0, max(high // 4, 1))))
        return trial(size if most is None else min(rng.choice((size, most[0])), most[0]))

    def survives(rng: Random) -> Trial:
        if most is not None and rng.random() < 0.4:
            return trial(most[1] + rng.choice((0, 1, rng.randint(0, max(most[1] // 4, 1)))))
        return trial(max(0, low - rng.choice((0, 1, rng.randint(0, max(low // 2, 1))))))

    claim = Claim(law, fails, survives)
    claim.edges = [(trial(low), False), (trial(high), True)]
    return claim


def bare(payload: bytes, kept: float = 0.0) -> bytes:
    """The same message with as little in it as can be: of JSON the longest list is cut to the share that is ``kept``,
    or to its first element, and of what is left the longest text."""
    head, value = split(payload)
    if value is MISSING:
        return payload
    lists = [path for path in _lists(value) if len(at(value, path)) > 1]
    widest = max(lists, key=lambda path: len(joined(b"", at(value, path))), default=None)
    if widest is not None:
        items = at(value, widest)
        value = put(value, widest, items[: max(1, int(kept * len(items)))])
    texts = [path for path in leaves(value) if isinstance(at(value, path), str)]
    longest = max(texts, key=lambda path: len(at(value, path)), default=None)
    if longest is not None and len(at(value, longest)) > SHORT:
        value = put(value, longest, at(value, longest)[: int(kept * len(at(value, longest)))])
    return joined(head, value)


def of_size(base: bytes, size: int) -> bytes:
    """A message that says the same in so many bytes: JSON with spaces after it, which nobody reads; what is no JSON is
    cut or repeated. JSON is never made shorter."""
    if split(base)[1] is not MISSING:
        return base + b" " * (size - len(base))
    return (base * (size // len(base) + 1))[:size] if base else b"a" * size


def _lists(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all lists of things that are alike, but for those within such lists. ``["save", 7, {...}]`` is none:
    each of its elements has a meaning of its own."""
    if isinstance(value, list) and len({kind_of_value(each) for each in value}) == 1:
        yield path
    elif isinstance(value, dict | list) and len(path) < DEEPEST:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _lists(inner, (*path, key))


def least_size(base: bytes) -> int:
    """The fewest bytes in which a message can say this."""
    return len(of_size(base, 0))
