"""How sure `hangup why` may be: its shares of the belief against how often what was named was right.

The event is that the verdict is right, the whole of ``category/name``, as that is what is said with this confidence;
answers that name no cause are not counted, as they claim nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hangup.humanize import clip
from lab.judged import Judged

TO_SAME = 1.0
"""How strongly the two figures are drawn to those that change nothing (log-likelihoods of so many answers)."""


class Answer(NamedTuple):
    """What was said of a recording that took no part in the fit, and the share of the belief that stood behind it."""

    judged: Judged
    belief: float


def calibration(answers: Sequence[Answer]) -> tuple[float, float]:
    """The factor and the summand of :func:`hangup.diagnosis.weights.calibrated` that make these likeliest."""
    from scipy.optimize import minimize

    named = [(math.log(p / (1 - p)), each.judged.right) for each in answers if not each.judged.unknown
             for p in [clip(each.belief, 1e-6, 1 - 1e-6)]]  # fmt: skip

    def lost(x: Sequence[float]) -> float:
        factor, summand = x
        odds = ((factor * score + summand) * (1 if right else -1) for score, right in named)
        unlikely = sum(math.log1p(math.exp(-clip(each, -500.0, 500.0))) for each in odds)
        return unlikely + TO_SAME * ((factor - 1) ** 2 + summand**2)

    found = minimize(lost, (1.0, 0.0), bounds=[(0.05, 5.0), (-5.0, 5.0)]).x
    return round(float(found[0]), 3), round(float(found[1]), 3)
