"""A small TCP relay that understands frames just enough to swallow pongs, or to end what has been idle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

PONG = 10


class FrameCutter:
    """Splits one side's bytes after the HTTP head into whole frames; ``(opcode, bytes)``, None for the head."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.head = True

    def feed(self, data: bytes) -> list[tuple[int | None, bytes]]:
        self.buffer += data
        out: list[tuple[int | None, bytes]] = []
        while (size := self.next_size()) is not None and len(self.buffer) >= size:
            opcode = None if self.head else self.buffer[0] & 15
            out.append((opcode, bytes(self.buffer[:size])))
            del self.buffer[:size]
            self.head = False
        return out

    def next_size(self) -> int | None:
        if self.head:
            end = self.buffer.find(b"\r\n\r\n")
            return None if end < 0 else end + 4
        if len(self.buffer) < 2:
            return None
        size, start = self.buffer[1] & 127, 2
        if size > 125:
            start += 2 if size == 126 else 8
            if len(self.buffer) < start:
                return None
            size = int.from_bytes(self.buffer[2:start], "big")
        return start + (4 if self.buffer[1] & 128 else 0) + size


@contextlib.asynccontextmanager
async def relay(host: str, port: int, *, swallow_pongs: bool = False, idle: float = 0, sock=None) -> AsyncIterator[int]:
    """Relays connections to ``host:port``; yields the port it listens on.

    ``idle`` in seconds: a connection on which the server side was silent that long is cut without a close frame,
    as nginx's ``proxy_read_timeout`` does.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cutter = FrameCutter()
        while data := await reader.read(65536):
            if not swallow_pongs:
                writer.write(data)
                continue
            for opcode, frame in cutter.feed(data):
                if opcode != PONG:
                    writer.write(frame)

    async def downstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError):
            while data := await asyncio.wait_for(reader.read(65536), idle or None):
                writer.write(data)

    async def handle(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        writers = [client_writer]
        with contextlib.suppress(OSError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_connection(host, port)
            writers.append(server_writer)
            ways = [
                asyncio.ensure_future(upstream(client_reader, server_writer)),
                asyncio.ensure_future(downstream(server_reader, client_writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        for writer in writers:
            writer.close()
        tasks.discard(asyncio.current_task())  # type: ignore[arg-type]

    where = {"sock": sock} if sock is not None else {"host": "127.0.0.1", "port": 0}
    server = await asyncio.start_server(handle, **where)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
