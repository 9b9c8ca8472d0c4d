"""A question that the page asks of a recording.

Each is a struct, whose fields are those of the URL's query, and whose ``answer`` is a value for JSON; of what may take
long, a generator that pauses (yields) now and then and returns it. Times are seconds from the recording's start.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from msgspec import Struct

from hangup.errors import HangupError
from hangup.web.index import ConnectionIndex
from hangup.web.recorded import Recorded, browser_code, clean, fate

Answer = dict[str, Any]
Slices = Generator[None, None, Answer]


class QueryError(HangupError):
    """A query that cannot be answered; ``status`` is that of HTTP."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class RecordingQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """A question to a recording."""

    def answer(self, recorded: Recorded) -> Answer | Slices:
        """What the page is told."""
        raise NotImplementedError


class OfConnection(RecordingQuery):
    """A query about connection ``conn``."""

    conn: int

    def lane(self, recorded: Recorded) -> ConnectionIndex:
        """Its lane; raises :class:`QueryError` where there is none."""
        return lane_of(recorded, self.conn)


def lane_of(recorded: Recorded, conn: int) -> ConnectionIndex:
    """The lane of a connection; raises :class:`QueryError` where there is none."""
    lane = recorded.index.lanes.get(conn)
    if lane is None:
        raise QueryError(f"there is no connection {conn} in what was read so far", 404)
    return lane


def numbers(text: str, what: str) -> list[int]:
    """``1,2,3``."""
    try:
        return [int(number) for number in text.split(",") if number]
    except ValueError:
        raise QueryError(f"{what} must be numbers with commas between them") from None


def describe(recorded: Recorded, lane: ConnectionIndex) -> Answer:
    """A connection, in short."""
    connection = recorded.index.connection(lane.conn)
    ending = connection.ending
    return {
        "conn": lane.conn,
        "at": connection.first_seen if connection.asked is None else connection.asked,
        "opened": connection.opened,
        "ended": connection.ended,
        "until": connection.last_seen if connection.ended is None and connection.untold else None,
        "lifetime": connection.lifetime,
        "client": connection.client,
        "path": connection.target or connection.path,
        "status": connection.status,
        "origin": connection.origin or "",
        "subprotocol": connection.subprotocol,
        "kind": connection.kind,
        "by": None if ending.by == "unknown" else ending.by,
        "how": ending.how,
        "code": ending.code,
        "reason": ending.reason,
        "clean": clean(connection),
        "browser_code": browser_code(connection),
        "class": fate(connection),
        "fate": connection.fate,
        "failed": connection.failed,
        "sentence": ending.sentence,
        "frames": connection.frames,
        "messages": {"client": lane.messages[0], "server": lane.messages[1]},
        "bytes": connection.bytes,
        "heartbeats": lane.heartbeats,
        "problems": sum(connection.problems.values()),
        "checks": len(connection.checks),
        "filtered": connection.actions,
        "loop": lane.loop,
    }
