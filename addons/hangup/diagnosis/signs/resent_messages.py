"""A message that a client sent just before an end, and sends again as soon as it is connected anew."""

from __future__ import annotations

import re
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

LAST, FIRST = 3, 2
"""So many messages are the last before an end, and the first of a connection, of which one may be a greeting."""

_MARK = re.compile(r"(?=[\w-]*\d)[\w-]{8,}")
"""An id, or something else that hardly two messages have in common."""


class Again(NamedTuple):
    """A message before an end, and the same on its client's next connection."""

    life: Connection
    before: MessageSummary
    next: Connection
    after: MessageSummary


def _marks(*messages: MessageSummary) -> set[str]:
    return {mark for message in messages for mark in _MARK.findall(message.text)}


def _same(one: MessageSummary, other: MessageSummary) -> bool:
    return bool(one.text) and one.text == other.text and one.size == other.size


def _sent_before(sent: list[MessageSummary], after: MessageSummary) -> MessageSummary | None:
    """The one message that is the same, or of the same kind with an id that no other message has."""
    kin = [m for m in sent if m.shape is after.shape and m.shape.beat is None]
    alike = [m for m in kin if _same(m, after) or _marks(m) & _marks(after)]
    if len(alike) != 1:
        return None
    own = _marks(after) - _marks(*(m for m in sent if m is not alike[0]))
    return alike[0] if _same(alike[0], after) or _marks(alike[0]) & own else None


def first_of(life: Connection) -> list[MessageSummary]:
    """The client's first messages."""
    return [m for m in life.traffic.opening if m.side == "client" and m.data][:FIRST]


def resent(case: Case) -> list[Again]:
    """Where a client began with what it had sent last, and only once. What it begins with in any case is left out: a
    message that came first on the first of its connections, too."""
    found: dict[int, Again] = {}
    for life in case.once(opened):
        following, earlier = case.successor(life), found.get(life.conn)
        sent = [m for m in life.traffic.recent if m.side == "client" and m.data]
        usual = {m.n for m in first_of(life)} - ({earlier.after.n} if earlier is not None else set())
        for after in first_of(following) if following is not None else ():
            before = _sent_before(sent, after)
            if before in sent[-LAST:] and before.n not in usual and following is not None:
                found[following.conn] = Again(life, before, following, after)
                break
    return list(found.values())


@of(resent)
def sent_again_after_reconnecting(case: Case, found: list[Again]) -> Sign | None:
    """Nearly each time that it came again, the client began with what it had sent last; how often that was."""
    again = [after for life in case.once(opened) if (after := case.successor(life)) is not None and first_of(after)]
    if len(found) < NEARLY_ALL * len(again):
        return None
    times = f"{len(found)} of {len(again)} times" if len(again) > 1 else "the one time"
    what = "a message" if all(_same(each.before, each.after) for each in found) else "the kind and the id of a message"
    text = f"{times} that the client came back it started with {what} that it had sent before the end: "
    cites = [cite(life, message) for each in found for life, message in ((each.life, each.before), each[2:])]
    trigger = Trigger("frame", found[0].life.conn, found[0].before.n)
    return Sign(min(len(found), 3.0), text + found[0].after.shape.text, cites, trigger)
