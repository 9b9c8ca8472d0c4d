"""The express lane: sound, small, unfragmented data frames straight from bytes to lines.

Nearly all traffic is such frames, and reading, judging and encoding each by the general way costs more than
passing it on. A :class:`Lane` reads and judges in one loop, and has all of a chunk encoded at once. It takes nothing
that the general way would find anything to say about, and writes the lines that the general way would write; a
property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from hangup.recording.events import Side
from hangup.wire.frames import Mask

LONGEST = 65535
"""Payload bytes; longer frames cost little per byte the general way."""

Screen = Callable[[int, bytes], bool]
"""Whether a message of this opcode and payload is of interest."""
Simple = tuple[int, bytes | None, bytes, str | None, int, int]
"""A simple frame: first byte, masking key, payload, the same as text (None for binary data that is none), where it
begins and where it ends."""

_TEXT, _BINARY = 0x81, 0x82
_encode_lines = msgspec.json.Encoder().encode_lines


# What a line says of a simple frame, and nothing else: made and encoded in a fraction of a Frame's time.


class _ClientText(Struct, tag_field="kind", tag="frame", gc=False):
    at: float
    conn: int
    n: int
    side: str
    mask: str
    text: str


class _ServerText(Struct, tag_field="kind", tag="frame", gc=False):
    at: float
    conn: int
    n: int
    side: str
    text: str


class _Binary(Struct, tag_field="kind", tag="frame", gc=False, omit_defaults=True):
    at: float
    conn: int
    n: int
    side: str
    opcode: str
    mask: str | None = None
    text: str | None = None
    base64: bytes | None = None


class Lane:
    """The lane of one side of one connection. ``mask`` unmasks a client's payload."""

    def __init__(self, conn: int, side: Side, mask: Mask) -> None:
        self._conn = conn
        self._client = side == "client"
        self._mask = mask

    def scan(
        self, data: bytes, pos: int, frames: list[Simple], screen: Screen | None, passed: list[int]
    ) -> tuple[int, int]:
        """Takes frames from ``data`` at ``pos`` on, as long as they are of the simple kind and whole.

        Appends them to ``frames``, and to ``passed`` the index of each that passes the ``screen`` (None: all); returns
        where it stopped, and the payload bytes that it saw. They are written down by :meth:`lines`.
        """
        end = len(data)
        client, mask, append = self._client, self._mask, frames.append
        size = index = 0
        marked = 0x80 if client else 0
        key: bytes | None = None
        while end - pos > 2:
            first = data[pos]
            if first != _TEXT and first != _BINARY:
                break
            length = data[pos + 1] - marked
            body = pos + 2
            if 125 < length < 127:
                body += 2
                if body > end:
                    break
                length = int.from_bytes(data[pos + 2 : body], "big")
                if length < 126:
                    break
            elif not 0 < length < 126:
                break  # empty, very long, or the mask bit is not as it should be
            if client:
                body += 4
                stop = body + length
                if stop > end:
                    break
                key = data[body - 4 : body]
                payload = mask(key, data[body:stop])
            else:
                stop = body + length
                if stop > end:
                    break
                payload = data[body:stop]
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                if first == _TEXT:
                    break
                append((first, key, payload, None, pos, stop))
            else:
                append((first, key, payload, text, pos, stop))
            if screen is None or screen(first & 15, payload):
                passed.append(index)
            index += 1
            size += length
            pos = stop
        return pos, size

    def lines(self, frames: list[Simple], n: int, at: float) -> bytes:
        """The lines of frames, of which the one before had the number ``n``; each with its newline."""
        conn = self._conn
        taken: list[Struct] = []
        for first, key, payload, text, _, _ in frames:
            n += 1
            if first != _TEXT or text is None:
                taken.append(self._binary(at, n, key, payload))
            elif key is not None:
                taken.append(_ClientText(at, conn, n, "client", key.hex(), text))
            else:
                taken.append(_ServerText(at, conn, n, "server", text))
        return _encode_lines(taken)

    def _binary(self, at: float, n: int, key: bytes | None, payload: bytes) -> _Binary:
        side = "client" if self._client else "server"
        hexed = key.hex() if key is not None else None
        try:
            return _Binary(at, self._conn, n, side, "binary", hexed, payload.decode())
        except UnicodeDecodeError:
            return _Binary(at, self._conn, n, side, "binary", hexed, None, payload)
