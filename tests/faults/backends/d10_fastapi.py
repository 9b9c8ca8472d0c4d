"""D10: the frontend's base URL already ends in ``/ws``, so it asks for ``/ws/ws/...``, which is no route."""

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


if fixed:  # the prefix, where the frontend looks for it
    app.add_api_websocket_route("/" + shape.route.split("/")[1] + shape.route, socket)

serve(app)
