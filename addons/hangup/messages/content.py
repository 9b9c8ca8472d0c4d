"""The content of a message, decoded no more often than once: text, JSON, MessagePack, or bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hangup.wire.frames import TEXT

NOTHING: Any = object()
"""What stands for a value where there is none (None is one)."""

DEEPEST = 64
"""What lies deeper in a message of MessagePack is not read."""

LONGEST = 16 << 20
"""Longer messages (bytes) are not decoded."""

_decode = msgspec.json.Decoder().decode
_unpack = msgspec.msgpack.Decoder().decode
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoders raise (a UnicodeDecodeError is a ValueError)."""


def load(data: bytes | str) -> Any:
    """``data`` as JSON, or :data:`NOTHING`; a byte order mark and NaN are tolerated."""
    try:
        return _decode(data)
    except UNREADABLE:
        pass
    try:
        if isinstance(data, bytes):
            data = data.decode()
        return json.loads(data.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return NOTHING


def unpack(data: bytes | memoryview) -> Any:
    """``data`` as one value of MessagePack, or :data:`NOTHING`."""
    try:
        return _unpack(data)
    except UNREADABLE:
        return NOTHING


def packed(data: bytes) -> Any:
    """The map or array of MessagePack that ``data`` is, with something in it and nothing after it, or
    :data:`NOTHING`. No JSON begins like one. Keys may be of any type."""
    if not data or not (0x81 <= data[0] <= 0x8F or 0x92 <= data[0] <= 0x9F or data[0] in (0xDC, 0xDE, 0xDF)):
        return NOTHING
    value = unpack(data)
    return value if type(value) in (dict, list) else NOTHING


def _named(value: Any, depth: int = 0) -> Any:
    """The same with all keys as text, as those who read a message go by names."""
    if depth > DEEPEST:
        return None
    if type(value) is dict:
        return {key if type(key) is str else str(key): _named(each, depth + 1) for key, each in value.items()}
    return [_named(each, depth + 1) for each in value] if type(value) is list else value


class MessageContent:
    """One message, or one of those that a message holds. ``text`` is None for bytes that are no text."""

    __slots__ = ("opcode", "data", "text", "value")

    def __init__(self, opcode: int, data: bytes, text: str | None = None, value: Any = NOTHING) -> None:
        self.opcode = opcode
        self.data = data
        self.text = text
        self.value: Any = value
        """The object or array that it is, or :data:`NOTHING`."""
        if value is NOTHING:
            if text is None and len(data) <= LONGEST:
                try:
                    self.text = text = data.decode()
                except UnicodeDecodeError:
                    pass
            self.value = _structure(opcode, data, text)


def _structure(opcode: int, data: bytes, text: str | None) -> Any:
    if text:
        head = text[0]
        if head == "{" or head == "[":
            try:
                return _decode(data or text)
            except UNREADABLE:
                return load(data or text)
        if head in "\ufeff \t\r\n":
            text = text.strip("\ufeff \t\r\n")
            if text[:1] in ("{", "["):
                return load(text)
        return NOTHING
    if text is None and opcode != TEXT and len(data) <= LONGEST:
        value = packed(data)
        if value is not NOTHING and (type(value) is list or all(type(key) is str for key in value)):
            return _named(value)
    return NOTHING


def of_text(text: str) -> MessageContent:
    """The content of a text message."""
    return MessageContent(TEXT, b"", text)


def of_value(value: Any) -> MessageContent:
    """The content of a message that has been decoded already."""
    return MessageContent(TEXT, b"", "", value)
