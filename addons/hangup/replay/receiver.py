"""What a played client hears: the server's frames, as they come to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from hangup.net.fast_mask import fast_mask
from hangup.recording.events import Side
from hangup.wire.deflate import Inflater, Params, TrustingInflater
from hangup.wire.frames import BINARY, CLOSE, OPCODE_NAMES, PING, PONG, TEXT, Frame, FrameReader, Junk, Piece
from hangup.wire.messages import Assembler, WireMessage

WAITING = 100_000
"""So many messages wait to be compared; more are only counted."""


class Received(NamedTuple):
    """A message, or a pong: when it came (the clock's seconds), and what it says, None where that is not known."""

    at: float
    opcode: str
    data: bytes | None


class Receiver:
    """Reads what ``side`` sends. ``on_ping(payload)``, ``on_close(payload)`` and ``on_message(heard)`` are called as it
    comes; messages and pongs also wait in ``queue``. When ``trusting``, compressed messages are taken to be sound."""

    def __init__(
        self,
        side: Side,
        params: Params | None,
        clock: Callable[[], float],
        on_ping: Callable[[bytes], None],
        on_close: Callable[[bytes], None],
        on_message: Callable[[Received], None],
        *,
        trusting: bool = False,
    ) -> None:
        self.queue: deque[Received] = deque()
        self.messages = 0
        self.beyond = 0
        """How many came that did not fit into the queue any more."""
        self.closed = False
        self._reader = FrameReader(side, rsv_data=4 if params else 0, mask=fast_mask)
        self._trusted = TrustingInflater(params, side) if trusting and params is not None else None
        inflater = self._trusted or (Inflater(params, side) if params is not None else None)
        self._assembler = Assembler(inflater)
        self._clock = clock
        self._on_ping = on_ping
        self._on_close = on_close
        self._on_message = on_message

    def feed(self, data: bytes) -> None:
        """Takes bytes."""
        at = self._clock()
        for item in self._reader.feed(data):
            if type(item) is Frame:
                opcode = item.opcode
                if (opcode == TEXT or opcode == BINARY) and item.fin and self._assembler.idle:
                    trusted = self._trusted if item.rsv == 4 else None
                    if trusted is not None or not item.rsv:
                        said = item.payload if trusted is None else trusted.whole(item.payload)
                        self._hear(Received(at, "text" if opcode == TEXT else "binary", said))
                        continue
                noted = self._assembler.frame(item)
                if opcode == PING:
                    self._on_ping(item.payload)
                elif opcode == PONG:
                    self._hear(Received(at, "pong", item.payload))
                elif opcode == CLOSE and not self.closed:
                    self.closed = True
                    self._on_close(item.payload)
                elif noted.message is not None:
                    self._whole(noted.message, at)
            elif type(item) is Piece:
                message = self._assembler.piece(item).message
                if message is not None:
                    self._whole(message, at)
            else:
                assert isinstance(item, Junk)

    def _whole(self, message: WireMessage, at: float) -> None:
        data = None if message.problems else message.data
        self._hear(Received(at, OPCODE_NAMES[message.opcode], data))

    def _hear(self, heard: Received) -> None:
        self.messages += 1
        if len(self.queue) < WAITING:
            self.queue.append(heard)
        else:
            self.beyond += 1
        self._on_message(heard)
