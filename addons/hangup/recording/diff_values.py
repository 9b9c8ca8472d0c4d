"""Two messages compared value by value, without what changes by nature: times, ids, random tokens, counters.

What changes by nature is told by the values themselves: both must be of the same nature at the same place. So a
``uuid`` against another is no difference, and a ``uuid`` against ``null`` is one.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from hangup.recording.redaction.finder import PLACEHOLDER

LONGEST = 1 << 18
"""Longer messages (bytes) are compared as a whole."""

MOST = 5000
"""So many values of a message are compared."""

DEPTH = 24
NESTED = 3
"""How often JSON is looked for in strings within JSON."""

Path = tuple[str | int, ...]

_HEAD = re.compile(r"\ufeff?\s*(?:[a-z]|\d{1,2}(?:\d+-)?(?:/[^,\[{]*,)?\d*)?\s*(?=[\[{])")
_UUID = r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_TIME = (
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\s?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [^\n\"]{10,30}(?:GMT|UTC|\d{4}|[+-]\d{4})"
    r"|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
)
_NATURES = [
    ("uuid", re.compile(_UUID)),
    ("time", re.compile(_TIME)),
    ("web token", re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")),
    ("address", re.compile(r"(?:\d{1,3}\.){3}\d{1,3}:\d{1,5}|\[[0-9a-f:]+\]:\d{1,5}")),
    ("secret", PLACEHOLDER),
]
_WITHIN = re.compile(
    rf"(?P<uuid>\b{_UUID}\b)|(?P<time>{_TIME})|(?P<token>eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?)|(?P<secret>{PLACEHOLDER.pattern})"
    r"|(?P<word>(?<![\w-])(?=[\w-]{0,63}\d)[\w-]{8,}(?![\w-]))|(?P<number>(?<![\w.])\d+(?:\.\d+)?(?!\w))"
)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_IDS = "id sid uid uuid guid pid cid cursor nonce key hash etag ticket token session trace span".split()
_TIMES = "ts time timestamp date at created updated started expires expiry now epoch since until".split()
_COUNTS = "seq sequence offset index ref counter count latency duration elapsed uptime rtt ms ping".split()
_KEYS = {**dict.fromkeys(_IDS, "id"), **dict.fromkeys(_TIMES, "time"), **dict.fromkeys(_COUNTS, "count")}

_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_NOTHING: Any = object()


class ValueDifference(Struct, frozen=True):
    """A place in a message at which two differ. A value is JSON, ``None`` where the message has none there."""

    path: str
    a: str | None
    b: str | None

    @property
    def text(self) -> str:
        """``payload.id: 1 → 2``."""
        place = f"{self.path}: " if self.path else ""
        if self.a is None:
            return f"{place}(missing) → {self.b}"
        return f"{place}{self.a} → {self.b if self.b is not None else '(missing)'}"


def nature(value: object) -> str:
    """What changes by nature about a value: ``uuid``, ``time``, ``random``, …; empty when nothing does."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return "time" if _is_time(abs(value)) else ""
    if not isinstance(value, str):
        return ""
    for name, pattern in _NATURES:
        if pattern.fullmatch(value):
            return name
    if value.isdecimal() and len(value) < 20:
        return "time" if _is_time(int(value)) else "digits" if len(value) > 8 else ""
    return "random" if _is_random(value) else ""


def _is_time(number: float) -> bool:
    """Whether a number is a moment between 2001 and 2065 in seconds, milli-, micro- or nanoseconds since 1970."""
    return any(1e9 * unit <= number <= 3e9 * unit for unit in (1, 1e3, 1e6, 1e9))


def _is_random(text: str) -> bool:
    if len(text) < 8 or " " in text or not text.isascii():
        return False
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    if digits + letters < len(text) * 0.8:
        return False
    mixed = any(c.islower() for c in text) and any(c.isupper() for c in text)
    return (digits >= 2 and letters >= 2) or (len(text) >= 16 and mixed and not re.search(r"[a-z]{6}", text))


def varies(key: object, a: object, b: object) -> bool:
    """Whether two different values are of the same nature, so that their difference says nothing. ``key`` is the
    name under which both stand."""
    if type(a) is not type(b) and not (_is_number(a) and _is_number(b)):
        return False
    of_a = nature(a)
    if of_a and of_a == nature(b):
        return True
    if not isinstance(key, str) or isinstance(a, bool) or not isinstance(a, int | float | str):
        return False
    words = _PARTS.findall(key)
    by_name = _KEYS.get(words[-1].lower()) if words else None
    if by_name is None:
        return False
    return True if _is_number(a) else by_name != "count" and isinstance(a, str) and bool(a) == bool(b)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def normal(data: bytes) -> str:
    """A message with all that changes by nature replaced by its nature: equal for messages that do not differ."""
    found = _parsed(data)
    if found is None:
        return _normal_text(data)
    head, value = found
    return f"{_digits_out(head)}{_normal_value(value, '', 0)}"


def _normal_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"binary {data.hex()}"
    return _WITHIN.sub(lambda found: _placeholder(found), text) if len(text) <= LONGEST else text


def _placeholder(found: re.Match[str]) -> str:
    kind, text = found.lastgroup or "", found[0]
    if kind == "word":
        return "<random>" if nature(text) or _is_random(text) else text
    if kind == "number":
        return "<time>" if nature(text) or ("." in text and _is_time(float(text))) else text
    return f"<{kind}>"


def _normal_value(value: Any, key: object, depth: int) -> str:
    if isinstance(value, dict):
        if depth > DEPTH:
            return "{…}"
        return "{" + ",".join(f"{k}:{_normal_value(value[k], k, depth + 1)}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        if depth > DEPTH:
            return "[…]"
        return "[" + ",".join(_normal_value(item, key, depth + 1) for item in value) + "]"
    if isinstance(value, str) and (inner := _inner(value)) is not _NOTHING:
        return f'"{_normal_value(inner, key, depth + DEPTH // NESTED)}"'
    if (kind := nature(value)) or varies(key, value, _other(value)):
        return f"<{kind or type(value).__name__}>"
    if isinstance(value, str):
        return f'"{_normal_text(value.encode(errors="replace"))}"'
    return _written(value)


def _other(value: object) -> object:
    """Another value of the same type."""
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else f"{value}~"


def compare(a: bytes, b: bytes, *, strict: bool = False) -> list[ValueDifference]:
    """In what two messages differ; with ``strict`` also in what changes by nature."""
    if a == b:
        return []
    parsed_a, parsed_b = _parsed(a), _parsed(b)
    if parsed_a is None or parsed_b is None:
        if not strict and normal(a) == normal(b):
            return []
        return [ValueDifference("", _shown(a), _shown(b))]
    found: list[ValueDifference] = []
    if parsed_a[0] != parsed_b[0] and (strict or _digits_out(parsed_a[0]) != _digits_out(parsed_b[0])):
        found.append(ValueDifference("", parsed_a[0] or '""', parsed_b[0] or '""'))
    _compare(parsed_a[1], parsed_b[1], (), found, strict)
    return found


def _compare(a: Any, b: Any, path: Path, found: list[ValueDifference], strict: bool) -> None:
    if len(found) >= MOST:
        return
    if len(path) <= DEPTH:
        if isinstance(a, dict) and isinstance(b, dict):
            for key in [*a, *(key for key in b if key not in a)]:
                _compare(a.get(key, _NOTHING), b.get(key, _NOTHING), (*path, key), found, strict)
            return
        if isinstance(a, list) and isinstance(b, list):
            for i in range(max(len(a), len(b))):
                left, right = a[i] if i < len(a) else _NOTHING, b[i] if i < len(b) else _NOTHING
                _compare(left, right, (*path, i), found, strict)
            return
        if isinstance(a, str) and isinstance(b, str) and a != b:
            left, right = _inner(a), _inner(b)
            if left is not _NOTHING and right is not _NOTHING:
                _compare(left, right, (*path, "$"), found, strict)
                return
    if a is _NOTHING or b is _NOTHING or a != b or type(a) is not type(b):
        key = next((step for step in reversed(path) if isinstance(step, str) and step != "$"), "")
        same = a == b and isinstance(a, bool) == isinstance(b, bool)  # 1 is 1.0, but not true
        if not strict and a is not _NOTHING and b is not _NOTHING and (same or varies(key, a, b) or _alike(a, b)):
            return
        written = [None if value is _NOTHING else _written(value) for value in (a, b)]
        found.append(ValueDifference(_place(path), *written))


def _alike(a: Any, b: Any) -> bool:
    """Whether two sentences differ only in times and the like within them."""
    if not isinstance(a, str) or not isinstance(b, str):
        return False
    return _normal_text(a.encode(errors="replace")) == _normal_text(b.encode(errors="replace"))


def _parsed(data: bytes) -> tuple[str, Any] | None:
    """What stands before a message's JSON (a packet's type), and the JSON; None for other messages."""
    if len(data) > LONGEST:
        return None
    try:
        text = data.decode()
        head = _HEAD.match(text)
        if head is None:
            return None
        return head[0].strip(), _decode(text[head.end() :].rstrip("\x00\x1e"))
    except _UNREADABLE:
        return None


def _inner(text: str) -> Any:
    """The JSON that a string holds."""
    if len(text) < 2 or text[0] not in "{[" or text[-1] not in "}]":
        return _NOTHING
    try:
        return _decode(text)
    except _UNREADABLE:
        return _NOTHING


def _digits_out(head: str) -> str:
    # An acknowledgement's number comes after the packet's type, `421` or `42/chat,7`.
    return re.sub(r"(?<=^\d\d)\d+$|(?<=,)\d+$", "", head)


def _place(path: Path) -> str:
    text = ""
    for step in path:
        if step == "$":
            continue
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode(errors="replace")


def _shown(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"{len(data)} bytes {data[:32].hex(' ')}{' …' if len(data) > 32 else ''}"
    return text
