"""``rewrite`` and ``flip-opcode``: messages that say something else, or say it otherwise."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from hangup.filters.base import Actions, Replace
from hangup.filters.match import Selecting
from hangup.wire.frames import BINARY, TEXT


class Rewrite(Selecting, frozen=True, kw_only=True):
    """The selected messages say something else.

    If the connection then survives, it was what they said that mattered, and not that they were sent.
    """

    example: ClassVar[str] = 'rewrite side=client json=$.type==ping to={"type":"ping","ts":0}'

    to: Annotated[bytes, Meta(description="what they say instead; hex:… for bytes that are no text")]

    def act(self, item: Any) -> Actions:
        return (Replace(self.to),) if item.data != self.to else None


class FlipOpcode(Selecting, frozen=True, kw_only=True):
    """The selected text messages become binary, and binary ones text.

    For a handler that reads only one kind (``receive_text``, ``receive_bytes``) and fails on the other. Binary data
    that is not UTF-8 becomes an invalid text message.
    """

    example: ClassVar[str] = "flip-opcode side=client opcode=binary"

    def act(self, item: Any) -> Actions:
        if item.opcode not in (TEXT, BINARY):
            return None
        return (Replace(item.data, BINARY if item.opcode == TEXT else TEXT),)
