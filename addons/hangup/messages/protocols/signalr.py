"""SignalR of ASP.NET Core: records ended by 0x1e in JSON, led by their length in MessagePack.

https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

from __future__ import annotations

from typing import Any

from hangup.messages.content import NOTHING, MessageContent, load, unpack
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

SIGNALR = "signalr"

_TYPES = {
    1: "Invocation",
    2: "StreamItem",
    3: "Completion",
    4: "StreamInvocation",
    5: "CancelInvocation",
    6: "Ping",
    7: "Close",
    8: "Ack",
    9: "Sequence",
}
GIVEN = frozenset(_TYPES.values()) | {"Handshake", "HandshakeResponse"}


def in_text(content: MessageContent) -> Envelopes:
    text = content.text or ""
    if text[-1:] != "\x1e" or text[:1] != "{":
        return NONE
    found = []
    for record in text[:-1].split("\x1e")[:64]:
        value = load(record)
        if type(value) is not dict:
            return NONE
        kind = value.get("type")
        if type(kind) is int and kind in _TYPES:
            found.append(_record(kind, value.get("target")))
        elif "protocol" in value and "version" in value:
            found.append(Envelope(SIGNALR, "Handshake"))
        elif not value or value.keys() == {"error"}:
            found.append(Envelope(SIGNALR, "HandshakeResponse"))
        else:
            return NONE
    return found


def _record(kind: int, target: Any) -> Envelope:
    if kind in (1, 4) and type(target) is str:
        return Envelope(SIGNALR, name_of(target) or _TYPES[kind])
    return Envelope(SIGNALR, _TYPES[kind])


def in_bytes(content: MessageContent) -> Envelopes:
    data = content.data
    pos, end = 0, len(data)
    found: list[Envelope] = []
    while pos < end and len(found) < 64:
        length = shift = 0
        while True:
            if pos >= end or shift > 28:
                return NONE
            byte = data[pos]
            pos += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        # Every record is an array: its type, and then as many items as that has.
        if not length or pos + length > end or not 0x91 <= data[pos] <= 0x96:
            return NONE
        value = unpack(data[pos : pos + length])
        if value is NOTHING or type(value[0]) is not int or value[0] not in _TYPES:
            return NONE
        found.append(_record(value[0], value[3] if len(value) > 3 else None))
        pos += length
    return found
