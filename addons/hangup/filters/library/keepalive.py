"""``keepalive``: a ping whenever a side has been silent for a while."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.base import DROP, NONE, SIDES, Actions, Context, Control, Filter, Inject, Kind
from hangup.filters.setting_values import Seconds
from hangup.recording.events import Side
from hangup.wire.frames import PING, PONG, TEXT


class _KeepaliveState(Struct):
    context: Context
    sent: dict[Side, float]
    spoke: dict[Side, float]
    """When a side last said something that was passed on."""
    swallowed: dict[Side, float]
    """When a side last said something that was not: for the other one it is as silent as before."""
    count: int = 0


class Keepalive(Filter, frozen=True, kw_only=True):
    """Sends a ping on behalf of a side that has been silent for a given time.

    By default it is a ping frame, and the pong is not passed on to the side that never asked for it. With ``send`` it
    is that message instead, for receivers that count only messages. If the connection then stays open, silence was the
    cause: an idle timeout of the other side (a message helps, a ping frame may not) or of something in between (either
    helps).
    """

    example: ClassVar[str] = "keepalive side=client every=20s"
    kinds: ClassVar[Kind] = Kind.CONTROL

    side: Annotated[Side | None, Meta(description="the silent side, on whose behalf to ping; default: either")] = None
    every: Annotated[Seconds, Meta(description="how long a silence may last")]
    send: Annotated[bytes | None, Meta(description="a text message to send instead of a ping frame")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.every:
            raise FilterError("keepalive: every=0s would never stop pinging")

    def wants(self, side: Side) -> Kind:
        # The pongs come from the other side.
        return NONE if self.send is not None or self.side == side else self.kinds

    def begin(self, context: Context) -> _KeepaliveState:
        return _KeepaliveState(context, {}, {}, {})

    def apply(self, item: Control, state: _KeepaliveState) -> Actions:
        if item.opcode != PONG or not item.data.startswith(_MARK):
            return None
        state.swallowed[item.side] = item.at
        return DROP

    def _sides(self) -> tuple[Side, ...]:
        return SIDES if self.side is None else (self.side,)

    def _due(self, side: Side, state: _KeepaliveState) -> float:
        heard = state.context.quiet_since(side)
        if heard > state.swallowed.get(side, -1.0):
            state.spoke[side] = heard
        return max(state.spoke.get(side, state.context.opened), state.sent.get(side, 0.0)) + self.every

    def deadline(self, state: _KeepaliveState) -> float:
        return min(self._due(side, state) for side in self._sides())

    def wake(self, at: float, state: _KeepaliveState) -> Actions:
        pings = []
        for side in self._sides():
            if self._due(side, state) > at:
                continue
            state.sent[side] = at
            state.count += 1
            if self.send is None:
                pings.append(Inject(side, PING, _MARK + str(state.count).encode()))
            else:
                pings.append(Inject(side, TEXT, self.send))
        return pings


_MARK = b"hangup keepalive "
