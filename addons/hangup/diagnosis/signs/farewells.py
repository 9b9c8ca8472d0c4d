"""Connections that end in order because the client has said goodbye, as its protocol wants it."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.finished_work import MOST, Ends
from hangup.diagnosis.signs.seen import of
from hangup.diagnosis.told_errors import reports_an_error
from hangup.messages.farewells import says_goodbye
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection

PROMPTLY = 1.0
"""Seconds after a farewell within which a connection is over that ends for it."""

IN_ORDER = (1000, 1001, 1005)
"""Close codes of such an end."""

BARE = ("mqtt", "stomp")
"""Of these protocols a bare FIN is one as well: who speaks no such may have failed on what it was told."""


def left(case: Case) -> Ends:
    """Those that ended in order right after the client's last message, a farewell, with that message: nearly all, and
    the client never said so otherwise."""
    lives = case.once(opened)
    found: Ends = []
    for life in lives:
        last = life.last_message("client")
        if last is None or life.since(last.at) > PROMPTLY:
            continue
        first, reply = life.course.first, life.last_message("server")
        kind = last.kind
        fin = first is not None and first.what == "fin" and kind.protocol in BARE
        in_order = first is not None and not first.by and (fin or first.code in IN_ORDER)
        refused = reply is not None and reply.n > last.n and reports_an_error(reply)
        if in_order and not refused and not life.lost and says_goodbye(kind.name):
            found.append((life, last))
    shapes = {message.shape for _, message in found}
    last_words = all(_once(life, shapes) for life in case.same_route)
    return found if found and len(found) >= NEARLY_ALL * len(lives) and last_words else []


def _once(life: Connection, shapes: set[Shape]) -> bool:
    return sum(count.count for shape, count in life.traffic.client.shapes.items() if shape in shapes) <= 1


@of(left)
def client_said_goodbye(case: Case, found: Ends) -> Found:
    """The client said goodbye, and the connection was closed in order; stronger the more often."""
    life, message = found[0]
    count = len(case.once(opened))
    text = f"the client said goodbye ({message.shape.text}), and {len(found)} of {count} connections ended in order"
    trigger = Trigger("none", life.conn, message.n)
    return Sign(min(len(found), MOST), text, [cite(*each) for each in found], trigger)
