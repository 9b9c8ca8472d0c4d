"""The express lane: sound, small, unfragmented data frames straight from bytes to lines.

Nearly all traffic is such frames, and reading, judging and encoding each by the general way costs more than
passing it on. A :class:`Lane` does all three in one loop. It takes nothing that the general way would find anything
to say about, and writes the line that the general way would write; a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hangup.recording.events import Side
from hangup.wire.frames import Mask

LONGEST = 65535
"""Payload bytes; longer frames cost little per byte the general way."""

Screen = Callable[[int, bytes], bool]
"""Whether a message of this opcode and payload is of interest."""
Simple = tuple[int, int, bytes, int, int]
"""A simple frame: how many lines there are with its own, opcode, payload, where it begins and where it ends."""

_TEXT, _BINARY = 0x81, 0x82
_encode = msgspec.json.Encoder().encode


class Lane:
    """The lane of one side of one connection. ``mask`` unmasks a client's payload."""

    def __init__(self, conn: int, side: Side, mask: Mask) -> None:
        self._conn = conn
        self._client = side == "client"
        self._mask = mask
        self.last_opcode = ""

    def run(
        self,
        data: bytes,
        pos: int,
        n: int,
        at: float,
        lines: list[bytes],
        frames: list[Simple] | None = None,
        screen: Screen | None = None,
    ) -> tuple[int, int, int]:
        """Takes frames from ``data`` at ``pos`` on, as long as they are of the simple kind and whole.

        The last frame before had the number ``n``. Appends a line each to ``lines``, and to ``frames`` those that pass
        the ``screen``; returns where it stopped, the number of the last frame, and the payload bytes that it saw.
        """
        end = len(data)
        client, mask, encode, append = self._client, self._mask, _encode, lines.append
        size = 0
        opcode = 0
        start = b'{"kind":"frame","at":%b,"conn":%d,"n":' % (encode(at), self._conn)
        text_middle = b',"side":"client","mask":"' if client else b',"side":"server"'
        binary_middle = (
            b',"side":"client","opcode":"binary","mask":"' if client else b',"side":"server","opcode":"binary"'
        )
        marked = 0x80 if client else 0
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
                stop = body + 4 + length
                if stop > end:
                    break
                key = data[body : body + 4]
                payload = mask(key, data[body + 4 : stop])
            else:
                stop = body + length
                if stop > end:
                    break
                payload = data[body:stop]
            try:
                value = b'"text":' + encode(payload.decode())
            except UnicodeDecodeError:
                if first == _TEXT:
                    break
                value = b'"base64":' + encode(payload)
            n += 1
            middle = text_middle if first == _TEXT else binary_middle
            if client:
                append(b'%b%d%b%b",%b}\n' % (start, n, middle, key.hex().encode(), value))
            else:
                append(b"%b%d%b,%b}\n" % (start, n, middle, value))
            if frames is not None and (screen is None or screen(first & 15, payload)):
                frames.append((len(lines), first & 15, payload, pos, stop))
            size += length
            opcode = first
            pos = stop
        if opcode:
            self.last_opcode = "text" if opcode == _TEXT else "binary"
        return pos, n, size
