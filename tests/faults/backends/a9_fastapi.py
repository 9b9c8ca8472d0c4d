"""A9: a broadcast now and then holds a ``datetime``, which ``send_json`` cannot serialise: every handler dies of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from _common import Talk, fixed, serve, shape
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

queues: set[asyncio.Queue[dict[str, Any]]] = set()


async def produce() -> None:
    talk = Talk()
    while True:
        for _ in range(4):
            await asyncio.sleep(shape.deadline * 0.3)
            for queue in queues:
                queue.put_nowait(talk.fill(shape.say("news")))
        now = datetime.now(UTC)
        for queue in queues:
            queue.put_nowait(shape.wrap("report", {"taken": now.isoformat() if fixed else now, "entries": 3}))


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    producer = asyncio.create_task(produce())
    yield
    producer.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket(shape.route)
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    talk = Talk()
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    queues.add(queue)

    async def reader() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                for answer in await talk.answers(await websocket.receive_json()):
                    await websocket.send_json(answer)

    async def writer() -> None:
        while True:
            await websocket.send_json(await queue.get())

    tasks = [asyncio.create_task(reader()), asyncio.create_task(writer())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        queues.discard(queue)
        for task in tasks:
            task.cancel()


serve(app)
