"""What selects messages: the settings that filters share, compiled once into one function.

Every setting that is given must hold. Data messages are meant unless ``opcode`` names a control frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import NONE, Actions, Context, Filter, Kind
from hangup.filters.json_test import parse_screen, parse_test, searches
from hangup.filters.patterns import TimedPattern
from hangup.filters.setting_values import Range, Seconds
from hangup.messages.selection import selects
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

Predicate = Callable[[Any], bool]
Opcode = Literal["text", "binary", "ping", "pong", "close", "control", "any"]


class Selecting(Filter, frozen=True, kw_only=True):
    """A filter that acts on the messages that its settings select. Subclasses implement :meth:`act`."""

    side: Annotated[Side | None, Meta(description="who sent it; default: either side")] = None
    opcode: Annotated[
        Opcode | None, Meta(description="text or binary; control frames only if named here (or any)")
    ] = None
    text: Annotated[bytes | None, Meta(description="the payload equals this")] = None
    contains: Annotated[bytes | None, Meta(description="the payload contains this")] = None
    regex: Annotated[str | None, Meta(description="the payload matches this regular expression anywhere")] = None
    json: Annotated[
        str | None,
        Meta(
            description="a JSON path, with a condition or (if the path need only exist) without: $.type==ping, $.n>3,"
            " $.items[*].id!=null, $.error"
        ),
    ] = None
    kind: Annotated[
        str | None,
        Meta(
            description="its kind: the type that it states (order), with the field that states it (data.type=order) or"
            " its protocol (socket.io:order), its fields ({id,price}), or ping and pong for heartbeats",
            examples=["ping", "pong"],
        ),
    ] = None
    size: Annotated[Range | None, Meta(description="payload size in bytes, decompressed")] = None
    index: Annotated[Range | None, Meta(description="position among its side's messages, counted from 1")] = None
    first: Annotated[int | None, Meta(description="only the first N messages of its side")] = None
    last: Annotated[int | None, Meta(description="only the last N messages of its side (in a replay)")] = None
    frame: Annotated[Range | None, Meta(description="its frame number, as in a recording")] = None
    after: Annotated[Seconds | None, Meta(description="only once the connection has been open this long")] = None
    before: Annotated[Seconds | None, Meta(description="only until the connection has been open this long")] = None

    kinds: ClassVar[Kind] = Kind.MESSAGE | Kind.CONTROL

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regex is not None:
            try:
                TimedPattern(self.regex)
            except FilterError as error:
                raise FilterError(f"regex={error}") from None
        if self.json is not None:
            parse_test(self.json)
        if self.kind is not None:
            kind_test(self.kind)

    def wants(self, side: Side) -> Kind:
        if self.side is not None and self.side != side:
            return NONE
        return self.kinds & selected_kinds(self.opcode)

    @property
    def selects(self) -> bool:
        """Whether any setting limits what is selected, beyond the side."""
        return bool(_checks(self, None)) or self.opcode is not None

    def predicate(self, context: Context | None = None) -> Predicate:
        """Whether an item of a kind that is wanted is selected."""
        totals = None
        if self.last is not None:
            totals = (context.totals if context is not None else None) or {}
        return _compile(self, None if totals is None else tuple(sorted(totals.items())))

    def begin(self, context: Context) -> Any:
        return self.predicate(context)

    def bind(self, state: Any) -> Callable[[Any], Actions]:
        selected: Predicate = state
        act = self.act
        return lambda item: act(item) if selected(item) else None

    def apply(self, item: Any, state: Any) -> Actions:
        return self.act(item) if state(item) else None

    def screen(self) -> Screen | None:
        return _screen(self)

    def act(self, item: Any) -> Actions:
        """The actions for a selected item."""
        raise NotImplementedError


def selected_kinds(opcode: Opcode | None) -> Kind:
    """The kinds of items that an ``opcode`` setting speaks of."""
    if opcode in (None, "text", "binary"):
        return Kind.MESSAGE
    return Kind.MESSAGE | Kind.CONTROL if opcode == "any" else Kind.CONTROL


def opcode_is(opcode: Opcode | None) -> Predicate:
    """Whether an item, of a kind that is wanted, has the opcode of the setting."""
    if opcode in (None, "any", "control"):
        return lambda item: True
    number = OPCODE_NUMBERS[str(opcode)]
    return lambda item: bool(item.opcode == number)


@lru_cache(maxsize=512)
def _compile(match: Selecting, totals: tuple[tuple[Side, int], ...] | None) -> Predicate:
    checks = _checks(match, totals)
    if not checks:
        return lambda item: True
    if len(checks) == 1:
        return checks[0]
    if len(checks) == 2:
        one, two = checks
        return lambda item: one(item) and two(item)
    return lambda item: all(check(item) for check in checks)


def _checks(match: Selecting, totals: tuple[tuple[Side, int], ...] | None) -> list[Predicate]:
    """The checks, cheap ones first."""
    checks: list[Predicate] = []
    if match.opcode not in (None, "any", "control"):
        checks.append(opcode_is(match.opcode))
    if match.text is not None:
        text = match.text
        checks.append(lambda item: bool(item.data == text))
    if (size := match.size) is not None:
        checks.append(lambda item: len(item.data) in size)
    if (index := match.index) is not None:
        checks.append(lambda item: item.index in index)
    if (first := match.first) is not None:
        checks.append(lambda item: bool(item.index <= first))
    if (last := match.last) is not None:
        known = dict(totals or ())
        checks.append(lambda item: item.side in known and item.index > known[item.side] - last)
    if (frame := match.frame) is not None:
        low = 0 if frame.low is None else frame.low
        high = frame.high
        checks.append(lambda item: bool(item.last >= low and (high is None or item.n <= high)))
    if (after := match.after) is not None:
        checks.append(lambda item: bool(item.age >= after))
    if (before := match.before) is not None:
        checks.append(lambda item: bool(item.age < before))
    if match.contains is not None:
        contains = match.contains
        checks.append(lambda item: contains in item.data)
    if match.regex is not None:
        search = TimedPattern(match.regex).search
        checks.append(lambda item: search(_text(item)))
    if match.json is not None:
        checks.append(parse_test(match.json))
    if match.kind is not None:
        of_kind = kind_test(match.kind)
        checks.append(lambda item: of_kind(item.opcode, item.data))
    return checks


def _screen(match: Selecting) -> Screen | None:
    """The most selective of the checks that need only the payload."""
    if (text := match.text) is not None:
        return lambda opcode, data: data == text
    if (contains := match.contains) is not None:
        return lambda opcode, data: contains in data
    if match.json is not None and not searches(match.json):
        return parse_screen(match.json)
    if match.kind is not None:
        return kind_test(match.kind)
    if (size := match.size) is not None:
        return lambda opcode, data: len(data) in size
    if match.opcode in ("text", "binary"):
        number = OPCODE_NUMBERS[match.opcode]
        return lambda opcode, data: opcode == number
    return None


def kind_test(text: str) -> Screen:
    """The test of a message's opcode and payload that a ``kind`` setting describes; raises FilterError."""
    try:
        return selects(text)
    except ValueError as error:
        shown = text if text.isprintable() else repr(text)
        raise FilterError(f"kind={shown[:100]}: {error}") from None


def _text(item: Any) -> str:
    # A regular expression sees a text as characters, and anything else as one character per byte.
    data: bytes = item.data
    return data.decode(errors="replace") if item.opcode == TEXT else data.decode("latin-1")
