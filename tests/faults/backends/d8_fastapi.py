"""D8: closing with 4003 before accept, which uvicorn can only send as HTTP 403.

The handler looks for ``access_token``, the frontend sends ``token``.
"""

from __future__ import annotations

from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    if ("token" if fixed else "access_token") not in websocket.query_params:
        await websocket.close(4003, "invalid token")
        return
    await websocket.accept()
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
