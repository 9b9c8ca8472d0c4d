"""What a client and what it is connected to said to one another, from the events of their connection."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from hangup.recording.assembling import Message, Messages
from hangup.recording.events import INSTEAD, AnyEvent, FilterEvent, Frame, Part, Raw
from hangup.wire import frames as wire
from hangup.wire.frames import OPCODE_NAMES

MISMATCH = "pong-mismatch"
"""A pong whose payload is no outstanding ping's: no frame is wrong in itself, but the answer is."""

NO_FRAME = "not-a-frame"
"""Bytes of which no frame can be read; nothing that follows them can."""

PINGS = 32


class Heard(Struct):
    """A message or control frame of either side, as the client saw it; or the header of a large frame, by which its
    size is ``announced``: whoever minds that does not wait for the rest."""

    at: float
    client: bool
    opcode: str
    data: bytes | None = None
    size: int = 0
    problems: tuple[str, ...] = ()
    announced: bool = False


class Hearing:
    """What passes between a client and what it is connected to, from the events of its connection: what a filter keeps
    back was not said, and what it says for a side was."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._pings: deque[bytes] = deque(maxlen=PINGS)
        self._waiting: tuple[Frame, Heard] | None = None

    def feed(self, event: AnyEvent) -> list[Heard]:
        """What has passed for certain, now that this event has come."""
        if isinstance(event, FilterEvent):
            return self._filtered(event)
        if isinstance(event, Frame):
            found = self.rest()
            message = self._messages.feed(event)
            if heard := self._frame(event, message):
                self._waiting = event, heard  # a filter that keeps it back says so next
            return found
        self._messages.feed(event)
        if isinstance(event, Part) and event.head is not None and (size := _announced(event.head)):
            return [*self.rest(), Heard(event.at, event.side == "client", "", None, size, announced=True)]
        if isinstance(event, Raw) and NO_FRAME in event.problems and not event.kept:
            size = event.cut if event.cut is not None else len(event.payload)
            return [*self.rest(), Heard(event.at, event.side == "client", "", None, size, (NO_FRAME,))]
        return []

    def rest(self) -> list[Heard]:
        """What waited for the next event, and has passed if none is to come."""
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else [waiting[1]]

    def _filtered(self, event: FilterEvent) -> list[Heard]:
        if self._waiting is not None and event.action in INSTEAD:
            frame = self._waiting[0]
            if (frame.side, frame.n) == (event.side, event.n):
                self._waiting = None
        passed = self.rest()
        if event.side is None or not event.wire:
            return passed
        client = event.side == "client"
        frames = [item for item in wire.FrameReader(event.side).feed(event.wire) if isinstance(item, wire.Frame)]
        return passed + [
            Heard(event.at, client, OPCODE_NAMES[each.opcode], each.payload, len(each.payload))
            for each in frames
            if each.opcode in (wire.TEXT, wire.BINARY, wire.PING, wire.PONG)
        ]

    def _frame(self, event: Frame, message: Message | None) -> Heard | None:
        client = event.side == "client"
        problems = event.problems
        if event.opcode == "ping" and client:
            self._pings.append(event.payload)
        elif event.opcode == "pong" and not client and self._pings:
            if event.payload in self._pings:
                while self._pings.popleft() != event.payload:
                    pass
            else:
                problems = (*problems, MISMATCH)
        if message is not None:
            return Heard(event.at, client, message.opcode, message.data, message.length, problems)
        control = event.opcode in ("ping", "pong")
        if not control and not problems:
            return None
        return Heard(event.at, client, event.opcode, event.payload if control else None, event.size, problems)


def _announced(head: str) -> int:
    """The size that a recorded header announces; 0 where it is none."""
    try:
        return wire.announced(bytes.fromhex(head))
    except ValueError:
        return 0
