"""Does a recorded failure still happen? And a backend that is started for the question alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from hangup.errors import BackendError
from hangup.experiment.evidence import Counts, Outcome, decide
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Trial
from hangup.peer.lab import Lab
from hangup.peer.tape import Tape
from hangup.wire.url import Target

MOST = 7
LINE = 1 << 16


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


Heard = Callable[[str], None]
"""Is given what a backend prints, line by line."""


@asynccontextmanager
async def started(
    command: str, target: Target | None, wait: float, heard: Heard = lambda line: None
) -> AsyncIterator[Target]:
    """Runs a backend: ``{port}`` in the command stands for a free port. Waits until it takes connections, and ends it
    with all its children afterwards. Raises :class:`BackendError` when it does not come up within ``wait`` seconds."""
    port = target.port if target is not None else free_port()
    words = shlex.split(command.replace("{port}", str(port)), posix=os.name == "posix")
    if not words:
        raise BackendError("--start needs a command")
    if target is None and "{port}" not in command:
        raise BackendError("--start: {port} must stand in the command where the port belongs, or a target be given")
    posix = sys.platform != "win32"
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE,
            # Two commits that are checked out within a second must not share their compiled files.
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=posix,
        )
    except OSError as error:
        raise BackendError(f"cannot start {words[0]!r}: {error.strerror or error}") from None
    output = _Output(process, heard)
    try:
        await _listening(process, port, wait, words[0], output)
        yield target or Target(False, "127.0.0.1", port)
    finally:
        await _end(process, posix)
        await output.close()


async def _end(process: asyncio.subprocess.Process, posix: bool) -> None:
    """Asks it to end, and makes it: also its children, also when it has ended and they have not."""

    def send(number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if posix:
                os.killpg(process.pid, number)
            elif process.returncode is None:
                process.terminate()

    try:
        if process.returncode is None:
            send(signal.SIGTERM)
            async with asyncio.timeout(5):
                await process.wait()
    except TimeoutError:
        pass
    finally:  # also when somebody is too impatient to wait
        send(int(getattr(signal, "SIGKILL", signal.SIGTERM)))
    await process.wait()


class _Output:
    """What a backend prints: it must be read, or the backend would stop when the pipe is full."""

    def __init__(self, process: asyncio.subprocess.Process, heard: Heard) -> None:
        self.last: deque[str] = deque(maxlen=50)
        self._heard = heard
        assert process.stdout is not None
        self._task = asyncio.create_task(self._read(process.stdout))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than anybody reads
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                self.last.append(text.strip())
            self._heard(text)

    async def close(self) -> None:
        """Reads what is left; not for long, as a child that lives on may hold the pipe."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._task
        self._task.cancel()


async def _listening(process: asyncio.subprocess.Process, port: int, wait: float, name: str, output: _Output) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while loop.time() < deadline:
        if process.returncode is not None:
            await output.close()
            said = f": {output.last[-1]}" if output.last else ""
            raise BackendError(f"{name!r} ended by itself, with exit code {process.returncode}{said}")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await process.wait()
    raise BackendError(f"{name!r} takes no connections on port {port} after {wait:g} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
