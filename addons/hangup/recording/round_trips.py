"""How long pings were under way: each that was answered, with the time until its answer came."""

from __future__ import annotations

from msgspec import Struct

from hangup.messages.kind import MessageKind
from hangup.recording.events import Side
from hangup.wire.frames import PING

WAITING = 1000
"""So many pings without an answer are remembered."""


class Trip(Struct, array_like=True):
    """A ping that was answered: when it was sent, and seconds until the answer came; the number of its frame."""

    at: float
    took: float
    n: int


class RoundTrips:
    """The pings of one side on one level (``control`` or ``app``), as they passed the proxy."""

    def __init__(self) -> None:
        self.trips: list[Trip] = []
        self.sent = 0
        self._waiting: dict[bytes, tuple[float, int]] = {}

    def ping(self, at: float, n: int, payload: bytes) -> None:
        """One was sent; one of the same payload that waits yet is not answered any more."""
        self.sent += 1
        self._waiting.pop(payload, None)
        self._waiting[payload] = at, n
        if len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]

    def pong(self, at: float, payload: bytes) -> None:
        """An answer: to the ping with its payload, and to those before it, which need no answer any more (RFC 6455,
        5.5.3)."""
        found = self._waiting.get(payload)
        if found is None:
            return
        self._waiting = {key: value for key, value in self._waiting.items() if value[1] > found[1]}
        self.trips.append(Trip(found[0], at - found[0], found[1]))

    @property
    def waiting(self) -> list[tuple[float, int]]:
        """When those were sent that no answer has come to yet, with the numbers of their frames; in order."""
        return sorted(self._waiting.values())


class Pings:
    """The pings of one connection: ``trips`` by who sends them, and on which level."""

    def __init__(self) -> None:
        self.trips: dict[tuple[Side, str], RoundTrips] = {}

    def take(self, side: Side, opcode: int, kind: MessageKind, at: float, n: int, data: bytes) -> None:
        """Takes the next message or control frame, which may be neither ping nor pong."""
        if kind.beat is None:
            return
        level = "control" if opcode >= PING else "app"
        payload = data if level == "control" else b""
        if kind.beat.kind == "ping":
            self.trips.setdefault((side, level), RoundTrips()).ping(at, n, payload)
        else:
            other: Side = "server" if side == "client" else "client"
            if (trips := self.trips.get((other, level))) is not None:
                trips.pong(at, payload)
