"""The demo's backend without its bug: what is no JSON is ignored. For ``uvicorn --factory``."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any


def backend() -> Any:
    """The application."""
    from fastapi import FastAPI, WebSocket
    from starlette.websockets import WebSocketDisconnect

    app = FastAPI()

    async def chat(websocket: WebSocket, client: str) -> None:
        await websocket.accept()
        await websocket.send_json({"type": "welcome", "client": client})
        with suppress(WebSocketDisconnect):
            while True:
                text = await websocket.receive_text()
                with suppress(ValueError):
                    await websocket.send_json({"type": "ack", "of": json.loads(text).get("type")})

    chat.__annotations__["websocket"] = WebSocket
    app.add_api_websocket_route("/ws/{client}", chat)
    return app
