"""MQTT control packets: their type, and the topic of a PUBLISH.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901019
"""

from __future__ import annotations

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

MQTT = "mqtt"

_TYPES = (
    "", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE",
    "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
)  # fmt: skip
GIVEN = frozenset(_TYPES)
_FLAGS = {6: 2, 8: 2, 10: 2}
"""The lower half of a first byte; 0 for the others, but PUBLISH's has a meaning."""
_SHORTEST = (0, 12, 2, 2, 2, 2, 2, 2, 5, 3, 5, 2, 0, 0, 0, 0)
_LONGEST = {12: 0, 13: 0}


def in_bytes(content: MessageContent) -> Envelopes:
    """All the packets of a message that holds nothing but whole ones."""
    data = content.data
    pos, end = 0, len(data)
    found: list[Envelope] = []
    while pos < end and len(found) < 64:
        kind, flags = data[pos] >> 4, data[pos] & 15
        if not kind or (kind != 3 and flags != _FLAGS.get(kind, 0)) or kind == 3 and flags & 6 == 6:
            return NONE
        pos += 1
        length = shift = 0
        while True:
            if pos >= end or shift > 21:
                return NONE
            byte = data[pos]
            pos += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = data[pos : pos + length]
        if pos + length > end or length < _SHORTEST[kind] or length > _LONGEST.get(kind, length):
            return NONE
        detail = ""
        if kind == 1 and body[2:6] not in (b"MQTT", b"MQIs"):
            return NONE
        if kind == 3:
            size = int.from_bytes(body[:2], "big")
            topic = body[2 : 2 + size]
            if 2 + size > length or not _is_topic(topic):
                return NONE
            detail = name_of(topic.decode())
        found.append(Envelope(MQTT, _TYPES[kind], detail))
        pos += length
    return found


def _is_topic(topic: bytes) -> bool:
    try:
        text = topic.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() and "#" not in text and "+" not in text
