"""``drop-heartbeat``: heartbeats that an application makes up do not get through."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from hangup.filters.base import DROP, Actions
from hangup.filters.match import Selecting
from hangup.wire.heartbeats import recognise


class Heartbeats(Selecting, frozen=True, kw_only=True):
    """A filter that acts on application-level heartbeats among the selected messages."""

    kind: Annotated[
        Literal["ping", "pong", "any"], Meta(description="only the asking half, only the answering one, or any")
    ] = "any"
    form: Annotated[str, Meta(description="only this form (text, json, engine.io, …)")] = ""

    def bind(self, state: Any) -> Any:
        act, kind, form = self.act, self.kind, self.form

        def apply(item: Any) -> Actions:
            beat = recognise(item.opcode, item.data)
            if beat is None or (kind != "any" and beat.kind != kind) or (form and beat.form != form):
                return None
            return act(item) if state(item) else None

        return apply

    def apply(self, item: Any, state: Any) -> Actions:
        result: Actions = self.bind(state)(item)
        return result


class DropHeartbeat(Heartbeats, frozen=True, kw_only=True):
    """Heartbeats that the application sends as messages are not passed on.

    They are recognised by what they say, in any of the known forms. For the protocol's own ping and pong frames, see
    drop-ping and drop-pong.
    """

    example: ClassVar[str] = "drop-heartbeat side=client"

    def act(self, item: Any) -> Actions:
        return DROP
