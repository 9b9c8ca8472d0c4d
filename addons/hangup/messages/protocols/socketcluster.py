"""SocketCluster: events that begin with ``#`` are the protocol's own; a response has the call's ``rid``.

https://github.com/SocketCluster/socketcluster/blob/master/socketcluster-protocol.md
"""

from __future__ import annotations

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

SOCKETCLUSTER = "socketcluster"
GIVEN = frozenset(("response", "ping", "pong"))


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    event = value.get("event")
    if type(event) is str:
        if event[:1] != "#" or not value.keys() <= {"event", "data", "cid"}:
            return NONE
        data = value.get("data")
        channel = data.get("channel") if type(data) is dict else data
        of_channel = type(channel) is str and event in ("#publish", "#subscribe", "#unsubscribe")
        name = name_of(event)
        return (Envelope(SOCKETCLUSTER, name, name_of(channel) if of_channel else ""),) if name else NONE
    if type(value.get("rid")) is int and value.keys() <= {"rid", "data", "error"}:
        return (Envelope(SOCKETCLUSTER, "error" if "error" in value else "response"),)
    return NONE


def in_text(content: MessageContent) -> Envelopes:
    """The heartbeats before version 15."""
    if content.text == "#1" or content.text == "#2":
        return (Envelope(SOCKETCLUSTER, "ping" if content.text == "#1" else "pong"),)
    return NONE
