"""The same faults on other stacks: ``--stack aiohttp|tornado|websockets --fault a3``.

D3, D8, D10, E1 and the control-ping faults are settings of the stack itself rather than of a handler.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from _common import fixed, listen, options, ready, run, shape
from handlers import A9, HANDLERS, RETURN, Healthy

logging.basicConfig(level=logging.INFO)
log = logging.getLogger(options.stack)
kind = HANDLERS.get(options.fault, Healthy)
INTERVAL = shape.deadline * 0.6 if options.fault == "b1" else None
LIMIT = shape.limit if options.fault == "e1" and not fixed else 2**24


def query_of(target: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(target).query))


def client_of(target: str) -> str | None:
    """The client's id from a target; None where the target is no route."""
    path, route = urlsplit(target).path.split("/"), shape.route.split("/")
    if fixed and options.fault == "d10" and path[1:3] == [route[1], route[1]]:
        del path[1]
    if len(path) != len(route):
        return None
    found = ""
    for part, wanted in zip(path, route, strict=True):
        if wanted == "{client_id}":
            found = part
        elif part != wanted:
            return None
    return found or query_of(target).get("client_id", "")


def refused(target: str) -> bool:
    """D8: whether the handshake is refused, because the token stands under another name."""
    return options.fault == "d8" and ("token" if fixed else "access_token") not in query_of(target)


class PeerBase:
    """Client id, query and the tasks beside a handler; a failing send ends the connection as a handler's would."""

    def __init__(self, target: str) -> None:
        self.client_id = client_of(target) or ""
        self.query = query_of(target)
        self.tasks: set[asyncio.Task[None]] = set()

    def beside(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.finished)

    def finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), TypeError | ValueError | KeyError | AttributeError):
            log.error("Exception in handler", exc_info=task.exception())
            self.fail(task.exception())

    def fail(self, error: BaseException | None) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()


async def serve_aiohttp() -> None:
    from aiohttp import WSMsgType, web

    class Peer(PeerBase):
        def __init__(self, target: str, ws: web.WebSocketResponse, task: asyncio.Task[Any]) -> None:
            super().__init__(target)
            self.ws, self.task, self.error = ws, task, None

        async def send(self, message: Any) -> None:
            await self.ws.send_json(message)

        async def send_text(self, text: str) -> None:
            await self.ws.send_str(text)

        async def close(self, code: int, reason: str) -> None:
            await self.ws.close(code=code, message=reason.encode())

        def fail(self, error: BaseException | None) -> None:
            self.error = error
            self.task.cancel()

    async def handle(request: web.Request) -> web.StreamResponse:
        if client_of(request.path_qs) is None:
            raise web.HTTPNotFound
        if refused(request.path_qs):
            raise web.HTTPUnauthorized(text='{"error":"invalid token"}')
        protocols = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        ws = web.WebSocketResponse(
            heartbeat=INTERVAL,
            max_msg_size=LIMIT,
            protocols=protocols if fixed else (),
            compress=shape.deflate,
        )
        await ws.prepare(request)
        peer = Peer(request.path_qs, ws, asyncio.current_task())  # type: ignore[arg-type]
        handler = kind(peer)
        try:
            if await handler.opened() is RETURN:
                return ws
            async for message in ws:
                if (
                    message.type in (WSMsgType.TEXT, WSMsgType.BINARY)
                    and await handler.received(message.data) is RETURN
                ):
                    break
        except asyncio.CancelledError:
            if peer.error is not None:
                raise peer.error from None
            raise
        finally:
            peer.stop()
            handler.closed()
        return ws

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    sock = listen()
    await web.SockSite(runner, sock).start()
    ready(sock)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def serve_websockets() -> None:
    import http

    from websockets.asyncio.server import Request, Response, ServerConnection, serve

    class Peer(PeerBase):
        def __init__(self, target: str, ws: ServerConnection) -> None:
            super().__init__(target)
            self.ws = ws

        async def send(self, message: Any) -> None:
            await self.ws.send(json.dumps(message))

        async def send_text(self, text: str) -> None:
            await self.ws.send(text)

        async def close(self, code: int, reason: str) -> None:
            await self.ws.close(code, reason)

        def fail(self, error: BaseException | None) -> None:
            self.beside(self.ws.close(1011))

    def check(ws: ServerConnection, request: Request) -> Response | None:
        if client_of(request.path) is None:
            return ws.respond(http.HTTPStatus.NOT_FOUND, "Not Found\n")
        if refused(request.path):
            return ws.respond(http.HTTPStatus.UNAUTHORIZED, "Invalid token\n")
        return None

    async def handle(ws: ServerConnection) -> None:
        assert ws.request is not None
        peer = Peer(ws.request.path, ws)
        handler = kind(peer)
        try:
            if await handler.opened() is RETURN:
                return
            async for message in ws:
                if await handler.received(message) is RETURN:
                    return
        finally:
            peer.stop()
            handler.closed()

    sock = listen()
    async with serve(
        handle,
        sock=sock,
        process_request=check,
        select_subprotocol=lambda ws, offered: offered[0] if fixed and offered else None,
        ping_interval=INTERVAL,
        ping_timeout=INTERVAL,
        max_size=LIMIT,
        compression="deflate" if shape.deflate else None,
    ):
        ready(sock)
        await asyncio.Event().wait()


async def serve_tornado() -> None:
    import tornado.httpserver
    import tornado.web
    import tornado.websocket

    class Peer(PeerBase):
        def __init__(self, target: str, ws: tornado.websocket.WebSocketHandler) -> None:
            super().__init__(target)
            self.ws = ws

        async def send(self, message: Any) -> None:
            await self.ws.write_message(json.dumps(message))

        async def send_text(self, text: str) -> None:
            await self.ws.write_message(text)

        async def close(self, code: int, reason: str) -> None:
            self.ws.close(code, reason or None)

        def fail(self, error: BaseException | None) -> None:
            if self.ws.ws_connection is not None:
                self.ws.ws_connection._abort()  # as tornado does with an exception of a plain on_message

    class Socket(tornado.websocket.WebSocketHandler):
        async def prepare(self) -> None:
            if client_of(self.request.uri or "") is None:
                raise tornado.web.HTTPError(404)
            if refused(self.request.uri or ""):
                raise tornado.web.HTTPError(401)

        def check_origin(self, origin: str) -> bool:
            return True

        def select_subprotocol(self, subprotocols: list[str]) -> str | None:
            return subprotocols[0] if fixed and subprotocols else None

        def get_compression_options(self) -> dict[str, Any] | None:
            return {} if shape.deflate else None

        async def open(self, *_: str, **__: str) -> None:
            self.peer = Peer(self.request.uri or "", self)
            self.handler = kind(self.peer)
            if await self.handler.opened() is RETURN:
                self.close()

        def on_message(self, message: str | bytes) -> None:
            self.peer.beside(self.handle(message))

        async def handle(self, message: str | bytes) -> None:
            if await self.handler.received(message) is RETURN:
                self.close()

        def on_close(self) -> None:
            self.peer.stop()
            self.handler.closed()

    app = tornado.web.Application(
        [(r"/.*", Socket)],
        websocket_ping_interval=INTERVAL,
        websocket_ping_timeout=INTERVAL,
        websocket_max_message_size=LIMIT,
    )
    sock = listen()
    sock.setblocking(False)
    server = tornado.httpserver.HTTPServer(app)
    server.add_sockets([sock])
    ready(sock)
    await asyncio.Event().wait()


async def main() -> None:
    servers = {"aiohttp": serve_aiohttp, "websockets": serve_websockets, "tornado": serve_tornado}
    work = [servers[options.stack]()] + ([A9.produce()] if options.fault == "a9" else [])
    await asyncio.gather(*work)


run(main)
