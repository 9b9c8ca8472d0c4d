"""Silences that did no harm: they refute every timer that would have been shorter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.idle_times import pings_told, silence
from hangup.diagnosis.signs.server_ends import FrameClocks, all_seen, clocked
from hangup.humanize import clip, duration
from hangup.recording.connections import FOREVER
from hangup.recording.events import Side


class Harmless(NamedTuple):
    """The longest silence of a side (None: of both) that did no harm, beside the one before the ends, in seconds."""

    variety: str
    side: Side | None
    longest: float
    last: float

    @property
    def ratio(self) -> float:
        """How many times as long it was; hardly longer where only milliseconds make the difference."""
        ratio = self.longest / max(self.last, 0.001)
        return min(ratio, 1.08) if self.longest <= self.last + 0.05 else ratio


def longest(case: Case, side: Side | None) -> float:
    """The longest time for which a side (None: both) was silent and nothing happened, in seconds."""
    found = 0.0
    for life in case.same_route:
        if life.open_since is None or life.lost:
            continue  # where events were lost, a silence may have been none
        traffic = life.traffic
        found = max(found, traffic.halves[side].pause if side else traffic.pause)
        if life.end is None:
            last = traffic.halves[side].at if side else traffic.at
            found = max(found, clip(case.last_at - last, 0.0, FOREVER) if last else 0.0)
    return found


def harmless(case: Case) -> list[Harmless]:
    """For each side, and for the silence that is the steadiest before the ends."""
    clocks, steadiest = case.once(FrameClocks), case.once(silence)
    return [
        Harmless("client", "client", longest(case, "client"), middle(clocks.client)),
        Harmless("server", "server", longest(case, "server"), middle(clocks.server)),
        Harmless("steadiest", steadiest.side, longest(case, steadiest.side), steadiest.value),
    ]


def _between(case: Case, low: float, high: float) -> Iterator[Sign]:
    for found in case.once(harmless):
        if low < found.ratio <= high:
            whose = f"of the {found.side} " if found.side else ""
            text = f"a silence {whose}of {duration(found.longest)} did no harm elsewhere; before the end it was "
            yield Sign(min(found.ratio, 2.0), f"{text}{duration(found.last)} (median)", variety=found.variety)


@sign(clocked, all_seen, pings_told)
def longer_silence_did_no_harm(case: Case) -> Iterator[Sign]:
    """A longer one than before the ends: how many times as long."""
    return _between(case, 1.08, math.inf)


@sign(clocked, all_seen, pings_told)
def such_silence_did_no_harm(case: Case) -> Iterator[Sign]:
    """One as long as before the ends, or at least half as long."""
    return _between(case, 0.45, 1.08)
