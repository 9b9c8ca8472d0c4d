"""Tagged netstrings, mitmproxy's serialization, read in place: ``5:hello,`` is five bytes and the tag of bytes.

As every item says its length, one can step over what is not wanted. So a flow with gigabytes of messages is read
message by message, and nothing is believed that the file's size does not bear out.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

Buffer = mmap.mmap | bytes

DEPTH = 32
"""No sound file nests deeper."""

MEMBERS = 200
"""No sound dictionary has more members."""

_LENGTH_DIGITS = 12


class Item(NamedTuple):
    """An item: its tag (one byte) and where its content lies."""

    tag: bytes
    start: int
    stop: int

    @property
    def after(self) -> int:
        """Where the next item begins."""
        return self.stop + 1


class Broken(ValueError):
    """Not a netstring, or half of one."""


def item(data: Buffer, at: int, end: int) -> Item:
    """The item that begins at ``at`` and must end at ``end`` or before; raises :class:`Broken`."""
    colon = data.find(b":", at, min(at + _LENGTH_DIGITS + 1, end))
    digits = data[at:colon] if colon > at else b""
    if not digits.isdigit():
        raise Broken(f"no length at byte {at}")
    start = colon + 1
    stop = start + int(digits)
    if stop >= end:
        raise Broken(f"the item at byte {at} is longer than the file")
    return Item(data[stop : stop + 1], start, stop)


def children(data: Buffer, parent: Item) -> Iterator[Item]:
    """The items within a list or a dictionary (there key, value, key, value)."""
    at = parent.start
    while at < parent.stop:
        child = item(data, at, parent.stop)
        yield child
        at = child.after


def members(data: Buffer, parent: Item) -> dict[str, Item]:
    """A dictionary's values, unread, by key."""
    if parent.tag != b"}":
        raise Broken("not a dictionary")
    found: dict[str, Item] = {}
    inner = children(data, parent)
    for key in inner:
        member = next(inner, None)
        if member is None or key.tag not in b",;" or key.stop - key.start > 200 or len(found) >= MEMBERS:
            raise Broken("not a dictionary's member")
        found[data[key.start : key.stop].decode(errors="replace")] = member
    return found


def value(data: Buffer, source: Item | None, limit: int, depth: int = 0) -> Any:
    """An item as a Python value (None for no item); raises :class:`Broken`, also over ``limit`` bytes."""
    if source is None:
        return None
    if source.stop - source.start > limit or depth > DEPTH:
        raise Broken(f"an item of {source.stop - source.start} bytes is too large to be read")
    if source.tag == b"]":
        return [value(data, child, limit, depth + 1) for child in children(data, source)]
    if source.tag == b"}":
        pairs = members(data, source)
        return {key: value(data, member, limit, depth + 1) for key, member in pairs.items()}
    content = data[source.start : source.stop]
    try:
        match source.tag:
            case b",":
                return content
            case b";":
                return content.decode(errors="replace")
            case b"#":
                return int(content)
            case b"^":
                return float(content)
            case b"!":
                return content == b"true"
            case b"~":
                return None
    except ValueError as error:
        raise Broken(str(error)) from None
    raise Broken(f"unknown tag {source.tag!r}")
