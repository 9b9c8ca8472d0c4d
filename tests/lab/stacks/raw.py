"""A server written by hand on asyncio streams, as people do for a small device. ``quirks`` are what it gets wrong:

``no_deflate`` (answers the client's offer of permessage-deflate but cannot read it), ``fresh_inflater`` (it can, but
keeps nothing of one message for the next), ``accept`` (a wrong Accept),
``http_after`` (writes an HTTP answer after its 101), ``masks`` (masks its frames), ``ping_kills``, ``pong_kills``,
``no_pong``, ``wrong_pong``, ``no_fragments``, ``only_short`` (payloads of up to 125 bytes), ``one_per_read``
(two frames in one segment confuse it), ``long_reason``, ``checks_pong`` (a pong must be its ping's).
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import socket
import struct
import zlib

from lab import wire
from lab.script import Gone, Message
from lab.stacks.site import Site, log, reset


class RawPeer:
    """The client of a hand-written server."""

    def __init__(self, writer: asyncio.StreamWriter, quirks: set[str]) -> None:
        self.writer, self.quirks = writer, quirks
        self.closing = False

    def put(self, opcode: int, data: bytes) -> None:
        self.writer.write(wire.frame(opcode, data, mask=os.urandom(4) if "masks" in self.quirks else b""))

    async def send(self, message: Message) -> None:
        if self.writer.is_closing() or self.closing:
            raise Gone
        if isinstance(message, str):
            self.put(wire.TEXT, message.encode())
        else:
            self.put(wire.BINARY, message)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def close(self, code: int, reason: str) -> None:
        text = reason.encode() + (b" and so on" * 20 if "long_reason" in self.quirks else b"")
        self.put(wire.CLOSE, struct.pack("!H", code) + text if code != 1005 else b"")
        self.closing = True

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


async def raw(site: Site, sock: socket.socket) -> None:
    """The hand-written server."""
    quirks = set(site.settings.get("quirks", ()))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _connection(site, quirks, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            log.error("connection lost", exc_info=error)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, sock=sock):
        await asyncio.Event().wait()


def _answer(status: int, body: str) -> bytes:
    text = (body or http.HTTPStatus(status).phrase).encode()
    first = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"
    return f"{first}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text


async def _connection(site: Site, quirks: set[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first, pairs, data = await wire.head(reader)
    headers: dict[str, str] = {name.lower(): value for name, value in pairs}
    target = first.split(" ")[1]
    if len(data) > site.settings.get("max_head", 2**16):
        writer.write(_answer(431, ""))
        return
    if site.match(target) is None:
        writer.write(_answer(404, ""))
        return
    if site.settings.get("accept_after"):
        await asyncio.sleep(site.settings["accept_after"])
    refusal = site.refusal(target, headers)
    if "sec-websocket-key" not in headers or headers.get("upgrade", "").lower() != "websocket":
        writer.write(_answer(400, "not a websocket request"))
        return
    if refusal is not None:
        if refusal["how"] == "hang":
            await reader.read()
        elif refusal["how"] in ("http", "close"):
            writer.write(_answer(refusal.get("status", 403), refusal.get("body", "")))
        elif refusal["how"] == "raise":
            writer.write(_answer(500, refusal.get("body", "")))
        return
    key = headers["sec-websocket-key"]
    accept = wire.accept_key(key if "accept" not in quirks else key[::-1])
    answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    answer += f"Sec-WebSocket-Accept: {accept}\r\n"
    offer = headers.get("sec-websocket-extensions", "")
    if quirks & {"no_deflate", "fresh_inflater"} and "permessage-deflate" in offer:
        answer += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    offered = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip()]
    if chosen := site.choose(offered):
        answer += f"Sec-WebSocket-Protocol: {chosen}\r\n"
    writer.write(answer.encode() + b"\r\n")
    if "http_after" in quirks:
        await writer.drain()
        await asyncio.sleep(site.settings.get("conflict_after", 0.002))
        writer.write(_answer(site.settings.get("conflict_status", 400), ""))
        return
    peer = RawPeer(writer, quirks)
    frames = _Reader(reader, peer, quirks, site)
    pinging = asyncio.ensure_future(frames.ping()) if site.interval else None
    try:
        await site.converse(peer, target, frames.receive)
    finally:
        if pinging is not None:
            pinging.cancel()
    if not peer.closing and site.settings.get("polite", True):
        await peer.close(1000, "")
    if peer.closing:
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.5)


class _Reader:
    """Frames to messages, with the quirks."""

    def __init__(self, reader: asyncio.StreamReader, peer: RawPeer, quirks: set[str], site: Site) -> None:
        self.reader, self.peer, self.quirks, self.site = reader, peer, quirks, site
        self.frames = wire.frames(reader)
        self.parts: list[bytes] = []
        self.kind = 0
        self.asked = self.answered = b""

    async def ping(self) -> None:
        """Keepalive of its own."""
        assert self.site.interval is not None
        while not self.peer.closing:
            await asyncio.sleep(self.site.interval)
            self.asked = os.urandom(4)
            self.peer.put(wire.PING, self.asked)
            await asyncio.sleep(self.site.timeout or self.site.interval)
            if "checks_pong" in self.quirks and self.answered != self.asked:
                await self.peer.close(1011, "keepalive ping timeout")
                self.peer.fin()
                return

    async def fail(self, code: int, reason: str) -> None:
        await self.peer.close(code, reason)
        raise Gone

    async def receive(self) -> Message:
        # A cancelled step leaves no half-read generator behind: this task lives as long as the connection.
        async for first, opcode, data in self.frames:
            if opcode == wire.CLOSE:
                if not self.peer.closing:
                    await self.peer.close(int.from_bytes(data[:2], "big") if len(data) > 1 else 1005, "")
                raise Gone
            if opcode == wire.PING:
                await self.pinged(data)
            elif opcode == wire.PONG:
                self.answered = data
                if "pong_kills" in self.quirks:
                    raise ValueError("opcode 0xA")
            else:
                if "fresh_inflater" in self.quirks and first & 0x40:
                    first, data = first & ~0x40, zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")
                await self.check(first, opcode, data)
                if first & 0x80:
                    return self.whole()
        raise Gone

    async def pinged(self, data: bytes) -> None:
        if "ping_kills" in self.quirks:
            raise ValueError("opcode 0x9")
        if "no_pong" not in self.quirks:
            self.peer.put(wire.PONG, b"" if "wrong_pong" in self.quirks else data)

    async def check(self, first: int, opcode: int, data: bytes) -> None:
        if first & 0x70:
            await self.fail(1002, "reserved bits")
        if "no_fragments" in self.quirks and (not first & 0x80 or opcode == 0):
            await self.fail(1003, "") if self.site.settings.get("polite", True) else self.peer.fin()
            raise Gone
        if "only_short" in self.quirks and len(data) > 125:
            raise IndexError("buffer")
        if len(data) > self.site.max_size:
            await self.fail(1009, "too big")
        if opcode:
            self.kind, self.parts = opcode, []
        self.parts.append(data)
        if "one_per_read" in self.quirks and len(self.reader._buffer) > 0:  # type: ignore[attr-defined]
            raise ValueError("trailing bytes")

    def whole(self) -> Message:
        data = b"".join(self.parts)
        return data.decode() if self.kind == wire.TEXT else data


__all__ = ["raw"]
