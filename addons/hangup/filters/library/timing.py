"""``delay``, ``throttle`` and ``slow-reconnect``: the same, later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Context, Ended, Filter, Hold, Kind, Release, Request, Response
from hangup.filters.match import Predicate, Selecting
from hangup.filters.setting_values import Seconds
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen


class _Delayed(Struct):
    context: Context
    selected: Predicate


class Delay(Selecting, frozen=True, kw_only=True):
    """Delays the selected messages or, without a selection, everything including control frames.

    The order of messages is kept: those behind a delayed one wait for it; pings and pongs do not. To find out whether a
    side has a timeout (for a heartbeat's answer, an acknowledgement), delay what it waits for.
    """

    example: ClassVar[str] = "delay 2s side=server json=$.type==pong"
    positional: ClassVar[tuple[str, ...]] = ("by",)

    by: Annotated[Seconds, Meta(description="how long to delay")]
    jitter: Annotated[Seconds, Meta(description="plus a random time up to this")] = 0.0

    def wants(self, side: Side) -> Kind:
        if self.opcode is None and not self.selects:
            return self.kinds if self.side in (None, side) else NONE
        return super().wants(side)

    def begin(self, context: Context) -> _Delayed:
        return _Delayed(context, self.predicate(context))

    def bind(self, state: _Delayed) -> Callable[[Any], Actions]:
        return lambda item: self.apply(item, state)

    def apply(self, item: Any, state: _Delayed) -> Actions:
        if not state.selected(item):
            return None
        return (Hold(self.by + (state.context.random.uniform(0, self.jitter) if self.jitter else 0.0)),)


class _Throttled(Struct):
    selected: Predicate
    free: dict[Side, float]
    """When each side may go on."""


class Throttle(Selecting, frozen=True, kw_only=True):
    """Limits the selected messages to a number of bytes per second, as on a slow line, or of messages per second.

    Messages behind one that waits also wait. How much may wait is limited by --hold-limit. Use it to see who gives up
    on a slow peer, whether a burst is what matters, and whether a server minds how fast messages arrive.
    """

    example: ClassVar[str] = "throttle 10000 side=server"
    kinds: ClassVar[Kind] = Kind.MESSAGE
    positional: ClassVar[tuple[str, ...]] = ("rate",)

    rate: Annotated[int | None, Meta(description="payload bytes per second, decompressed")] = None
    messages: Annotated[float | None, Meta(description="messages per second; the first one is sent at once")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.rate is None) == (self.messages is None):
            raise FilterError("throttle needs a rate in bytes, or messages=, and not both")
        if not (self.rate or self.messages):
            word = "rate" if self.messages is None else "messages"
            raise FilterError(f"throttle: {word}=0 would let nothing through; that is what mute does")

    def begin(self, context: Context) -> _Throttled:
        return _Throttled(self.predicate(context), {})

    def bind(self, state: _Throttled) -> Callable[[Any], Actions]:
        return lambda item: self.apply(item, state)

    def apply(self, item: Any, state: _Throttled) -> Actions:
        if not state.selected(item):
            return None
        start = max(item.at, state.free.get(item.side, 0.0))
        if self.messages is not None:
            state.free[item.side] = start + 1 / self.messages
            return (Hold(start - item.at),)
        assert self.rate is not None
        state.free[item.side] = free = start + len(item.data) / self.rate
        return (Hold(free - item.at),)


class _Awaiting(Struct):
    selected: Predicate
    unanswered: int = 0
    """How many that have gone on are not answered yet."""
    held: list[float] = []
    """Until when each that waits is held, at most."""


class MaxUnanswered(Selecting, frozen=True, kw_only=True):
    """Holds a selected message while so many before it are not answered yet by the other side.

    Any message counts as an answer, and one that does not come is not waited for longer than ``timeout``. If the
    connection stays open, the other side cannot handle a message while it is still busy with another.
    """

    example: ClassVar[str] = "max-unanswered 3 side=client"
    kinds: ClassVar[Kind] = Kind.MESSAGE
    positional: ClassVar[tuple[str, ...]] = ("most",)

    most: Annotated[int, Meta(ge=1, description="how many messages may be unanswered")] = 1
    timeout: Annotated[Seconds, Meta(description="how long to wait for an answer at most")] = 5.0

    def wants(self, side: Side) -> Kind:
        return self.kinds

    def begin(self, context: Context) -> _Awaiting:
        return _Awaiting(self.predicate(context), held=[])

    def bind(self, state: _Awaiting) -> Callable[[Any], Actions]:
        return lambda item: self.apply(item, state)

    def screen(self) -> Screen | None:
        return None  # it must see the answers

    def apply(self, item: Any, state: _Awaiting) -> Actions:
        state.held = [until for until in state.held if until > item.at]
        if item.side != (self.side or "client"):
            if not state.held:
                state.unanswered = max(0, state.unanswered - 1)
                return None
            del state.held[0]
            return (Release(self.side or "client"),)
        if not state.selected(item):
            return None
        if state.unanswered < self.most and not state.held:
            state.unanswered += 1
            return None
        until = max([item.at, *state.held[-1:]]) + self.timeout
        state.held.append(until)
        return (Hold(until - item.at),)


class SlowReconnect(Filter, frozen=True, kw_only=True):
    """Holds a client's next handshake until a given time after its last connection ended.

    This simulates a client with a longer reconnect delay. If the loop stops, reconnecting too soon was the cause: the
    server still held the old session, or limits the rate. Clients are told apart by address (without port) and path.
    """

    example: ClassVar[str] = "slow-reconnect 5s"
    kinds: ClassVar[Kind] = Kind.REQUEST | Kind.RESPONSE | Kind.END
    positional: ClassVar[tuple[str, ...]] = ("after",)

    after: Annotated[Seconds, Meta(description="how long to wait after the end")]

    def wants(self, side: Side) -> Kind:
        return Kind.END | (Kind.REQUEST if side == "client" else Kind.RESPONSE)

    def begin(self, context: Context) -> Context:
        return context

    def apply(self, item: Request | Response | Ended, state: Context) -> Actions:
        key = f"{state.client.rpartition(':')[0]} {state.path.partition('?')[0]}"
        last: float | None = state.shared.get(key)
        if isinstance(item, Response) and item.response.status == 101:
            return None
        wait = last + self.after - item.at if isinstance(item, Request) and last is not None else 0.0
        # A handshake that gets no answer has no end; then its beginning counts.
        state.shared[key] = item.at + max(wait, 0.0)
        return (Hold(wait),) if wait > 0 else None
