"""What a bisect finds of a conversation that was recorded, against a server of the tests' own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from conversing import Talk
from hangup.experiment.exchange import complete
from hangup.experiment.failure import parse
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict, search
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import Budget, ReplayRunner
from hangup.wire.url import parse_target
from test_transcript import InMemory


@asynccontextmanager
async def on_uvicorn(app: Any) -> AsyncIterator[int]:
    """Serves an ASGI application in this loop; the port listens before anybody asks."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def bisected(
    talk: Talk,
    port: int,
    *,
    seconds: float = 60,
    survive: float | None = 0.01,
    failure: str = "",
    direct: int | None = None,
) -> Verdict:
    """The verdict against the server on this port. ``failure`` is what to look for, if not what the recording shows;
    ``direct`` is the backend's own, where another stands before it."""
    reading = read_case(InMemory(talk.stop()), failure=parse(failure) if failure else None)
    more: dict[str, Any] = {} if direct is None else {"direct": parse_target(f"ws://127.0.0.1:{direct}")}
    target = parse_target(f"ws://127.0.0.1:{port}")
    budget = Budget(seconds=seconds)
    runner = ReplayRunner(
        reading.transcript, target, reading.failure, reading.case, MemorySink(), budget=budget, survive=survive, **more
    )
    return await runner.run(complete(reading.case, search(reading.case, direct=direct is not None)))
