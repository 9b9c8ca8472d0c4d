"""Laws of binary messages: any of them ends the connection, or those of certain lengths, or with certain bytes."""

from __future__ import annotations

from math import gcd
from random import Random

from hangup.experiment.arms import Search
from hangup.experiment.bytes_law import bytes_law
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.trial import Trial

UNITS = (2, 3, 4, 5, 6, 8, 12, 16)
"""Bytes of which something may be made up: samples of sound, pixels, numbers."""


def binary_law(place: InPlace) -> Search[Claim | None]:
    """The law, where it is that a message is binary at all, that its length is no multiple of something, or some of its
    bytes."""
    if (found := (yield from bytes_law(place))) is not None:
        return found
    harmless = _harmless(place)
    if harmless:
        return (yield from _length_law(place, harmless))
    texts = [(payload, opcode) for payload, opcode in place.others if opcode == "text"]
    if not texts:
        return None
    if (yield from place.ask(b"\x00hangup", "binary")) is not True:
        return None
    law = Law(f"{place.ends} on any binary message{place.whose}{place.context}", [Condition("its opcode is binary")])

    def failing(rng: Random) -> Trial:
        return place.trial(rng.randbytes(rng.randint(1, 40)), "binary", rng)

    return Claim(law, failing, lambda rng: place.harmless(rng, texts))


def _harmless(place: InPlace) -> list[bytes]:
    """Binary messages of the same side that did no harm: their kind is a guess, so it may be any."""
    return [*place.kin, *(payload for payload, opcode in place.others if opcode == "binary")]


def _length_law(place: InPlace, harmless: list[bytes]) -> Search[Claim | None]:
    length, common = len(place.frame.payload), gcd(*map(len, harmless))
    for unit in UNITS:
        if common % unit or length % unit == 0:
            continue
        rng = Random(length)
        sound, odd = unit * max(1, length // unit), unit * max(2, length // unit - 1) + length % unit
        if (yield from place.ask(rng.randbytes(odd), "binary")) is not True:
            return None  # other bytes, as many too many: it is what it says
        if (yield from place.ask(rng.randbytes(sound), "binary")) is not False:
            continue
        return _of_unit(place, unit, length)
    return None


def _of_unit(place: InPlace, unit: int, length: int) -> Claim:
    what = "odd" if unit == 2 else f"no multiple of {unit}"
    words = f"its length in bytes is {what}"
    law = Law(f"{place.ends} on a binary message{place.whose} when {words}{place.context}", [Condition(words)])
    law.irrelevant = ["which bytes it has"]

    def of(rng: Random, rest: int) -> Trial:
        return place.trial(rng.randbytes(unit * rng.randint(1, max(2, length // unit)) + rest), "binary", rng)

    return Claim(law, lambda rng: of(rng, rng.randint(1, unit - 1)), lambda rng: of(rng, 0))
