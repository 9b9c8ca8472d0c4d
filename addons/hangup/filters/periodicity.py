"""Heartbeats that no table knows: a message that a side sends again and again at an even pace."""

from __future__ import annotations

from typing import Any

from hangup.filters.base import Message
from hangup.messages.kind import kind_of

EVEN = 0.2
"""By how much of the interval the intervals may differ."""
SHORTEST = 0.3
"""Seconds; what comes faster is a stream of data."""
TIMES = 3
"""So many even intervals must have passed."""
LONGEST = 512


class Rhythm:
    """What each side of a connection keeps saying. Messages of one kind are the same."""

    def __init__(self) -> None:
        self._seen: dict[Any, tuple[float, float, int]] = {}

    def beats(self, item: Message) -> bool:
        """Takes the next message; whether it came when it was due by the rhythm so far."""
        shape = _same(item)
        if shape is None:
            return False
        last, interval, times = self._seen.get((item.side, shape), (0.0, 0.0, -1))
        gap = item.at - last
        even = times >= 0 and gap >= SHORTEST and (not times or abs(gap - interval) <= EVEN * interval)
        self._seen[item.side, shape] = item.at, gap, times + 1 if even else 0
        return even and times >= TIMES


def _same(item: Message) -> Any:
    """What is the same in messages of one kind; None for what is too long to be a heartbeat."""
    if len(item.data) > LONGEST:
        return None
    kind = kind_of(item.opcode, item.data)
    # Of a text or of bytes that nothing names, the length must be the same too.
    return kind.text if kind.name or kind.text[0] == "{" else (kind.text, len(item.data))
