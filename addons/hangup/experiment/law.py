"""A law about the traffic: under which conditions the connection ends, and how well that predicted what was new.

A law is told apart from the cause that may be behind it: the conditions were seen to make the difference, and were held
against exchanges that had not been tried before.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Struct, field

from hangup.experiment.evidence import Counts

ENOUGH = 8
"""So many predictions must have come out one way or the other before a law can hold."""

DROPS = "the connection drops"
"""How a law begins that does not tell who drops it: the server, or something in between."""

Fresh = Callable[[Random], Any]
"""Makes a value that was not tried before."""


class Condition(Struct):
    """One thing that must be so for the connection to end. ``words`` say it of a message; ``boundary`` says, of a
    threshold, which values survive and which fail. ``fails`` and ``survives`` make fresh values of either kind."""

    words: str
    boundary: str = ""
    path: tuple[str | int, ...] = ()
    fails: Fresh | None = None
    survives: Fresh | None = None
    with_it: Counts = field(default_factory=Counts)
    without: Counts = field(default_factory=Counts)
    filter: str = ""
    holds: Callable[[Any], bool] | None = None
    """Whether it is so of a value, where that can be said without a trial."""
    edge: tuple[Any, Any] | None = None
    """Of a threshold the last value that survives and the first that fails."""

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "factor": self.words,
            "filter": self.filter or None,
            "with": self.with_it.pair(),
            "without": self.without.pair(),
        }


class Law(Struct):
    """What holds. ``irrelevant`` are parts that were changed and made no difference. ``right`` of ``predicted`` fresh
    exchanges came out as the law says; ``missed`` says of the others what was expected and what happened."""

    sentence: str
    conditions: list[Condition] = field(default_factory=list)
    irrelevant: list[str] = field(default_factory=list)
    right: int = 0
    predicted: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every prediction was right, and there were enough: what came to nothing bears no law out."""
        return self.right == self.predicted >= ENOUGH

    @property
    def told(self) -> str:
        """The sentence, for people: with what became of it, where it was not borne out."""
        if self.holds or not self.predicted:
            return self.sentence
        if self.right < self.predicted:
            return f"this rule did not hold: {self.sentence}"
        return f"this rule was tested on too few new exchanges: {self.sentence}"

    @property
    def boundary(self) -> str:
        """The thresholds in words."""
        return "; ".join(condition.boundary for condition in self.conditions if condition.boundary)

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "sentence": self.sentence,
            "holds": self.holds,
            "factors": [condition.summary() for condition in self.conditions],
            "boundary": self.boundary or None,
            "irrelevant": self.irrelevant,
            "predictions": [self.right, self.predicted],
            "missed": self.missed,
        }
