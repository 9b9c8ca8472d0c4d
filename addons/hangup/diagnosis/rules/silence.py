"""Silences that did no harm: they refute every timer that would have been shorter."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Hypothesis
from hangup.humanize import clip, duration
from hangup.recording.connections import FOREVER
from hangup.recording.events import Side


def longest(case: Case, side: Side | None) -> float:
    """The longest time for which a side (None: both) was silent and nothing happened, in seconds."""
    found = 0.0
    for life in case.same_route:
        if life.open_since is None:
            continue
        traffic = life.traffic
        found = max(found, traffic.halves[side].pause if side else traffic.pause)
        if life.end is None:
            last = traffic.halves[side].at if side else traffic.at
            found = max(found, clip(case.last_at - last, 0.0, FOREVER) if last else 0.0)
    return found


def weigh(hypothesis: Hypothesis, case: Case, side: Side | None, value: float) -> None:
    """Counts against a timer of ``value`` seconds that such a silence did no harm before, or is nothing unusual."""
    if not case.header.tells("pings"):
        return  # there may have been pings in the silence
    earlier = longest(case, side)
    ratio = earlier / max(value, 0.001)
    whose = f"of the {side} " if side else ""
    if ratio > 1.08 and earlier > value + 0.05:
        text = f"a silence {whose}of {duration(earlier)} did no harm before: {duration(value)} cannot be too long"
        hypothesis.says("longer-silence-did-no-harm", -min(ratio, 2.0), text)
    elif ratio > 0.95:
        text = f"silences {whose}of up to {duration(earlier)} did no harm before"
        hypothesis.says("as-long-a-silence-did-no-harm", -1.0, text)
    elif ratio > 0.7:
        hypothesis.says(
            "such-silence-did-no-harm", -1.0, f"silences {whose}of up to {duration(earlier)} did no harm before"
        )
    elif ratio > 0.45:
        hypothesis.says(
            "half-the-silence-did-no-harm", -1.0, f"silences {whose}of up to {duration(earlier)} did no harm before"
        )
