"""F4: after the greeting's answer, the server sends a line of plain text to a frontend that parses JSON."""

from __future__ import annotations

from _common import Talk, beside, fixed, options, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
TEXTS = {
    "": f"Welcome, {shape.client_id}!",
    "html": "<!doctype html><html><body>502 Bad Gateway</body></html>",
    "truncated": '{"' + shape.key + '": "welcome", "items": [1, 2, ',
}


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
                if message.get(shape.key) == shape.words["hello"][0]:
                    await talk.think()
                    text = TEXTS[options.manner]
                    await (
                        websocket.send_json({shape.key: "notice", "text": text}) if fixed else websocket.send_text(text)
                    )
        except WebSocketDisconnect:
            pass


serve(app)
