"""Frames by hand, for the ends that do what no library lets one do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import AsyncIterator

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def accept_key(key: str) -> str:
    """What answers a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def frame(opcode: int, data: bytes = b"", *, mask: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    """One frame; masked when there is a mask."""
    length = len(data)
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack("!BH", bit | 126, length)
    else:
        head += struct.pack("!BQ", bit | 127, length)
    if mask:
        data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
    return head + mask + data


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, int, bytes]]:
    """``(first byte, opcode, payload)`` of each frame until the stream ends."""
    try:
        while True:
            first, second = await reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await reader.readexactly(8))
            mask = await reader.readexactly(4) if second & 0x80 else b""
            data = await reader.readexactly(length)
            if mask:
                data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
            yield first, first & 0x0F, data
    except (asyncio.IncompleteReadError, ConnectionError):
        return


async def head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    """First line, headers, and the bytes of an HTTP head."""
    data = await reader.readuntil(b"\r\n\r\n")
    first, *rest = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    return first, [(name, value.strip()) for name, _, value in (line.partition(":") for line in rest)], data


__all__ = ["BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "accept_key", "frame", "frames", "head"]
