"""A healthy application: greets, answers, answers heartbeats, sends news."""

from __future__ import annotations

from _common import Talk, beside, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                message = await websocket.receive_json()
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
