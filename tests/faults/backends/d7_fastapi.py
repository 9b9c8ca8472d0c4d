"""D7: the token in the query has expired; the server accepts, looks, and closes 4401.

The key is no secret of anybody's. ``--fixed``: any token will do, so that a redacted recording survives too.
"""

from __future__ import annotations

import jwt
from _common import Talk, beside, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

KEY = "not-a-real-secret-not-a-real-secret"
app = FastAPI()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        if not fixed:
            jwt.decode(websocket.query_params["token"], KEY, ["HS256"])
    except jwt.PyJWTError:
        await websocket.close(shape.code or 4401, shape.reason or "invalid or expired token")
        return
    talk = Talk()
    async with beside(talk.news(websocket.send_json)):
        try:
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)
        except WebSocketDisconnect:
            pass


serve(app)
