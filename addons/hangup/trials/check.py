"""Does a recorded failure still happen? And a backend that is started for the question alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hangup.errors import BackendError
from hangup.experiment.evidence import Counts, Outcome, decide
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Trial
from hangup.processes.program import Beside, Heard, words_of
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import ReplayRunner
from hangup.wire.url import Target

MOST = 7


async def check_once(
    reading: Reading, target: Target, *, insecure: bool = False, seed: int = 0
) -> tuple[Outcome, Counts, str]:
    """Plays the recorded client until its outcomes speak; with the counts, and why where they do not."""
    sink = MemorySink()
    runner = ReplayRunner(
        reading.transcript, target, reading.failure, reading.case, sink, insecure=insecure, seed=seed
    )
    counts = Counts()
    steady = Counts(failed=3)
    why = ""
    while counts.n < MOST and counts.unresolved < 2:
        result = await runner.carry_out(Trial("check"))
        counts.add(result.outcome)
        if result.outcome is Outcome.UNRESOLVED:
            why = f"could not be tried: {result.untried}" if result.untried else result.sentence
        outcome = decide(counts, steady)
        if outcome is not None:
            return outcome, counts, ""
    return Outcome.UNRESOLVED, counts, why or "the outcomes disagree"


@asynccontextmanager
async def started(
    command: str, target: Target | None, wait: float, heard: Heard = lambda line: None
) -> AsyncIterator[Target]:
    """Runs a backend: ``{port}`` in the command stands for a free port. Waits until it takes connections, and ends it
    with all its children afterwards. Raises :class:`BackendError` when it does not come up within ``wait`` seconds."""
    port = target.port if target is not None else free_port()
    words = words_of(command.replace("{port}", str(port)), "--start")
    if target is None and "{port}" not in command:
        raise BackendError("--start: put {port} into the command where the port belongs, or give a target")
    # Two commits that are checked out within a second must not share their compiled files.
    backend = await Beside.start(words, heard, {"PYTHONDONTWRITEBYTECODE": "1"})
    try:
        await _listening(backend, port, wait, words[0])
        yield target or Target(False, "127.0.0.1", port)
    finally:
        await backend.end()


async def _listening(backend: Beside, port: int, wait: float, name: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while loop.time() < deadline:
        if backend.code is not None:
            code = await backend.wait()
            said = f": {backend.last[-1]}" if backend.last else ""
            raise BackendError(f"{name!r} ended by itself, with exit code {code}{said}")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await backend.wait()
    raise BackendError(f"{name!r} accepts no connections on port {port} after {wait:g} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
