"""Times of day that a client says: when it sends them, they are of now, and of another day when it is played.

A server may refuse what is older than some seconds (a signed request, an order), so they are moved by as much as the
whole connection is later than it was. What they are apart from one another, and from when they were said, stays.
"""

from __future__ import annotations

import re
from datetime import datetime

BEFORE, AFTER = 300.0, 60.0
"""Seconds: a number is taken for a time of day where it is from so long before the connection opened to so long after
its end."""

LONGEST = 1 << 16
"""Bytes; longer messages are not looked into."""

_NUMBER = re.compile(rb"(?<![\w.+-])([12]\d{9})(\d{3})?(?![\d\w])")


class SendTimes:
    """``started`` is the recording's start (ISO 8601), ``opened`` and ``over`` when the connection opened and ended
    (seconds from then), ``now`` the time of day (seconds since 1970) at which it opens anew."""

    def __init__(self, started: str, opened: float, over: float, now: float) -> None:
        try:
            began = datetime.fromisoformat(started).timestamp()
        except ValueError:  # a recording of another tool, which does not say
            self._from = self._to = 0.0
            return
        self._from, self._to = began + opened - BEFORE, began + over + AFTER
        self._later = round(now - began - opened, 3)

    def moved(self, data: bytes) -> bytes:
        """A message with the times that it says, in seconds or milliseconds, as they are now."""
        if not self._to or len(data) > LONGEST:
            return data
        return _NUMBER.sub(self._moved, data)

    def _moved(self, found: re.Match[bytes]) -> bytes:
        seconds = int(found[1]) + (int(found[2]) / 1000 if found[2] else 0.0)
        if not self._from <= seconds <= self._to:
            return found[0]
        if found[2]:
            return b"%d" % (int(found[0]) + round(self._later * 1000))
        return b"%d" % (int(found[0]) + round(self._later))
