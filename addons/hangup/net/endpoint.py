"""One end of a TCP or TLS connection that knows how its peer ended it, and can end it in every way itself.

asyncio's streams hide the difference between a FIN and a RST, and a half-close cannot be told from a close. Both are
what this program is about.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from typing import cast

from hangup.errors import BackendError
from hangup.net.connect import explained
from hangup.recording.events import How
from hangup.wire.url import Target

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on with zero seconds: closing sends a RST."""


class Endpoint(asyncio.Protocol):
    """One end. ``on_data`` gets what arrives, and what had arrived before it was set; ``on_end(how)`` is called once,
    when the peer will send no more (``fin``), or when the connection is gone otherwise. ``on_made(line)`` is called
    once it is connected."""

    def __init__(self, on_made: Callable[[Endpoint], None] = lambda line: None) -> None:
        self._on_made = on_made
        self.ended: How | None = None
        self.lost = asyncio.get_running_loop().create_future()
        """Done when the connection is gone."""
        self.shut = False
        """We send no more."""
        self.paused = False
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._on_data: Callable[[bytes], None] | None = None
        self._on_end: Callable[[How], None] | None = None
        self._drained: asyncio.Future[None] | None = None

    def listen(self, on_data: Callable[[bytes], None], on_end: Callable[[How], None]) -> None:
        """Sets who is told, and tells what has happened already."""
        self._on_data, self._on_end = on_data, on_end
        if self._early:
            data, self._early = bytes(self._early), bytearray()
            on_data(data)
        if self.ended is not None:
            on_end(self.ended)

    # asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes arrived."""
        if self._on_data is not None:
            self._on_data(data)
        else:
            self._early += data

    def eof_received(self) -> bool:
        """asyncio: the peer half-closed. True keeps our half open, which TLS does not know."""
        self._end("fin")
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.shut = True
        self._end(how_lost(exc))
        self.resume_writing()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """asyncio: the write buffer is full."""
        self.paused = True

    def resume_writing(self) -> None:
        """asyncio: the write buffer has room again."""
        self.paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _end(self, how: How) -> None:
        if self.ended is None:
            self.ended = how
            if self._on_end is not None:
                self._on_end(how)

    # Our own doing.

    @property
    def peername(self) -> str:
        """The other end's address, ``host:port``."""
        return self._address("peername")

    @property
    def sockname(self) -> str:
        """Our own address."""
        return self._address("sockname")

    def _address(self, which: str) -> str:
        found = self._transport.get_extra_info(which) if self._transport is not None else None
        if not found:
            return ""
        return f"[{found[0]}]:{found[1]}" if ":" in found[0] else f"{found[0]}:{found[1]}"

    def send(self, data: bytes) -> None:
        """Sends, unless our half is over."""
        if not self.shut and self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Waits until the write buffer has room."""
        while self.paused:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def finish(self) -> None:
        """Ends our half with a FIN (with TLS: the connection, with a close_notify)."""
        if self.shut or self._transport is None:
            return
        self.shut = True
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()
        except OSError:
            pass

    def close(self) -> None:
        """Closes in order, once what was written is sent."""
        self.shut = True
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Sends a RST, after what is written already where the system takes it at once."""
        self.shut = True
        if self._transport is None:
            return
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            except OSError:
                pass
        self._transport.abort()

    async def gone(self, wait: float = 0.5) -> None:
        """Waits until the connection is gone; after ``wait`` seconds, or when cancelled, it is aborted."""
        try:
            async with asyncio.timeout(wait):
                await asyncio.shield(self.lost)
        except TimeoutError:
            pass
        finally:
            if not self.lost.done() and self._transport is not None:
                self._transport.abort()


def how_lost(error: BaseException | None) -> How:
    """What an asyncio transport's ``connection_lost`` error means on the wire."""
    if error is None:
        return "fin"
    if isinstance(error, ConnectionError):
        return "rst"
    return "timeout" if isinstance(error, TimeoutError) else "error"


async def dial(target: Target, context: ssl.SSLContext | None, *, timeout: float) -> Endpoint:
    """Connects within ``timeout`` seconds, TLS included; raises :class:`BackendError`, which says why not."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            # Where tasks begin at once (in mitmproxy 12's loop), CPython 3.13.0 fails in the race between addresses.
            race = 0.25 if loop.get_task_factory() is None else None
            _, line = await loop.create_connection(
                Endpoint, target.host, target.port, ssl=context, happy_eyeballs_delay=race
            )
    except (OSError, UnicodeError) as error:
        raise BackendError(explained(error, target, timeout)) from None
    return line
