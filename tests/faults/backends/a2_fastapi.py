"""A2: the handler serves one message and returns: ``while True`` was forgotten."""

from __future__ import annotations

from _common import Talk, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    await websocket.send_json(talk.fill(shape.say("news")))
    try:
        while True:
            for answer in await talk.answers(await websocket.receive_json()):
                await websocket.send_json(answer)
            if not fixed:
                return
    except WebSocketDisconnect:
        pass


serve(app)
