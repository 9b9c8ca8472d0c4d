"""Clients that play a script and reconnect, in this process: on ``websockets``, aiohttp, or written by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import os
import random
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import urlsplit

from lab import wire
from lab.script import Conversation, Gone, Message, Return, World
from lab.stacks.site import reset

Options = dict[str, Any]


class Connection(Protocol):
    """A script's peer that can be read from."""

    async def receive(self) -> Message: ...


class OnWebsockets:
    """The ``websockets`` library."""

    masks = True

    def __init__(self, ws: Any) -> None:
        self.ws = ws

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, options: Options) -> AsyncIterator[OnWebsockets]:
        from websockets.asyncio.client import connect

        headers = dict(options.get("headers", {}))
        agent = {"user_agent_header": headers.pop("User-Agent")} if "User-Agent" in headers else {}
        async with connect(
            url,
            additional_headers=headers,
            subprotocols=options.get("protocols") or None,
            compression="deflate" if options.get("deflate") else None,
            ping_interval=options.get("ping_interval"),
            ping_timeout=options.get("ping_timeout"),
            max_size=options.get("max_size"),
            open_timeout=options.get("open_timeout", 30),
            close_timeout=1,
            proxy=None,
            **agent,
        ) as ws:
            yield cls(ws)

    async def receive(self) -> Message:
        from websockets.exceptions import ConnectionClosed

        try:
            return await self.ws.recv()  # type: ignore[no-any-return]
        except ConnectionClosed:
            raise Gone from None

    async def send(self, message: Message) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self.ws.send(message)
        except ConnectionClosed:
            raise Gone from None

    async def close(self, code: int, reason: str) -> None:
        await self.ws.close(code, reason)

    async def ping(self, data: bytes) -> None:
        with contextlib.suppress(Exception):
            await self.ws.ping(data or None)

    def abort(self) -> None:
        reset(self.ws.transport)

    def fin(self) -> None:
        self.ws.transport.close()

    def pause(self) -> None:
        self.ws.transport.pause_reading()

    def raw(self, data: bytes) -> None:
        self.ws.transport.write(data)


class OnAiohttp:
    """The aiohttp client."""

    masks = True

    def __init__(self, ws: Any) -> None:
        self.ws = ws
        self.transport = ws._response.connection.transport

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, options: Options) -> AsyncIterator[OnAiohttp]:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=options.get("open_timeout", 30))
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.ws_connect(
                url,
                headers=options.get("headers"),
                protocols=options.get("protocols") or (),
                compress=15 if options.get("deflate") else 0,
                max_msg_size=options.get("max_size") or 0,
                heartbeat=options.get("ping_interval"),
                timeout=aiohttp.ClientWSTimeout(ws_close=1),
            ) as ws:
                yield cls(ws)

    async def receive(self) -> Message:
        import aiohttp

        message = await self.ws.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return message.data  # type: ignore[no-any-return]
        raise Gone

    async def send(self, message: Message) -> None:
        try:
            await (self.ws.send_str(message) if isinstance(message, str) else self.ws.send_bytes(message))
        except (ConnectionError, RuntimeError):
            raise Gone from None

    async def close(self, code: int, reason: str) -> None:
        await self.ws.close(code=code, message=reason.encode())

    async def ping(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self.ws.ping(data)

    def abort(self) -> None:
        reset(self.transport)

    def fin(self) -> None:
        self.transport.close()

    def pause(self) -> None:
        self.transport.pause_reading()

    def raw(self, data: bytes) -> None:
        self.transport.write(data)


class ByHand:
    """Frames by hand. ``quirks``: ``unmasked``, ``unmasked_control``, ``no_pong``, ``empty_pong``, ``other_pong``,
    ``fragments``, ``rsv1``, ``stray_continuation``, ``long_ping``, ``coalesces``, ``cut_close``.
    """

    masks = True

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
        self.reader, self.writer = reader, writer
        self.quirks = set(options.get("quirks", ()))
        self.frames = wire.frames(reader)
        self.closing = False
        self.parts: list[bytes] = []
        self.kind = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, options: Options) -> AsyncIterator[ByHand]:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            lines = [
                f"GET {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1",
                f"Host: {parts.hostname}:{parts.port}",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {key}",
                f"Sec-WebSocket-Version: {options.get('version', 13)}",
                *(f"{name}: {value}" for name, value in options.get("headers", {}).items()),
            ]
            if options.get("protocols"):
                lines.append("Sec-WebSocket-Protocol: " + ", ".join(options["protocols"]))
            if options.get("deflate_offer"):
                lines.append("Sec-WebSocket-Extensions: permessage-deflate")
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            first, _, _ = await asyncio.wait_for(wire.head(reader), options.get("open_timeout", 30))
            if " 101" not in first:
                raise ConnectionRefusedError(first)
            yield cls(reader, writer, options)
        finally:
            writer.close()

    async def receive(self) -> Message:
        async for first, opcode, data in self.frames:
            if opcode == wire.CLOSE:
                if not self.closing:
                    self.put(wire.CLOSE, data[:2])
                raise Gone
            if opcode == wire.PING and "no_pong" not in self.quirks:
                pong = (
                    b"" if "empty_pong" in self.quirks else data[::-1] + b"x" if "other_pong" in self.quirks else data
                )
                self.put(wire.PONG, pong)
            if opcode in (wire.TEXT, wire.BINARY):
                self.kind, self.parts = opcode, []
            if opcode in (wire.TEXT, wire.BINARY, wire.CONTINUATION):
                self.parts.append(data)
                if first & 0x80:
                    whole = b"".join(self.parts)
                    return whole.decode("utf-8", "replace") if self.kind == wire.TEXT else whole
        raise Gone

    def put(self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0) -> None:
        control = opcode >= wire.CLOSE
        bare = "unmasked" in self.quirks or ("unmasked_control" in self.quirks and control)
        self.writer.write(wire.frame(opcode, data, mask=b"" if bare else os.urandom(4), fin=fin, rsv=rsv))

    async def send(self, message: Message) -> None:
        if self.writer.is_closing():
            raise Gone
        opcode, data = (wire.TEXT, message.encode()) if isinstance(message, str) else (wire.BINARY, message)
        if "fragments" in self.quirks and len(data) > 8:
            cut = len(data) // 2
            self.put(opcode, data[:cut], fin=False)
            self.put(wire.CONTINUATION, data[cut:])
        else:
            self.put(opcode, data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def close(self, code: int, reason: str) -> None:
        self.closing = True
        asyncio.get_running_loop().call_later(1, self.writer.close)  # it does not wait for ever for an answer
        self.put(wire.CLOSE, code.to_bytes(2, "big") + reason.encode() if code != 1005 else b"")

    async def ping(self, data: bytes) -> None:
        self.put(wire.PING, data)

    def abort(self) -> None:
        reset(self.writer.transport)

    def fin(self) -> None:
        self.writer.close()

    def pause(self) -> None:
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def raw(self, data: bytes) -> None:
        self.writer.write(data)


LIBRARIES: dict[str, Any] = {"websockets": OnWebsockets, "aiohttp": OnAiohttp, "raw": ByHand}


def merged(script: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A script with some of its parts replaced."""
    return {**copy.deepcopy(script), **changes}


class Tab:
    """One socket of a frontend: connects, plays, and reconnects for ever, unless its script kept ``done``."""

    def __init__(self, base: str, program: dict[str, Any], number: int, library: str, world: World) -> None:
        tab = program["tabs"][number]
        self.tab, self.program, self.world = tab, program, world
        self.library = LIBRARIES[library]
        self.base, self.target = base, tab.get("target", program["target"])
        self.script = merged(program["script"], tab.get("script", {}))
        self.options = {**program["options"], **tab.get("options", {})}
        self.rng = random.Random(f"tab {self.script['seed']} {number}")
        self.number = number
        self.opens = 0

    async def run(self) -> None:
        await asyncio.sleep(self.tab.get("after", 0))
        delay = self.tab.get("delay", self.program["delay"])
        while True:
            with contextlib.suppress(Exception):
                await self.connect()
            if self.world.flags.get("done") or self.tab.get("once"):
                return
            jitter = self.program["jitter"]
            await asyncio.sleep(delay * self.rng.uniform(1 - jitter, 1 + jitter))
            delay = min(delay * self.program["factor"], 3.0)

    def url(self) -> str:
        target = self.target
        for name, value in self.world.flags.items():
            target = target.replace(f"«{name}»", str(value))
        if "«" in target:
            target = self.tab.get("plain_target", self.program.get("plain_target", target))
        return self.base + target

    async def connect(self) -> None:
        async with self.library.connect(self.url(), self.options) as peer:
            self.opens += 1
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def fail(error: BaseException) -> None:
                if not failed.done():
                    failed.set_result(None)

            known = {"tab": self.number, "conn": self.opens}
            this = Conversation(
                self.script, peer, self.world, number=self.opens, fail=fail, known=known, identity=str(self.number)
            )
            reading = asyncio.ensure_future(self.read(this, peer))
            try:
                await asyncio.wait({reading, failed}, return_when=asyncio.FIRST_COMPLETED)
                if failed.done() and not reading.done():
                    await peer.close(1000, "")
            finally:
                reading.cancel()
                with contextlib.suppress(BaseException):
                    await reading
                await this.closed()

    @staticmethod
    async def read(this: Conversation, peer: Any) -> None:
        try:
            await this.opened()
            while True:
                await this.received(await peer.receive())
        except Return:
            await peer.close(1000, "")


async def play(base: str, program: dict[str, Any], library: str) -> None:
    """All tabs, until cancelled or done."""
    world = World(program["script"]["seed"])
    tabs = [Tab(base, program, n, library, world) for n in range(len(program["tabs"]))]
    await asyncio.gather(*(tab.run() for tab in tabs))


__all__ = ["LIBRARIES", "play"]
