"""What a played side says: recorded frames as they were, or as they must be in this run.

As long as compression was negotiated as in the recording and no compressed message had to be changed, the bytes are
the recorded ones. Otherwise a compressed message is compressed anew, or sent as it is where there is no compression
now, with its fragments, keys and everything else as they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Mapping
from random import Random
from typing import Protocol

from hangup.net.fast_mask import fast_mask
from hangup.recording.events import Side
from hangup.replayable.client_script import Send
from hangup.wire.deflate import Deflater, Params
from hangup.wire.frames import CLOSE, CONTINUATION, OPCODE_NUMBERS, PONG, TEXT, header

RSV1 = 4


class OtherPayload(Protocol):
    """Another payload for a recorded message, and another opcode (``text``, ``binary``) unless it is empty."""

    @property
    def payload(self) -> bytes:
        """What is said instead, uncompressed."""
        ...

    @property
    def opcode(self) -> str:
        """As what it is said; empty for what it was recorded as."""
        ...

    @property
    def recorded(self) -> bool:
        """Whether it is a recorded message, in which values of this run take the place of recorded ones."""
        ...


class Sender:
    """The bytes of ``side``'s steps.

    ``recorded`` and ``live`` are what permessage-deflate was negotiated to, then and now. ``rewrite(opcode, data)``
    gives a message as it must be said in this run, and ``moved(data)`` any message with its times of day as they are
    now. ``frames`` are the numbers of the data messages to be said (None: all), by their first frame; ``edits`` changes
    some of them.
    """

    def __init__(
        self,
        side: Side,
        recorded: Params | None,
        live: Params | None,
        random: Random,
        *,
        rewrite: Callable[[str, bytes], bytes] | None = None,
        moved: Callable[[bytes], bytes] | None = None,
        frames: Container[int] | None = None,
        edits: Mapping[int, OtherPayload] | None = None,
    ) -> None:
        self.side: Side = side
        self._random = random
        self._deflater = Deflater(live, side) if live is not None else None
        self._anew = _terms(recorded, side) != _terms(live, side)
        self._takeover = live is not None and live.takeover(side)
        self._rewrite = rewrite
        self._moved = moved
        self._frames = frames
        self._edits = edits or {}
        self._pieces: deque[bytes] | None = None
        self._packed = 0
        self._silent = False
        self.unknown = 0
        """How many compressed messages had to be said as they were, though they should have been compressed anew."""

    def leaves_out(self, step: Send) -> bool:
        """Whether a step is not to be said. To be asked for each step, in order."""
        if step.begins:
            self._silent = self._frames is not None and step.n not in self._frames
            self._pieces = None
        return self._silent and step.data and "orphan-continuation" not in step.problems  # that is none of its frames

    def say(self, step: Send, anew: bytes | None = None) -> bytes:
        """The bytes of a step; ``anew`` is what its message says instead."""
        if not step.data:
            return step.wire
        if not step.begins:
            return self._go_on(step)
        data, opcode = step.message, step.opcode
        edit = self._edits.get(step.n) if self._edits and step.n is not None else None
        if edit is not None:
            data, opcode = self._edited(edit, opcode)
        elif anew is not None:
            data = anew
        elif data is not None and self._rewrite is not None:
            data = self._rewrite(opcode, data)
        if data is not None and self._moved is not None and opcode == "text":
            data = self._moved(data)
        if step.packed:
            # It may refer to those before it: to those of the recording, in their order.
            self._anew = self._anew or (self._takeover and step.packed != self._packed + 1)
            self._packed = step.packed
        changed = edit is not None or data != step.message
        if not changed and not (step.packed and self._anew):
            return step.wire
        if data is None:
            self.unknown += 1
            return step.wire
        return self._message(step, OPCODE_NUMBERS.get(opcode, 1), data)

    def _edited(self, edit: OtherPayload, opcode: str) -> tuple[bytes, str]:
        opcode = edit.opcode or opcode
        if edit.recorded and self._rewrite is not None:
            return self._rewrite(opcode, edit.payload), opcode
        return edit.payload, opcode

    def more(self, edit: OtherPayload) -> bytes:
        """A message that is no step of the script, not compressed."""
        data, opcode = self._edited(edit, "text")
        if self._moved is not None and opcode == "text":
            data = self._moved(data)
        return _frame(OPCODE_NUMBERS.get(opcode, TEXT), data, self._key())

    def _message(self, step: Send, opcode: int, data: bytes) -> bytes:
        rsv = step.rsv
        payload = data
        if step.packed:
            if self._deflater is not None:
                payload = self._deflater.message(data)
                self._anew = self._anew or self._takeover
            else:
                rsv &= ~RSV1
        if step.fragments <= 1:
            self._pieces = None
            return _frame(opcode, payload, step.key, rsv=rsv)
        count = step.fragments
        chunks = [payload[len(payload) * i // count : len(payload) * (i + 1) // count] for i in range(count)]
        self._pieces = deque(chunks[1:])
        return _frame(opcode, chunks[0], step.key, fin=False, rsv=rsv)

    def _go_on(self, step: Send) -> bytes:
        pieces = self._pieces
        if not pieces:
            return step.wire
        chunk = pieces.popleft()
        if not pieces:
            self._pieces = None
        return _frame(CONTINUATION, chunk, step.key, fin=not pieces, rsv=step.rsv & ~RSV1)

    def _key(self) -> bytes | None:
        return self._random.randbytes(4) if self.side == "client" else None

    def text(self, payload: bytes) -> bytes:
        """A text message of its own, not compressed."""
        return _frame(TEXT, payload, self._key())

    def pong(self, payload: bytes) -> bytes:
        """The answer to a ping."""
        return _frame(PONG, payload[:125], self._key())

    def close(self, payload: bytes) -> bytes:
        """A CLOSE."""
        return _frame(CLOSE, payload[:125], self._key())


def _frame(opcode: int, payload: bytes, key: bytes | None, *, fin: bool = True, rsv: int = 0) -> bytes:
    return header(fin, rsv, opcode, key, len(payload)) + (payload if key is None else fast_mask(key, payload))


def _terms(params: Params | None, side: Side) -> tuple[object, ...] | None:
    """What matters of a negotiation to the bytes that ``side`` sends."""
    return None if params is None else (params.takeover(side), params.bits(side))
