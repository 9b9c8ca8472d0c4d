"""Clients that close in order when they have got their answer."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

IN_ORDER = (None, 1000, 1001, 1005)

PROMPTLY = 0.15
"""Seconds after an answer in which a client closes that has been waiting for it."""

AWHILE = 1.0
"""Seconds; who comes back sooner was not done."""


def left(case: Case) -> list[Connection]:
    """What this is about: the connections that dropped or, where none did, those that their clients left."""
    return case.once(opened) or [life for life in case.lives if life.fate == "left" and life.open_since is not None]


def answered(case: Case) -> list[tuple[Connection, MessageSummary]]:
    """Those that the client closed right after the answer to its last message, with that answer."""
    found = []
    for life in case.once(left):
        client, server, first = life.last_message("client"), life.last_message("server"), life.course.first
        if client is None or server is None or server.n < client.n or first is None:
            continue
        chatty = life.traffic.server.messages > life.traffic.client.messages + 2  # it may be no answer to anything
        in_order = first.what == "close" and first.side == "client" and not first.by and first.code in IN_ORDER
        if in_order and not first.unread and not chatty and life.since(server.at) <= PROMPTLY:
            found.append((life, server))
    return found


@of(left)
def client_closed_once_answered(case: Case, lives: list[Connection]) -> Sign | None:
    """Nearly all were closed so, and the client did not come back soon; the share."""
    found = [(life, m) for life, m in case.once(answered) if life.gap is None or life.gap >= AWHILE]
    if len(found) < NEARLY_ALL * len(lives):
        return None
    after = duration(middle([life.since(message.at) for life, message in found]))
    gaps = [life.gap for life, _ in found if life.gap is not None]
    text = f"the client closed {len(found)} of {len(lives)} cleanly {after} after the answer to its last message, and "
    text += (
        f"came back after {duration(min(gaps))} at the earliest" if gaps else "did not come back during the recording"
    )
    cites, trigger = [cite(life, m) for life, m in found], Trigger("frame", found[0][0].conn, found[0][1].n)
    return Sign(len(found) / len(lives), text, cites, trigger)
