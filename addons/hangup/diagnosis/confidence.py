"""From scores to confidence: how sure is the first hypothesis, given all the others?

The scores of all hypotheses, and of one more that stands for a cause nobody thought of, become shares that add up to
one. So two causes that predict the same signs halve each other's share, and weak evidence leaves much to the unknown.
The shares are then mapped to what they were worth on recordings whose cause was known (``python -m faults.confusion``
prints that table).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hangup.diagnosis.findings import Hypothesis
from hangup.humanize import clip

UNKNOWN = 2.2
"""The score of the cause that no rule knows."""

TEMPERATURE = 1.1
"""Scores are divided by this: the signs are not as independent as adding their weights would have it."""

WORTH = ((0.0, 0.0), (0.3, 0.42), (0.45, 0.62), (0.55, 0.77), (0.65, 0.88), (0.8, 0.92), (0.9, 0.95), (1.0, 0.98))
"""Shares and what they were worth, between them linear.

Fitted on variants of the fault set, whole and thinned to one, two and three connections, on laid-out recordings of the
catalogue's other causes among unrelated traffic, and on endings at random, for which any named cause is wrong; rounded
down, as causes in the field are more than those of the catalogue.
"""

NAMED = 0.4
"""A cause is named from this confidence on; below, the verdict is ``unknown/``."""


def shares(hypotheses: Sequence[Hypothesis]) -> list[float]:
    """Each hypothesis's share of the belief; what is missing from 1 is the unknown's."""
    if not hypotheses:
        return []
    scores = [clip(h.score, -50.0, 50.0) / TEMPERATURE for h in hypotheses]
    top = max(*scores, UNKNOWN / TEMPERATURE)
    weights = [math.exp(score - top) for score in scores]
    total = sum(weights) + math.exp(UNKNOWN / TEMPERATURE - top)
    return [weight / total for weight in weights]


def worth(share: float) -> float:
    """The confidence that a share deserves."""
    for (x0, y0), (x1, y1) in zip(WORTH, WORTH[1:], strict=False):
        if share <= x1:
            return round(y0 + (y1 - y0) * (share - x0) / (x1 - x0), 3)
    return WORTH[-1][1]
