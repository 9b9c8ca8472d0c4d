"""Messages back to bytes, so that the receiver never notices that one of them was changed.

Under permessage-deflate with context takeover a compressed message may refer to earlier ones. Once one of a direction
has been dropped or changed, the receiver's window is no longer the sender's: the direction is *dirty*, and each later
compressed message must be compressed anew, by one compressor of ours, which refers only to what the receiver was given
by it. That lasts to the end of the connection. Without context takeover nothing gets dirty.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from hangup.filters.base import Control, Message, Reframe
from hangup.recording.events import Side
from hangup.wire.deflate import Deflater, Params
from hangup.wire.frames import CLOSE, CONTINUATION, Mask, header
from hangup.wire.masking import mask as pure_mask

RSV1 = 4
LONGEST_CONTROL = 125


class Held(Struct, gc=False):
    """A frame of a message as it was received, or a part of a large one; ``first`` for a frame's first part."""

    n: int
    wire: bytes
    payload: bytes
    key: bytes | None
    rsv: int = 0
    first: bool = True


class Encoder:
    """The bytes of one direction's messages. ``dirty`` is the text form of the filter that made it so, or empty."""

    def __init__(self, side: Side, params: Params | None, random: Random, mask: Mask = pure_mask) -> None:
        self.side = side
        self.dirty = ""
        self.compresses = params is not None
        """Whether messages of this direction may be compressed."""
        self._deflater = Deflater(params, side) if params is not None else None
        self._takeover = params is not None and params.takeover(side)
        self._random = random
        self._mask = mask

    def touch(self, by: str) -> None:
        """A compressed message of the sender will not reach the receiver as it was."""
        if self._takeover and not self.dirty:
            self.dirty = by

    def message(self, item: Message, held: Sequence[Held], *, changed: bool, reframe: Reframe | None = None) -> bytes:
        """The message in the frames that it had, as far as may be. Its content is ``item``'s, which has ``changed``
        or is the original's."""
        packed = item.compressed and self._deflater is not None
        if packed and (changed or self.dirty):
            assert self._deflater is not None
            payload = self._deflater.message(item.data)
        elif changed:
            payload = item.data
        else:
            payload = b"".join([part.payload for part in held])
        keys = [part.key for part in held if part.first]
        rsv = held[0].rsv
        if changed or (reframe is not None and reframe.rsv):
            rsv = RSV1 if packed else 0
        if reframe is not None and reframe.mask:
            keys = [self._repaired(key) for key in keys]
        if reframe is not None and reframe.sizes is not None:
            sizes = fit(len(payload), reframe.sizes)
        elif changed:
            sizes = [len(payload)]
        elif packed and self.dirty:
            sizes = even(len(payload), len(keys))
        else:
            sizes = _sizes(held)
        return self._frames(item.opcode, payload, keys, sizes, rsv)

    def _frames(
        self, opcode: int, payload: bytes, keys: Sequence[bytes | None], sizes: Sequence[int], rsv: int
    ) -> bytes:
        """``keys`` are used in turn, the last one again and again."""
        frames = []
        pos = 0
        for i, size in enumerate(sizes):
            part = payload[pos : pos + size]
            pos += size
            key = keys[min(i, len(keys) - 1)]
            kind, bits = (CONTINUATION, 0) if i else (opcode, rsv)
            frames.append(self._frame(kind, part, key, i == len(sizes) - 1, bits))
        return b"".join(frames)

    def control(self, item: Control, key: bytes | None, reframe: Reframe | None = None) -> bytes:
        """A control frame that was changed; its data is cut to what a control frame may have."""
        mask = reframe is not None and reframe.mask
        return self._frame(item.opcode, item.data[:LONGEST_CONTROL], self._repaired(key) if mask else key)

    def injected(self, opcode: int, data: bytes, rsv: int = 0) -> bytes:
        """A frame of ours, uncompressed, as if the side had sent it."""
        data = data[:LONGEST_CONTROL] if opcode >= CLOSE else data
        return self._frame(opcode, data, self._repaired(None), rsv=rsv)

    def _repaired(self, key: bytes | None) -> bytes | None:
        """The masking key that the side should have used where it used ``key`` (RFC 6455 5.1)."""
        if self.side == "server":
            return None
        return key if key is not None else self._random.randbytes(4)

    def _frame(self, opcode: int, payload: bytes, key: bytes | None, fin: bool = True, rsv: int = 0) -> bytes:
        head = header(fin, rsv, opcode, key, len(payload))
        return head + (payload if key is None else self._mask(key, payload))


def _sizes(held: Sequence[Held]) -> list[int]:
    """The payload sizes of the frames."""
    sizes: list[int] = []
    for part in held:
        if part.first:
            sizes.append(len(part.payload))
        else:
            sizes[-1] += len(part.payload)
    return sizes


def even(length: int, count: int) -> list[int]:
    """``length`` in ``count`` sizes that differ by one at most."""
    small, more = divmod(length, count)
    return [small + (i < more) for i in range(count)]


def fit(length: int, sizes: Sequence[int]) -> list[int]:
    """``sizes`` cut to ``length``; what they leave over is one more."""
    fitted = []
    for size in sizes:
        if size >= length:
            break
        fitted.append(size)
        length -= size
    return [*fitted, length]


def close_payload(code: int | None, reason: str) -> bytes:
    """A close frame's payload; a reason that is too long is cut between characters."""
    if code is None:
        return b""
    raw = reason.encode("utf-8", "replace")[: LONGEST_CONTROL - 2]
    return code.to_bytes(2, "big") + raw.decode(errors="ignore").encode()
