"""The clients: each connection has a path of its own, and what it got back is kept by that."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

KINDS = ("chat", "chat", "chat", "chat", "plain", "binary", "large", "closed", "torn", "aborted", "refused", "long")


class Load:
    """So many clients at a time, one connection after the other, until :meth:`stop`."""

    def __init__(self, url: str, clients: int, seed: int) -> None:
        self.url = url
        self.echoes: dict[str, int] = {}
        """Path of a connection that was opened -> how many messages came back on it."""
        self.outcomes: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._number = 0
        self._stopping = asyncio.Event()
        self._tasks = [asyncio.create_task(self._client()) for _ in range(clients)]

    async def stop(self) -> None:
        """Waits until the connections are over."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        while not self._stopping.is_set():
            kind = self._random.choice(KINDS)
            self._number += 1
            path = f"/ws/{kind}/{self._number}"
            try:
                compression = None if kind == "plain" else "deflate"
                async with connect(self.url + path, compression=compression, open_timeout=20, max_size=1 << 22) as made:
                    self.echoes[path] = 0
                    await self._talk(made, path, kind)
                    self.outcomes["closed by the client"] += 1
            except InvalidStatus as error:
                self.outcomes[f"HTTP {error.response.status_code}"] += 1
            except (OSError, WebSocketException, InvalidHandshake) as error:
                self.outcomes[type(error).__name__] += 1
            await self._pause(0.05)

    async def _talk(self, made: ClientConnection, path: str, kind: str) -> None:
        messages, pause = self._messages(kind)
        for message in messages:
            await made.send(message)
            assert await made.recv() == message
            self.echoes[path] += 1
            await self._pause(pause)
        if kind == "aborted":
            made.transport.abort()

    def _messages(self, kind: str) -> tuple[Sequence[str | bytes], float]:
        """What is said, and how long it is waited in between (seconds)."""
        pick = self._random
        match kind:
            case "binary":
                return [pick.randbytes(pick.randint(0, 5000)) for _ in range(20)], 0.0
            case "large":
                return [pick.randbytes(80_000), "x" * 200_000], 0.0
            case "long":
                return [f'{{"type":"ping","n":{n}}}' for n in range(30)], 1.0
            case _:
                return [f'{{"type":"chat","n":{n},"text":"{"é" * pick.randint(0, 90)}"}}' for n in range(40)], 0.001

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds * self._random.uniform(0.5, 1.5) + 1e-4)
