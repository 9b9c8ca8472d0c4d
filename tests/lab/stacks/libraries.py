"""The ``websockets`` library, aiohttp, Tornado, and python-socketio."""

from __future__ import annotations

import asyncio
import http
import socket
from typing import Any

from lab.script import Conversation, Gone, Message, Return
from lab.stacks.site import Site, log, reset


async def websockets(site: Site, sock: socket.socket) -> None:
    """A handler of the ``websockets`` library."""
    from websockets.asyncio.server import Request, Response, ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    class Peer:
        def __init__(self, ws: ServerConnection) -> None:
            self.ws = ws

        async def send(self, message: Message) -> None:
            try:
                await self.ws.send(message)
            except ConnectionClosed:
                raise Gone from None

        async def close(self, code: int, reason: str) -> None:
            await self.ws.close(code, reason)

        async def ping(self, data: bytes) -> None:
            await self.ws.ping(data or None)

        def abort(self) -> None:
            reset(self.ws.transport)

        def fin(self) -> None:
            self.ws.transport.close()

        def pause(self) -> None:
            self.ws.transport.pause_reading()

        def raw(self, data: bytes) -> None:
            self.ws.transport.write(data)

    async def check(ws: ServerConnection, request: Request) -> Response | None:
        if site.match(request.path) is None:
            return ws.respond(http.HTTPStatus.NOT_FOUND, "Not Found\n")
        if site.settings.get("accept_after"):
            await asyncio.sleep(site.settings["accept_after"])
        refusal = site.refusal(request.path, dict(request.headers.raw_items()))
        match refusal and refusal["how"]:
            case "http" | "close":
                status = http.HTTPStatus(refusal.get("status", 403))  # type: ignore[union-attr]
                return ws.respond(status, refusal.get("body") or status.phrase + "\n")  # type: ignore[union-attr]
            case "raise" | "return":
                raise RuntimeError(refusal.get("body", ""))  # type: ignore[union-attr]
            case "hang":
                await asyncio.Event().wait()
        return None

    async def handle(ws: ServerConnection) -> None:
        assert ws.request is not None

        async def receive() -> Message:
            try:
                return await ws.recv()
            except ConnectionClosed:
                raise Gone from None

        await site.converse(Peer(ws), ws.request.path, receive)

    origins = [*site.settings["origins"]] if site.settings.get("origins") else None
    async with serve(
        handle,
        sock=sock,
        process_request=check,
        select_subprotocol=lambda ws, offered: site.choose(list(offered)),  # type: ignore[arg-type, return-value]
        origins=origins,
        ping_interval=site.interval,
        ping_timeout=site.timeout,
        max_size=site.max_size,
        open_timeout=site.settings.get("handshake_timeout", 10),
        compression="deflate" if site.settings.get("deflate") else None,
    ):
        await asyncio.Event().wait()


async def aiohttp(site: Site, sock: socket.socket) -> None:
    """An aiohttp handler."""
    from aiohttp import ClientConnectionResetError, WSMsgType, web

    class Peer:
        def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
            self.ws, self.transport = ws, request.transport

        async def send(self, message: Message) -> None:
            try:
                await (self.ws.send_str(message) if isinstance(message, str) else self.ws.send_bytes(message))
            except ClientConnectionResetError:
                raise Gone from None

        async def close(self, code: int, reason: str) -> None:
            await self.ws.close(code=code, message=reason.encode())

        async def ping(self, data: bytes) -> None:
            await self.ws.ping(data)

        def abort(self) -> None:
            reset(self.transport)

        def fin(self) -> None:
            assert self.transport is not None
            self.transport.close()

        def pause(self) -> None:
            self.transport.pause_reading()  # type: ignore[union-attr]

        def raw(self, data: bytes) -> None:
            self.transport.write(data)  # type: ignore[union-attr]

    async def handle(request: web.Request) -> web.StreamResponse:
        if site.match(request.path_qs) is None:
            raise web.HTTPNotFound
        if site.settings.get("plain"):
            return web.json_response({"service": "app", "ok": True})
        if site.settings.get("accept_after"):
            await asyncio.sleep(site.settings["accept_after"])
        refusal = site.refusal(request.path_qs, request.headers)
        match refusal and refusal["how"]:
            case "http" | "close":
                body, status = refusal.get("body", ""), refusal.get("status", 403)  # type: ignore[union-attr]
                return web.Response(status=status, text=body or f"{status}: {http.HTTPStatus(status).phrase}")
            case "raise" | "return":
                raise RuntimeError(refusal.get("body", ""))  # type: ignore[union-attr]
            case "hang":
                await asyncio.Event().wait()
        offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        chosen = site.choose([name for name in offered if name])
        ws = web.WebSocketResponse(
            protocols=[chosen] if chosen else (),
            heartbeat=site.interval,
            max_msg_size=site.max_size,
            compress=bool(site.settings.get("deflate")),
            autoping=not site.settings.get("own_pings"),
        )
        await ws.prepare(request)

        async def receive() -> Message:
            while True:
                message = await ws.receive()
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    return message.data  # type: ignore[no-any-return]
                if message.type in (WSMsgType.PING, WSMsgType.PONG):
                    raise TypeError(f"Received message {message.type}:{message.data!r} is not WSMsgType.TEXT")
                raise Gone

        await site.converse(Peer(ws, request), request.path_qs, receive)
        return ws

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    await asyncio.Event().wait()


async def tornado(site: Site, sock: socket.socket) -> None:
    """A Tornado handler, which is called back."""
    import struct

    import tornado.httpserver
    import tornado.web
    import tornado.websocket

    class Peer:
        def __init__(self, ws: tornado.websocket.WebSocketHandler) -> None:
            self.ws = ws
            self.stream: Any = ws.ws_connection.stream  # type: ignore[union-attr]

        async def send(self, message: Message) -> None:
            try:
                await self.ws.write_message(message, binary=isinstance(message, bytes))
            except tornado.websocket.WebSocketClosedError:
                raise Gone from None

        async def close(self, code: int, reason: str) -> None:
            self.ws.close(code, reason or None)

        async def ping(self, data: bytes) -> None:
            self.ws.ping(data)

        def abort(self) -> None:
            self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.stream.close()

        def fin(self) -> None:
            self.stream.close()

        def pause(self) -> None:
            pass

        def raw(self, data: bytes) -> None:
            self.stream.write(data)

    class Socket(tornado.websocket.WebSocketHandler):
        conversation: Conversation | None = None

        async def prepare(self) -> None:
            if site.match(self.request.uri or "") is None:
                raise tornado.web.HTTPError(404)
            if site.settings.get("accept_after"):
                await asyncio.sleep(site.settings["accept_after"])
            refusal = site.refusal(self.request.uri or "", self.request.headers)
            match refusal and refusal["how"]:
                case "http" | "close":
                    raise tornado.web.HTTPError(refusal.get("status", 403))  # type: ignore[union-attr]
                case "raise" | "return":
                    raise RuntimeError(refusal.get("body", ""))  # type: ignore[union-attr]
                case "hang":
                    await asyncio.Event().wait()

        def check_origin(self, origin: str) -> bool:
            return origin in site.settings["origins"] if site.settings.get("origins") else True

        def select_subprotocol(self, subprotocols: list[str]) -> str | None:
            return site.choose(subprotocols)

        def get_compression_options(self) -> dict[str, Any] | None:
            return {} if site.settings.get("deflate") else None

        async def open(self, *_: str, **__: str) -> None:
            self.conversation = site.conversation(Peer(self), self.request.uri or "", self.failed)
            await self.play(self.conversation.opened())

        async def on_message(self, message: Message) -> None:
            if self.conversation is None:
                return
            try:
                await self.play(self.conversation.received(message))
            except Exception as error:
                self.failed(error)

        async def play(self, work: Any) -> None:
            try:
                await work
            except Return:
                self.close()
            except (Gone, tornado.websocket.WebSocketClosedError):
                pass

        def failed(self, error: BaseException) -> None:
            if isinstance(error, Return):
                self.close()
                return
            log.error("Exception in a callback", exc_info=error)
            if self.ws_connection is not None:
                self.ws_connection._abort()  # as Tornado does with an exception of a plain on_message

        def on_ping(self, data: bytes) -> None:
            if site.settings.get("own_pings"):
                raise TypeError("unexpected ping")

        def on_close(self) -> None:
            if self.conversation is not None:
                asyncio.ensure_future(self.conversation.closed())

    app = tornado.web.Application(
        [(r"/.*", Socket)],
        websocket_ping_interval=site.interval,
        websocket_ping_timeout=site.timeout,
        websocket_max_message_size=site.max_size,
    )
    server = tornado.httpserver.HTTPServer(app)
    sock.setblocking(False)
    server.add_socket(sock)
    await asyncio.Event().wait()


async def socketio(site: Site, sock: socket.socket) -> None:
    """A python-socketio server (Engine.IO 4) on aiohttp; its script's rules are of event names."""
    import socketio as library
    from aiohttp import web

    settings = site.settings
    server = library.AsyncServer(
        async_mode="aiohttp",
        ping_interval=settings.get("eio_interval", 25),
        ping_timeout=settings.get("eio_timeout", 20),
        max_http_buffer_size=site.max_size,
        cors_allowed_origins=settings.get("origins", "*"),
        logger=False,
    )

    @server.event
    async def connect(sid: str, environ: Any, auth: Any = None) -> bool | None:
        if settings.get("token") and (auth or {}).get("token") != settings["token"]:
            raise library.exceptions.ConnectionRefusedError("unauthorized")
        await server.emit("welcome", {"id": sid}, to=sid)
        return None

    @server.on("*")
    async def anything(event: str, sid: str, *data: Any) -> Any:
        if event == settings.get("kicks"):
            await server.disconnect(sid)
        if event == settings.get("fails"):
            raise KeyError(event)
        await server.emit("ack", {"of": event}, to=sid)

    async def news() -> None:
        while True:
            await asyncio.sleep(settings.get("news", 0.7))
            await server.emit("news", {"n": site.world.rng.randrange(1000)})

    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    await news()


__all__ = ["aiohttp", "socketio", "tornado", "websockets"]
