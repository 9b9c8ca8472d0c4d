"""``drop-ping`` and ``drop-pong``: control frames of the WebSocket protocol that do not get through."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from hangup.filters.base import DROP, NONE, Actions, Control, Filter, Kind
from hangup.recording.events import Side
from hangup.wire.frames import PING, PONG


class DropPing(Filter, frozen=True, kw_only=True):
    """Ping frames (opcode 9) are not passed on.

    The side that sent them waits for pongs in vain, as behind an intermediary that swallows control frames. If the
    connection stops dying, the pings were the cause. If it begins to die after a fixed time, that side keeps a
    deadline, and this tells how long it is.

    These are the protocol's own pings, which a page in a browser cannot send; for heartbeats that an application
    makes up, see drop-heartbeat.
    """

    example: ClassVar[str] = "drop-ping side=server"
    kinds: ClassVar[Kind] = Kind.CONTROL
    dropped: ClassVar[int] = PING

    side: Annotated[Side | None, Meta(description="who sent it")] = None

    def wants(self, side: Side) -> Kind:
        return self.kinds if self.side in (None, side) else NONE

    def apply(self, item: Control, state: Any) -> Actions:
        return DROP if item.opcode == self.dropped else None


class DropPong(DropPing, frozen=True, kw_only=True):
    """Pong frames (opcode 10) are not passed on.

    The side that pings gets no answer, as behind an intermediary that swallows pongs: it closes after its timeout
    (uvicorn and websockets with 1011 "keepalive ping timeout"), and so tells its interval and timeout.
    """

    example: ClassVar[str] = "drop-pong side=client"
    dropped: ClassVar[int] = PONG
