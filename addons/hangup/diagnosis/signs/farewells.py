"""Connections that end in order because the client has said goodbye, as its protocol wants it."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.finished_work import MOST, Ends
from hangup.diagnosis.signs.seen import of
from hangup.diagnosis.told_errors import reports_an_error
from hangup.messages.reading import PREFIXES
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection

PROMPTLY = 1.0
"""Seconds after a farewell within which a connection is over that ends for it."""

IN_ORDER = (1000, 1001, 1005)
"""Close codes of such an end."""

BARE = ("mqtt:DISCONNECT", "stomp:DISCONNECT")
"""After these a bare FIN is one as well: who does not know them may have failed on what it was told."""

_WORD = re.compile(r"[a-z]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FAREWELL = frozenset("disconnect bye goodbye quit logout logoff signoff exit leave close terminate hangup".split())
_NEUTRAL = frozenset("client connection session user me room request req cmd socket ws phx".split())


def says_goodbye(kind: str) -> bool:
    """Whether a kind of message is a farewell: ``stomp:DISCONNECT``, ``connection_terminate``, ``bye``."""
    words = _WORD.findall(_HUMP.sub(" ", _name(kind)).lower())
    return any(word in _FAREWELL for word in words) and all(word in _FAREWELL | _NEUTRAL for word in words)


def _name(kind: str) -> str:
    """What of a kind is the message's own name: not its field, its protocol, nor what it is about."""
    parts = kind.rpartition("=")[2].split(":")
    return parts[1] if len(parts) > 1 and parts[0] in PREFIXES else kind.rpartition("=")[2]


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
        kind = case.ledger.shapes.kinds.get(last.shape) or last.shape.kind
        fin = first is not None and first.what == "fin" and kind in BARE
        in_order = first is not None and not first.by and (fin or first.code in IN_ORDER)
        refused = reply is not None and reply.n > last.n and reports_an_error(reply)
        if in_order and not refused and not life.lost and says_goodbye(kind):
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
