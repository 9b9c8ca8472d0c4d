"""The little statistics that the rules need. Weights are natural logarithms of likelihood ratios."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from statistics import median

LOOSE = 0.4
"""The spread, as a share of the median, at which durations speak neither for a timer nor against one."""

GRAIN = 0.004
"""Seconds below which two times are alike: what a busy loop and a scheduler add."""

WINDOWS = (0.025, 0.06, 0.15, 0.4, 1.3)
"""Seconds after a frame within which an end may be its consequence; the later ones are for slow handlers."""


def spread(values: Sequence[float]) -> float:
    """Largest less smallest; of six and more values without the one that is farthest from the median."""
    if len(values) < 2:
        return 0.0
    ordered = sorted(values)
    if len(ordered) >= 6:
        middle = median(ordered)
        ordered.remove(max(ordered, key=lambda v: abs(v - middle)))
    return ordered[-1] - ordered[0]


def steadiness(values: Sequence[float], limit: float = 6.0) -> float:
    """How much likelier these durations are if one timer made them all than if chance did; 0 for fewer than two.

    Below 0 when they differ by more than two fifths of their size, as no timer's do.
    """
    values = [v for v in values if math.isfinite(v)]
    if len(values) < 2:
        return 0.0
    middle = max(median(values), 0.0)
    scale = min(max(spread(values), 0.01 * middle) + GRAIN, sys.float_info.max)
    return max(-limit, min(limit, (min(len(values), 6) - 1) * math.log(LOOSE * (middle + GRAIN) / scale) * 0.8))


def surprise(hits: int, tries: int, chance: float) -> float:
    """How much likelier ``hits`` of ``tries`` are if there is a cause than if each has probability ``chance``."""
    if tries <= 0 or not math.isfinite(chance):
        return 0.0
    chance = min(max(chance, 0.002), 0.998)
    share = (hits + 0.5) / (tries + 1)
    if share <= chance:
        return 0.0
    misses = tries - hits
    weight = hits * math.log(share / chance)
    if misses:
        weight += misses * math.log((1 - share) / (1 - chance))
    return max(0.0, weight)


def within(rate: float, window: float) -> float:
    """The probability that a random moment lies within ``window`` seconds after one of ``rate`` events a second."""
    return 1.0 - math.exp(-max(rate, 0.0) * max(window, 0.0))


def near(value: float, wanted: float, share: float = 0.05) -> bool:
    """Whether two durations agree within a share, or within 50 ms."""
    return abs(value - wanted) <= max(share * abs(wanted), 0.05)


def middle(values: Sequence[float]) -> float:
    """The median, 0 for none."""
    finite = [v for v in values if math.isfinite(v)]
    return median(finite) if finite else 0.0
