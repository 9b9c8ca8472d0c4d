"""Two connections of a recording side by side, as ``hangup diff`` has them."""

from __future__ import annotations

import time
from heapq import merge
from typing import Any

from msgspec import field

from hangup.recording.diff import Collector, compare_conversations
from hangup.web.query import OfConnection, Slices, lane_of
from hangup.web.recorded import Recorded

SLICE = 0.05
"""Seconds of reading between two pauses."""

MESSAGES = 300
"""So many differences of messages are told."""

LONGEST = 2000
"""Characters of a message, and of a value in it, that are told."""


class CompareQuery(OfConnection):
    """What differs between connections ``conn`` and ``with``; ``strict`` counts what changes by nature, too."""

    with_: int = field(name="with")
    strict: bool = False

    def answer(self, recorded: Recorded) -> Slices:
        lanes = self.lane(recorded), lane_of(recorded, self.with_)
        places = [list(lane.places) for lane in dict.fromkeys(lanes)]
        return self._slices(recorded, places)

    def _slices(self, recorded: Recorded, places: list[list[int]]) -> Slices:
        collector = Collector()
        until = time.monotonic() + SLICE
        for place in merge(*places):
            collector.feed(recorded.event(place))
            if time.monotonic() >= until:
                yield
                until = time.monotonic() + SLICE
        header = recorded.tail.header
        found = collector.conversations(header)
        ordered = header.tells("headers")
        compared = compare_conversations(found[self.conn], found[self.with_], strict=self.strict, ordered=ordered)
        summary = compared.summary()
        messages = summary["messages"]
        return {**summary, "messages": [_short(each) for each in messages[:MESSAGES]], "differing": len(messages)}


def _short(value: Any) -> Any:
    """The same with long texts cut."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value
