"""``defragment``, ``fragment``, ``unmask-fix`` and ``strip-extensions``: the same messages in other frames."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Change, Control, Filter, Kind, Message, Reframe, Request
from hangup.filters.match import Selecting
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen


def _none(opcode: int, data: bytes) -> bool:
    return False  # simple frames are whole and sound


class Defragment(Selecting, frozen=True, kw_only=True):
    """Joins the fragments of the selected messages into one frame.

    For a receiver that cannot reassemble fragments. Compression and masking stay as they are.
    """

    example: ClassVar[str] = "defragment side=client"

    def screen(self) -> Screen | None:
        return _none

    def act(self, item: Any) -> Actions:
        return (Reframe(()),) if isinstance(item, Message) and item.fragments > 1 else None


class Fragment(Selecting, frozen=True, kw_only=True):
    """Splits the selected messages into fragments of a given size.

    Use it to see whether a receiver can reassemble fragments, or counts frames where it should count messages.
    """

    example: ClassVar[str] = "fragment 1000 side=server"
    positional: ClassVar[tuple[str, ...]] = ("bytes",)

    bytes: Annotated[int, Meta(description="the payload of each fragment, in bytes")]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bytes:
            raise FilterError("fragment: bytes must be at least 1")

    def act(self, item: Any) -> Actions:
        if not isinstance(item, Message) or len(item.data) <= self.bytes:
            return None
        return (Reframe((self.bytes,) * (len(item.data) // self.bytes)),)


class UnmaskFix(Filter, frozen=True, kw_only=True):
    """Masks a client's unmasked frames, and unmasks a server's masked ones.

    The standard requires it (RFC 6455 5.1), and most servers close with 1002 when it is violated.
    """

    example: ClassVar[str] = "unmask-fix side=client"
    kinds: ClassVar[Kind] = Kind.MESSAGE | Kind.CONTROL

    side: Annotated[Side | None, Meta(description="whose frames; default: both sides'")] = None

    def wants(self, side: Side) -> Kind:
        return self.kinds if self.side in (None, side) else NONE

    def screen(self) -> Screen | None:
        return _none

    def apply(self, item: Message | Control, state: Any) -> Actions:
        return (Reframe(mask=True),) if {"unmasked", "masked"} & set(item.problems) else None


class StripExtensions(Filter, frozen=True, kw_only=True):
    """Removes the client's offer of extensions, so that none is negotiated.

    Messages are then not compressed. If the connection stays open, one side offers or accepts permessage-deflate
    without implementing it, or something in between cannot handle it.
    """

    example: ClassVar[str] = "strip-extensions"
    kinds: ClassVar[Kind] = Kind.REQUEST

    def wants(self, side: Side) -> Kind:
        return self.kinds if side == "client" else NONE

    def apply(self, item: Request, state: Any) -> Actions:
        headers = [pair for pair in item.request.headers if pair[0].lower() != "sec-websocket-extensions"]
        if headers == item.request.headers:
            return None
        return (Change(msgspec.structs.replace(item.request, headers=headers)),)
