"""The demo's backend: FastAPI with the famous bug.

The backend reads JSON; the frontend's heartbeat is the bare text ``ping``. ``receive_json`` raises, uvicorn drops
the connection without a close frame, the browser says 1006, the frontend opens the next.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any

from hangup.errors import BackendError

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
        self.process: asyncio.subprocess.Process | None = None
        self.output: list[str] = []
        self.heard: Callable[[str], None] = lambda line: None
        """Is given what it prints from now on, line by line."""
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> int:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "--factory", BACKEND, "--host", "127.0.0.1", "--port", "0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        stream = self.process.stdout
        assert stream is not None
        async for line in stream:
            text = line.decode(errors="replace").rstrip()
            self.output.append(text)
            found = re.search(r"running on http://127\.0\.0\.1:(\d+)", text)
            if found:
                self._pump = asyncio.create_task(self._keep(stream))
                return int(found[1])
        raise BackendError("the demo's backend did not start: " + " / ".join(self.output[-3:]))

    async def _keep(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.output.append(line.decode(errors="replace").rstrip())
            self.heard(self.output[-1])

    async def __aexit__(self, *exc: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
        if self._pump is not None:
            await self._pump
