"""Rails' Action Cable: commands about a channel, whose identifier is JSON in a string, and what comes of them.

https://docs.anycable.io/misc/action_cable_protocol
"""

from __future__ import annotations

from hangup.messages.content import MessageContent, load, of_text, of_value
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

ACTIONCABLE = "actioncable"

_COMMANDS = ("subscribe", "unsubscribe", "message")


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    identifier = value.get("identifier")
    command, kind = value.get("command"), value.get("type")
    if type(identifier) is not str:
        if kind == "ping" and type(value.get("message")) is int and len(value) == 2:
            return (Envelope(ACTIONCABLE, "ping"),)
        if kind == "disconnect" and "reconnect" in value:
            return (Envelope(ACTIONCABLE, "disconnect"),)
        return (Envelope(ACTIONCABLE, "welcome", sure=False),) if kind == "welcome" else NONE
    if identifier[:1] != "{":
        return NONE
    if command in _COMMANDS:
        if command == "message":
            data = value.get("data")
            return (Envelope(ACTIONCABLE, "message", inner=of_text(data) if type(data) is str else None),)
        return (Envelope(ACTIONCABLE, command, _channel(identifier)),)
    if kind == "confirm_subscription" or kind == "reject_subscription":
        return (Envelope(ACTIONCABLE, kind, _channel(identifier)),)
    if "message" in value:
        inner = value["message"]
        return (Envelope(ACTIONCABLE, "message", inner=of_value(inner) if type(inner) is dict else None),)
    return NONE


def _channel(identifier: str) -> str:
    found = load(identifier)
    channel = found.get("channel") if type(found) is dict else None
    return name_of(channel) if type(channel) is str else ""
