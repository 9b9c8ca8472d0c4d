"""What a message says, value by value: every string and number in it, with the place where it stands.

A place is a path of keys and indexes (``("payload", "id")``, ``(1, "sid")``). JSON is found alone, behind a packet's
prefix (Socket.IO, SockJS), before a terminator (SignalR), and within strings. Of any other text, ``key:value`` and
``key=value`` are found by their key and all other words by their number.

:func:`kind` and :func:`skeleton` say what is the same in messages that differ only in their values: the kind is
coarse (what the message calls itself), the skeleton has all keys and types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from hangup.wire.heartbeats import recognise

LONGEST = 1 << 18
"""Longer messages (bytes) are not looked into."""
MOST = 2000
"""So many values of a message are looked at."""
NESTED = 4
"""How deep JSON may stand in strings within JSON."""
REMEMBERED = 512

Path = tuple[str | int, ...]
Scalar = str | int | float

KINDS = (
    "type", "event", "action", "op", "kind", "method", "t", "cmd", "command", "msg_type", "messageType", "message_type",
    "msgType", "eventType", "event_type", "operation", "e", "evt", "opcode", "topic",
)  # fmt: skip
"""Fields that may say what a message is, the likeliest first."""

WITHIN = "$"
"""The step of a path into the JSON that a string holds."""
ACK = "ack"
"""The place of a Socket.IO packet's acknowledgement number, which stands before its JSON."""

_SOCKET_IO = re.compile(r"(4[0-6])(?:\d+-)?(?:/[^,\[{]*,)?(\d*)(?=[\[{]|$)")
_PAIR = re.compile(r"([A-Za-z_][\w.-]{0,63})\s?[:=]\s?\"?([^\s,;&\"]{1,4096})")
_TOKEN = re.compile(r"[^\s,;&|\"'<>()]+")
_WORD = re.compile(r"[A-Za-z][\w .:/$-]{0,39}")
_DIGITS = re.compile(r"\d+")
_JSON = json.JSONDecoder()
_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|-?\d[\d.eE+-]*|true|false|null|NaN|-?Infinity', re.DOTALL)


class Leaf(NamedTuple):
    """One value: ``start`` and ``end`` are the characters of its literal in the text, quotes included."""

    path: Path
    value: Scalar
    start: int
    end: int
    quoted: bool


class _Document(NamedTuple):
    path: Path
    start: int
    value: Any


def _documents(text: str) -> tuple[list[_Document], Leaf | None]:
    """The JSON texts in a message, and a Socket.IO packet's acknowledgement number."""
    ack = None
    start = 0
    if text[:1] not in ("{", "["):
        packet = _SOCKET_IO.match(text)
        if packet is not None:
            if packet[2]:
                ack = Leaf((ACK,), int(packet[2][:18]), packet.start(2), packet.end(2), False)
            start = packet.end()
        else:  # one short word before it, as SockJS and Engine.IO have, or white space
            start = next((i for i, c in enumerate(text[:16]) if c in "{["), -1)
            if start < 0 or not re.fullmatch(r"\ufeff?\s*\w{0,8}\s*", text[:start]):
                return [], ack
    elif text[-1:] in ("}", "]"):
        try:
            return [_Document((), 0, _decode(text))], None
        except _UNREADABLE:
            pass
    found: list[_Document] = []
    while start < len(text) and text[start] in "{[":
        try:
            value, end = _JSON.raw_decode(text, start)
        except _UNREADABLE:
            break
        found.append(_Document((), start, value))
        start = end
        while start < len(text) and text[start] in "\x1e\r\n\t \x00":
            start += 1
    if len(found) > 1:
        found = [_Document((i,), d.start, d.value) for i, d in enumerate(found)]
    return found, ack


def _decoded(data: bytes) -> str | None:
    if len(data) > LONGEST:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def values(data: bytes) -> list[tuple[Path, Scalar]]:
    """The values in a message with their places, without repeating it character by character."""
    text = _decoded(data)
    if not text:
        return []
    documents, ack = _documents(text)
    if not documents:
        plain = [(leaf.path, leaf.value) for leaf in _plain(text)]
        return plain if ack is None else [(ack.path, ack.value)]
    found: list[tuple[Path, Scalar]] = [] if ack is None else [(ack.path, ack.value)]
    for document in documents:
        _collect(document.value, document.path, found, 0)
    return found[:MOST]


def _collect(value: Any, path: Path, found: list[tuple[Path, Scalar]], depth: int) -> None:
    stack: list[tuple[Any, Path]] = [(value, path)]
    while stack and len(found) < MOST:
        value, path = stack.pop()
        if type(value) is dict:
            stack += [(item, (*path, key)) for key, item in reversed(value.items())]
        elif type(value) is list:
            stack += [(item, (*path, i)) for i, item in reversed(list(enumerate(value[:MOST])))]
        elif type(value) is str:
            inner = _inner(value, depth)
            if inner is not None:
                _collect(inner, (*path, WITHIN), found, depth + 1)
            elif value:
                found.append((path, value))
        elif type(value) is int or type(value) is float:
            found.append((path, value))


def _inner(text: str, depth: int) -> Any:
    """The JSON object or array that a string holds, else None."""
    if len(text) < 2 or text[0] not in "{[" or text[-1] not in "}]" or depth >= NESTED:
        return None
    try:
        return _decode(text)
    except _UNREADABLE:
        return None


def get(data: bytes, path: Path) -> Scalar | None:
    """The value at a place of a message, or None."""
    text = _decoded(data)
    if not text:
        return None
    documents, ack = _documents(text)
    if path == (ACK,) and ack is not None:
        return ack.value
    if not documents:
        return next((leaf.value for leaf in _plain(text) if leaf.path == path), None)
    if len(documents) > 1:
        if not path or type(path[0]) is not int or path[0] >= len(documents):
            return None
        value, rest = documents[path[0]].value, path[1:]
    else:
        value, rest = documents[0].value, path
    for depth, step in enumerate(rest):
        if step == WITHIN and type(value) is str:
            value = _inner(value, depth)
        elif type(value) is dict:
            value = value.get(step)
        elif type(value) is list and type(step) is int and step < len(value):
            value = value[step]
        else:
            return None
    return value if type(value) in (str, int, float) else None


def leaves(text: str) -> list[Leaf]:
    """The values in a text with the characters where each stands (not those of JSON within strings)."""
    documents, ack = _documents(text)
    if not documents:
        return _plain(text) if ack is None else [ack]
    found = [] if ack is None else [ack]
    for document in documents:
        found += _scan(text, document.start, document.path)
    return found


def _plain(text: str) -> list[Leaf]:
    found: list[Leaf] = []
    taken = 0
    counts: dict[str, int] = {}
    for pair in (*islice(_PAIR.finditer(text), MOST), None):
        stop = len(text) if pair is None else pair.start()
        for token in islice(_TOKEN.finditer(text, taken, stop), MOST - len(found)):
            found.append(Leaf((counts.get("", 0),), token[0], token.start(), token.end(), False))
            counts[""] = counts.get("", 0) + 1
        if pair is not None:
            key = pair[1]
            number = counts.get(key, 0)
            counts[key] = number + 1
            path: Path = (key,) if not number else (key, number)
            found.append(Leaf(path, pair[2], pair.start(2), pair.end(2), False))
            taken = pair.end()
    return found


def _scan(text: str, start: int, path: Path) -> list[Leaf]:
    """The scalars of the JSON text that begins at ``start``, which is known to be sound."""
    found: list[Leaf] = []
    stack: list[str | int] = []  # the steps below ``path``; a key that is still to come is ""
    expect_key = False
    pos = start
    while match := _STRUCTURE.search(text, pos):
        token, pos = match[0], match.end()
        first = token[0]
        if first == "{":
            stack.append("")
            expect_key = True
        elif first == "[":
            stack.append(0)
            expect_key = False
        elif first in "}]":
            stack.pop()
            if not stack:
                break
            expect_key = False
        elif first == ",":
            top = stack[-1]
            if type(top) is int:
                stack[-1] = top + 1
            else:
                expect_key = True
        elif first == ":":
            expect_key = False
        elif first == '"' and expect_key:
            stack[-1] = json.loads(token, strict=False)
        elif first == '"' or first in "-0123456789":
            try:
                value = json.loads(token, strict=False)
            except ValueError:  # a number of thousands of digits
                continue
            if type(value) is not str or value:
                found.append(Leaf((*path, *stack), value, match.start(), match.end(), first == '"'))
    return found


def replaced(data: bytes, wanted: Mapping[Path, Scalar]) -> bytes:
    """The message with other values at these places, and every other character as it was.

    A number stays a number and a string a string, whatever the new value is, where that is possible.
    """
    text = _decoded(data)
    if not text or not wanted:
        return data
    return _replaced(text, wanted, 0).encode(errors="surrogatepass")


def _replaced(text: str, wanted: Mapping[Path, Scalar], depth: int) -> str:
    parts = []
    at = 0
    for leaf in leaves(text):
        new = wanted.get(leaf.path)
        literal: str | None = None
        if new is not None:
            literal = _literal(new, leaf)
        elif leaf.quoted and depth < NESTED:
            size = len(leaf.path)
            inner = {
                path[size + 1 :]: value
                for path, value in wanted.items()
                if len(path) > size and path[size] == WITHIN and path[:size] == leaf.path
            }
            if inner and isinstance(leaf.value, str):
                literal = json.dumps(_replaced(leaf.value, inner, depth + 1), ensure_ascii=False)
        if literal is not None:
            parts += [text[at : leaf.start], literal]
            at = leaf.end
    return "".join(parts) + text[at:]


def _literal(new: Scalar, leaf: Leaf) -> str:
    if leaf.quoted:
        old = leaf.value if isinstance(leaf.value, str) else ""
        return json.dumps(str(new), ensure_ascii=old.isascii())
    if isinstance(leaf.value, str):  # a word of a plain text
        return str(new)
    if isinstance(new, str):
        try:
            float(new)
        except ValueError:
            return json.dumps(new)
        return new
    return json.dumps(new)


# What is the same in messages of one kind.


@lru_cache(REMEMBERED)
def _small_kind(opcode: str, data: bytes) -> str:
    return _kind(opcode, data)


def kind(opcode: str, data: bytes) -> str:
    """What a message calls itself (``type=welcome``, ``42 news``), or what it looks like from afar."""
    return _small_kind(opcode, data) if len(data) <= 1024 else _kind(opcode, data)


def _kind(opcode: str, data: bytes) -> str:
    text = _decoded(data)
    if text is None:
        return f"{opcode} {data[:1].hex()}"
    documents, _ = _documents(text)
    if not documents:
        return _plain_kind(opcode, text)
    prefix = _DIGITS.match(text)
    words = [opcode] if opcode == "binary" else []
    if prefix is not None:
        words.append(prefix[0][:2])
    words.append(_named(documents[0].value))
    return " ".join(words)


def _named(value: Any) -> str:
    if type(value) is dict:
        for key in KINDS:
            named = value.get(key)
            if type(named) is str and _WORD.fullmatch(named):
                return f"{key}={named}"
            if type(named) is int and key in ("op", "opcode", "t", "type", "e") and -1000 < named < 1000:
                return f"{key}={named}"
        if "jsonrpc" in value:
            return "result" if "result" in value else "error" if "error" in value else "jsonrpc"
        return "{" + ",".join(sorted(value)[:12]) + "}"
    if type(value) is list:
        if len(value) == 5 and type(value[2]) is str and type(value[3]) is str:  # Phoenix
            return f"[{value[3]}]"
        if value and type(value[0]) is str:
            if value[0][:1] in ("{", "["):  # SockJS: an array of messages
                inner = _inner(value[0], 0)
                return f"[{_named(inner)}]"
            if _WORD.fullmatch(value[0]):
                return f"[{value[0]}]"
        if value and type(value[0]) is dict:
            return f"[{_named(value[0])}]"
        return "[]"
    return type(value).__name__


def _plain_kind(opcode: str, text: str) -> str:
    number = {"text": 1, "binary": 2}.get(opcode, 1)
    beat = recognise(number, text.encode(errors="replace")) if len(text) <= 128 else None
    if beat is not None:
        return f"{opcode} {beat.kind} {beat.form}"
    first = text[:64].split(None, 1)
    if first and len(first[0]) <= 24:
        return f"{opcode} {_DIGITS.sub('#', first[0])}" if len(first) == 1 or first[0].isupper() else opcode
    return opcode


@lru_cache(REMEMBERED)
def _small_skeleton(opcode: str, data: bytes) -> str:
    return _skeleton(opcode, data)


def skeleton(opcode: str, data: bytes) -> str:
    """The kind of a message together with all its keys and the types of its values."""
    return _small_skeleton(opcode, data) if len(data) <= 1024 else _skeleton(opcode, data)


def _skeleton(opcode: str, data: bytes) -> str:
    text = _decoded(data)
    name = _kind(opcode, data)
    documents, _ = _documents(text) if text else ([], None)
    if not documents:
        return name
    return name + " " + "".join(_bones(documents[0].value, 0))


def _bones(value: Any, depth: int) -> Iterator[str]:
    if type(value) is dict:
        yield "{"
        for key in sorted(value)[:100]:
            yield key + ":"
            yield from _bones(value[key], depth + 1) if depth < 8 else ()
            yield ","
        yield "}"
    elif type(value) is list:
        yield "["
        if value and depth < 8:
            seen: dict[str, None] = {}
            for item in value[:8]:
                seen["".join(_bones(item, depth + 1))] = None
            yield "|".join(seen)
        yield "]"
    elif type(value) is str:
        yield "s"
    elif type(value) is bool:
        yield "b"
    elif value is None:
        yield "0"
    else:
        yield "n"
