"""The envelopes of known protocols, one small reader for each; none of them keeps any state."""

from __future__ import annotations

from collections.abc import Callable

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.protocols import (
    actioncable,
    centrifugo,
    engineio,
    graphql,
    mqtt,
    phoenix,
    rpc,
    signalr,
    socketcluster,
    sockjs,
    stomp,
    wamp,
    yjs,
)
from hangup.wire.frames import BINARY

Reader = Callable[[MessageContent], Envelopes]

_OBJECTS: tuple[Reader, ...] = (
    rpc.in_object,
    phoenix.in_object,
    actioncable.in_object,
    graphql.in_object,
    centrifugo.in_object,
    socketcluster.in_object,
    engineio.in_object,
)
_ARRAYS: tuple[Reader, ...] = (phoenix.in_array, wamp.in_array, rpc.in_array, sockjs.in_array)
_TEXTS: tuple[Reader, ...] = (engineio.in_text, sockjs.in_text, stomp.in_text, signalr.in_text, socketcluster.in_text)
_BYTES: tuple[Reader, ...] = (signalr.in_bytes, mqtt.in_bytes, phoenix.in_bytes, yjs.in_bytes)
_TEXT_AS_BYTES: tuple[Reader, ...] = (*_BYTES, stomp.in_text, signalr.in_text)

PROTOCOLS = frozenset(
    "engine.io socket.io sockjs stomp signalr socketcluster json-rpc cdp ocpp cloudevents phoenix actioncable"
    " graphql-ws centrifugo wamp mqtt y-websocket".split()
)
"""The names of the protocols that are known."""

GIVEN = frozenset[str]().union(
    *(
        module.GIVEN
        for module in (engineio, sockjs, signalr, socketcluster, rpc, phoenix, wamp, mqtt, yjs)
    )
)
"""The names that a reader gives to what a message says with a number or by its form. Any other name stands in it."""


def readers(content: MessageContent) -> tuple[Reader, ...]:
    """The readers that a message of its form may concern."""
    value = content.value
    if type(value) is dict:
        return _OBJECTS
    if type(value) is list:
        return _ARRAYS
    if content.opcode == BINARY:
        return _BYTES if content.text is None else _TEXT_AS_BYTES
    return _TEXTS if content.text is not None else ()


def read_envelopes(content: MessageContent) -> Envelopes:
    """What the first protocol says of a message that is surely its own."""
    for reader in readers(content):
        found = reader(content)
        if found and found[0].sure:
            return found
    return NONE


def possible_envelopes(content: MessageContent) -> list[Envelope]:
    """What any protocol says of a message that may be its own."""
    return [envelope for reader in readers(content) for envelope in reader(content)]
