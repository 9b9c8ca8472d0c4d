"""SockJS frames: ``o``, ``h``, ``a["…"]``, ``m"…"``, ``c[code,"reason"]``; a client's are ``["…"]``.

https://github.com/sockjs/sockjs-protocol
"""

from __future__ import annotations

from hangup.messages.content import MessageContent, load, of_text
from hangup.messages.envelope import NONE, Envelope, Envelopes

SOCKJS = "sockjs"
GIVEN = frozenset(("open", "heartbeat", "close", "message"))


def in_text(content: MessageContent) -> Envelopes:
    text = content.text or ""
    head = text[:1]
    if text == "h":
        return (Envelope(SOCKJS, "heartbeat"),)
    if text == "o":
        return (Envelope(SOCKJS, "open"),)
    if head not in ("a", "m", "c") or text[1:2] not in ("[", '"'):
        return NONE
    value = load(text[1:])
    if head == "c":
        closing = type(value) is list and len(value) == 2 and type(value[0]) is int
        return (Envelope(SOCKJS, "close"),) if closing else NONE
    if head == "m":
        value = [value]
    return _messages(value, True)


def in_array(content: MessageContent) -> Envelopes:
    value = content.value
    # `["order"]` may be anything; JSON or STOMP within a string is hardly put into an array by anybody else.
    if type(value[0] if value else None) is str and (value[0][:1] in ("{", "[", "\n") or "\n\n" in value[0]):
        return _messages(value, True)
    return _messages(value, False)


def _messages(value: object, sure: bool) -> Envelopes:
    if type(value) is not list or not value or not all(type(item) is str for item in value):
        return NONE
    return [Envelope(SOCKJS, "message", sure=sure, inner=of_text(item)) for item in value[:64]]
