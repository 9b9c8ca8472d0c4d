"""Calls by a method's name: JSON-RPC, Chrome's DevTools protocol, OCPP; and CloudEvents, named by their type."""

from __future__ import annotations

import re

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

JSON_RPC = "json-rpc"
CDP = "cdp"
OCPP = "ocpp"
CLOUDEVENTS = "cloudevents"
GIVEN = frozenset(("request", "CALL", "CALLRESULT", "CALLERROR"))

_DOMAIN = re.compile(r"[A-Z][A-Za-z]{1,40}\.[a-z][A-Za-z]{1,60}")
_CALL = frozenset(("id", "method", "params", "sessionId"))
_ANSWER = frozenset(("id", "result", "error", "sessionId"))


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    method = value.get("method")
    if "jsonrpc" in value:
        if type(method) is str:
            return (Envelope(JSON_RPC, name_of(method) or "request"),)
        if "error" in value and value["error"] is not None:
            return (Envelope(JSON_RPC, "error"),)
        return (Envelope(JSON_RPC, "result"),) if "result" in value else NONE
    if type(method) is str:
        if _CALL.issuperset(value) and _DOMAIN.fullmatch(method):
            return (Envelope(CDP, method),)
    elif "specversion" in value:
        kind = value.get("type")
        if type(kind) is str and "source" in value and (name := name_of(kind)):
            return (Envelope(CLOUDEVENTS, name),)
    elif type(value.get("id")) is int and ("result" in value or "error" in value) and _ANSWER.issuperset(value):
        return (Envelope(CDP, "error" if "error" in value else "result", sure=False),)
    return NONE


def in_array(content: MessageContent) -> Envelopes:
    """OCPP: ``[2, id, action, {}]``, ``[3, id, {}]``, ``[4, id, code, text, {}]``."""
    value = content.value
    if len(value) < 3 or type(value[0]) is not int or type(value[1]) is not str or type(value[-1]) is not dict:
        return NONE
    if value[0] == 2 and len(value) == 4 and type(value[2]) is str and value[2][:1].isupper():
        return (Envelope(OCPP, name_of(value[2]) or "CALL"),)
    if value[0] == 3 and len(value) == 3:
        return (Envelope(OCPP, "CALLRESULT"),)
    if value[0] == 4 and len(value) == 5 and type(value[2]) is str:
        return (Envelope(OCPP, "CALLERROR", name_of(value[2])),)
    return NONE
