"""Ends that may be the server's: with a close frame or without one, and which software shows itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import Clocks
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.ways_of_ending import were_open
from hangup.recording.connections import Connection
from hangup.recording.events import Side

SHORTEST = 0.3
"""Seconds; of what ends earlier no timer can be told."""

NO_FRAMES = (1006, 1015)
"""Codes by which an import tells that no close frame came."""


class FrameClocks(Clocks):
    """What a timer may count from, the frames of a message that is not complete yet among it."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.client = [life.since(life.traffic.client.at or life.open_since) for life in self.lives]
        self.server = [life.since(life.traffic.server.at or life.open_since) for life in self.lives]
        self.idle = [min(pair) for pair in zip(self.client, self.server, strict=True)]
        self.client_messages = [_since_message(life, "client") for life in self.lives]
        self.server_messages = [_since_message(life, "server") for life in self.lives]


def _since_message(life: Connection, side: Side) -> float:
    last = life.last_message(side)
    return math.inf if last is None else life.since(last.at)


def clocked(case: Case) -> bool:
    """Whether there are times to compare of open connections that ended."""
    return were_open(case) and bool(case.once(FrameClocks).lives)


def by_server(case: Case) -> bool:
    """Whether the server, or what stands before it, may have ended them."""
    return case.may_be("server") and clocked(case)


def timed(case: Case) -> bool:
    """Whether it may have done so by a timer."""
    return by_server(case) and middle(case.once(FrameClocks).open) >= SHORTEST


def several(case: Case) -> bool:
    """Whether it happened more than once, so that times can be compared."""
    return len(case.once(FrameClocks).lives) > 1


def all_seen(case: Case) -> bool:
    """Whether it is known when each frame was sent: an import may not tell it, and the recorder may lose some."""
    return case.header.tells("times") and not any(life.lost for life in case.victims)


def closed(case: Case) -> bool:
    """Whether a close frame was sent."""
    return case.mode == "close" and case.code not in NO_FRAMES


def cut(case: Case) -> bool:
    """Whether the server surely sent no close frame: none was lost, half sent, or not told by an import."""
    return case.mode == "abrupt" and all(
        life.course.first is not None and not life.lost and "server" not in life.half for life in case.victims
    )


def _close_frames(case: Case) -> Iterator[Cite]:
    for life in case.victims:
        yield Cite(life.conn, None if life.course.first is None else life.course.first.n)


@sign(by_server, closed)
def close_frame_sent(case: Case) -> Sign:
    """A close frame came first."""
    return Sign(1.0, "a close frame was sent", _close_frames(case))


@sign(by_server, cut)
def no_close_frame(case: Case) -> Sign:
    """The server just broke the connections off."""
    return Sign(1.0, "the server sent no close frame", cite_all(case.victims))


@sign(by_server, closed)
def close_frame_of_a_leaving_server(case: Case) -> Sign | None:
    """The close frame says that the server goes away, or nothing."""
    codes = {life.code for life in case.victims}
    unread = any(life.course.first is not None and life.course.first.unread for life in case.victims)
    if unread or codes - {1001} and codes - {1005, None}:
        return None
    text = "close code 1001: the server is going away" if 1001 in codes else "a close frame without a code was sent"
    return Sign(1.0, text, _close_frames(case))


@sign(by_server)
def a_proxy_stands_between(case: Case) -> Sign | None:
    """The response names a proxy."""
    proxy = case.stack.proxy
    return Sign(1.0, f"the response names {proxy}", cite_all(case.victims)) if proxy else None


@sign(by_server)
def server_gunicorn(case: Case) -> Sign | None:
    """The response names gunicorn."""
    text = "the response names gunicorn"
    return Sign(1.0, text, cite_all(case.victims)) if case.stack.server == "gunicorn" else None
