"""``drop``, ``only`` and ``mute``: messages that do not get through, and the only ones that do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from hangup.filters.base import DROP, NONE, TRAFFIC, Actions, Context, Control, Filter, Kind
from hangup.filters.match import Selecting, opcode_is
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen
from hangup.wire.frames import CLOSE


class Drop(Selecting, frozen=True, kw_only=True):
    """The selected messages are not passed on.

    If the connection then survives, one of them was the cause. Under permessage-deflate the messages after a dropped
    one are compressed anew, so that the receiver notices nothing but its absence.
    """

    example: ClassVar[str] = "drop side=client json=$.type==subscribe"

    def act(self, item: Any) -> Actions:
        return DROP


class Only(Selecting, frozen=True, kw_only=True):
    """Of the messages of a side, only the selected ones are passed on.

    ``side`` and ``opcode`` say which messages are meant at all; the other settings, which of them pass. Messages of
    the other side and of other opcodes pass, and so do control frames, unless ``opcode`` names them.
    """

    example: ClassVar[str] = "only side=client first=3"

    def begin(self, context: Context) -> Any:
        return msgspec.structs.replace(self, opcode=None).predicate(context)

    def bind(self, state: Any) -> Callable[[Any], Actions]:
        meant = opcode_is(self.opcode)
        return lambda item: DROP if meant(item) and not state(item) else None

    def apply(self, item: Any, state: Any) -> Actions:
        return self.bind(state)(item)

    def screen(self) -> Screen | None:
        return None


class Mute(Filter, frozen=True, kw_only=True):
    """Nothing that a side says is passed on, but for its close frame and its end.

    For the other side it has fallen silent, as in a network that loses everything one way. The connection stays open:
    who ends it now, and after how long, tells whose deadline it is.
    """

    example: ClassVar[str] = "mute side=server"
    kinds: ClassVar[Kind] = TRAFFIC

    side: Annotated[Side, Meta(description="who is not heard any more")]
    what: Annotated[
        Literal["all", "messages", "control"], Meta(description="only messages, or only pings and pongs")
    ] = "all"

    def wants(self, side: Side) -> Kind:
        if side != self.side:
            return NONE
        return {"messages": Kind.MESSAGE, "control": Kind.CONTROL}.get(self.what, TRAFFIC)

    def apply(self, item: Any, state: Any) -> Actions:
        return None if isinstance(item, Control) and item.opcode == CLOSE else DROP
