"""E1: uvicorn's ``--ws-max-size`` is smaller than the draft that the frontend restores after each reconnect."""

from __future__ import annotations

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app, ws_max_size=16 * 1024 * 1024 if fixed else shape.limit)
