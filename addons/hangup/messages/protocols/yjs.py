"""y-websocket: a message's type, and within sync the step.

https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes

YJS = "y-websocket"

_STEPS = ("sync-step-1", "sync-step-2", "update")
GIVEN = frozenset(_STEPS) | {"awareness", "auth", "query-awareness"}


def in_bytes(content: MessageContent) -> Envelopes:
    data = content.data
    kind = data[0] if data else 9
    if kind == 0:
        if len(data) > 2 and data[1] < 3 and _spans(data, 2):
            return (Envelope(YJS, _STEPS[data[1]]),)
    elif kind == 1:
        # Clients, each with its state in JSON.
        if len(data) > 5 and _spans(data, 1) and data.endswith((b"}", b"null")):
            return (Envelope(YJS, "awareness"),)
    elif kind == 2:
        if len(data) > 2 and data[1] == 0 and _spans(data, 2):
            return (Envelope(YJS, "auth"),)
    elif data == b"\x03":
        return (Envelope(YJS, "query-awareness", sure=False),)
    return NONE


def _spans(data: bytes, pos: int) -> bool:
    """Whether the length at ``pos`` is that of all the rest."""
    length = shift = 0
    while pos < len(data) and shift < 35:
        byte = data[pos]
        pos += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return pos + length == len(data)
    return False
