"""The socket of a replay, towards the real client or the real server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from hangup.errors import BackendError
from hangup.net.connect import explained
from hangup.net.endpoint import Endpoint
from hangup.recording.events import How
from hangup.wire.url import Target


class ReplayEndpoint(Endpoint):
    """One end. ``on_data`` gets what arrives, and what had arrived before it was set; ``on_end(how)`` is called once,
    when the peer will send no more (``fin``), or when the connection is gone otherwise. ``on_made(endpoint)`` is called
    once it is connected."""

    def __init__(self, on_made: Callable[[ReplayEndpoint], None] = lambda endpoint: None) -> None:
        super().__init__()
        self._on_made = on_made
        self.ended: How | None = None
        self._over = asyncio.get_running_loop().create_future()
        """Done when the connection is gone."""
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
        self.writer = self.transport = cast(asyncio.Transport, transport)
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
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def on_lost(self, how: How) -> None:
        """The connection is gone."""
        self.shut = True
        self._end(how)
        self.resume_writing()
        if not self._over.done():
            self._over.set_result(None)

    def on_pause(self) -> None:
        """``paused`` has changed."""
        if not self.paused and self._drained is not None and not self._drained.done():
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
        found = self.transport.get_extra_info(which) if self.transport is not None else None
        if not found:
            return ""
        return f"[{found[0]}]:{found[1]}" if ":" in found[0] else f"{found[0]}:{found[1]}"

    async def drain(self) -> None:
        """Waits until the write buffer has room."""
        while self.paused:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def write_fin(self) -> None:
        """Sends the FIN (with TLS, which asyncio cannot half-close, a close_notify, and closes)."""
        if self.transport is not None and self.transport.can_write_eof():
            super().write_fin()
        else:
            self.writer.close()

    async def gone(self, wait: float = 0.5) -> None:
        """Waits until the connection is gone; after ``wait`` seconds, or when cancelled, it is aborted."""
        try:
            async with asyncio.timeout(wait):
                await asyncio.shield(self._over)
        except TimeoutError:
            pass
        finally:
            if not self._over.done() and self.transport is not None:
                self.transport.abort()


async def dial(target: Target, context: ssl.SSLContext | None, *, timeout: float) -> ReplayEndpoint:
    """Connects within ``timeout`` seconds, TLS included; raises :class:`BackendError`, which says why not."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            # Where tasks begin at once (in mitmproxy 12's loop), CPython 3.13.0 fails in the race between addresses.
            race: dict[str, Any] = {}
            if isinstance(loop, asyncio.BaseEventLoop):  # uvloop knows nothing of it
                race = {"happy_eyeballs_delay": 0.25 if loop.get_task_factory() is None else None}
            _, endpoint = await loop.create_connection(
                ReplayEndpoint, target.host, target.port, ssl=context, **race
            )
    except (OSError, UnicodeError) as error:
        raise BackendError(explained(error, target, timeout)) from None
    return endpoint
