"""``answer-ping``: the proxy answers heartbeats itself."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from hangup.filters.base import NONE, Actions, Control, Drop, Filter, Inject, Kind, Message
from hangup.filters.library.heartbeats import is_heartbeat
from hangup.messages.answers import fill
from hangup.messages.heartbeats import answer, recognise
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen
from hangup.wire.frames import PING, PONG


class AnswerPing(Filter, frozen=True, kw_only=True):
    """Answers pings at the proxy; the other side never sees them.

    ``level=control`` answers the protocol's own ping frames, ``level=message`` the application's heartbeats, which are
    recognised by their content and answered in the same form. A heartbeat whose form needs no answer passes through,
    unless ``with`` gives one, in which ``{{seq}}`` is replaced by the value of the ping's field ``seq``.

    If a side no longer closes once its pings are answered, it was getting no answers, or not in the form it expects.
    """

    example: ClassVar[str] = 'answer-ping side=client level=message with={"type":"pong"}'
    kinds: ClassVar[Kind] = Kind.CONTROL | Kind.MESSAGE

    side: Annotated[Side | None, Meta(description="whose pings to answer; default: both sides'")] = None
    level: Annotated[
        Literal["control", "message", "any"], Meta(description="ping frames, heartbeat messages, or both")
    ] = "any"
    with_: Annotated[
        bytes | None, Meta(description="the answer to a heartbeat message, instead of the usual one for its form")
    ] = msgspec.field(name="with", default=None)

    def wants(self, side: Side) -> Kind:
        if self.side not in (None, side):
            return NONE
        return {"control": Kind.CONTROL, "message": Kind.MESSAGE}.get(self.level, self.kinds)

    def screen(self) -> Screen | None:
        return is_heartbeat

    def apply(self, item: Message | Control, state: Any) -> Actions:
        other: Side = "server" if item.side == "client" else "client"
        if isinstance(item, Control):
            return (Drop(), Inject(other, PONG, item.data)) if item.opcode == PING else None
        beat = recognise(item.opcode, item.data)
        if beat is None or beat.kind != "ping":
            return None
        reply = answer(beat, item.data) if self.with_ is None else fill(self.with_, item.data)
        return None if reply is None else (Drop(), Inject(other, item.opcode, reply))
