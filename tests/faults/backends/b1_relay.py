"""B1: a server with keepalive pings behind a relay that swallows every pong.

``--stack uvicorn`` (default), ``aiohttp``, ``tornado`` or ``websockets``. ``--fixed``: the relay swallows nothing.
"""

from __future__ import annotations

import asyncio

from _behind import backend
from _common import fixed, listen, options, ready, run
from _relay import relay


async def main() -> None:
    common = ["--shape", options.shape, "--fault", "b1"]
    if options.stack in ("", "uvicorn"):
        server = backend("b1_uvicorn.py", *common, "--ws", options.ws)
    else:
        server = backend("stacks.py", *common, "--stack", options.stack)
    sock = listen()
    async with server as port, relay("127.0.0.1", port, swallow_pongs=not fixed, sock=sock):
        ready(sock)
        await asyncio.Event().wait()


run(main)
