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
Simple = tuple[int, bytes | None, bytes, str | None, int, int]
"""A simple frame: first byte, masking key, payload, the same as text (None for binary data that is none), where it
begins and where it ends."""

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
    ) -> tuple[int, int, int]:
        """Takes frames from ``data`` at ``pos`` on, as long as they are of the simple kind and whole.

        The last frame before had the number ``n``. Appends a line each to ``lines``; returns where it stopped, the
        number of the last frame, and the payload bytes that it saw.
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
            size += length
            opcode = first
            pos = stop
        if opcode:
            self.last_opcode = "text" if opcode == _TEXT else "binary"
        return pos, n, size

    def scan(
        self, data: bytes, pos: int, frames: list[Simple], screen: Screen | None, passed: list[int]
    ) -> tuple[int, int]:
        """The first half of :meth:`run`, for when what is read is to be sent on before it is written down.

        Appends what it takes to ``frames``, and to ``passed`` the index of each that passes the ``screen`` (None: all);
        returns where it stopped, and the payload bytes that it saw.
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
                break
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

    def lines(self, frames: list[Simple], n: int, at: float) -> list[bytes]:
        """The second half: the lines of frames, of which the one before had the number ``n``."""
        encode = _encode
        lines = []
        start = b'{"kind":"frame","at":%b,"conn":%d,"n":' % (encode(at), self._conn)
        side = b',"side":"client"' if self._client else b',"side":"server"'
        for first, key, payload, text, _, _ in frames:
            n += 1
            middle = side if first == _TEXT else side + b',"opcode":"binary"'
            value = b',"base64":' + encode(payload) if text is None else b',"text":' + encode(text)
            if key is not None:
                lines.append(b'%b%d%b,"mask":"%b"%b}\n' % (start, n, middle, key.hex().encode(), value))
            else:
                lines.append(b"%b%d%b%b}\n" % (start, n, middle, value))
        return lines
