"""What each sign weighs for each cause: fitted on recordings whose cause is known, never typed.

``weights.json`` holds what ``cd tests && python -m lab.fit --from DIR`` made of the recordings of the lab: for each
cause a bias, for each of its signs a factor that is never negative (which way a sign speaks is the rule's to say), and
for each sign the mean of its factors, which stands in where a cause is so rare that nothing was learned about it.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from hangup.humanize import clip

START = 1.0
"""The factor of a sign that nothing is known about."""

RARE = -1.0
"""The bias of a cause that nothing is known about."""


class Weights(msgspec.Struct):
    """See above. ``causes`` has the signs of each cause, ``signs`` their means; ``calibration`` is what
    :func:`calibrated` goes by: a factor and a summand of the logarithm of the odds."""

    bias: dict[str, float] = {}
    causes: dict[str, dict[str, float]] = {}
    signs: dict[str, float] = {}
    calibration: tuple[float, float] = (1.0, 0.0)


@cache
def fitted() -> Weights:
    """The committed weights."""
    data: Any = (files("hangup.diagnosis") / "weights.json").read_bytes()
    return msgspec.json.decode(data, type=Weights)


def weight(verdict: str, sign: str) -> float:
    """The factor of a sign for a cause."""
    found = fitted()
    own = found.causes.get(verdict, {}).get(sign)
    return own if own is not None else found.signs.get(sign, START)


def bias(verdict: str) -> float:
    """What a cause has before any sign."""
    return fitted().bias.get(verdict, RARE)


def calibrated(share: float) -> float:
    """How often what has this share of the belief (0 to 1) is right, as measured on recordings that took no part in the
    fit: the logarithm of the odds is stretched and shifted (Platt, "Probabilistic outputs for support vector machines",
    1999)."""
    factor, summand = fitted().calibration
    share = clip(share, 1e-6, 1 - 1e-6)
    return 1 / (1 + math.exp(-factor * math.log(share / (1 - share)) - summand))


def encoded(found: Weights) -> bytes:
    """As the file holds them."""
    return msgspec.json.encode(found)
