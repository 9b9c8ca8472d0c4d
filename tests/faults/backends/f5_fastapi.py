"""F5: a connection manager keyed by client id closes the older connection when the same id comes again."""

from __future__ import annotations

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
active: dict[str, WebSocket] = {}


async def connect(client_id: str, websocket: WebSocket) -> None:
    older = active.get(client_id)
    active[client_id] = websocket
    if older is not None and not fixed:
        await older.close(shape.code or 4000, shape.reason or None)


@app.websocket(shape.route)
async def socket(websocket: WebSocket, client_id: str) -> None:
    await websocket.accept()
    await connect(client_id, websocket)
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except (WebSocketDisconnect, RuntimeError):
            if active.get(client_id) is websocket:
                del active[client_id]


serve(app)
