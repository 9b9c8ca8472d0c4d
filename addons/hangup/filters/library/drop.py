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
    """Drops the selected messages.

    If the connection then stays open, one of them was the cause. With permessage-deflate, the messages that follow a
    dropped one are compressed again, so the receiver notices nothing but the missing message.
    """

    example: ClassVar[str] = "drop side=client json=$.type==subscribe"

    def act(self, item: Any) -> Actions:
        return DROP


class Only(Selecting, frozen=True, kw_only=True):
    """Lets only the selected messages through and drops the rest.

    ``side`` and ``opcode`` say which messages the filter applies to; the other settings select which of those pass.
    Messages from the other side or with another opcode always pass, and so do control frames unless ``opcode`` names
    them.
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
    """Drops everything from one side except its close frame and the end of its connection.

    To the other side it has gone silent, as on a network that loses everything in one direction. The connection stays
    open: who closes it now, and after how long, shows whose timeout it is.
    """

    example: ClassVar[str] = "mute side=server"
    kinds: ClassVar[Kind] = TRAFFIC

    side: Annotated[Side, Meta(description="which side to silence")]
    what: Annotated[
        Literal["all", "messages", "control"], Meta(description="only messages, or only pings and pongs")
    ] = "all"

    def wants(self, side: Side) -> Kind:
        if side != self.side:
            return NONE
        return {"messages": Kind.MESSAGE, "control": Kind.CONTROL}.get(self.what, TRAFFIC)

    def apply(self, item: Any, state: Any) -> Actions:
        return None if isinstance(item, Control) and item.opcode == CLOSE else DROP
