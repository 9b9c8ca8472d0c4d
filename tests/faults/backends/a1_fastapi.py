"""A1: the handler returns right after accept: its author thought that accepting keeps the connection.

``--manner greets``: it sends a greeting first.
"""

from __future__ import annotations

from _common import Talk, beside, fixed, options, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
sockets: set[WebSocket] = set()


async def listen_to(websocket: WebSocket, talk: Talk) -> None:
    async with beside(talk.news(websocket.send_json)):
        while True:
            for answer in await talk.answers(await websocket.receive_json()):
                await websocket.send_json(answer)


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    sockets.add(websocket)
    talk = Talk()
    if options.manner == "greets":
        await websocket.send_json(talk.fill(shape.say("news")))
    if fixed:
        try:
            await listen_to(websocket, talk)
        except WebSocketDisconnect:
            sockets.discard(websocket)


serve(app)
