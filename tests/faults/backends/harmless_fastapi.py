"""A control: every text heartbeat is logged as a JSON error, and nothing else happens."""

from __future__ import annotations

import json
import logging

from _common import Talk, beside, options, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
log = logging.getLogger("uvicorn.error")


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                text = await websocket.receive_text()
                try:
                    message = json.loads(text)
                except json.JSONDecodeError as error:
                    log.exception("cannot parse %r", text)
                    if options.manner == "tells":
                        await websocket.send_json({shape.key: "error", "message": str(error)})
                    continue
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
