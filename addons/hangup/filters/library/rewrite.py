"""``rewrite`` and ``flip-opcode``: messages that say something else, or say it otherwise."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import Actions, Replace
from hangup.filters.match import Selecting
from hangup.wire.frames import BINARY, TEXT


class Rewrite(Selecting, frozen=True, kw_only=True):
    """Changes the content of the selected messages.

    ``to`` replaces the whole payload; ``set`` changes or adds fields of a JSON object; ``replace`` and ``with`` replace
    a part of the payload wherever it occurs.

    If the connection then stays open, the content of the messages was the cause, not the fact that they were sent.
    """

    example: ClassVar[str] = 'rewrite side=client json=$.type==ping to={"type":"ping","ts":0}'

    to: Annotated[bytes | None, Meta(description="the new payload; hex:… for bytes that are not text")] = None
    set: Annotated[str | None, Meta(description='fields to set in a JSON object, for instance {"ts":0}')] = None
    replace: Annotated[bytes | None, Meta(description="the part to replace, wherever it occurs")] = None
    with_: Annotated[bytes, Meta(description="the replacement; nothing, if not given")] = msgspec.field(
        name="with", default=b""
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.to is not None) + (self.set is not None) + (self.replace is not None) != 1:
            raise FilterError(f"rewrite needs one of to=, set= and replace=, for instance: {self.example}")
        if self.replace == b"":
            raise FilterError("rewrite: replace= must not be empty")
        if self.with_ and self.replace is None:
            raise FilterError("rewrite: with= needs replace=, the part that it replaces")
        if self.set is not None and not isinstance(_loads(self.set), dict):
            raise FilterError(f'rewrite: set={self.set} must be a JSON object, for instance {{"ts":0}}')

    def act(self, item: Any) -> Actions:
        data = self._new(item)
        return (Replace(data),) if data is not None and data != item.data else None

    def _new(self, item: Any) -> bytes | None:
        if self.to is not None:
            return self.to
        if self.replace is not None:
            data: bytes = item.data
            return data.replace(self.replace, self.with_)
        found = item.json
        if not isinstance(found, dict):
            return None
        return json.dumps({**found, **_loads(self.set or "")}, ensure_ascii=False, separators=(",", ":")).encode()


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class FlipOpcode(Selecting, frozen=True, kw_only=True):
    """Turns the selected text messages into binary ones, and binary ones into text.

    For a handler that reads only one kind (``receive_text``, ``receive_bytes``) and fails on the other. Binary data
    that is not UTF-8 becomes an invalid text message.
    """

    example: ClassVar[str] = "flip-opcode side=client opcode=binary"

    def act(self, item: Any) -> Actions:
        if item.opcode not in (TEXT, BINARY):
            return None
        return (Replace(item.data, BINARY if item.opcode == TEXT else TEXT),)
