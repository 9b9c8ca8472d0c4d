"""A control: a healthy server that is restarted once, as a deployment would."""

from __future__ import annotations

import asyncio
import signal

import uvicorn
from _common import Talk, beside, listen, options, ready, shape
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


class Server(uvicorn.Server):
    """A server that others may stop: signals are the program's business here."""

    def install_signal_handlers(self) -> None:
        pass


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sock = listen()
    port = sock.getsockname()[1]
    for life in range(2):
        server = Server(uvicorn.Config(app, ws=options.ws, timeout_graceful_shutdown=1))
        task = asyncio.create_task(server._serve([sock]))
        while not server.started:
            await asyncio.sleep(0.01)
        if life == 0:
            ready(sock)
        try:
            await asyncio.wait_for(stop.wait(), 2 * shape.deadline if life == 0 else None)
        except TimeoutError:
            pass
        server.should_exit = True
        await task
        if stop.is_set():
            return
        sock.close()
        await asyncio.sleep(0.4)
        sock = listen(port)


asyncio.run(main())
