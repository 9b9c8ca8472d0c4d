"""A server as a process: forked with everything imported, its port told through a pipe, its output in a log file."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import socket
from multiprocessing.connection import Connection

PRELOAD = ["lab.stacks.process", "fastapi", "uvicorn", "websockets.asyncio.server", "aiohttp.web", "tornado.websocket",
           "socketio", "wsproto"]  # fmt: skip

WHERE = {
    "fastapi": "asgi",
    "starlette": "asgi",
    "channels": "asgi",
    "websockets": "libraries",
    "aiohttp": "libraries",
    "tornado": "libraries",
    "socketio": "libraries",
    "raw": "raw",
}
"""The Python stacks, by the module that has them."""


def main(stack: str, config: str, port: int, log: str, told: Connection) -> None:
    """Serves until it is killed or its script says so. Sends its port once it can be connected to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    from lab.stacks.site import Site

    site = Site(json.loads(config))
    serve = getattr(importlib.import_module(f"lab.stacks.{WHERE[stack]}"), stack)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    sock.setblocking(False)
    told.send(sock.getsockname()[1])
    told.close()
    result = serve(site, sock)
    if asyncio.iscoroutine(result):
        asyncio.run(result)


__all__ = ["PRELOAD", "WHERE", "main"]
