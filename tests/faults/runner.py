"""Runs a fault: backend, hangup's proxy in front of it unless told otherwise, client, for as long as it takes.

Every process belongs to this one: started in a group of its own, ended by its id, and no port is chosen before it
is taken. So any number of runs go on at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any

import msgspec

from faults.shape import Shape
from faults.table import HERE, Fault, Program, missing

READY_WITHIN = 60.0
"""Seconds that a program may take to start, on a busy machine."""
GRACE = 6.0


class Failed(Exception):
    """A program did not start, or ended by itself; the message holds the end of its log."""


class Skipped(Exception):
    """Something that this run needs is not here."""


@dataclass
class Child:
    """A process of ours, its standard output read line by line."""

    name: str
    process: asyncio.subprocess.Process
    log: IO[bytes]
    lines: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.put_nowait(line.decode("utf-8", "replace").rstrip("\n"))
        self.lines.put_nowait(None)

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line of its output that matches."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                while (line := await self.lines.get()) is not None:
                    if found := re.search(pattern, line):
                        return found
        except TimeoutError:
            raise Failed(f"{self.name} did not say {pattern!r} in time\n{self.tail()}") from None
        raise Failed(f"{self.name} ended before it said {pattern!r}\n{self.tail()}")

    def tail(self) -> str:
        """The end of what it logged."""
        self.log.seek(0)
        return self.log.read()[-4000:].decode("utf-8", "replace")

    async def stop(self) -> None:
        """Ends it in order, or with its whole group when it does not."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self.process.wait()), GRACE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@contextlib.asynccontextmanager
async def child(name: str, command: list[str], env: dict[str, str] | None = None) -> AsyncIterator[Child]:
    """A process for the time of a block."""
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **(env or {})},
            start_new_session=True,
            limit=2**20,
        )
        this = Child(name, process, log)
        reading = asyncio.create_task(this.read())
        try:
            yield this
        finally:
            await asyncio.shield(this.stop())
            await reading


def command_of(program: Program, *arguments: str) -> list[str]:
    """How a program is started."""
    interpreter = "node" if program.file.endswith(".mjs") else sys.executable
    return [interpreter, str(HERE / program.file), *program.arguments, *arguments]


def proxy_command(target: str, record: Path, metrics: bool = False) -> list[str]:
    """How hangup's proxy is started."""
    start = "from hangup.cli import main; main()"
    more = ["--metrics", "127.0.0.1:0"] if metrics else []
    return [sys.executable, "-c", start, "proxy", target, "--listen", "127.0.0.1:0", "--record", str(record), *more]


@dataclass
class Run:
    """What the client told of a run: its lines, in order."""

    fault: Fault
    backend: str
    client: str
    shape: Shape
    fixed: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    backend_log: str = ""

    @property
    def ends(self) -> list[dict[str, Any]]:
        """The endings."""
        return [line for line in self.lines if line["event"] == "end"]

    @property
    def opens(self) -> int:
        """How many connections opened."""
        return sum(line["event"] == "open" for line in self.lines)

    def problems(self) -> list[str]:
        """In what this run is not what the table says of its fault; for the plain shape, lifetimes too."""
        fault, ends = self.fault, self.ends
        if self.fixed:
            out = [f"mended, and yet: {end['by']} {said(end)} after {end['lifetime']} s" for end in ends]
            return out if self.opens else [*out, "mended, but never opened"]
        if fault.control:
            return self._control_problems()
        wanted = fault.clients[self.client].ends or fault.backends[self.backend].ends
        code = self.shape.code
        plain = self.shape.seed == 0 and self.backend == next(iter(fault.backends))
        out = []
        own = [e for e in ends if e.get("tab", 0) == 0 or fault.cause in ("F5", "A9")]
        if len(own) < min(3, fault.connections):
            out.append(f"only {len(own)} endings")
        for end in own:
            closer = end["by"]
            if closer != fault.closer:
                out.append(f"conn {end['conn']}: ended by the {closer}")
            if wanted and code == 0 and said(end) != wanted:
                out.append(f"conn {end['conn']}: {said(end)}, not {wanted}")
        shortest = min((end["lifetime"] for end in own), default=0.0)  # which a busy machine prolongs least
        if plain and own and not fault.lifetime[0] <= shortest <= fault.lifetime[1]:
            out.append(f"lived {shortest} s, not {fault.lifetime}")
        return out

    def _control_problems(self) -> list[str]:
        allowed = {"healthy-one-restart": 2, "healthy-strict-mode": 1}.get(self.fault.name, 0)
        ends = [end for end in self.ends if end["how"] not in ("unreachable", "refused")]
        out = [] if len(ends) <= allowed else [f"{len(ends)} endings"]
        return out if self.opens else [*out, "never opened"]

    def summary(self) -> str:
        """One line about the endings."""
        if not self.ends:
            return f"{self.opens} opened, none ended"
        kinds = sorted({f"{end['by']} {said(end)}" for end in self.ends})
        lives = [end["lifetime"] for end in self.ends]
        span = f"{min(lives):.3f}-{max(lives):.3f} s, median {median(lives):.3f}"
        return f"{len(lives)} ended: {', '.join(kinds)}; lived {span}"


def said(end: dict[str, Any]) -> str:
    """An ending as the table writes it."""
    match end["how"]:
        case "close":
            return f"close {end.get('code')}"
        case "refused":
            return f"refused {end.get('status')}"
        case how:
            return str(how)


async def run(
    fault: Fault,
    *,
    backend: str = "",
    client: str = "",
    shape: Shape | None = None,
    record: Path | None = None,
    fixed: bool = False,
    seconds: float | None = None,
    connections: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
    watched: Callable[[Child], Awaitable[None]] | None = None,
) -> Run:
    """One run. With ``record`` hangup's proxy stands between and writes there; else the two talk directly.

    Ends after the fault's number of endings or its seconds from the first handshake, whichever is first. The
    proxy is stopped first, as a person would who has seen enough. With ``watched`` the proxy serves its metrics, and
    the client is stopped before it; in between ``watched`` is awaited. Raises ``Skipped`` or ``Failed``.
    """
    backend = backend or next(iter(fault.backends))
    client = client or fault.clients_of(backend)[0]
    server, frontend = fault.backends[backend], fault.clients[client]
    shape = shape or fault.golden_shape()
    if reason := missing(server, frontend):
        raise Skipped(reason)
    env = {"FIXED": "1"} if fixed else {"FIXED": "0"}
    form = msgspec.json.encode(shape).decode()
    this = Run(fault, backend, client, shape, fixed)
    limit = fault.connections if connections is None else connections
    limit = 0 if fixed else limit

    async with contextlib.AsyncExitStack() as stack:
        arguments = command_of(server, "--port", "0", "--shape", form)
        origin = await stack.enter_async_context(child(f"backend {backend}", arguments, env))
        found = await origin.wait_for(r"^ready (\d+)")
        url = f"ws://127.0.0.1:{found[1]}"
        proxy = None
        if record is not None:
            command = proxy_command(url, record, watched is not None)
            proxy = await stack.enter_async_context(child("hangup proxy", command))
            found = await proxy.wait_for(r"listening on 127\.0\.0\.1:(\d+)")
            url = f"ws://127.0.0.1:{found[1]}"
        arguments = command_of(frontend, "--url", url, "--shape", form)
        play = server.scenario or fault.scenario
        if play is not None and "frontend" in frontend.file:
            arguments += ["--scenario", json.dumps(play(shape, fixed))]
        player = await stack.enter_async_context(child(f"client {client}", arguments, env))
        await follow(player, this, limit, fault.seconds if seconds is None else seconds, tell)
        if proxy is not None and watched is not None:
            await player.stop()
            await watched(proxy)
        if proxy is not None:
            await proxy.stop()
            if proxy.process.returncode:
                raise Failed(f"hangup proxy ended with {proxy.process.returncode}\n{proxy.tail()}")
        await player.stop()
        await origin.stop()
        this.backend_log = origin.tail()
    return this


async def follow(player: Child, this: Run, limit: int, seconds: float, tell: Callable[[str], None]) -> None:
    """Collects what the client tells until there is enough of it; the clock starts with its first word."""
    started = None
    while True:
        left = READY_WITHIN if started is None else started + seconds - time.monotonic()
        try:
            line = await asyncio.wait_for(player.lines.get(), max(0.001, left))
        except TimeoutError:
            if started is None:
                raise Failed(f"{player.name} said nothing\n{player.tail()}") from None
            break
        if line is None:
            raise Failed(f"{player.name} ended\n{player.tail()}")
        started = started or time.monotonic()
        tell(line)
        with contextlib.suppress(ValueError):
            this.lines.append(json.loads(line))
        if limit and len(this.ends) >= limit:
            break
    this.seconds = time.monotonic() - (started or time.monotonic())


__all__ = ["Failed", "Run", "Skipped", "run", "said"]
