"""The law of a limit of size, and messages of a given one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import DEEPEST, MISSING, Path, at, leaves, put, split
from hangup.experiment.message_values import join as joined
from hangup.experiment.trial import ClientFrame, Edit, Trial

LARGE = 1024
"""Bytes from which on a message may be too large for somebody."""


def of_this_size(frame: ClientFrame, size: int, frames: tuple[int, ...], arm: str = "size") -> Trial:
    """The trial in which a message has so many bytes, among these ``frames``."""
    return Trial(arm, frames=frames, edits=((frame.n, Edit(of_size(frame.payload, size))),))


def size_law(frame: ClientFrame, frames: tuple[int, ...], low: int, high: int) -> Claim:
    """A limit of size: ``low`` bytes survive, ``high`` fail; ``frames`` are those that are sent with it."""
    words = f"a message has {high:,} bytes or more"
    condition = Condition(words, f"survives {low:,} B, fails {high:,} B")
    law = Law(f"it ends when {words}", [condition], ["what the message says"])

    return sizes_near(law, low, high, lambda size: of_this_size(frame, size, frames, "values"))


def sizes_near(law: Law, low: int, high: int, trial: Callable[[int], Trial]) -> Claim:
    """The claim of a law of size; ``trial`` makes the trial with a message of so many bytes."""
    claim = Claim(
        law,
        lambda rng: trial(high + rng.choice((0, 1, rng.randint(0, max(high // 4, 1))))),
        lambda rng: trial(max(0, low - rng.choice((0, 1, rng.randint(0, max(low // 2, 1)))))),
    )
    claim.edges = [(trial(low), False), (trial(high), True)]
    return claim


def of_size(payload: bytes, size: int) -> bytes:
    """A message as this one, of so many bytes: JSON by its longest text or list, other payloads cut or repeated."""
    head, value = split(payload)
    if value is MISSING:
        return (payload * (size // len(payload) + 1))[:size] if payload else b"a" * size
    texts = [path for path in leaves(value) if isinstance(at(value, path), str)]
    longest = max(texts, key=lambda path: len(at(value, path)), default=None)
    lists = [path for path in _lists(value) if len(at(value, path)) > 1]
    widest = max(lists, key=lambda path: len(joined(b"", at(value, path))), default=None)
    if widest is not None and (longest is None or len(joined(b"", at(value, widest))) > 2 * len(at(value, longest))):
        items = at(value, widest)
        fits = bisect_right(range(len(items) + 1), size, key=lambda k: len(joined(head, put(value, widest, items[:k]))))
        made = joined(head, put(value, widest, items[: max(fits - 1, 0)]))
        return made + b" " * (size - len(made))
    if longest is None:
        return payload + b" " * (size - len(payload))
    bare = joined(head, put(value, longest, ""))
    return joined(head, put(value, longest, "a" * (size - len(bare)))) if size > len(bare) else bare


def _lists(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all lists, but for those within lists."""
    if isinstance(value, list):
        yield path
    elif isinstance(value, dict) and len(path) < DEEPEST:
        for key, inner in value.items():
            yield from _lists(inner, (*path, key))


def least_size(payload: bytes) -> int:
    """The fewest bytes to which a message can be made: JSON must stay JSON of the same parts."""
    return len(of_size(payload, 0))
