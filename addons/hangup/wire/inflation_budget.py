"""How much may be inflated: in proportion to what was on the wire, whoever sends it.

Deflate packs a thousand bytes into one. What is inflated is only looked at and written down, and it must not be for the
sender of a megabyte to say that this takes a gigabyte of memory or disk, or seconds of everybody's time. Messages of
real applications seldom shrink to less than a twentieth.
"""

from __future__ import annotations

from collections.abc import Callable

LEFT_COMPRESSED = "left compressed, because it (or data that it refers to) inflates to far more than was on the wire"
"""A message that there was no budget for, in words."""

RATIO = 24
"""Bytes that may be inflated for each on the wire."""

SPARE = 4 << 20
"""Bytes that may be inflated beyond that. So much of what was not used so far is kept for later, too."""

PER_SECOND = 128 << 10
"""Bytes that each second adds to it, so that a long connection whose messages hardly change from one to the next is not
at its limit some day."""

AT_ONCE = 16 << 20
"""Bytes that may be inflated of one frame, or piece of a large one: zlib takes 30 ms for them, and others wait."""

FILE_SPARE = 8 << 20
"""In the place of SPARE where a file is read, and nobody waits: what a proxy left compressed may be inflated then."""

ALL_SPARE = 32 << 20
ALL_PER_SECOND = 1 << 20
"""SPARE and PER_SECOND for all connections together."""


class InflationBudget:
    """What may still be inflated, in bytes (``left``).

    ``within`` is a budget of which this one is a part; ``clock`` gives seconds, where time adds to it.
    """

    __slots__ = ("spare", "per_second", "at_once", "within", "clock", "left", "_at")

    def __init__(
        self,
        spare: int = SPARE,
        per_second: int = PER_SECOND,
        at_once: int = AT_ONCE,
        *,
        within: InflationBudget | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.spare = spare
        self.per_second = per_second
        self.at_once = at_once
        self.within = within
        if clock is None and within is not None:
            clock = within.clock
        self.clock: Callable[[], float] | None = clock
        self.left: float = spare
        self._at = 0.0 if clock is None else clock()

    def earn(self, wire: int) -> None:
        """So many compressed bytes have come."""
        left = self.left
        if self.clock is not None:
            now = self.clock()
            left += (now - self._at) * self.per_second
            self._at = now
        self.left = min(min(left, self.spare) + RATIO * wire, self.at_once)
        if self.within is not None:
            self.within.earn(wire)

    def spend(self, inflated: int) -> None:
        """So many bytes came out of them."""
        self.left -= inflated
        if self.within is not None:
            self.within.spend(inflated)

    def allows(self) -> int:
        """Bytes that may be inflated now; 0 where the budget is used up."""
        left = int(self.left) if self.within is None else min(int(self.left), self.within.allows())
        return max(left, 0)


def bound(packed: int) -> int:
    """How many bytes a file of so many may unpack to."""
    return ALL_SPARE + RATIO * packed


def whole(clock: Callable[[], float] | None = None) -> InflationBudget:
    """The budget of all connections of a proxy, or of a recording, together."""
    return InflationBudget(ALL_SPARE, ALL_PER_SECOND, 1 << 62, clock=clock)
