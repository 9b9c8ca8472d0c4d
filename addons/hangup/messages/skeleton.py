"""What is the same in messages that differ only in their values: the kind, all keys, and the types of the values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hangup.messages.json_values import as_text, find_documents
from hangup.messages.kind import kind_of
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

REMEMBERED = 512
"""So many small messages are remembered with their skeleton."""


def kind(opcode: str, data: bytes) -> str:
    """The text of a message's kind."""
    return kind_of(OPCODE_NUMBERS.get(opcode, TEXT), data).text


@lru_cache(REMEMBERED)
def _small_skeleton(opcode: str, data: bytes) -> str:
    return _skeleton(opcode, data)


def skeleton(opcode: str, data: bytes) -> str:
    """The kind of a message together with all its keys and the types of its values."""
    return _small_skeleton(opcode, data) if len(data) <= 1024 else _skeleton(opcode, data)


def _skeleton(opcode: str, data: bytes) -> str:
    text = as_text(data)
    name = kind(opcode, data)
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
