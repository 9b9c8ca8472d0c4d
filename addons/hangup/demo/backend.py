"""The demo's backend: FastAPI with the famous bug.

The backend reads JSON; the frontend's heartbeat is the bare text ``ping``. ``receive_json`` raises, uvicorn drops
the connection without a close frame, the browser says 1006, the frontend opens the next.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hangup
from hangup.errors import BackendError
from hangup.processes.program import Beside

BACKEND = "hangup.demo.backend:backend"


def backend() -> Any:
    """The application, for ``uvicorn --factory``."""
    from fastapi import FastAPI, WebSocket
    from starlette.websockets import WebSocketDisconnect

    app = FastAPI()

    async def chat(websocket: WebSocket, client: str) -> None:
        await websocket.accept()
        await websocket.send_json({"type": "welcome", "client": client})
        try:
            while True:
                message = await websocket.receive_json()  # the bug: not everything a client sends is JSON
                await websocket.send_json({"type": "ack", "of": message.get("type")})
        except WebSocketDisconnect:
            pass

    # The annotation must be the class itself: with postponed evaluation FastAPI would look for it in this module.
    chat.__annotations__["websocket"] = WebSocket
    app.add_api_websocket_route("/ws/{client}", chat)
    return app


class Backend:
    """The application in a process of its own: ``async with Backend() as port``."""

    def __init__(self) -> None:
        self.output: list[str] = []
        self.heard: Callable[[str], None] = lambda line: None
        """Is given what it prints from now on, line by line."""
        self._beside: Beside | None = None
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> int:
        # What lies in the folder that the demo is started in must not be taken for a module: neither by Python (-P),
        # nor by uvicorn, which would look there first.
        words = [sys.executable, "-P", "-m", "uvicorn", "--app-dir", str(Path(hangup.__file__).resolve().parent.parent)]
        words += ["--factory", BACKEND, "--host", "127.0.0.1", "--port", "0"]
        self._beside = await Beside.start(words, self._line)
        ended = asyncio.create_task(self._beside.wait())
        await asyncio.wait([self._port, ended], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not self._port.done():
            await self._beside.end()
            raise BackendError("the demo's backend did not start: " + " / ".join(self.output[-3:]))
        return self._port.result()

    def _line(self, line: str) -> None:
        self.output.append(line)
        if self._port.done():
            self.heard(line)
        elif found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            self._port.set_result(int(found[1]))

    async def __aexit__(self, *exc: object) -> None:
        if self._beside is not None:
            await self._beside.end()
