"""GraphQL over WebSocket, the protocol of graphql-ws and the older one of subscriptions-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md,
https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import re
from typing import Any

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes

GRAPHQL = "graphql-ws"

_OWN = frozenset("connection_init connection_ack connection_error connection_terminate ka".split())
_SHARED = frozenset("subscribe start next data error complete stop ping pong".split())
_FIELDS = frozenset(("id", "type", "payload"))
_OPERATION = re.compile(
    r"(?:^\s*|(?:^|[}\s])(?:query|mutation|subscription)\s*([_A-Za-z]\w*)?[^{]*)\{\s*([_A-Za-z]\w*)"
)


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    kind = value.get("type")
    if type(kind) is not str or not _FIELDS.issuperset(value):
        return NONE
    if kind in _OWN:
        return (Envelope(GRAPHQL, kind),)
    if kind not in _SHARED:
        return NONE
    payload = value.get("payload")
    if kind in ("subscribe", "start"):
        if type(payload) is not dict or type(payload.get("query")) is not str:
            return NONE
        return (Envelope(GRAPHQL, kind, _operation(payload)),)
    if kind in ("next", "data"):
        if type(payload) is not dict or "id" not in value or "data" not in payload and "errors" not in payload:
            return NONE
        data = payload.get("data")
        detail = next(iter(data), "") if type(data) is dict else ""
        return (Envelope(GRAPHQL, kind, detail if detail.isidentifier() else ""),)
    if kind == "error":
        sure = type(payload) is list and bool(payload) and type(payload[0]) is dict and "message" in payload[0]
        return (Envelope(GRAPHQL, kind, sure=sure),)
    return (Envelope(GRAPHQL, kind, sure=False),)


def _operation(payload: dict[str, Any]) -> str:
    """The operation's name, or else the field that it asks for."""
    name = payload.get("operationName")
    if type(name) is str and name.isidentifier():
        return name
    found = _OPERATION.search(payload["query"][:4096])
    return (found[1] or found[2]) if found is not None else ""
