"""A3: a text heartbeat ``ping`` is fed to ``receive_json``, and the JSONDecodeError ends the handler."""

from __future__ import annotations

import json

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


async def receive(websocket: WebSocket) -> dict[str, object]:
    if not fixed:
        return await websocket.receive_json()
    while (text := await websocket.receive_text()) == shape.ping_text:
        await websocket.send_text("pong")
    return json.loads(text)


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                message = await receive(websocket)
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
