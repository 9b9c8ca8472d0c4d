"""What happened in a load test over time, a tenth of a second at a time: how many clients were connected, how
connections ended, how long answers took. Of all workers together, by their clocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct, field

SLICE = 0.1
"""Seconds of a slice."""

EXAMPLES = 5
"""So many recorded connections are named of each failure."""

STEP = 1.1
"""Answers are counted by how long they took, each class this many times as long as the one before."""


def class_of(ms: float) -> int:
    """The class of a duration in milliseconds."""
    return round(math.log(max(ms, 0.01)) / math.log(STEP))


def middle(answers: dict[int, int]) -> float | None:
    """The median of durations that were counted by class, in milliseconds; None where there are none."""
    half, seen = sum(answers.values()) / 2, 0
    for each in sorted(answers):
        seen += answers[each]
        if seen >= half:
            return float(STEP**each)
    return None


class Slice(Struct, array_like=True):
    """A tenth of a second: how many were ``connected`` at most, how many connections ``ended`` by each failure, and how
    many ``answers`` took how long (by :func:`class_of`). ``opened`` counts handshakes that succeeded."""

    connected: int = 0
    opened: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)


class Kind(Struct, array_like=True):
    """A failure: its signature, the sentence of the first that was seen, and recorded ``examples`` of it."""

    failure: str
    sentence: str
    examples: list[tuple[str, int]] = field(default_factory=list)


class Part(Struct, array_like=True):
    """What a worker tells: slices by their number (seconds since 1970, times ten), failures, and its recordings."""

    slices: dict[int, Slice] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    recordings: list[str] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    lags: dict[str, dict[int, int]] = field(default_factory=dict)


class Curve:
    """Gathers parts, each from a worker that is named."""

    def __init__(self) -> None:
        self._slices: dict[int, dict[str, Slice]] = {}
        self.kinds: dict[str, Kind] = {}
        self.recordings: list[str] = []
        self.totals: dict[str, int] = {}
        """How many connections ended by each failure."""
        self.lags: dict[str, dict[int, int]] = {}
        """How long after the last message they did, by failure and :func:`class_of`."""

    def add(self, worker: str, part: Part) -> None:
        """Takes what a worker tells."""
        for number, told in part.slices.items():
            of = self._slices.setdefault(number, {})
            known = of.get(worker)
            of[worker] = told if known is None else together([known, told])
        for key, kind in part.kinds.items():
            mine = self.kinds.setdefault(key, Kind(kind.failure, kind.sentence))
            fresh = [each for each in kind.examples if each not in mine.examples]
            mine.examples = (mine.examples + fresh)[:EXAMPLES]
        self.recordings += [each for each in part.recordings if each not in self.recordings]
        for key, count in part.totals.items():
            self.totals[key] = self.totals.get(key, 0) + count
        for key, lags in part.lags.items():
            known_lags = self.lags.setdefault(key, {})
            for took, count in lags.items():
                known_lags[took] = known_lags.get(took, 0) + count

    def slices(self) -> list[tuple[float, Slice]]:
        """All slices in order, of all workers together, with their time (seconds since 1970). A worker that says
        nothing has as many clients connected as it last said."""
        found = []
        last: dict[str, int] = {}
        if not self._slices:
            return []
        for number in sorted(self._slices):
            of = self._slices[number]
            for worker, each in of.items():
                last[worker] = each.connected
            whole = together(of.values())
            whole.connected = sum(last.values())
            found.append((number * SLICE, whole))
        return found


def together(slices: Iterable[Slice]) -> Slice:
    """Several slices as one; who was connected is counted at its most."""
    whole = Slice()
    for each in slices:
        whole.connected = max(whole.connected, each.connected)
        whole.opened += each.opened
        for key, count in each.ended.items():
            whole.ended[key] = whole.ended.get(key, 0) + count
        for took, count in each.answers.items():
            whole.answers[took] = whole.answers.get(took, 0) + count
    return whole
