"""Minimal means minimal, by the whole search on a simulated server; and its cost grows with the logarithm."""

from __future__ import annotations

from math import log2
from statistics import median

import pytest

from faults.minimal import COUNTS, measure

SEEDS = [pytest.param(range(2), id="2 seeds"), pytest.param(range(5), id="5 seeds", marks=pytest.mark.long)]


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("pair", [False, True], ids=["one message", "two, both needed"])
def test_the_exchange_is_one_minimal_and_the_cost_logarithmic(pair: bool, seeds: range) -> None:
    used: dict[int, float] = {}
    for count in COUNTS:
        found = [measure(count, pair, seed) for seed in seeds]
        assert all(each.right for each in found), [each for each in found if not each.right]
        used[count] = median(each.frames for each in found)
        most = (18 if pair else 4) * log2(count) + 10
        assert max(each.frames for each in found) <= most, (count, found)
    # A hundred times as many frames have three times the logarithm, and that is what they cost.
    assert used[1000] <= 1.5 * (log2(1000) / log2(10)) * used[10], used
