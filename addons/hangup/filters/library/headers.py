"""``set-header``, ``strip-header``, ``origin``, ``subprotocol`` and ``accept-key``: a handshake with other headers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Change, Filter, Kind, Request, Response
from hangup.recording.events import Side
from hangup.wire.handshake import accept_key, get_all
from hangup.wire.header_lists import is_token, parse_tokens

Headers = list[tuple[str, str]]
PROTOCOL = "Sec-WebSocket-Protocol"


def without(headers: Headers, name: str) -> Headers:
    """The headers but those of this name."""
    return [(key, value) for key, value in headers if key.lower() != name.lower()]


def put(headers: Headers, name: str, value: str) -> Headers:
    """The headers with one of this name, in the place of the first that there was, else at the end."""
    for place, (key, _) in enumerate(headers):
        if key.lower() == name.lower():
            return [*without(headers[:place], name), (key, value), *without(headers[place:], name)]
    return [*headers, (name, value)]


def changed(item: Request | Response, headers: Headers) -> Actions:
    """The action that gives a handshake these headers, if they are others."""
    head = item.request if isinstance(item, Request) else item.response
    if headers == head.headers:
        return None
    return (Change(msgspec.structs.replace(head, headers=headers)),)


def _check_value(value: str) -> None:
    if any(ord(char) < 32 and char != "\t" or ord(char) == 127 for char in value) or value != value.strip():
        raise FilterError(f"{value!r} is not a valid header value: it has control characters, or spaces around it")


class _Header(Filter, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="the header's name (case does not matter)")]
    in_: Annotated[Literal["request", "response"], Meta(description="in the request or in the response")] = (
        msgspec.field(name="in", default="request")
    )

    kinds: ClassVar[Kind] = Kind.REQUEST | Kind.RESPONSE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_token(self.name):
            raise FilterError(f"{self.name!r} is not a valid header name")

    def wants(self, side: Side) -> Kind:
        if side == "client":
            return Kind.REQUEST if self.in_ == "request" else NONE
        return Kind.RESPONSE if self.in_ == "response" else NONE

    def apply(self, item: Request | Response, state: Any) -> Actions:
        head = item.request if isinstance(item, Request) else item.response
        return changed(item, self.new(head.headers))

    def new(self, headers: Headers) -> Headers:
        """The headers as they are to be."""
        raise NotImplementedError


class StripHeader(_Header, frozen=True, kw_only=True):
    """Removes a header from the handshake.

    ``strip-header Cookie`` shows whether the server relies on the cookie; ``strip-header Sec-WebSocket-Extensions``
    keeps compression from being negotiated.
    """

    example: ClassVar[str] = "strip-header Sec-WebSocket-Extensions"
    positional: ClassVar[tuple[str, ...]] = ("name",)

    def new(self, headers: Headers) -> Headers:
        return without(headers, self.name)


class SetHeader(_Header, frozen=True, kw_only=True):
    """Sets a header in the handshake, replacing the value that it had, if any."""

    example: ClassVar[str] = "set-header Authorization 'Bearer abc'"
    positional: ClassVar[tuple[str, ...]] = ("name", "value")

    value: Annotated[str, Meta(description="its value")]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_value(self.value)

    def new(self, headers: Headers) -> Headers:
        return put(headers, self.name, self.value)


class Origin(Filter, frozen=True, kw_only=True):
    """Changes the handshake's Origin: to the given one or, without a value, to that of the server itself.

    For servers that reject pages from other origins (with a 403, or by closing at once): ``localhost`` and
    ``127.0.0.1`` are different origins, and so are two ports.
    """

    example: ClassVar[str] = "origin http://localhost:8000"
    kinds: ClassVar[Kind] = Kind.REQUEST
    positional: ClassVar[tuple[str, ...]] = ("value",)

    value: Annotated[str | None, Meta(description="the Origin header's value")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_value(self.value or "")

    def wants(self, side: Side) -> Kind:
        return self.kinds if side == "client" else NONE

    def apply(self, item: Request, state: Any) -> Actions:
        headers = item.request.headers
        value = self.value
        if value is None:
            scheme = (
                "https" if get_all(headers, "Origin")[:1] and get_all(headers, "Origin")[0][:6] == "https:" else "http"
            )
            value = f"{scheme}://{''.join(get_all(headers, 'Host')[:1])}"
        return changed(item, put(headers, "Origin", value))


class Subprotocol(Filter, frozen=True, kw_only=True):
    """Offers the server other subprotocols, and answers the client with one that it asked for.

    ``answer`` is what the client is told: ``first`` (the first that it asked for), ``none``, or a name. By default it
    is what the server chose, if the client asked for that, and otherwise the first. ``subprotocol answer=first`` adds
    the echo without which browsers drop a connection at once.
    """

    example: ClassVar[str] = "subprotocol graphql-transport-ws"
    kinds: ClassVar[Kind] = Kind.REQUEST | Kind.RESPONSE
    positional: ClassVar[tuple[str, ...]] = ("offer",)

    offer: Annotated[tuple[str, ...] | None, Meta(description="what to offer the server, separated by commas")] = None
    answer: Annotated[str | None, Meta(description="what to tell the client: first, none, or a name")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.offer is None and self.answer is None:
            raise FilterError(f"subprotocol needs something to offer or to answer, for instance: {self.example}")
        for name in (*(self.offer or ()), self.answer or "first"):
            if not is_token(name):
                raise FilterError(f"{name!r} is not a valid subprotocol name")

    def wants(self, side: Side) -> Kind:
        if side == "client":
            return NONE if self.offer is None else Kind.REQUEST
        return Kind.RESPONSE

    def apply(self, item: Request | Response, state: Any) -> Actions:
        if isinstance(item, Request):
            return changed(item, put(item.request.headers, PROTOCOL, ", ".join(self.offer or ())))
        if item.response.status != 101:
            return None
        asked = parse_tokens(get_all(item.asked.headers, PROTOCOL))
        chosen = "".join(get_all(item.response.headers, PROTOCOL)[:1])
        answer = self.answer
        if answer is None:
            answer = chosen if chosen in asked or not chosen else "first"
        if answer == "first":
            answer = asked[0] if asked else "none"
        headers = item.response.headers
        if answer in ("none", ""):
            return changed(item, without(headers, PROTOCOL))
        return changed(item, put(headers, PROTOCOL, answer))


class AcceptKey(Filter, frozen=True, kw_only=True):
    """Answers the client with the Sec-WebSocket-Accept that its own key asks for, whatever the server computed.

    A server or proxy that copies or caches the answer to another request gets it wrong, and every browser drops the
    connection at once.
    """

    example: ClassVar[str] = "accept-key"
    kinds: ClassVar[Kind] = Kind.RESPONSE

    def wants(self, side: Side) -> Kind:
        return NONE if side == "client" else Kind.RESPONSE

    def apply(self, item: Request | Response, state: Any) -> Actions:
        if isinstance(item, Request) or item.response.status != 101:
            return None
        key = "".join(get_all(item.asked.headers, "Sec-WebSocket-Key")[:1])
        return changed(item, put(item.response.headers, "Sec-WebSocket-Accept", accept_key(key)))
