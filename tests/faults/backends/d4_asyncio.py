"""D4: a hand-written server that echoes ``permessage-deflate`` in its handshake and does not implement it.

It closes 1002 at the first frame with RSV1 set; ``--manner naive``: it has never heard of RSV bits, decodes the
compressed bytes as text, and dies of that.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
from typing import Any

from _common import Talk, compact, fixed, listen, options, ready, run

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class ProtocolError(Exception):
    pass


def frame(opcode: int, payload: bytes) -> bytes:
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    return bytes([0x80 | opcode]) + size + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    if first & 0x70 and options.manner != "naive":
        raise ProtocolError("RSV1 must be clear")
    size = second & 127
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if "permessage-deflate" in headers.get("sec-websocket-extensions", "") and not fixed:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate")
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    talk = Talk()

    async def send(message: dict[str, Any]) -> None:
        writer.write(frame(TEXT, compact(message).encode()))
        await writer.drain()

    while True:
        opcode, payload = await read_frame(reader)
        if opcode == CLOSE:
            writer.write(frame(CLOSE, payload[:2]))
            return
        if opcode == PING:
            writer.write(frame(PONG, payload))
        elif opcode == TEXT:
            for answer in await talk.answers(json.loads(payload.decode())):
                await send(answer)


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await handshake(reader, writer)
            await converse(reader, writer)
    except ProtocolError as error:
        writer.write(frame(CLOSE, struct.pack("!H", 1002) + str(error).encode()))
    finally:
        writer.close()


async def main() -> None:
    sock = listen()
    async with await asyncio.start_server(handle, sock=sock):
        ready(sock)
        await asyncio.Event().wait()


run(main)
