"""When a failure has shown on live connections: as soon as two of one page and path have failed alike."""

from __future__ import annotations

from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import Failure, judge
from hangup.recording import loops
from hangup.recording.connections import Connection, route_of
from hangup.recording.endings import SETTLED
from hangup.recording.events import Request
from hangup.wire.handshake import get_all

ALIKE = 2
"""So many connections must fail alike before a failure has shown."""

LEAVES = 4
"""So many where they end as a page ends a connection that it needs no more, or has not waited for: that is mostly no
failure, and what fails beside it shows first."""

SEEN = 20

GOING_AWAY = 1001
"""With which a page that is left or reloaded closes: that is no failure."""


class FailureTrigger:
    """The connections that failed alike, lately. ``failure`` is the only one that counts, None for whichever shows."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.route = ""
        """Where connections matter before any has failed; empty for anywhere."""
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
        given_up = connection.refused and connection.status is None
        if given_up and ending.by != "client":
            return False  # the backend is down
        if ending.by == "client" and ending.code == GOING_AWAY:
            return False
        if not self._sought(connection):
            return False
        # Others may lie between them: a page that is left in order now and then fails all the same.
        self.alike = [c for c in self._seen if _alike(c, connection) and self._sought(c)]
        ordinary = self.failure is None and (given_up or ordinary_leave(connection))
        return len(self.alike) >= (LEAVES if ordinary else ALIKE)

    def _sought(self, connection: Connection) -> bool:
        return self.failure is None or judge(connection, self.failure) is Outcome.FAILED

    def watched(self, failure: Failure) -> list[Connection]:
        """What was seen of that page and says something: not only what failed."""
        return [c for c in self._seen if judge(c, failure) is not Outcome.UNRESOLVED]

    def concerns(self, request: Request, client: str) -> bool:
        """Whether a new connection (``client`` is its address) is of the page and path of those; at first, each is that
        goes where they matter."""
        if not self.alike:
            return not self.route or route_of(request.target) == self.route
        first = self.alike[0]
        path = request.target.partition("?")[0]
        origin = next(iter(get_all(request.headers, "origin")), None)
        return path == first.path and origin == first.origin and loops.host(client) == loops.host(first.client)


def ordinary_leave(connection: Connection) -> bool:
    """Whether its client closed it as one that has done what it came for: with 1000, without a reason, not at once."""
    ending = connection.ending
    return (
        ending.by == "client"
        and ending.code == 1000
        and not connection.reason
        and connection.lasted >= SETTLED
        and not connection.checks
    )


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
