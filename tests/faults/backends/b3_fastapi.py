"""B3: the server sends an application-level ping and wants its pong in time; the frontend does not know it.

``--manner silence``: any message of the client within the deadline would do.
"""

from __future__ import annotations

import asyncio

from _common import Talk, beside, fixed, options, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class Watch:
    """Pings for ever; closes when the pong is overdue."""

    def __init__(self, websocket: WebSocket, talk: Talk) -> None:
        self.websocket, self.talk = websocket, talk
        self.seen = asyncio.get_running_loop().time()

    def saw(self, message: dict[str, object]) -> None:
        if options.manner == "silence" or message.get(shape.key) == shape.pong[shape.key]:
            self.seen = asyncio.get_running_loop().time()

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        interval = shape.deadline * 0.4
        while fixed or clock() - self.seen < shape.deadline:
            await self.websocket.send_json(self.talk.fill(shape.ping))
            await asyncio.sleep(
                min(interval, max(0.0, self.seen + shape.deadline - clock())) if not fixed else interval
            )
        await self.websocket.close(shape.code or 1000, shape.reason or None)


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    watch = Watch(websocket, talk)
    async with beside(watch.run()):
        try:
            while True:
                message = await websocket.receive_json()
                watch.saw(message)
                for answer in await talk.answers(message):
                    await websocket.send_json(answer)
        except (WebSocketDisconnect, RuntimeError):
            pass


serve(app)
