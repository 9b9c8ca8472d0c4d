"""What a filter is: settings, the items that it is shown, and the actions with which it answers.

A filter is one intervention. Its settings are a frozen struct and its whole configuration; what it remembers of a
connection is made for each by :meth:`Filter.begin` and handed back to it. It is shown *items* (a message, a control
frame, something malformed, a handshake's request or response, the end of a leg) of the kinds and sides that it
:meth:`wants <Filter.wants>`, and answers each with *actions*; with none, the item passes as it is. It never sees
bytes of the wire, sockets or the clock: how an action is carried out exactly is the business of
:mod:`hangup.session`, which knows no filter. A filter that needs a new power gets a new action.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.setting_values import Seconds, bare_type, codec
from hangup.filters.tokenizer import quote
from hangup.messages.content import NOTHING, load
from hangup.recording import events
from hangup.recording.events import How, Side
from hangup.recording.fast_path import Screen

SIDES: tuple[Side, Side] = ("client", "server")


class Kind(enum.IntFlag):
    """The kinds of items."""

    MESSAGE = 1
    CONTROL = 2
    STRAY = 4
    END = 8
    REQUEST = 16
    RESPONSE = 32


NONE = Kind(0)
TRAFFIC = Kind.MESSAGE | Kind.CONTROL | Kind.STRAY


# Items.

_UNREAD = object()
NO_JSON = NOTHING
"""What :attr:`Message.json` is for a message that is no JSON."""


class Message(Struct, gc=False):
    """A whole data message, inflated. ``n`` is its first frame's number and ``last`` its last one's; ``index`` counts
    its side's messages from 1; ``at`` is now and ``age`` how long the connection has been open, both in seconds.

    ``problems`` are those of all its frames; with ``deflate`` among them, ``data`` is what could not be inflated.
    """

    side: Side
    opcode: int
    data: bytes
    n: int
    last: int
    index: int
    at: float
    age: float
    compressed: bool = False
    fragments: int = 1
    problems: tuple[str, ...] = ()
    _json: Any = _UNREAD

    @property
    def json(self) -> Any:
        """The data as JSON (a byte order mark and NaN are tolerated), or :data:`NO_JSON`. Parsed once."""
        if self._json is _UNREAD:
            self._json = load(self.data)
        return self._json


class Control(Struct, gc=False):
    """A control frame; ``index`` counts its side's control frames from 1."""

    side: Side
    opcode: int
    data: bytes
    n: int
    index: int
    at: float
    age: float
    problems: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """As of a message: its only frame's number."""
        return self.n

    @property
    def json(self) -> Any:
        """As of a message."""
        return load(self.data)


class Stray(Struct, gc=False):
    """Something that is part of no message: a reserved opcode, a continuation of nothing, bytes that are no frame.

    ``opcode`` and ``n`` are None for the latter.
    """

    side: Side
    opcode: int | None
    data: bytes
    n: int | None
    at: float
    age: float
    problems: tuple[str, ...]
    index: int = 0


class Ended(Struct, gc=False):
    """A leg's peer ended it: ``fin``, ``rst``, …"""

    side: Side
    how: How
    at: float
    age: float


class Request(Struct, gc=False):
    """A handshake's request, as earlier filters left it."""

    request: events.Request
    at: float
    side: Side = "client"


class Response(Struct, gc=False):
    """A handshake's response, and the request that the server was sent."""

    response: events.Response
    request: events.Request
    asked: events.Request
    """What the client had asked for."""
    at: float
    side: Side = "server"


Item = Message | Control | Stray | Ended | Request | Response


# Actions.


class Action(Struct, frozen=True, kw_only=True):
    """Root of the actions. ``note`` is for the recording, where it is not plain why."""

    note: str = ""


class Drop(Action, frozen=True):
    """The item is not passed on. No later filter sees it."""


class Replace(Action, frozen=True):
    """A message or control frame goes on with other ``data``, and another ``opcode`` when one is given."""

    data: bytes
    opcode: int | None = None


class Reframe(Action, frozen=True):
    """A message goes on in other frames: fragments of these ``sizes`` in bytes (what is left over is one more), or
    the ones that it had. With ``mask`` they are masked, or not, as the side's must be; with ``rsv`` their RSV bits are
    cleared, but for what compression needs."""

    sizes: tuple[int, ...] | None = None
    mask: bool = False
    rsv: bool = False


class Inject(Action, frozen=True):
    """A message or control frame, as if ``side`` had sent it: before the item with ``before``, else after it. ``rsv``
    are its reserved bits."""

    side: Side
    opcode: int
    data: bytes
    before: bool = False
    rsv: int = 0


class Hold(Action, frozen=True):
    """The item goes on after so many seconds; of its side's data, what comes later waits behind it."""

    seconds: float


class Release(Action, frozen=True):
    """The first that this filter holds of a side goes on now."""

    side: Side


class Close(Action, frozen=True):
    """A close frame as if ``side`` had sent it; what that side really sends is not passed on from here."""

    side: Side
    code: int | None = None
    reason: str = ""


class Cut(Action, frozen=True):
    """Both legs end, as if ``side`` had ended the connection without a close frame: with a FIN or a RST."""

    side: Side
    how: How = "fin"


class Change(Action, frozen=True):
    """A handshake goes on as this request (or response)."""

    to: events.Request | events.Response


class Refuse(Action, frozen=True):
    """The request is answered with this response, and the server never sees it."""

    response: events.Response


Actions = Iterable[Action] | None
DROP = (Drop(),)


# Filters.


class Context(Struct):
    """What a filter may know when a connection begins, and what it is served with during it.

    ``quiet_since`` tells when a side was last heard of, in seconds like all times here. ``shared`` belongs to the
    filter and outlives the connection. ``totals`` are the messages that each side will send, where that is known (in
    a replay).
    """

    conn: int
    opened: float
    path: str = ""
    client: str = ""
    random: Random = msgspec.field(default_factory=lambda: Random(0))
    quiet_since: Callable[[Side], float] = lambda side: 0.0
    shared: dict[str, Any] = msgspec.field(default_factory=dict)
    totals: dict[Side, int] | None = None


def kebab(name: str) -> str:
    """``DropPing`` -> ``drop-ping``: the word of a filter."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Filter(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="filter", tag=kebab):
    """One intervention. A subclass' name is its word in the text form, its fields are its settings, its docstring is
    its page of help.

    ``path`` and ``client`` limit any filter to some connections: the path with its query, and the client's
    ``host:port``, must match these shell patterns.
    """

    path: Annotated[
        str, Meta(description="only connections whose path matches this pattern (* and ? as in a shell)")
    ] = ""
    client: Annotated[str, Meta(description="only clients whose host:port matches this pattern")] = ""

    kinds: ClassVar[Kind]
    """What it acts on, of either side."""
    example: ClassVar[str]
    """Its text form in a typical case."""
    positional: ClassVar[tuple[str, ...]] = ()
    """The settings that may be given as bare words, in this order."""

    def __post_init__(self) -> None:
        for name, field in _times(type(self)):
            value = getattr(self, field)
            if value is not None and not (0 <= value < 1e12 and math.isfinite(value)):
                raise FilterError(f"{name} must be a time of 0 s or more, not {value}")

    def ready(self) -> None:
        """Makes ready what it needs in order to act; raises :class:`FilterError`. To read a filter's text form does
        nothing: whatever has an effect belongs here, which is called before the filter first acts."""

    def wants(self, side: Side) -> Kind:
        """Which kinds of items of ``side`` it must be shown; what no filter wants is passed on at once."""
        return self.kinds

    def begin(self, context: Context) -> Any:
        """The state for a connection; None for a filter that remembers nothing."""
        return None

    def apply(self, item: Any, state: Any) -> Actions:
        """The actions for an item; None (or nothing) when the item is not its concern."""
        raise NotImplementedError

    def bind(self, state: Any) -> Callable[[Any], Actions]:
        """:meth:`apply` for one connection, as it is called for each item."""
        return lambda item: self.apply(item, state)

    def screen(self) -> Screen | None:
        """A quick test of messages in one sound, uncompressed frame: it is shown only those that pass. None for a
        filter that must see them all, for instance because it counts them."""
        return None

    def deadline(self, state: Any) -> float | None:
        """When it wants to be woken (a time like ``at``), or None."""
        return None

    def wake(self, at: float, state: Any) -> Actions:
        """Its time has come. Only actions that need no item are of use here."""
        return None

    @classmethod
    def word(cls) -> str:
        """Its name in the text form."""
        return str(cls.__struct_config__.tag)

    def __str__(self) -> str:
        """The text form, which :func:`hangup.filters.text.parse` reads back as this same filter."""
        return " ".join([self.word(), *_settings(self)])


@cache
def settings(cls: type[Filter]) -> dict[str, msgspec.structs.FieldInfo]:
    """The settings of a filter by their name in the text form; those that every filter has come last."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    fields = {name: field for name, field in fields.items() if not name.startswith("_")}
    return {name: fields[name] for name in sorted(fields, key=lambda name: name in Filter.__struct_encode_fields__)}


@cache
def _times(cls: type[Filter]) -> list[tuple[str, str]]:
    """The settings that are times: name in the text form, and field."""
    return [(name, field.name) for name, field in settings(cls).items() if bare_type(field.type) == Seconds]


def _settings(filter: Filter) -> Iterable[str]:
    fields = {field.name: field for field in settings(type(filter)).values()}
    keys = frozenset(settings(type(filter)))
    bare = True
    for name in filter.positional:
        field, value = fields[name], getattr(filter, name)
        if value == field.default:
            bare = False  # what follows can no longer be told by its place
        elif bare and isinstance(value, str):
            yield quote(value, keys=keys)
        elif bare and isinstance(value, bytes):
            word = codec(field.type).write(value)
            yield quote(value.decode(), keys=keys) if word == value.decode(errors="replace") else word
        elif bare:
            yield codec(field.type).write(value)
        else:
            yield f"{field.encode_name}={codec(field.type).write(value)}"
    for name, field in fields.items():
        value = getattr(filter, name)
        if name not in filter.positional and (field.default is msgspec.NODEFAULT or value != field.default):
            yield f"{field.encode_name}={codec(field.type).write(value)}"
