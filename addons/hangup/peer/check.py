"""Does a recorded failure still happen? And a backend that is started for the question alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hangup.errors import BackendError
from hangup.experiment.evidence import Counts, Outcome, decide
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Trial
from hangup.peer.lab import Lab
from hangup.peer.tape import Tape
from hangup.wire.url import Target

MOST = 7


async def check_once(
    reading: Reading, target: Target, *, insecure: bool = False, seed: int = 0
) -> tuple[Outcome, Counts, str]:
    """Plays the recorded client until its outcomes speak; with the counts, and why where they do not."""
    lab = Lab(reading.transcript, target, reading.failure, reading.case, Tape(), insecure=insecure, seed=seed)
    counts = Counts()
    steady = Counts(failed=3)
    why = ""
    while counts.n < MOST and counts.unresolved < 2:
        result = await lab.carry_out(Trial("check"))
        counts.add(result.outcome)
        if result.outcome is Outcome.UNRESOLVED:
            why = result.sentence
        outcome = decide(counts, steady)
        if outcome is not None:
            return outcome, counts, ""
    return Outcome.UNRESOLVED, counts, why or "the outcomes disagree"


@asynccontextmanager
async def started(command: str, target: Target | None, wait: float) -> AsyncIterator[Target]:
    """Runs a backend: ``{port}`` in the command stands for a free port. Waits until it takes connections, and ends it
    with all its children afterwards. Raises :class:`BackendError` when it does not come up within ``wait`` seconds."""
    port = target.port if target is not None else _free_port()
    words = shlex.split(command.replace("{port}", str(port)), posix=os.name == "posix")
    if not words:
        raise BackendError("--start needs a command")
    posix = sys.platform != "win32"
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=posix,
        )
    except OSError as error:
        raise BackendError(f"cannot start {words[0]!r}: {error.strerror or error}") from None
    try:
        await _listening(process, port, wait, words[0])
        yield target or Target(False, "127.0.0.1", port)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                if posix:
                    os.killpg(process.pid, signal.SIGTERM)
                else:
                    process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _listening(process: asyncio.subprocess.Process, port: int, wait: float, name: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while loop.time() < deadline:
        if process.returncode is not None:
            raise BackendError(f"{name!r} ended by itself, with exit code {process.returncode}")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await process.wait()
    raise BackendError(f"{name!r} takes no connections on port {port} after {wait:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
