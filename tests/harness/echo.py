"""``python -m harness.echo STACK``: an echo server on somebody's framework. Prints ``listening on PORT``.

Text and binary come back as they went; a text of ``close CODE REASON`` makes the server close like that.
permessage-deflate is on. The one on aiohttp serves an empty page at ``/``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

PAGE = "<!doctype html><title>echo</title>"


def close_words(text: object) -> tuple[int, str] | None:
    """Code and reason, when this message asks for a close."""
    if isinstance(text, str) and text.startswith("close "):
        _, code, reason = text.split(" ", 2)
        return int(code), reason
    return None


def _uvicorn(sock: socket.socket, implementation: str) -> None:
    import uvicorn

    config = uvicorn.Config("harness.echo_fastapi:app", ws=implementation, log_level="warning")
    uvicorn.Server(config).run(sockets=[sock])


def _aiohttp(sock: socket.socket) -> None:
    from aiohttp import WSMsgType, web

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def echo(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                await ws.send_bytes(message.data)
            elif closing := close_words(message.data):
                await ws.close(code=closing[0], message=closing[1].encode())
            else:
                await ws.send_str(message.data)
        return ws

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/{path:.+}", echo)
    web.run_app(app, sock=sock, print=None)


def _tornado(sock: socket.socket) -> None:
    from tornado import httpserver, web, websocket

    class Echo(websocket.WebSocketHandler):
        def get_compression_options(self) -> dict[str, object]:
            return {}

        def check_origin(self, origin: str) -> bool:
            return True

        async def on_message(self, message: str | bytes) -> None:
            if closing := close_words(message):
                self.close(*closing)
            else:
                await self.write_message(message, binary=isinstance(message, bytes))

    async def serve() -> None:
        app = web.Application([("/.*", Echo)], websocket_max_message_size=1 << 24)
        server = httpserver.HTTPServer(app)
        sock.setblocking(False)
        server.add_socket(sock)
        await asyncio.Event().wait()

    asyncio.run(serve())


def _websockets(sock: socket.socket) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(ws: ServerConnection) -> None:
        async for message in ws:
            if closing := close_words(message):
                await ws.close(*closing)
                return
            await ws.send(message)

    async def run() -> None:
        async with serve(echo, sock=sock, max_size=None):
            await asyncio.Event().wait()

    asyncio.run(run())


STACKS: dict[str, Callable[[socket.socket], None]] = {
    "uvicorn-websockets": lambda sock: _uvicorn(sock, "websockets"),
    "uvicorn-sansio": lambda sock: _uvicorn(sock, "websockets-sansio"),
    "uvicorn-wsproto": lambda sock: _uvicorn(sock, "wsproto"),
    "aiohttp": _aiohttp,
    "tornado": _tornado,
    "websockets": _websockets,
}


def main(stack: str) -> None:
    """Serve until killed."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(f"listening on {sock.getsockname()[1]}", flush=True)
    STACKS[stack](sock)


if __name__ == "__main__":
    main(sys.argv[1])
