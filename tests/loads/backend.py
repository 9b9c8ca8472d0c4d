"""A backend that bears only so much, with FastAPI and uvicorn: ``python -m loads.backend PORT MODE LIMIT``.

It greets a client with a session id, which the client says back with each order, and answers orders and pings. In the
mode ``drops`` a client that orders while there are more than the limit is dropped; in ``slows`` answers take the longer
the more clients there are beyond it; ``plain`` is neither. ``GET /counts`` gives what it has counted itself.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import uuid
from collections import Counter
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

REASON = "too many clients"
SLOWER = 0.001
"""Seconds that an answer takes longer for each client beyond the limit."""


class Bearing:
    """What it bears, and what it has seen."""

    def __init__(self, mode: str, limit: int) -> None:
        self.mode = mode
        self.limit = limit
        self.clients = 0
        self.most = 0
        self.counts: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.sessions: set[str] = set()
        self.first_dropped_at = 0

    def told(self) -> dict[str, Any]:
        return {
            **self.counts,
            "clients": self.clients,
            "most": self.most,
            "ids": len(self.ids),
            "sessions": len(self.sessions),
            "first_dropped_at": self.first_dropped_at,
        }


def make(mode: str, limit: int) -> FastAPI:
    app = FastAPI()
    bearing = Bearing(mode, limit)

    @app.get("/counts")
    async def counts() -> dict[str, Any]:
        return bearing.told()

    @app.websocket("/ws/{client}")
    async def serve(websocket: WebSocket, client: str) -> None:
        await websocket.accept()
        bearing.counts["opened"] += 1
        bearing.clients += 1
        bearing.most = max(bearing.most, bearing.clients)
        bearing.ids.add(client)
        session = uuid.uuid4().hex
        try:
            await websocket.send_text(json.dumps({"type": "welcome", "session": session}))
            while True:
                said = json.loads(await websocket.receive_text())
                if said["type"] == "order":
                    if said["session"] != session:
                        bearing.counts["foreign"] += 1
                    bearing.sessions.add(said["session"])
                    bearing.counts["orders"] += 1
                    if mode == "drops" and bearing.clients > limit:
                        bearing.first_dropped_at = bearing.first_dropped_at or bearing.clients
                        bearing.counts["dropped"] += 1
                        await websocket.close(1013, REASON)
                        return
                    if mode == "slows" and bearing.clients > limit:
                        await asyncio.sleep(SLOWER * (bearing.clients - limit))
                    await websocket.send_text(json.dumps({"type": "done", "n": said["n"]}))
                elif said["type"] == "ping":
                    await websocket.send_text('{"type":"pong"}')
        except WebSocketDisconnect:
            bearing.counts["left"] += 1
        finally:
            bearing.clients -= 1

    return app


def main(port: int, mode: str, limit: int) -> None:
    app = make(mode, limit)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio", backlog=4096)
    asyncio.run(_Server(config).serve())


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where it listens once it does."""
        await super().startup(sockets)
        print(f"listening on {self.servers[0].sockets[0].getsockname()[1]}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
