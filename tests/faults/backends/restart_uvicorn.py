"""A control: a healthy server that is restarted once, some time after its first connection, as a deployment would."""

from __future__ import annotations

import asyncio
import signal

import uvicorn
from _common import Talk, beside, listen, options, ready, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
used = asyncio.Event()


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    used.set()
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


async def wait_for_use() -> None:
    await used.wait()
    await asyncio.sleep(2 * shape.deadline)


async def main() -> None:
    stop = asyncio.Event()
    stopping = asyncio.create_task(stop.wait())
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
        if life == 0:
            restart = asyncio.create_task(wait_for_use())
            await asyncio.wait([restart, stopping], return_when=asyncio.FIRST_COMPLETED)
            restart.cancel()
        else:
            await stop.wait()
        server.should_exit = True
        await task
        if stop.is_set():
            return
        sock.close()
        await asyncio.sleep(0.7)
        sock = listen(port)


asyncio.run(main())
