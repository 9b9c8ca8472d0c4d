"""What is the same in messages that differ only in their values.

The kind is coarse: what a message calls itself, or else what it looks like from afar. The skeleton has all keys, and
the types of their values, as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hangup.messages.heartbeats import recognise
from hangup.recording.leaves import as_text, find_documents, json_within

KINDS = (
    "type", "event", "action", "op", "kind", "method", "t", "cmd", "command", "msg_type", "messageType", "message_type",
    "msgType", "eventType", "event_type", "operation", "e", "evt", "opcode", "topic",
)  # fmt: skip
"""Fields that may say what a message is, the likeliest first."""

REMEMBERED = 512
"""So many small messages are remembered with their kind, and as many with their skeleton."""

_WORD = re.compile(r"[A-Za-z][\w .:/$-]{0,39}")
_DIGITS = re.compile(r"\d+")


@lru_cache(REMEMBERED)
def _small_kind(opcode: str, data: bytes) -> str:
    return _kind(opcode, data)


def kind(opcode: str, data: bytes) -> str:
    """What a message calls itself (``type=welcome``, ``42 news``), or what it looks like from afar."""
    return _small_kind(opcode, data) if len(data) <= 1024 else _kind(opcode, data)


def _kind(opcode: str, data: bytes) -> str:
    text = as_text(data)
    if text is None:
        return f"{opcode} {data[:1].hex()}"
    documents, _ = find_documents(text)
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
                inner = json_within(value[0], 0)
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
    text = as_text(data)
    name = _kind(opcode, data)
    documents, _ = find_documents(text) if text else ([], None)
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
