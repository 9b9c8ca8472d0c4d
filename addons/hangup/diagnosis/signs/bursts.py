"""Ends while the server was sending much, or while it was sending a frame."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.library_habits import ended_by_server
from hangup.recording.connections import Connection

MANY = 50
"""So many messages, and so many a second, are a burst."""

JUST_BEFORE = 0.1
"""Seconds from the last message of a burst to an end in the middle of it."""

MOST = 0.6


def in_bursts(case: Case) -> list[Connection]:
    """The connections that ended while the server was sending a burst, if most did."""
    found = []
    for life in case.victims:
        server, last = life.traffic.server, life.last_message("server")
        many = server.messages >= MANY and server.messages > MANY * life.lasted
        one_sided = server.messages > 20 * max(life.traffic.client.messages, 1)
        if many and one_sided and last is not None and life.since(last.at) < JUST_BEFORE:
            found.append(life)
    return found if len(found) >= MOST * case.count else []


def _sent(case: Case) -> float:
    return middle([life.traffic.server.messages for life in case.once(in_bursts)])


@sign(ended_by_server)
def in_the_middle_of_a_burst(case: Case) -> Sign | None:
    """The server ended it while it was sending a burst of messages."""
    lives = case.once(in_bursts)
    if not lives:
        return None
    text = f"the server closed it in the middle of a burst of its own messages (about {_sent(case):.0f} messages)"
    return Sign(text=text, cites=cite_all(lives, "server"), trigger=Trigger("time", lives[0].conn))


@sign(ended_by_server)
def a_hundred_messages(case: Case) -> Sign | None:
    """The burst had a hundred messages or more."""
    return Sign() if _sent(case) >= 100 else None


@sign(ended_by_server)
def frame_server_left_half_sent(case: Case) -> Sign | None:
    """The server ended it within a frame of its own."""
    lives = [life for life in case.victims if "server" in life.half]
    if len(lives) < MOST * case.count:
        return None
    text = "the server left a frame half sent"
    return Sign(text=text, cites=cite_all(lives), trigger=Trigger("time", lives[0].conn))
