"""WAMP: arrays that begin with the number of their type.

https://wamp-proto.org/wamp_latest_ietf.html#name-messages
"""

from __future__ import annotations

from hangup.messages.content import MessageContent
from hangup.messages.envelope import NONE, Envelope, Envelopes
from hangup.messages.names import name_of

WAMP = "wamp"

_TYPES = {
    1: ("HELLO", "ud"),
    2: ("WELCOME", "id"),
    3: ("ABORT", "du"),
    4: ("CHALLENGE", "ud"),
    5: ("AUTHENTICATE", "sd"),
    6: ("GOODBYE", "du"),
    8: ("ERROR", "iidu"),
    16: ("PUBLISH", "idu"),
    17: ("PUBLISHED", "ii"),
    32: ("SUBSCRIBE", "idu"),
    33: ("SUBSCRIBED", "ii"),
    34: ("UNSUBSCRIBE", "ii"),
    35: ("UNSUBSCRIBED", "i"),
    36: ("EVENT", "iid"),
    48: ("CALL", "idu"),
    49: ("CANCEL", "id"),
    50: ("RESULT", "id"),
    64: ("REGISTER", "idu"),
    65: ("REGISTERED", "ii"),
    66: ("UNREGISTER", "ii"),
    67: ("UNREGISTERED", "i"),
    68: ("INVOCATION", "iid"),
    69: ("INTERRUPT", "id"),
    70: ("YIELD", "id"),
}
"""Each type's name, and what follows its number: an id, a URI, a string, a dictionary."""
GIVEN = frozenset(name for name, _ in _TYPES.values())
_IS = {"i": int, "u": str, "s": str, "d": dict}


def in_array(content: MessageContent) -> Envelopes:
    value = content.value
    if len(value) < 2 or type(value[0]) is not int or value[0] not in _TYPES:
        return NONE
    name, pattern = _TYPES[value[0]]
    if len(value) <= len(pattern):
        return NONE
    for what, item in zip(pattern, value[1:], strict=False):
        if type(item) is not _IS[what]:
            return NONE
    place = pattern.find("u") + 1
    detail = name_of(value[place]) if place else ""
    # Numbers alone say little.
    return (Envelope(WAMP, name, detail, sure="d" in pattern),)
