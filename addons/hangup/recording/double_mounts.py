"""Pages that mount twice: React's StrictMode opens a connection, gives it up at once, and opens the one that it uses.

It does so in development only, and does no harm; but who counts reconnects, or measures the times between them, must
know which connections were never meant to stay.
"""

from __future__ import annotations

from collections.abc import Iterable

from hangup.recording.connections import Connection

GIVEN_UP = 1.0
"""Seconds within which a page gives up the connection of its first mount."""

AT_ONCE = 0.1
"""Seconds from that to the second mount's request, which may also come before."""


def mounted_twice(members: Iterable[Connection]) -> set[int]:
    """Of one client's connections to one path: the numbers of those that were a first mount's."""
    ordered = sorted(members, key=lambda connection: (connection.began, connection.conn))
    found: set[int] = set()
    before: Connection | None = None
    for connection, after in zip(ordered, ordered[1:], strict=False):
        # One that itself came right after one that was given up is no first mount: a client that does that again and
        # again has another trouble.
        first = before is None or not _given_up(before, connection)
        if first and _given_up(connection, after):
            found.add(connection.conn)
        before = connection
    return found


def _given_up(connection: Connection, after: Connection) -> bool:
    """Whether the client took this one back, at once or before it had said anything, in favour of the one ``after``."""
    ended = connection.ended
    if ended is None or connection.ending.by != "client" or ended - connection.began > GIVEN_UP + connection.waited:
        return False
    closing = connection.course.first is not None and connection.course.first.what == "close"
    said = connection.frames["client"] - connection.pings["client"] - connection.pongs["client"] - closing
    return (said <= 0 or (connection.lifetime or 0.0) <= AT_ONCE) and after.began - ended <= AT_ONCE
