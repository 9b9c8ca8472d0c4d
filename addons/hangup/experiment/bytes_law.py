"""The law of a binary message of no known form: which of its bytes end the connection, and with which values.

All bytes are replaced by chance but for a few; the fewest that are enough are what it goes by, mostly a type at its
beginning, a flag or a version. Of each it is asked whether it is just this value, or all from one on.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from hangup.experiment.arms import Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.minimise import minimise_frames, minimise_size
from hangup.experiment.sequences import ordinal
from hangup.experiment.trial import Trial

LOOKED_AT = 64
"""So many first bytes may be what it goes by."""

MOST = 3
"""Of more bytes that are all needed it is no law, but just this message."""

TRIES = 8
"""So often other bytes are tried, of which none is as it was said."""

REFUTED = ("message/wrong-opcode", "message/not-json", "server-handler/returns-after-message")
"""What it is not, where other binary messages stay open."""


class _Byte(Struct, frozen=True):
    """The byte at a place, from 0, and the least and the largest value with which it ends the connection."""

    at: int
    low: int
    high: int

    @property
    def words(self) -> str:
        """What it must be."""
        name = "its first byte" if self.at == 0 else f"its {ordinal(self.at + 1)} byte"
        if self.low == self.high:
            return f"{name} is 0x{self.low:02x}"
        if self.low == 0 or self.high == 255:
            return f"{name} is 0x{self.low:02x} or more" if self.low else f"{name} is 0x{self.high:02x} or less"
        return f"{name} is 0x{self.low:02x} to 0x{self.high:02x}"

    @property
    def boundary(self) -> str:
        """The last values that stay open and the first that do not, of thresholds."""
        if self.low == self.high:
            return ""
        edges = ((self.low - 1, self.low), (self.high + 1, self.high))
        return ", ".join(f"survives 0x{s:02x}, fails 0x{f:02x}" for s, f in edges if 0 <= s <= 255)

    def fails(self, rng: Random) -> int:
        """A value with which it ends; often the one at the edge."""
        return rng.choice((self.low, self.high, rng.randint(self.low, self.high)))

    def survives(self, rng: Random) -> int:
        """A value with which it does not; often the one next to the edge."""
        others = [value for value in range(256) if not self.low <= value <= self.high]
        near = [value for value in (self.low - 1, self.high + 1) if value in others]
        return rng.choice((*near, rng.choice(others)))


def bytes_law(place: InPlace) -> Search[Claim | None]:
    """That law; None where any bytes end it, where it takes more than a few, or where that cannot be told."""
    said = place.frame.payload
    looked_at = range(min(len(said), LOOKED_AT))
    asked = _Asked(place)
    if not said or not (yield from asked.begin()) or (yield from asked.ask(tuple(looked_at))) is not True:
        return None
    kept = yield from carry_out(
        place.arms, lambda: minimise_frames(looked_at, guesses=[0]), asked.ask, asked.trial
    )
    if not kept or len(kept) > MOST:
        return None
    found: list[_Byte] = []
    for at in kept:
        one = yield from asked.values(kept, at)
        if one is None:
            return None
        found.append(one)
    asked.any_length = (yield from asked.ask(kept, more=3)) is True
    return asked.claim(found)


class _Asked:
    """The trials that ask for it, and the law."""

    def __init__(self, place: InPlace) -> None:
        self.place, self.said = place, place.frame.payload
        self.any_length = False
        self.seed = 0

    def begin(self) -> Search[bool]:
        """Finds bytes that stay open when none is as it was said: of what it goes by, some may end it by chance."""
        for self.seed in range(TRIES):
            if (found := (yield from self.ask(()))) is not True:
                return found is False
        return False

    def payload(self, values: dict[int, int], rng: Random, more: int = 0) -> bytes:
        """These values at these places, and anything else (but never what was said) at the others; so many bytes more
        at the end."""
        others = [rng.choice([value for value in range(256) if value != each]) for each in self.said]
        return bytes(values.get(at, each) for at, each in enumerate(others)) + rng.randbytes(more)

    def trial(self, kept: Sequence[int], changed: tuple[int, int] | None = None, more: int = 0) -> Trial:
        """Only these bytes are as they were said; of one of them with another value."""
        values = {at: self.said[at] for at in kept}
        if changed is not None:
            values[changed[0]] = changed[1]
        return self.place.trial(self.payload(values, Random(self.seed), more), "binary")

    def ask(self, kept: Sequence[int], changed: tuple[int, int] | None = None, more: int = 0) -> Search[bool | None]:
        """Whether it ends the connection; None where nobody can tell."""
        values = {at: self.said[at] for at in kept}
        if changed is not None:
            values[changed[0]] = changed[1]
        return (yield from self.place.ask(self.payload(values, Random(self.seed), more), "binary"))

    def values(self, kept: Sequence[int], at: int) -> Search[_Byte | None]:
        """Which values of a byte end it: all from one on, to another. None where any does, or nobody can tell."""
        high = yield from self._edge(kept, at, 255)
        low = yield from self._edge(kept, at, 0)
        return None if low is None or high is None or (low, high) == (0, 255) else _Byte(at, low, high)

    def _edge(self, kept: Sequence[int], at: int, end: int) -> Search[int | None]:
        """The last value towards the ``end`` with which it ends the connection."""
        value = self.said[at]
        step = 1 if end > value else -1
        if value == end:
            return value
        if (near := (yield from self.ask(kept, (at, value + step)))) is not True:
            return None if near is None else value
        if (far := (yield from self.ask(kept, (at, end)))) is not False:
            return None if far is None else end

        def asks(distance: int) -> Search[bool | None]:
            return (yield from self.ask(kept, (at, end - step * distance)))

        def make(distance: int) -> Trial:
            return self.trial(kept, (at, end - step * distance))

        _, fails = yield from carry_out(self.place.arms, lambda: minimise_size(0, abs(end - value) - 1), asks, make)
        return end - step * fails

    def claim(self, found: list[_Byte]) -> Claim:
        """The law, and fresh exchanges for it."""
        place, said = self.place, self.said
        words = " and ".join(each.words for each in found)
        boundary = "; ".join(each.boundary for each in found if each.boundary)
        sentence = f"{place.ends} on a binary message{place.whose} when {words}{place.context}"
        irrelevant = ["its other bytes", *(["how long it is"] if self.any_length else [])]
        law = Law(sentence, [Condition(words, boundary)], irrelevant)

        def failing(rng: Random) -> Trial:
            more = rng.randint(0, len(said) + 8) if self.any_length else 0
            return place.trial(self.payload({each.at: each.fails(rng) for each in found}, rng, more), "binary", rng)

        def surviving(rng: Random) -> Trial:
            one = rng.choice(found)
            values = {each.at: (each.survives if each is one else each.fails)(rng) for each in found}
            if rng.random() < 0.5:  # all else as it was said
                values = {at: values.get(at, value) for at, value in enumerate(said)}
            return place.trial(self.payload(values, rng), "binary", rng)

        claim = Claim(law, failing, surviving)
        claim.refutes = REFUTED
        return claim
