"""Messages of JSON or MessagePack as values: where two of them differ, and one with a part of the other.

JSON may stand in the envelope of a protocol (``42["chat",{…}]``).

A path leads to a part: keys of objects (in MessagePack they may be numbers) and numbers of array elements. A part is a
scalar, an empty object or array, or an array that has another length than its counterpart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from hangup.messages.content import NOTHING, packed
from hangup.messages.discriminator import path_text

Path = tuple[str | int, ...]

MISSING = object()
"""What stands at a path that is not there."""

DEEPEST = 12

class MessagePack(bytes):
    """The envelope of a message of MessagePack: there is none, but it says how the value is written."""


_ENVELOPE = re.compile(rb"\d*(?:/[^,\[{]*,)?\d*(?=[\[{])")


def split(payload: bytes) -> tuple[bytes, Any]:
    """The envelope and the value of a message; :data:`MISSING` where it holds no object or array."""
    if (value := packed(payload)) is not NOTHING:
        return MessagePack(), value
    found = _ENVELOPE.match(payload)
    head = found[0] if found else b""
    try:
        # As text: of bytes, a byte order mark would be taken for none.
        value = json.loads(payload[len(head) :].decode())
    except (ValueError, RecursionError):
        return b"", MISSING
    return (head, value) if isinstance(value, dict | list) else (b"", MISSING)


def join(head: bytes, value: Any) -> bytes:
    """The message of an envelope and a value."""
    if isinstance(head, MessagePack):
        return msgspec.msgpack.encode(value)
    try:
        return head + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can only write as an escape
        return head + json.dumps(value, separators=(",", ":")).encode()


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """The value with ``new`` at a path, or without what stands there where ``new`` is :data:`MISSING`."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(first, str) or isinstance(value, dict):
        made: dict[str | int, Any] = dict(value) if isinstance(value, dict) else {}
        inner = put(made.get(first, {} if rest else MISSING), rest, new)
        if inner is MISSING:
            made.pop(first, None)
        else:
            made[first] = inner
        return made
    items: list[Any] = list(value) if isinstance(value, list) else []
    if first < len(items):
        inner = put(items[first], rest, new)
        items[first : first + 1] = [] if inner is MISSING else [inner]
    elif new is not MISSING:
        items.append(put({} if rest else MISSING, rest, new))
    return items


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all parts."""
    if len(path) < DEEPEST:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
            return
        if isinstance(value, list) and value:
            for number, inner in enumerate(value):
                yield from leaves(inner, (*path, number))
            return
    yield path


def differences(one: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """Where two values differ: the topmost paths at which something is missing, of another type or another scalar."""
    if isinstance(one, dict) and isinstance(other, dict) and len(path) < DEEPEST:
        for key in dict.fromkeys([*one, *other]):
            if key not in one or key not in other:
                yield (*path, key)
            else:
                yield from differences(one[key], other[key], (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other) and len(path) < DEEPEST:
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, (*path, number))
    elif type(one) is not type(other) or one != other:
        yield path


def says_kind(kind: str, path: Path, value: Any) -> bool:
    """Whether it is this value at this path by which a message is of its ``kind`` (:mod:`hangup.messages.reading`)."""
    name = str(value)
    within = kind.split(":")[1:]  # of a protocol
    return kind in (name, f"{path_text(path)}={name}") or bool(name and name in within)


def kind_path(kind: str, payload: bytes) -> Path:
    """Where in a message its kind is said; empty where that is nowhere."""
    value = split(payload)[1]
    for path in leaves(value):
        said = at(value, path)
        if len(path) <= 2 and isinstance(said, str | int) and says_kind(kind, path, said):
            return path
    return ()


def named(path: Path) -> str:
    """A path as people write it: ``fix.accuracy``, ``items[0].qty``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return f"`{text}`" if text else "it"


def kind_of_value(value: Any) -> str:
    """Its type, as JSON calls it."""
    if value is MISSING:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "bytes"


def neutral(value: Any) -> Any:
    """Another value of the same type, as plain as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 1 if value != 1 else 2
    if isinstance(value, str):
        return "a" if value != "a" else "b"
    return value


def canonical(value: Any) -> str:
    """A text that is the same for equal values, whatever the order of their keys."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{canonical(each)}" for key, each in value.items())) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    return f"ext {value.code} {value.data!r}" if isinstance(value, msgspec.msgpack.Ext) else repr(value)
