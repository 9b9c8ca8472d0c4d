"""Heartbeats that no table knows: a message that a side sends again and again at an even pace."""

from __future__ import annotations

import re
from typing import Any

from hangup.filters.base import NO_JSON, Message
from hangup.wire.frames import TEXT

EVEN = 0.2
"""By how much of the interval the intervals may differ."""
SHORTEST = 0.3
"""Seconds; what comes faster is a stream of data."""
TIMES = 3
"""So many even intervals must have passed."""
LONGEST = 512

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[A-Za-z_][\w:./-]{0,31}")


class Rhythm:
    """What each side of a connection keeps saying. Messages that differ only in numbers are the same."""

    def __init__(self) -> None:
        self._seen: dict[Any, tuple[float, float, int]] = {}

    def beats(self, item: Message) -> bool:
        """Takes the next message; whether it came when it was due by the rhythm so far."""
        shape = _shape(item)
        if shape is None:
            return False
        last, interval, times = self._seen.get((item.side, shape), (0.0, 0.0, -1))
        gap = item.at - last
        even = times >= 0 and gap >= SHORTEST and (not times or abs(gap - interval) <= EVEN * interval)
        self._seen[item.side, shape] = item.at, gap, times + 1 if even else 0
        return even and times >= TIMES


def _shape(item: Message) -> Any:
    """What is the same in messages of one kind; None for what is too long to be a heartbeat."""
    data = item.data
    if len(data) > LONGEST:
        return None
    if item.opcode != TEXT:
        return len(data), data[:1]
    found = item.json
    if isinstance(found, dict):
        return tuple(sorted((key, _kind(value)) for key, value in found.items()))
    if isinstance(found, list) and found is not NO_JSON:
        return tuple(_kind(value) for value in found)
    return _NUMBER.sub("#", data.decode(errors="replace"))


def _kind(value: Any) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return _NUMBER.sub("#", value)
    return type(value).__name__
