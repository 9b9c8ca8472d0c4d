"""``close``, ``hold-open`` and ``refuse``: ends that nobody made, and ends that nobody hears of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.base import DROP, NONE, SIDES, Action, Actions, Context, Cut, Ended, Filter, Kind
from hangup.filters.base import Close as CloseAction
from hangup.filters.base import Refuse as RefuseAction
from hangup.filters.match import Predicate, Selecting
from hangup.filters.setting_values import Seconds
from hangup.recording import events
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen


class _EndingState(Struct):
    context: Context
    selected: Predicate
    done: bool = False


class Close(Selecting, frozen=True, kw_only=True):
    """Ends the connection as if one side had done so, with a close frame or without (``how=fin``, ``how=rst``).

    It does so a given time after the connection opened (``at``), after a number of frames from both sides together
    (``frames``), or after the first message that the other settings select. Anything that side sends after its
    simulated close frame is dropped. Use it to see how the other side reacts: whether it reconnects, how soon, and with
    what.
    """

    example: ClassVar[str] = "close from=server code=1012 reason='service restart' at=5s"

    from_: Annotated[Side, Meta(description="which side appears to close")] = msgspec.field(name="from")
    code: Annotated[int | None, Meta(description="the close code; without one, the frame is empty (1005)")] = None
    reason: Annotated[str, Meta(description="the close reason, up to 123 bytes")] = ""
    how: Annotated[Literal["close", "fin", "rst"], Meta(description="with a close frame, or with TCP alone (1006)")] = (
        "close"
    )
    at: Annotated[Seconds | None, Meta(description="how long after the connection opened")] = None
    frames: Annotated[int | None, Meta(description="after this many frames from both sides together")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code is not None and not 0 <= self.code <= 65535:
            raise FilterError(f"close: code={self.code} does not fit into a close frame")
        if len(self.reason.encode("utf-8", "replace")) > 123:
            raise FilterError("close: the reason is longer than the 123 bytes that a close frame has room for")
        if self.reason and self.code is None:
            raise FilterError("close: a reason needs a code")
        if self.how != "close" and self.code is not None:
            raise FilterError(f"close: how={self.how} is without a close frame, so there is no code")

    @property
    def _follows(self) -> bool:
        """Whether it is a message that gives the occasion."""
        return self.selects or self.side is not None

    def wants(self, side: Side) -> Kind:
        if self.frames is not None:
            return self.kinds
        return super().wants(side) if self._follows and self.at is None else NONE

    def begin(self, context: Context) -> _EndingState:
        return _EndingState(context, self.predicate(context))

    def bind(self, state: _EndingState) -> Callable[[Any], Actions]:
        return lambda item: self.apply(item, state)

    def screen(self) -> Screen | None:
        return None if self.frames is not None else super().screen()

    def apply(self, item: Any, state: _EndingState) -> Actions:
        if state.done or (self.frames is not None and item.last < self.frames):
            return None
        if self._follows and not (self.side in (None, item.side) and state.selected(item)):
            return None
        return self._now(state)

    def deadline(self, state: _EndingState) -> float | None:
        if state.done or (self.at is None and (self._follows or self.frames is not None)):
            return None
        return state.context.opened + (self.at or 0.0)

    def wake(self, at: float, state: _EndingState) -> Actions:
        return self._now(state)

    def _now(self, state: _EndingState) -> tuple[Action]:
        state.done = True
        if self.how == "close":
            return (CloseAction(self.from_, self.code, self.reason),)
        return (Cut(self.from_, self.how),)


class HoldOpen(Filter, frozen=True, kw_only=True):
    """Keeps the connection open to one side when the other side ends its own.

    The remaining side keeps its connection until it closes of its own accord. This shows who closes first and who only
    follows, and whether the remaining side has a timeout of its own.
    """

    example: ClassVar[str] = "hold-open side=server"
    kinds: ClassVar[Kind] = Kind.END

    side: Annotated[Side | None, Meta(description="whose end to hide; default: either side's")] = None

    def wants(self, side: Side) -> Kind:
        return self.kinds if self.side in (None, side) else NONE

    def apply(self, item: Ended, state: Any) -> Actions:
        return DROP


class Refuse(Filter, frozen=True, kw_only=True):
    """Answers handshakes with an HTTP status; the server never sees them.

    Use it to see how a client reacts to a refusal: whether it tries again, and how soon.
    """

    example: ClassVar[str] = "refuse 503 first=3"
    kinds: ClassVar[Kind] = Kind.REQUEST
    positional: ClassVar[tuple[str, ...]] = ("status",)

    status: Annotated[int, Meta(description="the HTTP status, 200 to 599")]
    reason: Annotated[str, Meta(description="the reason phrase after the status")] = ""
    text: Annotated[str, Meta(description="the response body")] = ""
    first: Annotated[int | None, Meta(description="only the first N handshakes")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 200 <= self.status <= 599:
            raise FilterError(f"refuse: {self.status} is not a status to refuse with: use 200 to 599")
        if any(ord(char) < 32 for char in self.reason):
            raise FilterError("refuse: the reason must be one line")

    def wants(self, side: Side) -> Kind:
        return self.kinds if side == SIDES[0] else NONE

    def begin(self, context: Context) -> Context:
        return context

    def apply(self, item: Any, state: Context) -> Actions:
        count = state.shared["count"] = state.shared.get("count", 0) + 1
        if self.first is not None and count > self.first:
            return None
        response = events.Response(
            status=self.status,
            reason=self.reason,
            headers=[("Content-Type", "text/plain; charset=utf-8")],
            text=self.text,
        )
        return (RefuseAction(response),)
