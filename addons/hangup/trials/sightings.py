"""When a failure has shown on live connections: as soon as two of one page and path have failed alike."""

from __future__ import annotations

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, judge
from hangup.recording import loops
from hangup.recording.connections import Connection
from hangup.recording.events import Request
from hangup.wire.handshake import get_all

ALIKE = 2
"""So many connections must fail alike before a failure has shown."""

SEEN = 20

GOING_AWAY = 1001
"""With which a page that is left or reloaded closes: that is no failure."""


class Sightings:
    """The connections that failed alike, lately. ``failure`` is the only one that counts, None for whichever shows."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.alike: list[Connection] = []
        """In order; each has failed as the last one did, from the same page on the same path."""
        self._seen: list[Connection] = []
        """What that page had on that path, lately, whatever became of it."""

    def shows(self, connection: Connection) -> bool:
        """Takes a connection that is over; says whether a failure has shown with it."""
        ending = connection.ending
        if connection.manner is None or connection.conn in (c.conn for c in self.alike):
            return False
        if connection.kind != "app":
            return False
        self._seen = [c for c in self._seen if c.conn != connection.conn and same_page(c, connection)][1 - SEEN :]
        self._seen.append(connection)
        if connection.refused and connection.status is None:
            return False  # the backend is down
        if ending.by == "client" and ending.code == GOING_AWAY:
            return False
        if self.failure is not None and judge(connection, self.failure) is not Outcome.FAILED:
            return False
        self.alike = [c for c in self.alike if _alike(c, connection)] + [connection]
        return len(self.alike) >= ALIKE

    def watched(self, failure: Failure) -> list[Connection]:
        """What was seen of that page and says something: not only what failed."""
        return [c for c in self._seen if judge(c, failure) is not Outcome.UNRESOLVED]

    def concerns(self, request: Request, client: str) -> bool:
        """Whether a new connection (``client`` is its address) is of the page and path of those; at first, each is."""
        if not self.alike:
            return True
        first = self.alike[0]
        path = request.target.partition("?")[0]
        origin = next(iter(get_all(request.headers, "origin")), None)
        return path == first.path and origin == first.origin and loops.host(client) == loops.host(first.client)


def same_page(one: Connection, other: Connection) -> bool:
    """Whether both are of one page, on one path."""
    where = one.path == other.path and one.origin == other.origin
    return where and loops.host(one.client) == loops.host(other.client)


def _alike(one: Connection, other: Connection) -> bool:
    return (
        same_page(one, other)
        and one.ending.by == other.ending.by
        and one.manner == other.manner
        and one.ending.code == other.ending.code
        and one.status == other.status
    )
