"""STOMP frames: a command, and the destination of those that have one.

https://stomp.github.io/stomp-specification-1.2.html
"""

from __future__ import annotations

import re

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

STOMP = "stomp"
COMMANDS = frozenset(
    "CONNECT STOMP CONNECTED SEND SUBSCRIBE UNSUBSCRIBE MESSAGE RECEIPT ERROR DISCONNECT ACK NACK BEGIN COMMIT"
    " ABORT".split()
)

_FRAME = re.compile(r"\n*([A-Z]{3,11})\r?\n((?:[^\n:]+:[^\n]*\n)*)\r?\n")
_DESTINATION = re.compile(r"^destination:([^\r\n]*)", re.M)


def in_text(content: MessageContent) -> Envelopes:
    text = content.text or ""
    if not text[:1].isupper() and text[:1] != "\n":
        return NONE
    found = _FRAME.match(text)
    if found is None or found[1] not in COMMANDS:
        return NONE
    detail = ""
    if found[1] in ("SEND", "MESSAGE", "SUBSCRIBE"):
        destination = _DESTINATION.search(found[2])
        detail = name_of(destination[1]) if destination is not None else ""
    return (Envelope(STOMP, found[1], detail),)
