"""A5: the frontend's heartbeat is a binary frame, and the handler only ever asks for text."""

from __future__ import annotations

import json

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


async def receive(websocket: WebSocket) -> str:
    while fixed:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        if message.get("text") is not None:
            return message["text"]
        await websocket.send_bytes(message["bytes"])
    return await websocket.receive_text()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(json.loads(await receive(websocket))):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
