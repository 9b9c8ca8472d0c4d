"""``path``, ``query`` and ``unique-id``: a handshake for another place."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Change, Context, Filter, Kind, Message, Replace, Request
from hangup.recording.events import Side

_SPACE = re.compile(r"[\s\x00-\x1f\x7f#]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


class _Target(Filter, frozen=True, kw_only=True):
    kinds: ClassVar[Kind] = Kind.REQUEST

    def wants(self, side: Side) -> Kind:
        return self.kinds if side == "client" else NONE

    def begin(self, context: Context) -> Context:
        return context

    def apply(self, item: Request, state: Context) -> Actions:
        path, mark, query = item.request.target.partition("?")
        path, query = self.moved(path, query, state)
        target = path + (f"?{query}" if query or mark and self.keeps_mark else "")
        if target == item.request.target:
            return None
        return (Change(msgspec.structs.replace(item.request, target=target)),)

    keeps_mark: ClassVar[bool] = True

    def moved(self, path: str, query: str, context: Context) -> tuple[str, str]:
        """The new path and query."""
        raise NotImplementedError


class Path(_Target, frozen=True, kw_only=True):
    """Requests another path in the handshake; the query stays as it is.

    ``path /ws`` requests exactly that path; ``replace`` and ``with`` change a part of it, such as a doubled prefix or a
    trailing slash.
    """

    example: ClassVar[str] = "path replace=/ws/ws with=/ws"
    positional: ClassVar[tuple[str, ...]] = ("to",)

    to: Annotated[str | None, Meta(description="the whole path, without the query")] = None
    replace: Annotated[str | None, Meta(description="the part of the path to replace, where it first occurs")] = None
    with_: Annotated[str, Meta(description="the replacement; nothing, if not given")] = msgspec.field(
        name="with", default=""
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.to is None) == (self.replace is None):
            raise FilterError(f"path needs either the whole path or replace= and with=, for instance: {self.example}")
        if self.to is not None and (not self.to.startswith("/") or "?" in self.to or _SPACE.search(self.to)):
            raise FilterError(f"path: {self.to!r} is not a path: it must begin with / and contain no ?, # or space")
        if self.replace == "" or _SPACE.search(self.with_) or "?" in self.with_:
            raise FilterError("path: replace= and with= must be parts of a path")

    def moved(self, path: str, query: str, context: Context) -> tuple[str, str]:
        if self.to is not None:
            return self.to, query
        new = path.replace(self.replace or "", self.with_, 1)
        return new if new.startswith("/") else "/" + new, query


class Query(_Target, frozen=True, kw_only=True):
    """Sets a query parameter in the handshake or, without a value, removes it.

    ``query access_token from=token`` copies the value of another parameter, if the request has it.
    """

    example: ClassVar[str] = "query token abc"
    positional: ClassVar[tuple[str, ...]] = ("name", "value")
    keeps_mark: ClassVar[bool] = False

    name: Annotated[str, Meta(description="the parameter's name")]
    value: Annotated[str | None, Meta(description="its value; without one, the parameter is removed")] = None
    from_: Annotated[str | None, Meta(description="the parameter to copy the value from")] = msgspec.field(
        name="from", default=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value is not None and self.from_ is not None:
            raise FilterError("query: either a value or from=, not both")

    def moved(self, path: str, query: str, context: Context) -> tuple[str, str]:
        parts = query.split("&") if query else []
        new = None if self.value is None else f"{quote(self.name, '')}={quote(self.value, '')}"
        if self.from_ is not None:
            source = next((part for part in parts if _name(part) == self.from_), None)
            if source is None:
                return path, query
            new = f"{quote(self.name, '')}={source.partition('=')[2]}"
        kept: list[str] = []
        for part in parts:
            if _name(part) != self.name:
                kept.append(part)
            elif new is not None:
                kept.append(new)
                new = None
        return path, "&".join(kept if new is None else [*kept, new])


class _Own(msgspec.Struct, frozen=True):
    """What a connection says in the place of the others' id."""

    said: re.Pattern[bytes]
    fresh: bytes

    def in_place_of(self, data: bytes) -> bytes:
        """The same with the fresh one, wherever the other stands."""
        return self.said.sub(lambda found: self.fresh, data)

    def in_text(self, text: str) -> str:
        """As :meth:`in_place_of`, of a text from a handshake, which may hold bytes that are no UTF-8."""
        return self.in_place_of(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")


class UniqueId(_Target, frozen=True, kw_only=True):
    """Gives each connection a client id of its own, by default in the last segment of the path; one that is alone in it
    and has no digit, such as ``/mqtt``, is no id.

    Servers that allow one connection per id kick the older one when a second tab connects with the same id, and both
    reconnect forever. If both stay open with ids of their own, that was the cause. A number is replaced by a number, a
    UUID by a UUID.

    With ``value``, that id is replaced wherever the client sends it: in the path, query, headers and messages.
    """

    example: ClassVar[str] = "unique-id query=client_id"

    query: Annotated[str | None, Meta(description="the query parameter that holds the id")] = None
    segment: Annotated[int | None, Meta(description="the path segment that holds the id, counted from 1")] = None
    value: Annotated[str | None, Meta(description="the id itself, wherever the client sends it")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.segment == 0 or sum(each is not None for each in (self.query, self.segment, self.value)) > 1:
            raise FilterError(
                "unique-id takes one of query=NAME, segment=NUMBER (from 1) and value=ID, or none for the last segment"
            )
        if self.value == "":
            raise FilterError("unique-id: value= must not be empty")

    def wants(self, side: Side) -> Kind:
        if side != "client":
            return NONE
        return Kind.REQUEST if self.value is None else Kind.REQUEST | Kind.MESSAGE

    def begin(self, context: Context) -> Any:
        if self.value is None:
            return context
        word = rb"(?<![\w.-])" + re.escape(self.value.encode()) + rb"(?![\w-])"
        return _Own(re.compile(word), _fresh(self.value, context).encode())

    def apply(self, item: Request | Message, state: Any) -> Actions:
        if not isinstance(state, _Own):
            return super().apply(item, state) if isinstance(item, Request) else None

        if isinstance(item, Message):
            data = state.in_place_of(item.data)
            return (Replace(data),) if data != item.data else None
        request = item.request
        target = state.in_text(request.target)
        headers = [(name, state.in_text(value)) for name, value in request.headers]
        if target == request.target and headers == request.headers:
            return None
        return (Change(msgspec.structs.replace(request, target=target, headers=headers)),)

    def moved(self, path: str, query: str, context: Context) -> tuple[str, str]:
        if self.query is not None:
            parts = []
            for part in query.split("&"):
                name, equals, value = part.partition("=")
                same = _name(part) == self.query
                parts.append(f"{name}={_fresh(value, context)}" if same else part)
            return path, "&".join(parts)
        segments = path.split("/")
        place = self.segment if self.segment is not None else len(segments) - 1
        if place >= len(segments) or not segments[place]:
            return path, query
        if self.segment is None and place == 1 and not any(map(str.isdigit, segments[place])):
            return path, query
        segments[place] = _fresh(segments[place], context)
        return "/".join(segments), query


def _name(part: str) -> str:
    """The name of a part of a query, ``name=value``."""
    return unquote(part.partition("=")[0].replace("+", " "))


def _fresh(old: str, context: Context) -> str:
    random = context.random
    if old.isascii() and old.isdigit():
        return str(random.randrange(10**8, 10**9))
    if _UUID.fullmatch(old):
        fresh = UUID(bytes=random.randbytes(16), version=4)
        return str(fresh) if "-" in old else fresh.hex
    return f"{old}-{random.randbytes(3).hex()}"
