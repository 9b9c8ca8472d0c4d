"""B1's server: uvicorn with short keepalive pings. By itself it is healthy; see ``b1_relay.py``."""

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
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app, ws_ping_interval=0.6 * shape.deadline, ws_ping_timeout=0.6 * shape.deadline)
