"""``set-header`` and ``strip-header``: a handshake with other headers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import Actions, Change, Filter, Kind, Request, Response
from hangup.recording.events import Side
from hangup.wire.header_lists import is_token


class _Header(Filter, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="the header's name, in any case")]
    in_: Annotated[Literal["request", "response"], Meta(description="whether in the request or in the response")] = (
        msgspec.field(name="in", default="request")
    )

    kinds: ClassVar[Kind] = Kind.REQUEST | Kind.RESPONSE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_token(self.name):
            raise FilterError(f"{self.name!r} is no name of a header")

    def wants(self, side: Side) -> Kind:
        wanted = Kind.REQUEST if self.in_ == "request" else Kind.RESPONSE
        return wanted if side == ("client" if self.in_ == "request" else "server") else Kind(0)

    def apply(self, item: Request | Response, state: Any) -> Actions:
        head = item.request if isinstance(item, Request) else item.response
        headers = self.changed(list(head.headers))
        if headers == head.headers:
            return None
        return (Change(msgspec.structs.replace(head, headers=headers)),)

    def changed(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers as they are to be."""
        raise NotImplementedError

    def others(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """All headers but this one."""
        return [(name, value) for name, value in headers if name.lower() != self.name.lower()]


class StripHeader(_Header, frozen=True, kw_only=True):
    """A header is taken out of the handshake.

    ``strip-header Sec-WebSocket-Extensions`` keeps compression from being negotiated: if the connection then survives,
    one side offers or accepts permessage-deflate and does not carry it out.
    """

    example: ClassVar[str] = "strip-header Sec-WebSocket-Extensions"
    positional: ClassVar[tuple[str, ...]] = ("name",)

    def changed(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return self.others(headers)


class SetHeader(_Header, frozen=True, kw_only=True):
    """A header is given a value in the handshake, in the place of any that it had."""

    example: ClassVar[str] = "set-header Authorization 'Bearer abc'"
    positional: ClassVar[tuple[str, ...]] = ("name", "value")

    value: Annotated[str, Meta(description="its value")]

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(ord(char) < 32 and char != "\t" or ord(char) == 127 for char in self.value):
            raise FilterError("a header's value cannot have control characters")

    def changed(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        kept = self.others(headers)
        names = [name.lower() for name, _ in headers]
        place = names.index(self.name.lower()) if self.name.lower() in names else len(kept)
        name = headers[place][0] if place < len(names) and names[place] == self.name.lower() else self.name
        return [*kept[:place], (name, self.value), *kept[place:]]
