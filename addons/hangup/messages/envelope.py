"""What a protocol's envelope says of a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hangup.messages.content import MessageContent


class Envelope(NamedTuple):
    """One message in its protocol: ``name`` is what it is (a packet's type, an event), ``detail`` what of that kind
    (the topic of a PUBLISH, the operation of a subscribe; may be empty).

    ``inner`` is the application's message within: where that has a name of its own, it is the better one. ``sure``
    says that hardly anything but this protocol looks so; what is not sure counts once the protocol is known. ``scope``
    is what the name is meant within (a namespace).
    """

    protocol: str
    name: str
    detail: str = ""
    sure: bool = True
    inner: MessageContent | None = None
    scope: str = ""


Envelopes = Sequence[Envelope]
"""All that one message holds, in order; none when the protocol is not this one."""
NONE: Envelopes = ()
