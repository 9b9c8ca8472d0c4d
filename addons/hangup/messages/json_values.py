"""What a message says, value by value: every string and number in it, with the place where it stands.

A place is a path of keys and indexes (``("payload", "id")``, ``(1, "sid")``). JSON is found alone, behind a packet's
prefix (Socket.IO, SockJS), before a terminator (SignalR), and within strings. Of any other text, ``key:value`` and
``key=value`` are found by their key and all other words by their number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

LONGEST = 1 << 18
"""Longer messages (bytes) are not looked into."""
MOST = 2000
"""So many values of a message are looked at."""
NESTED = 4
"""How deep JSON may stand in strings within JSON."""

Path = tuple[str | int, ...]
Scalar = str | int | float

WITHIN = "$"
"""The step of a path into the JSON that a string holds."""
ACK = "ack"
"""The place of a Socket.IO packet's acknowledgement number, which stands before its JSON."""

_SOCKET_IO = re.compile(r"(4[0-6])(?:\d+-)?(?:/[^,\[{]*,)?(\d*)(?=[\[{]|$)")
_PAIR = re.compile(r"([A-Za-z_][\w.-]{0,63})\s?[:=]\s?\"?([^\s,;&\"]{1,4096})")
_TOKEN = re.compile(r"[^\s,;&|\"'<>()]+")
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


class JsonDocument(NamedTuple):
    """One JSON text in a message: ``start`` is its first character, ``path`` leads to its ``value``."""

    path: Path
    start: int
    value: Any


def find_documents(text: str) -> tuple[list[JsonDocument], Leaf | None]:
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
            return [JsonDocument((), 0, _decode(text))], None
        except _UNREADABLE:
            pass
    found: list[JsonDocument] = []
    while start < len(text) and text[start] in "{[":
        try:
            value, end = _JSON.raw_decode(text, start)
        except _UNREADABLE:
            break
        found.append(JsonDocument((), start, value))
        start = end
        while start < len(text) and text[start] in "\x1e\r\n\t \x00":
            start += 1
    if len(found) > 1:
        found = [JsonDocument((i,), d.start, d.value) for i, d in enumerate(found)]
    return found, ack


def as_text(data: bytes) -> str | None:
    """The text of a message that is looked into; None when it is too long, or not UTF-8."""
    if len(data) > LONGEST:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def values(data: bytes) -> list[tuple[Path, Scalar]]:
    """The values in a message with their places, without repeating it character by character."""
    text = as_text(data)
    if not text:
        return []
    documents, ack = find_documents(text)
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
            inner = json_within(value, depth)
            if inner is not None:
                _collect(inner, (*path, WITHIN), found, depth + 1)
            elif value:
                found.append((path, value))
        elif type(value) is int or type(value) is float:
            found.append((path, value))


def json_within(text: str, depth: int) -> Any:
    """The JSON object or array that a string holds, else None; ``depth`` is how many strings it stands in already."""
    if len(text) < 2 or text[0] not in "{[" or text[-1] not in "}]" or depth >= NESTED:
        return None
    try:
        return _decode(text)
    except _UNREADABLE:
        return None


def get(data: bytes, path: Path) -> Scalar | None:
    """The value at a place of a message, or None."""
    text = as_text(data)
    if not text:
        return None
    documents, ack = find_documents(text)
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
            value = json_within(value, depth)
        elif type(value) is dict:
            value = value.get(step)
        elif type(value) is list and type(step) is int and step < len(value):
            value = value[step]
        else:
            return None
    return value if type(value) in (str, int, float) else None


def leaves(text: str) -> list[Leaf]:
    """The values in a text with the characters where each stands (not those of JSON within strings)."""
    documents, ack = find_documents(text)
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
    text = as_text(data)
    if not text or not wanted:
        return data
    return _replaced(text, wanted, 0).encode(errors="surrogatepass")


class Cut(NamedTuple):
    """A value of a message, as it is spelled there, and what stands before it."""

    before: str
    leaf: Leaf
    literal: str


def cuts(data: bytes, paths: Collection[Path]) -> tuple[list[Cut], str]:
    """The values at these places (not within strings), and what stands after the last: for :func:`put_in`, where other
    values are put into the same message again and again."""
    text = as_text(data) or ""
    found: list[Cut] = []
    at = 0
    for leaf in leaves(text):
        if leaf.path in paths:
            found.append(Cut(text[at : leaf.start], leaf, text[leaf.start : leaf.end]))
            at = leaf.end
    return found, text[at:]


def put_in(wanted: Mapping[Path, Scalar], cuts: Sequence[Cut], rest: str) -> bytes:
    """What :func:`replaced` makes of a message that was cut."""
    parts = []
    for before, leaf, literal in cuts:
        new = wanted.get(leaf.path)
        parts.append(before)
        parts.append(literal if new is None else _literal(new, leaf))
    parts.append(rest)
    return "".join(parts).encode(errors="surrogatepass")


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
