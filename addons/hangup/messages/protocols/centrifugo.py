"""Centrifugo's client protocol in JSON: a command or reply is called by its one field, a push by what it pushes.

https://centrifugal.dev/docs/transports/client_protocol
"""

from __future__ import annotations

from typing import Any

from hangup.messages.content import MessageContent, of_value
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

CENTRIFUGO = "centrifugo"

_METHODS = (
    "connect", "subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "rpc", "send", "refresh",
    "sub_refresh",
)  # fmt: skip
_PUSHES = ("pub", "join", "leave", "unsubscribe", "message", "subscribe", "connect", "disconnect", "refresh")
_OF_CONNECT = frozenset(("token", "data", "subs", "name", "version", "headers", "client", "ping", "pong", "expires"))


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    push = value.get("push")
    if type(push) is dict:
        kind = next((kind for kind in _PUSHES if type(push.get(kind)) is dict), None)
        if len(value) > 1 or kind is None:
            return NONE
        return (_named(kind, push[kind], _channel(push)),)
    if type(value.get("id")) is int and len(value) == 2 or len(value) == 1 and "send" in value:
        for method in _METHODS:
            body = value.get(method)
            if type(body) is dict:
                sure = type(body.get("channel")) is str or method == "connect" and bool(_OF_CONNECT.intersection(body))
                if method == "rpc" and type(body.get("method")) is str:
                    return (Envelope(CENTRIFUGO, "rpc", name_of(body["method"])),)
                return (_named(method, body, _channel(body), sure),)
        if type(error := value.get("error")) is dict and "code" in error and "message" in error:
            return (Envelope(CENTRIFUGO, "error", sure=False),)
    return NONE


def _channel(body: dict[str, Any]) -> str:
    channel = body.get("channel")
    return name_of(channel) if type(channel) is str else ""


def _named(kind: str, body: dict[str, Any], channel: str, sure: bool = True) -> Envelope:
    data = body.get("data") if kind in ("pub", "publish", "message", "send") else None
    inner = of_value(data) if type(data) is dict else None
    return Envelope(CENTRIFUGO, kind, channel, sure, inner)
