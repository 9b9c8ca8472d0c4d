"""F2's innocent backend: a status message soon after the connection opened, which the frontend's effect cannot bear."""

from __future__ import annotations

import asyncio

from _common import Talk, beside, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()

    async def status() -> None:
        while True:
            await asyncio.sleep(shape.chatter)
            await websocket.send_json(talk.fill(shape.say("news")))

    async with beside(status()):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
