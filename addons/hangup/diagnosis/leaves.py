"""The values in a message, each by its path: what can be compared between messages of one kind."""

from __future__ import annotations

import math
import re
from typing import Any

from hangup.messages.content import NOTHING, load
from hangup.recording.traffic import MessageSummary, octets

Leaves = dict[str, list[Any]]
"""Path -> the values there. In a list each element has the same path (``items[].price``), so there may be several;
objects and lists have a path as well."""

DEEPEST = 6
ELEMENTS = 16
PATHS = 64
"""So much of a message is looked into."""

LENGTH, FIRST = "the length", "the first byte"
"""What is compared of messages that are not JSON."""

_PREFIX = re.compile(r"\d{1,4}(?:/[^,\[{\"]*,)?\d*(?=[\[{])")
"""What Engine.IO and Socket.IO put before the JSON."""


def leaves(message: MessageSummary) -> Leaves | None:
    """The values of a message; None where they are not known, as only its beginning was kept."""
    if message.shape.json and message.opcode == "text":
        text = message.text
        if octets(text) != message.size:
            return None
        if prefix := _PREFIX.match(text):
            text = text[prefix.end() :]
        value = load(text.rstrip("\x1e"))
        return None if value is NOTHING else of_value(value)
    found: Leaves = {LENGTH: [message.size]}
    if message.opcode == "binary" and message.text:
        found[FIRST] = [f"0x{ord(message.text[0]):02x}"]
    return found


def of_value(value: Any) -> Leaves:
    """The values of decoded JSON."""
    found: Leaves = {}
    if isinstance(value, list):
        for at, element in enumerate(value[:ELEMENTS]):
            _gather(found, f"[{at}]", element, 1)  # whose places mean something, as in ["event", {…}]
    else:
        _gather(found, "", value, 0)
    return found


def _gather(found: Leaves, path: str, value: Any, depth: int) -> None:
    if path not in found and len(found) >= PATHS:
        return
    found.setdefault(path, []).append(value)
    if depth >= DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in list(value.items())[:PATHS]:
            _gather(found, f"{path}.{name}" if path else str(name), inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:ELEMENTS]:
            _gather(found, f"{path}[]", inner, depth + 1)


def parent(path: str) -> str:
    """The path of what holds a field: empty for the message itself."""
    return re.sub(r"(?:\.[^.\[\]]*|\[\w*\]|^[^.\[\]]+)$", "", path)


def sort_of(value: Any) -> str:
    """What a value is: ``null``, ``a number``, and so on."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def number(value: Any) -> float | None:
    """A number as such."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
    return None if math.isnan(found) else found


def size_of(value: Any) -> float | None:
    """The length of a string or a list."""
    return float(len(value)) if isinstance(value, str | list) else None


def decimals(value: Any) -> float | None:
    """How many digits a number has behind the point."""
    if number(value) is None:
        return None
    mantissa, _, exponent = repr(value).partition("e")
    return max(0.0, len(mantissa.partition(".")[2].removesuffix("0")) - int(exponent or 0))


def is_empty(value: Any) -> bool:
    """Whether it is an empty string, list or object."""
    return isinstance(value, str | list | dict) and not value
