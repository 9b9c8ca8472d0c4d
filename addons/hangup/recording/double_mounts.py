"""Pages that mount twice: React's StrictMode opens a connection, gives it up at once, and opens the one that it uses.

It does so in development only, and does no harm; but who counts reconnects, or measures the times between them, must
know which connections were never meant to stay.
"""

from __future__ import annotations

from collections.abc import Iterable

from hangup.recording.known import Known

AT_ONCE = 0.1
"""Seconds from the end of the first mount's connection to the second one's request, which may also come before."""


def mounted_twice(members: Iterable[Known]) -> set[int]:
    """Of one client's connections to one path: the numbers of those that were a first mount's."""
    ordered = sorted(members, key=lambda connection: (connection.began, connection.conn))
    found: set[int] = set()
    before: Known | None = None
    for connection, after in zip(ordered, ordered[1:], strict=False):
        # One that itself came right after one that was given up is no first mount: a client that does that again and
        # again has another trouble.
        first = before is None or not _given_up(before, connection)
        if first and _given_up(connection, after):
            found.add(connection.conn)
        before = connection
    return found


def _given_up(connection: Known, after: Known) -> bool:
    """Whether the client took this one back in favour of the one ``after``."""
    return connection.given_up and connection.ended is not None and after.began - connection.ended <= AT_ONCE
