"""A4: every message is validated by a pydantic model, and the frontend's heartbeat lacks a field of it."""

from __future__ import annotations

from typing import Any

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import Field, create_model

app = FastAPI()
Seq = (int | None, None) if fixed else (int, ...)
Envelope = create_model("Envelope", kind=(str, Field(alias=shape.key)), seq=Seq)


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                message: Any = await websocket.receive_json()
                Envelope.model_validate(message)
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
