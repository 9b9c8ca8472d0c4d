"""``drop-ping`` and ``drop-pong``: control frames of the WebSocket protocol that do not get through."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from hangup.filters.base import DROP, NONE, Actions, Control, Filter, Kind
from hangup.recording.events import Side
from hangup.wire.frames import PING, PONG


class DropPing(Filter, frozen=True, kw_only=True):
    """Drops ping frames (opcode 9).

    The sender waits for pongs in vain, as it would behind an intermediary that swallows control frames. If the
    connection no longer drops, the pings were the cause. If it now drops after a fixed time, the sender has a pong
    timeout, and that time tells you how long it is.

    These are the protocol's own pings, which a page in a browser cannot send; for heartbeats that an application sends
    as messages, see drop-heartbeat.
    """

    example: ClassVar[str] = "drop-ping side=server"
    kinds: ClassVar[Kind] = Kind.CONTROL
    dropped: ClassVar[int] = PING

    side: Annotated[Side | None, Meta(description="who sent the frame; default: either side")] = None

    def wants(self, side: Side) -> Kind:
        return self.kinds if self.side in (None, side) else NONE

    def apply(self, item: Control, state: Any) -> Actions:
        return DROP if item.opcode == self.dropped else None


class DropPong(DropPing, frozen=True, kw_only=True):
    """Drops pong frames (opcode 10).

    The side that pings gets no answer, as it would behind an intermediary that swallows pongs: it closes once its
    timeout expires (uvicorn and websockets with 1011 "keepalive ping timeout"), which reveals its interval and timeout.
    """

    example: ClassVar[str] = "drop-pong side=client"
    dropped: ClassVar[int] = PONG
