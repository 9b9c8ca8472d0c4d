"""``python -m benchmarks.relay [--protocol] PORT``: a bare asyncio relay, twice.

By default the relay of every textbook: ``read``, ``write``, ``drain``, on the asyncio streams that mitmproxy
stands on too. With ``--protocol`` the barest that asyncio can do: what one transport receives, the other
writes.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from typing import cast

HOST = "127.0.0.1"


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(port: int) -> asyncio.Server:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(HOST, port)
        try:
            await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
        except ConnectionError:
            pass
        finally:
            writer.close()
            back_writer.close()

    return await asyncio.start_server(serve, HOST, 0, backlog=1024)


class Leg(asyncio.Protocol):
    """One TCP connection; whatever it receives goes to ``other``, and its back-pressure too."""

    transport: asyncio.Transport
    other: Leg

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()


class ClientLeg(Leg):
    """The leg towards the client, which opens the one towards the server."""

    def __init__(self, port: int):
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.opening = asyncio.ensure_future(self.open())

    async def open(self) -> None:
        _, self.other = await asyncio.get_running_loop().create_connection(Leg, HOST, self.port)
        self.other.other = self
        self.transport.resume_reading()


async def protocol_relay(port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(lambda: ClientLeg(port), HOST, 0, backlog=1024)


async def main(arguments: list[str]) -> None:
    start = protocol_relay if "--protocol" in arguments else relay
    server = await start(int(arguments[-1]))
    print(f"listening on {HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
