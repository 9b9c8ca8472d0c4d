"""``python -m heartbeat_backends NAME``: backends on FastAPI and uvicorn that meet a client's heartbeat.

``json`` reads JSON and fails on anything else; ``keepalive`` reads text and answers nothing, while uvicorn itself pings
every second. Each prints ``listening on PORT``, and what came by which path.
"""

from __future__ import annotations

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


def say(ws: WebSocket, text: str) -> None:
    print(ws.url.path, text, flush=True)


@app.websocket("/json/{name}")
async def reads_json(ws: WebSocket) -> None:
    await ws.accept()
    try:
        while True:
            message = await ws.receive_json()
            say(ws, json.dumps(message, separators=(",", ":")))
            await ws.send_json({"type": "pong"})
    except WebSocketDisconnect:
        pass


@app.websocket("/keepalive/{name}")
async def reads_text(ws: WebSocket) -> None:
    await ws.accept()
    try:
        while True:
            say(ws, await ws.receive_text())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    sock = socket.create_server(("127.0.0.1", 0))
    print(f"listening on {sock.getsockname()[1]}", flush=True)
    keepalive = {"ws_ping_interval": 1.0, "ws_ping_timeout": 2.0} if sys.argv[1] == "keepalive" else {}
    config = uvicorn.Config(app, ws="websockets-sansio", log_level="critical", **keepalive)  # type: ignore[arg-type]
    uvicorn.Server(config).run(sockets=[sock])
