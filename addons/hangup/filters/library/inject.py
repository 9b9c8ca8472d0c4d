"""``inject``: a message that a side did not send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Context, Kind
from hangup.filters.base import Inject as InjectAction
from hangup.filters.match import Predicate, Selecting
from hangup.filters.setting_values import Seconds
from hangup.messages.answers import fill
from hangup.recording.events import Side
from hangup.wire.frames import OPCODE_NUMBERS


class _InjectState(Struct):
    context: Context
    selected: Predicate
    count: int = 0
    due: list[tuple[float, bytes]] = msgspec.field(default_factory=list)
    """What is still to be sent, and when, in order."""


class Inject(Selecting, frozen=True, kw_only=True):
    """Sends a message on behalf of one side.

    It is sent a given time after the connection opened (``at``), at an interval (``every``), or after each message that
    the other settings select, at once or some time ``later``. Use it for what a side waits for and never gets: a first
    message (``connection_init``), an acknowledgement, the answer to a heartbeat. Where it follows a message,
    ``{{seq}}`` is replaced by the value of that message's field ``seq``.

    With ``rsv`` the frame violates the protocol, and whoever reads it must end the connection: that shows whether such
    frames arrive at all.
    """

    example: ClassVar[str] = 'inject from=client send={"type":"connection_init"} at=0s'

    from_: Annotated[Side, Meta(description="on whose behalf")] = msgspec.field(name="from")
    send: Annotated[bytes, Meta(description="the payload; hex:… for bytes that are not text")]
    as_: Annotated[Literal["text", "binary", "ping", "pong"], Meta(description="the kind of frame")] = (
        msgspec.field(name="as", default="text")
    )
    rsv: Annotated[int, Meta(ge=0, le=7, description="the reserved bits to set: 4, 2, 1 or a sum of these")] = 0
    at: Annotated[Seconds | None, Meta(description="how long after the connection opened")] = None
    every: Annotated[Seconds | None, Meta(description="repeat at this interval")] = None

    later: Annotated[Seconds | None, Meta(description="how long after the message it follows")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.later is not None and self._timed:
            raise FilterError("inject: later= delays what follows a message; it does not go with at= or every=")
        if self.every == 0:
            raise FilterError("inject: every=0s would never stop")
        if not self._timed and not self.selects and self.side is None:
            raise FilterError("inject needs a time: at=2s, every=10s, or a message to follow (side=…, text=…, json=…)")

    @property
    def _timed(self) -> bool:
        return self.at is not None or self.every is not None

    def wants(self, side: Side) -> Kind:
        return NONE if self._timed else super().wants(side)

    def begin(self, context: Context) -> _InjectState:
        return _InjectState(context, self.predicate(context))

    def _action(self, data: bytes | None = None) -> InjectAction:
        return InjectAction(self.from_, OPCODE_NUMBERS[self.as_], self.send if data is None else data, rsv=self.rsv)

    def bind(self, state: _InjectState) -> Callable[[Any], Actions]:
        selected, later = state.selected, self.later
        if b"{{" not in self.send and later is None:
            actions = (self._action(),)
            return lambda item: actions if selected(item) else None

        def follow(item: Any) -> Actions:
            if not selected(item):
                return None
            data = fill(self.send, item.data)
            if data is None:
                return None  # what it is to repeat is not there: this one is not meant
            if later is None:
                return (self._action(data),)
            state.due.append((item.at + later, data))
            return None

        return follow

    def apply(self, item: Any, state: _InjectState) -> Actions:
        return self.bind(state)(item)

    def deadline(self, state: _InjectState) -> float | None:
        if state.due:
            return state.due[0][0]
        if not self._timed or (state.count and self.every is None):
            return None
        first = self.at if self.at is not None else self.every or 0.0
        return state.context.opened + first + state.count * (self.every or 0.0)

    def wake(self, at: float, state: _InjectState) -> Actions:
        if self.later is not None:
            ready = [data for due, data in state.due if due <= at]
            del state.due[: len(ready)]
            return tuple(map(self._action, ready))
        state.count += 1
        while self.every is not None and (due := self.deadline(state)) is not None and due <= at:
            state.count += 1  # what was missed meanwhile is not made up for
        return (self._action(),)
