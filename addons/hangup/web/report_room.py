"""How much a report may hold, and how what is too much is cut: texts first, then lists.

A report is sent by mail, pasted into a chat and opened on a telephone: :data:`LIMIT` holds for any recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

LIMIT = 2_000_000
"""Bytes of a whole report, the page's own code included."""

LEAST = 1 / 16
"""The smallest share of its room that a report is tried with."""


class Depth(Struct, frozen=True):
    """How much is told of one connection: entries from its beginning and its end, and around a frame that is spoken of;
    so many of these frames; characters of one message, or of any other text; headers of a handshake; of its figures, so
    many kinds of messages and round trips."""

    first: int = 60
    last: int = 340
    around: int = 15
    cited: int = 200
    text: int = 4096
    headers: int = 200
    kinds: int = 40
    trips: int = 1000


DEPTHS = (
    Depth(),
    Depth(text=512, headers=100, trips=300),
    Depth(first=20, last=60, around=3, cited=40, text=512, headers=100, trips=100),
    Depth(first=5, last=15, around=1, cited=15, text=256, headers=40, trips=30),
    Depth(first=1, last=4, around=0, cited=6, text=80, headers=12, kinds=8, trips=10),
)
"""From all that is of use down to the least that still shows what is spoken of."""


class Room(Struct, frozen=True):
    """How much there may be of each: bytes of JSON for what the connections ``said``; for what is ``marked`` on the
    timeline; for the ``list`` of connections and all else of the recording as a whole; and for what is ``told`` of it:
    the diagnosis and the proof, each. Then how many connections, ``cited`` ones that are shown in any case, notes, and
    changes of filters."""

    said: int = 800_000
    marked: int = 250_000
    list: int = 250_000
    told: int = 100_000
    connections: int = 300
    cited: int = 40
    notes: int = 50
    changes: int = 100

    def shared(self, share: float) -> Room:
        """The same with so much of it. What is told keeps its room: it is what the report is for."""
        sizes = {name: int(getattr(self, name) * share) for name in ("said", "marked", "list", "connections", "cited")}
        return replace(self, **sizes)


def rooms(room: Room) -> Iterator[Room]:
    """Smaller and smaller ones."""
    share = 1.0
    while share >= LEAST:
        yield room.shared(share)
        share /= 2


_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What within JSON could be markup, or the end of a line of script."""


def embeddable(value: Any) -> str:
    """JSON that ends no script, whatever is in it."""
    return msgspec.json.encode(value).decode().translate(_UNSAFE)


def weight(value: Any) -> int:
    """The bytes that it takes in a report."""
    return len(embeddable(value).encode())


def clipped(value: Any, most: int, items: int | None = None) -> Any:
    """The same with no text longer than ``most`` characters, and no list longer than ``items``."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[: most - 1]}…"
    if isinstance(value, dict):
        return {name: clipped(each, most, items) for name, each in value.items()}
    return [clipped(each, most, items) for each in value[:items]] if isinstance(value, list | tuple) else value


def fitted(value: Any, room: int, items: int | None = None) -> Any:
    """The same, cut as far as it takes to fit into so many bytes: lists, where ``items`` is given, to so many at most
    and then to fewer; texts where that is not enough."""
    lists = (None,) if items is None else (None, items, items // 2, items // 4, items // 8)
    for most in (4096, 1024, 256, 80):
        for fewer in lists:
            found = clipped(value, most, fewer)
            if weight(found) <= room:
                return found
    return found
