"""Phoenix channels: an object with topic, event, payload and ref; since version 2 an array of five, or bytes.

https://hexdocs.pm/phoenix/writing_a_channels_client.html
"""

from __future__ import annotations

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

PHOENIX = "phoenix"
GIVEN = frozenset(("phx_reply",))


def in_object(content: MessageContent) -> Envelopes:
    value = content.value
    topic, event = value.get("topic"), value.get("event")
    if type(topic) is not str or type(event) is not str or "payload" not in value or "ref" not in value:
        return NONE
    return _envelope(topic, event)


def in_array(content: MessageContent) -> Envelopes:
    value = content.value
    if len(value) != 5 or type(value[4]) not in (dict, list, str):
        return NONE
    join, ref, topic, event = value[:4]
    if type(topic) is not str or type(event) is not str or type(join) is dict or type(ref) is dict:
        return NONE
    if not (join is None or type(join) is str) or not (ref is None or type(ref) is str):
        return NONE
    return _envelope(topic, event)


def _envelope(topic: str, event: str) -> Envelopes:
    name = name_of(event)
    if not name:
        return NONE
    # Which channel is joined stands before the colon: `room:lobby`.
    detail = name_of(topic.partition(":")[0]) if name in ("phx_join", "phx_leave") else ""
    return (Envelope(PHOENIX, name, detail),)


def in_bytes(content: MessageContent) -> Envelopes:
    """A push (0), a reply (1) or a broadcast (2): the lengths of the header's texts, these, and the payload."""
    data = content.data
    kind = data[0] if data else 9
    if kind > 2:
        return NONE
    first = 5 if kind < 2 else 3
    sizes = data[1:first]
    if len(sizes) < first - 1 or first + sum(sizes) > len(data):
        return NONE
    texts = []
    for size in sizes:
        texts.append(data[first : first + size])
        first += size
    try:
        topic, event = texts[-2].decode("ascii"), texts[-1].decode("ascii")
    except UnicodeDecodeError:
        return NONE
    if not name_of(event) or not topic.isprintable() or not topic:
        return NONE
    return (Envelope(PHOENIX, "phx_reply"),) if kind == 1 else _envelope(topic, event)
