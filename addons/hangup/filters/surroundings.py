"""What a gate needs of the session around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from hangup.filters.base import Close, Cut, Inject, Release
from hangup.filters.chain import Bound, Chain
from hangup.recording.events import Event, Side
from hangup.recording.fast_path import Lane, Screen, Simple
from hangup.wire.frames import Frame, FrameReader, Piece
from hangup.wire.messages import Assembler, Noted


class Scanned(Struct, gc=False):
    """Simple frames that were read, up to ``stop``, after frame ``n``; ``passed`` are the indices of those of interest.
    They are counted, and still to be written down."""

    stop: int
    n: int
    frames: list[Simple]
    passed: list[int]


class GatedDirection(Protocol):
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

    def scan(self, data: bytes, pos: int, at: float, screen: Screen | None) -> Scanned:
        """Takes simple frames without writing them down."""
        ...


class GatedConnection(Protocol):
    """What a gate needs of the connection."""

    conn: int
    chain: Chain
    emit: Callable[[Event], None]

    @property
    def opened(self) -> float:
        """When the handshake succeeded."""
        ...

    def write(self, direction: Any, frames: list[Simple], n: int, at: float) -> None:
        """Writes down simple frames of a direction, of which the one before had the number ``n``."""
        ...

    def write_later(self, direction: Any, frames: list[Simple], n: int, at: float) -> None:
        """The same, but not before :meth:`catch_up`."""
        ...

    def catch_up(self) -> None:
        """Writes down what was left for later."""
        ...

    def perform(self, bound: Bound, action: Inject | Close | Cut | Release, n: int | None, at: float) -> None:
        """Carries out what a filter does beside the item that it was shown."""
        ...
