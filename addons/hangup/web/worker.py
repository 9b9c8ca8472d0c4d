"""The other end of :mod:`hangup.web.reading`: starts that process when the page first asks, and asks it."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hangup.errors import ControlError
from hangup.web import child
from hangup.web.reading import HEAD


class WorkerAnswer(NamedTuple):
    """An HTTP status and JSON."""

    status: int
    body: bytes


class Worker:
    """Reads the recording at ``path`` in one process of its own; ``facts`` are passed on to the page."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        self.facts = facts
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[WorkerAnswer]] = {}
        self._last = 0
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        """What the file is called, without its suffix."""
        return Path(self.facts.get("name") or self.path).stem

    async def ask(self, query: str, given: dict[str, str]) -> WorkerAnswer:
        """The answer to a query of :mod:`hangup.web.queries`. Raises :class:`ControlError` when there is none."""
        async with self._starting:
            if self._closed:
                raise ControlError("hangup is about to stop")
            if self._process is None:
                await self._start()
        return await self._send({"query": query, "given": given})

    async def _start(self) -> None:
        self._process = await child.start(
            "hangup.web.reading", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20
        )
        self._listener = asyncio.create_task(self._listen(self._process))
        opened = await self._send({"path": str(self.path.absolute()), "facts": self.facts})
        if opened.status != 200:
            await self._end()
            raise ControlError(msgspec.json.decode(opened.body).get("error", ""))

    async def _send(self, request: dict[str, Any]) -> WorkerAnswer:
        process = self._process
        if process is None or process.stdin is None:
            raise ControlError("the process that reads the recording has ended")
        self._last += 1
        number = self._last
        answer: asyncio.Future[WorkerAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        body = msgspec.json.encode(request)
        try:
            process.stdin.write(HEAD.pack(number, 0, len(body)) + body)
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                number, status, length = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
                body = await process.stdout.readexactly(length)
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(WorkerAnswer(status, body))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            if self._process is process:
                self._process = None  # the next request starts another
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ControlError("the process that reads the recording has ended"))
            await child.end(process)

    async def _end(self) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._listener is not None:
            done, _ = await asyncio.wait([self._listener], timeout=child.GOODBYE)
            if not done and process is not None:  # it is stuck, and does not see that nobody is there any more
                with suppress(ProcessLookupError):
                    process.kill()
            await self._listener

    async def close(self) -> None:
        """Ends the process."""
        self._closed = True
        async with self._starting:
            await self._end()
