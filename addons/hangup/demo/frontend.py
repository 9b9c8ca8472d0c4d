"""The demo's frontend: it says hello, sends its heartbeat, the bare text ``ping``, and reconnects in a loop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

HEARTBEAT = 0.4
"""Seconds from open to the first heartbeat, and between two."""
RECONNECT = 0.5
"""Seconds from close to the next try."""


async def frontend(url: str) -> None:
    """Connects, says hello, sends its heartbeat, and reconnects whenever it is dropped; until cancelled."""
    import websockets

    while True:
        try:
            async with websockets.connect(url, ping_interval=None) as socket:
                await socket.send(json.dumps({"type": "hello", "page": "/inbox"}))
                listener = asyncio.create_task(_listen(socket))
                try:
                    while not listener.done():
                        await asyncio.wait([listener], timeout=HEARTBEAT)
                        if not listener.done():
                            await socket.send("ping")
                except asyncio.CancelledError:
                    await socket.close(1001)  # as a browser does when its page is closed
                    raise
                finally:
                    listener.cancel()
        except (OSError, websockets.WebSocketException):
            pass
        await asyncio.sleep(RECONNECT)


async def _listen(socket: Any) -> None:
    async for _ in socket:
        pass
