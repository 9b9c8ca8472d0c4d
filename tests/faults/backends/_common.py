"""What the backends share: their options, the line ``ready PORT``, and a healthy conversation to be faulty in.

Every backend takes ``--port`` (0: any), ``--shape`` (JSON, or ``FAULT_SHAPE``) and ``--fixed`` (or ``FIXED=1``),
listens on 127.0.0.1 only, prints ``ready PORT`` on stdout once it accepts, logs to stderr, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.shape import Filler, Message, Shape, compact  # noqa: E402

_parser = argparse.ArgumentParser()
_parser.add_argument("--port", type=int, default=0)
_parser.add_argument("--shape", default=os.environ.get("FAULT_SHAPE") or "{}")
_parser.add_argument("--fixed", action="store_true", default=os.environ.get("FIXED") == "1")
_parser.add_argument("--ws", default="auto", help="uvicorn's WebSocket implementation")
_parser.add_argument("--fault", default="healthy", help="of a backend that can have several")
_parser.add_argument("--stack", default="", help="of a backend that can be several")
_parser.add_argument("--manner", default="", help="of a fault that can show in several ways")

options = _parser.parse_args()
shape: Shape = msgspec.json.decode(options.shape, type=Shape)
fixed: bool = options.fixed
_connections = itertools.count(1)


class Talk:
    """One connection's healthy server: greeting, answers, now and then some news."""

    def __init__(self) -> None:
        number = next(_connections)
        self._filler = Filler(f"server {shape.seed} {number}")
        self._rng = random.Random(f"latency {shape.seed} {number}")

    async def think(self) -> None:
        """Takes the time that this server takes for an answer."""
        await asyncio.sleep(shape.latency * self._rng.uniform(0.5, 1.5))

    def fill(self, message: Message) -> Message:
        """The message with its placeholders filled."""
        filled: Message = self._filler.fill(message)
        return filled

    async def answers(self, message: Any) -> list[Message]:
        """The answers to a client's message, after some thought."""
        await self.think()
        return [self.fill(answer) for answer in shape.answers(message)]

    async def news(self, send: Callable[[Message], Awaitable[object]]) -> None:
        """Sends news for ever, when this application has any."""
        while shape.news:
            await asyncio.sleep(shape.news * self._rng.uniform(0.7, 1.3))
            await send(self.fill(shape.say("news")))


@contextlib.asynccontextmanager
async def beside(work: Awaitable[None]):  # type: ignore[no-untyped-def]
    """Runs ``work`` beside a block; an end of the connection under it is no error of its own."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def listen(port: int | None = None) -> socket.socket:
    """A listening socket on 127.0.0.1."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", options.port if port is None else port))
    sock.listen(128)
    return sock


def ready(sock: socket.socket) -> None:
    """Says that the backend accepts, and where."""
    print(f"ready {sock.getsockname()[1]}", flush=True)


def serve(app: Any, **config: Any) -> None:
    """Serves an ASGI app with uvicorn until SIGTERM or SIGINT."""
    import uvicorn

    sock = listen()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(sock)

    Server(uvicorn.Config(app, ws=options.ws, timeout_graceful_shutdown=1, **config)).run(sockets=[sock])


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Runs an asyncio program until it ends, or SIGTERM or SIGINT."""

    async def program() -> None:
        task = asyncio.ensure_future(main())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(program())


__all__ = ["Talk", "beside", "compact", "fixed", "listen", "options", "ready", "run", "serve", "shape"]
