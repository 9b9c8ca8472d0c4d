"""B4: the frontend's JSON ping is never answered (``--manner other``: answered in another form)."""

from __future__ import annotations

from _common import Talk, beside, fixed, options, serve, shape
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
                if message.get(shape.key) == shape.ping_kind and not fixed:
                    if options.manner == "other":
                        await websocket.send_json({"status": "ok"})
                    continue
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
