"""The frontend's backend: messages are looked up in a table, and nobody has told it of ``ping``.

``python backend.py PORT LOG`` (port 0: any) prints ``ready PORT`` once it listens, and logs into a file. The KeyError
ends the handler, and uvicorn drops the connection without a close frame: the page sees 1006.
"""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()

ANSWERS: dict[str, dict[str, Any]] = {
    "hello": {"type": "welcome", "unread": 3},
    "refresh": {"type": "unread", "unread": 4},
}


@app.websocket("/ws/{client}")
async def inbox(websocket: WebSocket, client: str) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_json()
            await websocket.send_json(ANSWERS[message["type"]])
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
        print(f"ready {listening.getsockname()[1]}", flush=True)
        logging.basicConfig(filename=sys.argv[2], level=logging.WARNING)
        uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listening])
