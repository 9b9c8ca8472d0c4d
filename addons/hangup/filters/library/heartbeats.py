"""``drop-heartbeat`` and ``rewrite-heartbeat``: heartbeats that an application makes up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import DROP, Actions, Context, Control, Message, Replace
from hangup.filters.match import Predicate, Selecting
from hangup.filters.periodicity import Rhythm
from hangup.messages.heartbeats import FORM, LONGEST, recognise
from hangup.recording.fast_path import Screen


def is_heartbeat(opcode: int, data: bytes) -> bool:
    """Whether a message is a heartbeat in any form."""
    return len(data) <= LONGEST and recognise(opcode, data) is not None


class HeartbeatFilter(Selecting, frozen=True, kw_only=True):
    """A filter that acts on application-level heartbeats among the selected messages."""

    beat: Annotated[
        Literal["ping", "pong", "any"], Meta(description="only the asking half, only the answering half, or any")
    ] = "any"
    form: Annotated[
        str, Meta(description="only heartbeats of this form, for instance engine.io", examples=list(FORM))
    ] = ""
    periodic: Annotated[
        Literal["yes", "no"],
        Meta(description="also messages of no known form that a side has sent four times at a regular interval"),
    ] = "no"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form and self.form not in FORM:
            raise FilterError(f"form={self.form}: no such form of heartbeat; there are: {', '.join(FORM)}")

    def begin(self, context: Context) -> tuple[Predicate, Rhythm | None]:
        return self.predicate(context), Rhythm() if self.periodic == "yes" else None

    def bind(self, state: tuple[Predicate, Rhythm | None]) -> Callable[[Any], Actions]:
        selected, rhythm = state
        act, kind, form = self.act, self.beat, self.form

        def apply(item: Message | Control) -> Actions:
            due = rhythm is not None and isinstance(item, Message) and rhythm.beats(item)
            beat = recognise(item.opcode, item.data)
            known = beat is not None and (kind == "any" or beat.kind == kind) and (not form or beat.form == form)
            return act(item) if (known or due) and selected(item) else None

        return apply

    def apply(self, item: Any, state: Any) -> Actions:
        return self.bind(state)(item)

    def screen(self) -> Screen | None:
        return is_heartbeat if self.periodic == "no" else None


class DropHeartbeat(HeartbeatFilter, frozen=True, kw_only=True):
    """Drops heartbeats that the application sends as messages.

    They are recognised by their content, in any of the forms listed below. If the connection then stays open, the cause
    was the heartbeat or the answer to it. For the protocol's own ping and pong frames, see drop-ping.
    """

    example: ClassVar[str] = "drop-heartbeat side=client"

    def act(self, item: Any) -> Actions:
        return DROP


class RewriteHeartbeat(HeartbeatFilter, frozen=True, kw_only=True):
    """Replaces the content of heartbeats that the application sends as messages.

    A backend that reads JSON fails on a plain "ping"; one that expects another form ignores it. If the connection stays
    open when the heartbeat has another form, but not when it is dropped, the form was the cause. ``beat=pong`` rewrites
    the answers.
    """

    example: ClassVar[str] = 'rewrite-heartbeat side=client to={"type":"ping"}'

    beat: Annotated[
        Literal["ping", "pong", "any"], Meta(description="only the asking half, only the answering half, or any")
    ] = "ping"
    to: Annotated[bytes, Meta(description="what to send instead; hex:… for bytes that are not text")]

    def act(self, item: Any) -> Actions:
        return (Replace(self.to),) if item.data != self.to else None
