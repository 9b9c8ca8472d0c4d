"""The text of a kind, compiled to a test of messages: ``order``, ``data.type=order``, ``socket.io:order``.

Every form is a test of one message by itself, so that a kind that was found in a recording selects the same messages on
a live page. A message that holds several is selected when one of them is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hangup.messages.content import MessageContent
from hangup.messages.discriminator import Path, at, read_path
from hangup.messages.names import keys_of, name_of, template_of
from hangup.messages.protocols import GIVEN, PROTOCOLS
from hangup.messages.reading import PREFIXES, MessageReading, possible_readings, read, values_in

LONGEST = 400
"""Characters of a kind's text."""

Select = Callable[[int, bytes], bool]

_BINARY = re.compile(r"(?:(\*|[0-9a-fA-F]{2})?)(?:/(\d{1,12})(\.\.)?(\d{1,12})?)?")
_FIELD = re.compile(r"[\w$@#.\[\]-]+=.+", re.S)


@lru_cache(512)
def selects(text: str) -> Select:
    """Whether a message is of the kind that ``text`` says; ValueError, with a reason in one line, when it says none."""
    if not text or text.isspace():
        raise ValueError("a kind is needed, for instance order, socket.io:order, data.type=order or ping")
    if len(text) > LONGEST:
        raise ValueError(f"a kind has at most {LONGEST} characters, this one {len(text)}")
    if not text.isprintable():
        raise ValueError("a kind is one line without control characters")
    if text[0] == "{":
        return _by_keys(text)
    if text[0] == "[" and text[-1] == "]":
        return _same(text)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in PREFIXES:
        if not rest:
            example = _EXAMPLES.get(prefix, "order")
            raise ValueError(f"something must follow {prefix}:, for instance {prefix}:{example}")
        if prefix == "text":
            return _by_template(rest)
        if prefix == "binary":
            return _by_bytes(rest)
        if "+" in text:
            return _same(text)
        return _by_protocol(prefix, rest) if prefix in PROTOCOLS else _same(text)
    if _FIELD.fullmatch(text) is not None:
        field, _, value = text.partition("=")
        path = read_path(field)
        if path is None:
            raise ValueError(f"{field} is not a field; write for instance type, data.type or [0]")
        return _by_field(path, value)
    if "=" in text:
        raise ValueError(f"{text}: a field must come before =, for instance type, data.type or [0]")
    if "+" in text and not text.startswith("+"):
        return _same(text)
    return _by_name(text)


_EXAMPLES = {"text": "LOGIN #", "binary": "0a/1..15", "mqtt": "PUBLISH", "control": "ping"}


def _marked(select: Select, name: str) -> Select:
    """The same, for messages in which this name must stand as it is, unless escaped; that spares reading the others."""
    if name in GIVEN or name == "pong":
        return select
    mark = max(name.split("#"), key=len).encode("utf-8", "surrogatepass")

    def marked(opcode: int, data: bytes) -> bool:
        return (mark in data or b"\\" in data) and select(opcode, data)

    return marked


def _any(test: Callable[[MessageReading], bool]) -> Select:
    def select(opcode: int, data: bytes) -> bool:
        reading = read(opcode, data)
        return test(reading) or _within(reading, test)

    return select


def _within(reading: MessageReading, test: Callable[[MessageReading], bool]) -> bool:
    return any(test(part) or _within(part, test) for part in reading.parts)


def _same(text: str) -> Select:
    return _any(lambda reading: reading.kind.text == text)


def _by_name(name: str) -> Select:
    half = name if name in ("ping", "pong") else ""

    def test(reading: MessageReading) -> bool:
        kind = reading.kind
        return (
            kind.name == name
            or reading.raw == name
            or kind.detail == name
            or bool(half)
            and kind.beat is not None
            and kind.beat.kind == half
        )

    return _marked(_any(test), name)


def _by_protocol(protocol: str, name: str) -> Select:
    def test(reading: MessageReading) -> bool:
        kind = reading.kind
        if kind.protocol != protocol:
            return False
        said = kind.text[len(protocol) + 1 :]
        if said == name:
            return True
        said = said.removesuffix(f":{kind.detail}") if kind.detail else said
        return said == name or said.removesuffix(kind.name) + reading.raw == name

    sure = _any(test)

    def select(opcode: int, data: bytes) -> bool:
        return sure(opcode, data) or opcode < 3 and any(map(test, possible_readings(MessageContent(opcode, data))))

    return select if ":" in name else _marked(select, name.rpartition(",")[2])


def _by_field(path: Path, wanted: str) -> Select:
    number = wanted.isascii() and wanted.lstrip("-").isdigit()

    def holds(value: Any) -> bool:
        said = at(value, path)
        if type(said) is str:
            return said == wanted or "#" in wanted and name_of(said) == wanted
        return number and type(said) is int and str(said) == wanted

    select = _any_value(holds)
    return select if number else _marked(select, wanted)


def _by_keys(text: str) -> Select:
    if text[-1] != "}":
        raise ValueError(f"the }} at the end of {text} is missing")
    wanted = "{" + ",".join(sorted(key.strip() for key in text[1:-1].split(","))) + "}"

    return _any_value(lambda value: type(value) is dict and keys_of(value) == wanted)


def _any_value(test: Callable[[Any], bool]) -> Select:
    return lambda opcode, data: opcode < 3 and any(map(test, values_in(MessageContent(opcode, data))))


def _by_template(wanted: str) -> Select:
    # A `*` stands for anything behind the first word; alone it is any text.
    head, star, _ = wanted.partition("*")
    space = r"\s" if head[-1:] == " " else ""
    pattern = re.compile(re.escape(head.rstrip()).replace(r"\#", "#") + space) if star and head else None

    def select(opcode: int, data: bytes) -> bool:
        if opcode > 2:
            return False
        text = MessageContent(opcode, data).text
        if text is None or not read(opcode, data).kind.text.startswith("text:"):
            return False
        if wanted == "*" or template_of(text)[0] == wanted:
            return True
        return pattern is not None and pattern.match(_NUMBERS.sub("#", text.lstrip()[:256])) is not None

    return select


_NUMBERS = re.compile(r"\d+")


def _by_bytes(wanted: str) -> Select:
    found = _BINARY.fullmatch(wanted)
    if found is None:
        raise ValueError(f"binary:{wanted}: it must be a byte or *, and a length, for instance binary:0a/16..255")
    first = None if found[1] in (None, "*") else bytes.fromhex(found[1])
    low = int(found[2]) if found[2] else 0
    high = int(found[4]) if found[4] else low if found[2] and not found[3] else None

    def select(opcode: int, data: bytes) -> bool:
        if opcode > 2 or len(data) < low or high is not None and len(data) > high:
            return False
        if first is not None and data[:1] != first:
            return False
        return read(opcode, data).kind.text.startswith("binary:")

    return select
