"""Engine.IO and Socket.IO packets.

https://github.com/socketio/engine.io-protocol, https://github.com/socketio/socket.io-protocol
"""

from __future__ import annotations

import re

from hangup.messages.content import NOTHING, MessageContent, load, of_text
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

ENGINE = "engine.io"
SOCKET = "socket.io"

_PACKETS = {
    "1": Envelope(ENGINE, "close", sure=False),
    "2": Envelope(ENGINE, "ping"),
    "3": Envelope(ENGINE, "pong"),
    "5": Envelope(ENGINE, "upgrade", sure=False),
    "6": Envelope(ENGINE, "noop", sure=False),
    "2probe": Envelope(ENGINE, "probe"),
    "3probe": Envelope(ENGINE, "probe-answer"),
}
_SOCKET_IO = re.compile(r"4([0-6])(?:(\d+)-)?(?:(/[^,\[{]*)(?:,|$))?(\d*)(?=[\[{\"]|$)")
_TYPES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "EVENT", "ACK")
GIVEN = frozenset(_TYPES) | {packet.name for packet in _PACKETS.values()} | {"open", "message"}


def in_text(content: MessageContent) -> Envelopes:
    text = content.text
    if not text or not "0" <= text[0] <= "6":
        return NONE
    packet = _PACKETS.get(text)
    if packet is not None:
        return (packet,)
    if text[0] == "0" and text[1:2] == "{":
        return (Envelope(ENGINE, "open", sure='"pingInterval"' in text or '"sid"' in text),)
    if text[0] != "4":
        return NONE
    found = _SOCKET_IO.match(text)
    if found is not None:
        return _socket_io(found, text)
    inner = of_text(text[1:])
    return (Envelope(ENGINE, "message", sure=inner.value is not NOTHING, inner=inner),)


def _socket_io(found: re.Match[str], text: str) -> Envelopes:
    kind = int(found[1])
    name = _TYPES[kind]
    rest = text[found.end() :]
    namespace = name_of(found[3].partition("?")[0]) if found[3] else ""
    if rest:
        sure = kind in (0, 4) or rest[0] == "["
    else:
        sure = kind < 2 and not found[4]
    if name == "EVENT":
        value = load(rest)
        if type(value) is not list or not value:
            return NONE
        if type(value[0]) is str:
            name = name_of(value[0]) or "EVENT"
        elif type(value[0]) is not int:  # an event's name is a string, or a number
            sure = False
    return (Envelope(SOCKET, name, sure=sure, scope=f"{namespace}," if namespace else ""),)


def in_object(content: MessageContent) -> Envelopes:
    """A packet of socket.io-msgpack-parser."""
    value = content.value
    if content.text is not None or "nsp" not in value or type(value.get("type")) is not int:
        return NONE
    kind, data = value["type"], value.get("data")
    if not 0 <= kind < 7 or type(value["nsp"]) is not str:
        return NONE
    name = _TYPES[kind]
    if name == "EVENT" and type(data) is list and data and type(data[0]) is str:
        name = name_of(data[0]) or name
    namespace = name_of(value["nsp"]) if value["nsp"] != "/" else ""
    return (Envelope(SOCKET, name, scope=f"{namespace}," if namespace else ""),)


