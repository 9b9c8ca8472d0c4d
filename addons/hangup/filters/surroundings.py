"""What a gate needs of the session around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from hangup.filters.base import Close, Cut, Inject
from hangup.filters.chain import Bound, Chain
from hangup.recording.events import Event, Side
from hangup.recording.express import Lane, Screen, Simple
from hangup.wire.frames import Frame, FrameReader, Piece
from hangup.wire.messages import Assembler, Noted


class Express(Struct, gc=False):
    """What the express lane took: up to ``stop``, after frame ``n``; the frames of interest; and the lines of all of
    them, which are still to be written."""

    stop: int
    n: int
    frames: list[Simple]
    lines: list[bytes]


class Direction(Protocol):
    """What a gate needs of the direction that it filters. ``messages`` and ``controls`` count what was recorded."""

    side: Side
    reader: FrameReader
    assembler: Assembler
    lane: Lane | None
    messages: int
    controls: int

    def record(self, item: Frame | Piece, at: float) -> tuple[int, Noted]:
        """Emits an item's event; gives its frame's number and what the assembler noted."""
        ...

    def express(self, data: bytes, pos: int, at: float, screen: Screen | None) -> Express:
        """Takes simple frames without writing them down."""
        ...


class Connection(Protocol):
    """What a gate needs of the connection."""

    conn: int
    chain: Chain
    emit: Callable[[Event], None]

    @property
    def opened(self) -> float:
        """When the handshake succeeded."""
        ...

    def write(self, lines: list[bytes]) -> None:
        """Takes events that are encoded already."""
        ...

    def perform(self, bound: Bound, action: Inject | Close | Cut, n: int | None, at: float) -> None:
        """Carries out what a filter does beside the item that it was shown."""
        ...
