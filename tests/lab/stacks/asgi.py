"""FastAPI and Starlette on uvicorn, Channels on daphne."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

from lab.script import Conversation, Gone, Message, Return
from lab.stacks.site import Site, log, reset


def _target(scope: dict[str, Any]) -> str:
    query = scope["query_string"].decode()
    return str(scope["path"]) + (f"?{query}" if query else "")


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}


class _Peer:
    """A Starlette WebSocket as a script's peer."""

    def __init__(self, ws: Any) -> None:
        self.ws = ws

    @property
    def transport(self) -> Any:
        return self.ws.scope["lab.protocol"].transport

    async def send(self, message: Message) -> None:
        try:
            await (self.ws.send_text(message) if isinstance(message, str) else self.ws.send_bytes(message))
        except Exception as error:
            if type(error).__name__ in ("WebSocketDisconnect", "ClientDisconnected"):
                raise Gone from None
            raise

    async def close(self, code: int, reason: str) -> None:
        with contextlib.suppress(RuntimeError):
            await self.ws.close(code, reason or None)

    async def ping(self, data: bytes) -> None:
        self.raw(b"\x89" + bytes([len(data)]) + data)

    def abort(self) -> None:
        reset(self.transport)

    def fin(self) -> None:
        self.transport.close()

    def pause(self) -> None:
        self.transport.pause_reading()

    def raw(self, data: bytes) -> None:
        self.transport.write(data)


async def _accept(site: Site, ws: Any) -> bool:
    """The handler's checks, then ``accept``; False where there is nothing more to do."""
    from starlette.exceptions import HTTPException

    if site.settings.get("accept_after"):
        await asyncio.sleep(site.settings["accept_after"])
    refusal = site.refusal(_target(ws.scope), _headers(ws.scope))
    match refusal and refusal["how"]:
        case "http":
            raise HTTPException(refusal["status"], refusal.get("body", ""))  # type: ignore[index]
        case "close":
            await ws.close(refusal["code"], refusal.get("reason"))  # type: ignore[index]
            return False
        case "raise":
            raise RuntimeError(refusal.get("body", ""))  # type: ignore[union-attr]
        case "return":
            return False
        case "hang":
            await asyncio.Event().wait()
    await ws.accept(site.choose(ws.scope["subprotocols"]))
    return True


async def _handler(site: Site, ws: Any) -> None:
    """One handler for a connection, which pulls its messages by the reader that the script names."""
    from starlette.websockets import WebSocketDisconnect

    if not await _accept(site, ws):
        return
    peer = _Peer(ws)
    reader = site.script.get("reader", "any")

    async def receive() -> Message:
        try:
            match reader:
                case "json":
                    return json.dumps(await ws.receive_json(), ensure_ascii=False, separators=(",", ":"))
                case "text":
                    return str(await ws.receive_text())
                case "bytes":
                    return bytes(await ws.receive_bytes())
            message = await ws.receive()
            if message["type"] == "websocket.disconnect":
                raise Gone
            text = message.get("text")
            return bytes(message["bytes"]) if text is None else str(text)
        except WebSocketDisconnect:
            raise Gone from None

    await site.converse(peer, _target(ws.scope), receive)


async def _uvicorn(site: Site, sock: socket.socket, app: Any) -> None:
    import uvicorn

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            scope["lab.protocol"] = send.__self__
        await app(scope, receive, send)

    config = uvicorn.Config(
        whole,
        log_level="info",
        ws=site.settings.get("ws", "auto"),
        ws_max_size=site.max_size,
        ws_ping_interval=site.interval,
        ws_ping_timeout=site.timeout,
        ws_per_message_deflate=bool(site.settings.get("deflate")),
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    await uvicorn.Server(config).serve(sockets=[sock])


async def fastapi(site: Site, sock: socket.socket) -> None:
    """A FastAPI route on uvicorn."""
    from fastapi import FastAPI, WebSocket

    app = FastAPI()

    async def endpoint(websocket: WebSocket) -> None:
        await _handler(site, websocket)

    endpoint.__annotations__["websocket"] = WebSocket
    app.add_api_websocket_route(site.route, endpoint)
    await _uvicorn(site, sock, app)


async def starlette(site: Site, sock: socket.socket) -> None:
    """A Starlette ``WebSocketEndpoint``, which is called back and has an encoding."""
    from starlette.applications import Starlette
    from starlette.endpoints import WebSocketEndpoint
    from starlette.routing import WebSocketRoute

    class Endpoint(WebSocketEndpoint):
        encoding = {"json": "json", "text": "text", "bytes": "bytes"}.get(site.script.get("reader", "any"))
        conversation: Conversation | None = None

        async def on_connect(self, websocket: Any) -> None:
            if not await _accept(site, websocket):
                raise _Refused
            peer = _Peer(websocket)
            self.conversation = site.conversation(peer, _target(websocket.scope), self.failed)
            self.peer = peer
            await self.finish(self.conversation.opened())

        def failed(self, error: BaseException) -> None:
            if not isinstance(error, Return):
                log.error("Exception in a task of the endpoint", exc_info=error)
            close = self.peer.close(1000 if isinstance(error, Return) else 1011, "")
            self.closing = asyncio.ensure_future(close)

        async def finish(self, work: Any) -> None:
            try:
                await work
            except Return:
                await self.peer.close(1000, "")
            except Gone:
                pass

        async def on_receive(self, websocket: Any, data: Any) -> None:
            if self.encoding == "json":
                data = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            assert self.conversation is not None
            await self.finish(self.conversation.received(data))

        async def on_disconnect(self, websocket: Any, close_code: int) -> None:
            if self.conversation is not None:
                await self.conversation.closed()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(_Refused):
            await routes(scope, receive, send)

    routes = Starlette(routes=[WebSocketRoute(site.route, Endpoint)])
    await _uvicorn(site, sock, app)


class _Refused(Exception):
    """The endpoint refused the handshake and has said so."""


class _ConsumerPeer:
    """A Channels consumer as a script's peer. Below the consumer there is nothing that it could reach."""

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer

    async def send(self, message: Message) -> None:
        if isinstance(message, str):
            await self.consumer.send(text_data=message)
        else:
            await self.consumer.send(bytes_data=message)

    async def close(self, code: int, reason: str) -> None:
        await self.consumer.close(code=code)

    async def ping(self, data: bytes) -> None:
        pass

    def abort(self) -> None:
        raise RuntimeError("consumer failed")

    fin = abort

    def pause(self) -> None:
        pass

    def raw(self, data: bytes) -> None:
        raise RuntimeError("consumer failed")


def channels(site: Site, sock: socket.socket) -> None:
    """A Channels consumer on daphne. Blocks: Twisted runs the loop."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="lab", CHANNEL_LAYERS={})
        django.setup()
    from channels.exceptions import DenyConnection
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import OriginValidator
    from daphne.server import Server
    from django.urls import path

    class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
        conversation: Conversation | None = None

        async def connect(self) -> None:
            if site.settings.get("accept_after"):
                await asyncio.sleep(site.settings["accept_after"])
            refusal = site.refusal(_target(self.scope), _headers(self.scope))
            match refusal and refusal["how"]:
                case "http" | "close":
                    raise DenyConnection
                case "raise":
                    raise RuntimeError(refusal.get("body", ""))  # type: ignore[union-attr]
                case "hang" | "return":
                    return
            await self.accept(site.choose(self.scope["subprotocols"]))
            self.conversation = site.conversation(_ConsumerPeer(self), _target(self.scope), self.failed)
            await self.finish(self.conversation.opened())

        def failed(self, error: BaseException) -> None:
            # As if a channel layer had called a method of this consumer that raises.
            self.scope["lab.events"].put_nowait({"type": "lab.failed", "error": error})

        async def lab_failed(self, event: dict[str, Any]) -> None:
            if isinstance(event["error"], Return):
                await self.close()
            else:
                raise event["error"]

        async def finish(self, work: Any) -> None:
            try:
                await work
            except Return:
                await self.close()

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            assert self.conversation is not None
            if site.script.get("reader") == "json" and text_data is None:
                raise ValueError("No text section for incoming WebSocket frame!")  # as JsonWebsocketConsumer does
            await self.finish(self.conversation.received(text_data if text_data is not None else bytes_data or b""))

        async def disconnect(self, code: int) -> None:
            if self.conversation is not None:
                await self.conversation.closed()

    route = (
        site.route.lstrip("/").replace("{client_id:int}", "<int:client_id>").replace("{client_id}", "<str:client_id>")
    )
    inner: Any = URLRouter([path(route, Consumer.as_asgi())])
    if site.settings.get("origins"):
        inner = OriginValidator(inner, site.settings["origins"])
    routes = ProtocolTypeRouter({"websocket": inner})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        events: asyncio.Queue[Any] = asyncio.Queue()
        scope["lab.events"] = events

        async def either() -> Any:
            tasks = [asyncio.ensure_future(receive()), asyncio.ensure_future(events.get())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                return next(iter(done)).result()
            finally:
                for task in tasks:
                    task.cancel()

        await routes(scope, either, send)

    Server(
        app,
        endpoints=[f"fd:fileno={sock.fileno()}"],
        signal_handlers=False,
        ping_interval=site.interval or 100_000,
        ping_timeout=site.timeout or 100_000,
        websocket_handshake_timeout=site.settings.get("handshake_timeout", 5),
    ).run()


__all__ = ["channels", "fastapi", "starlette"]
