"""At which load something begins: from how many connected clients on connections end, or answers take longer.

Nothing is said where the load makes no difference that could not be chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from hangup.load.curve import SLICE, Slice, middle, together

SURE = 10.0
"""By so much (in nats) the counts must be better explained by a beginning than by none: chance does so one time in some
ten thousand, as many beginnings are tried."""

TIMES = 3.0
"""So many times as often connections must end above it."""

STRAY = 0.02
"""The share of all ends that may come before it: of those that it has nothing to do with."""

SLOWER, MORE = 2.0, 5.0
"""So many times as long answers must take at the most load as at the least, and so many milliseconds longer."""

ENOUGH = 5
"""Levels of load at least, for ends."""

LEAST, EACH = 8, 20
"""The same for answers, and so many answers at each."""

LEVELS = 40
"""So many levels of load are told apart."""

LITTLE = 0.1
"""What takes no longer than by so much of the whole rise takes about as long as before it."""


class Onset(Struct, frozen=True):
    """From ``clients`` connected on. ``below`` and ``above`` are how many ended, in so many client-seconds each."""

    clients: int
    below: tuple[int, float]
    above: tuple[int, float]


class Slowing(Struct, frozen=True):
    """From ``clients`` connected on answers take longer: milliseconds (medians) up to there, and at ``most``."""

    clients: int
    before: float
    most: int
    at_most: float


def onset(slices: Sequence[tuple[float, Slice]], key: str) -> Onset | None:
    """From how many connected clients on connections end with this failure; None where that does not depend on it."""
    levels: dict[int, list[float]] = {}
    for _, each in slices:
        known = levels.setdefault(each.connected, [0.0, 0.0])
        known[0] += each.ended.get(key, 0)
        # A client that is refused was there too.
        known[1] += max(each.connected, 1) * SLICE
    ordered = sorted(levels)
    ends = sum(levels[level][0] for level in ordered)
    time = sum(levels[level][1] for level in ordered)
    if len(ordered) < ENOUGH or not ends:
        return None
    best: tuple[float, Onset] | None = None
    below = [0.0, 0.0]
    for at, level in enumerate(ordered[:-1]):
        below = [below[0] + levels[level][0], below[1] + levels[level][1]]
        above = [ends - below[0], time - below[1]]
        if below[0] > STRAY * ends or above[0] / above[1] < TIMES * below[0] / below[1]:
            continue
        gain = _gain(below[0], below[1], ends, time) + _gain(above[0], above[1], ends, time)
        if best is None or gain > best[0]:
            found = Onset(ordered[at + 1], (int(below[0]), below[1]), (int(above[0]), above[1]))
            best = gain, found
    return best[1] if best is not None and best[0] >= SURE else None


def _gain(count: float, time: float, all_: float, whole: float) -> float:
    """How much better a rate of its own explains a count (Poisson), without the part that cancels out."""
    return count * math.log((count / time) / (all_ / whole)) if count else 0.0


def slowing(slices: Sequence[tuple[float, Slice]]) -> Slowing | None:
    """From how many connected clients on answers take longer: the last level at which they take about as long as at the
    least load. None where they never take much longer."""
    points = levels(slices)
    if len(points) < LEAST:
        return None
    first = median(ms for _, ms in points[: max(2, len(points) // 4)])
    last = median(ms for _, ms in points[-max(1, len(points) // 8) :])
    if last < max(SLOWER * first, first + MORE):
        return None
    usual = first + max(MORE / 2, LITTLE * (last - first))
    knee = max((clients for clients, ms in points if ms <= usual), default=points[0][0])
    return Slowing(knee, first, points[-1][0], last)


def levels(slices: Sequence[tuple[float, Slice]]) -> list[tuple[int, float]]:
    """How many were connected, and the median answer then (milliseconds), in some levels of load."""
    most = max((each.connected for _, each in slices), default=0)
    width = max(1, math.ceil(most / LEVELS))
    groups: dict[int, list[Slice]] = {}
    for _, each in slices:
        if each.answers and each.connected:
            groups.setdefault(each.connected // width, []).append(each)
    found = []
    for number in sorted(groups):
        whole = together(groups[number])
        took = middle(whole.answers)
        if took is not None and sum(whole.answers.values()) >= EACH:
            clients = round(sum(each.connected for each in groups[number]) / len(groups[number]))
            found.append((clients, took))
    return found
