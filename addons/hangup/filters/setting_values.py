"""The values that a filter's settings can have, and how each is written: ``20s``, ``3..7``, ``hex:c000``."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from msgspec import Meta, Struct

from hangup.errors import FilterError
from hangup.filters.tokenizer import quote


class Range(Struct, frozen=True):
    """Whole numbers from ``low`` to ``high``, both included; None is no limit. Written ``7``, ``3..7``, ``3..``."""

    low: int | None = None
    high: int | None = None

    def __contains__(self, number: int) -> bool:
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def __str__(self) -> str:
        if self.low == self.high:
            return str(self.low)
        return f"{'' if self.low is None else self.low}..{'' if self.high is None else self.high}"


class _Seconds:
    """Marks a float as a time in seconds."""


Seconds = Annotated[float, _Seconds]
"""A time in seconds, 0 or more; written ``20s``, ``250ms``, ``2min``, ``1h``."""

_RANGE = re.compile(r"(?P<low>\d+)?(?P<dots>\.\.)?(?P<high>\d+)?")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)(ms|s|min|m|h)?")
_NUMBER = re.compile(r"\d{1,15}(\.\d{0,15})?(e[-+]?\d{1,2})?|\.\d{1,15}")
_HEX = "hex:"
_DIGITS = 18


def _read_range(text: str, quoted: bool) -> Range:
    found = _RANGE.fullmatch(text)
    if found is None or not text or max(len(found["low"] or ""), len(found["high"] or "")) > _DIGITS:
        raise ValueError("a number, or a range such as 3..7, 3.. or ..7")
    low, high = (None if found[part] is None else int(found[part]) for part in ("low", "high"))
    if found["dots"] is None:
        high = low = low if low is not None else high
    if low is None and high is None:
        raise ValueError("a range with a number on at least one side")
    if low is not None and high is not None and low > high:
        raise ValueError("a range whose first number is not the larger one")
    return Range(low, high)


def _read_seconds(text: str, quoted: bool) -> float:
    found = _TIME.fullmatch(text)
    number = float(found[1]) if found is not None else -1.0
    if found is None or not number < 1e12:
        raise ValueError("a time such as 20s, 250ms or 2min")
    if found[2] == "ms":
        return number / 1000
    return number * _UNITS[found[2] or "s"]


def _write_seconds(value: float) -> str:
    if 0 < value < 1 and float(f"{value * 1000:.0f}") / 1000 == value:
        return f"{value * 1000:.0f}ms"
    return f"{value!r}s".replace(".0s", "s")


def _read_bytes(text: str, quoted: bool) -> bytes:
    if not quoted and text.startswith(_HEX):
        try:
            return bytes.fromhex(text[len(_HEX) :])
        except ValueError:
            raise ValueError("an even number of hexadecimal digits after hex:") from None
    return text.encode("utf-8", "surrogatepass")


def _write_bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _HEX + value.hex()
    return quote(text, never_bare=text.startswith(_HEX))


def _read_int(text: str, quoted: bool) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise ValueError("a whole number")
    return int(text)


def _read_number(text: str, quoted: bool) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("a number such as 5 or 2.5")
    return float(text)


def _write_number(value: float) -> str:
    return f"{value!r}".removesuffix(".0")


def _read_names(text: str, quoted: bool) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ValueError("names separated by commas")
    return names


class Codec(NamedTuple):
    """How values of a type are read from a word (``ValueError`` says what would be right) and written."""

    read: Callable[[str, bool], Any]
    write: Callable[[Any], str]
    placeholder: str
    """What stands for such a value in a help text."""


_CODECS: dict[Any, Codec] = {
    str: Codec(lambda text, quoted: text, quote, "TEXT"),
    bytes: Codec(_read_bytes, _write_bytes, "TEXT"),
    int: Codec(_read_int, str, "NUMBER"),
    float: Codec(_read_number, _write_number, "NUMBER"),
    Seconds: Codec(_read_seconds, _write_seconds, "TIME"),
    Range: Codec(_read_range, str, "RANGE"),
    tuple[str, ...]: Codec(_read_names, lambda value: quote(",".join(value)), "NAMES"),
}


def codec(annotation: Any) -> Codec:
    """The codec of a field's type; ``None`` in a union, and a description, count for nothing."""
    annotation = bare_type(annotation)
    found = _CODECS.get(annotation)
    if found is not None:
        return found
    assert get_origin(annotation) is Literal, f"a filter cannot have a setting of type {annotation}"
    choices = get_args(annotation)

    def read(text: str, quoted: bool) -> str:
        if text not in choices:
            raise ValueError(" or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices))
        return text

    return Codec(read, str, "|".join(choices))


def bare_type(annotation: Any) -> Any:
    """The type without its description and without None."""
    while True:
        if annotation == Seconds:
            return annotation
        if get_origin(annotation) is Annotated:
            inner, *notes = get_args(annotation)
            kept = [note for note in notes if not isinstance(note, Meta)]
            if kept:
                return Annotated[(inner, *kept)]
            annotation = inner
        elif get_origin(annotation) in (Union, types.UnionType):
            (annotation,) = (part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation


def description(annotation: Any) -> str:
    """What the description in a field's type says, or nothing."""
    if get_origin(annotation) is Annotated:
        for note in get_args(annotation)[1:]:
            if isinstance(note, Meta) and note.description:
                return note.description
    return ""


def choices(annotation: Any) -> tuple[str, ...]:
    """What a setting of this type can be, or the examples that its description gives."""
    for note in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
        if isinstance(note, Meta) and note.examples:
            return tuple(map(str, note.examples))
    inner = bare_type(annotation)
    return tuple(map(str, get_args(inner))) if get_origin(inner) is Literal else ()


def expected(name: str, word: str, what: str) -> FilterError:
    """The error for a value that is no value of a setting."""
    return FilterError(f"{word}: {name} must be {what}")
