"""D3: the frontend offers its token as a subprotocol, and the server accepts without choosing one."""

from __future__ import annotations

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    offered = websocket.scope["subprotocols"]
    await websocket.accept(subprotocol=offered[0] if fixed and offered else None)
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
