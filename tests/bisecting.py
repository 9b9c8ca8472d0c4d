"""What a bisect finds of a conversation that was recorded, against a server of the tests' own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable
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

AT_ONCE = 6
"""Bisects at the same time. They mostly wait, but what is done in one loop makes one another late."""

BUDGET = 300.0
"""Seconds of one bisect: more than it takes, also on a busy machine."""

SURVIVE = 0.2
"""Seconds by which a trial outlives the failure: a busy machine's lateness is no survival."""


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
    seconds: float = BUDGET,
    survive: float | None = SURVIVE,
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


async def side_by_side(*bisects: Awaitable[Verdict]) -> list[Verdict]:
    """What comes of them, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(bisect: Awaitable[Verdict]) -> Verdict:
        async with turn:
            return await bisect

    return await asyncio.gather(*map(one, bisects))
