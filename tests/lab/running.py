"""Runs a program and records it: server, what stands between, ``hangup proxy``, client, for as long as it takes.

Servers and the proxy are forked from a process that has imported everything; Python clients and relays live in this
one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from harness import forks, node
from harness.proxies import HangupProxy
from lab.between import between, where
from lab.checking import Watch, problems
from lab.clients import LIBRARIES, play
from lab.stacks import process
from lab.table import Program

NODE = Path(__file__).parent / "node"
SERVERS = {"ws": "server.mjs", "socket.io": "socketio.mjs", "graphql-ws": "graphql.mjs"}
READY_WITHIN = 20.0
"""Seconds that a first handshake may take, on a busy machine."""
CLIENTS = {"ws": "client.mjs", "socket.io-client": "socketio_client.mjs", "graphql-ws": "graphql_client.mjs"}


def preload() -> None:
    """Lets what is forked from here on have the server stacks imported; too late where something was forked already."""
    forks.PRELOAD += [module for module in process.PRELOAD if module not in forks.PRELOAD]


class Failed(Exception):
    """The program could not be run, or did not show its fault."""


def missing(program: Program) -> str:
    """What this program needs and is not here; empty when it can run."""
    if (program.stack in SERVERS or program.library in CLIENTS) and (why := node.problem(folder=NODE)):
        return why
    for part in program.app.between:
        if isinstance(part, dict) and part["kind"] != "relay" and where(part["kind"]) is None:
            return f"{part['kind']} is not installed"
    return ""


class PythonServer:
    """A forked server; started again on its port where the program says so."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program, self.log, self.port = program, log, 0
        self.config = json.dumps(program.app.backend())

    async def start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(forks.PRELOAD)
        reader, writer = context.Pipe(duplex=False)
        arguments = (self.program.stack, self.config, self.port, str(self.log), writer)
        self.process = context.Process(target=process.main, args=arguments, daemon=True)
        starting = asyncio.ensure_future(asyncio.to_thread(self.process.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting  # so that it can be stopped
            raise
        finally:
            writer.close()

        def wait() -> int:
            return int(reader.recv()) if reader.poll(40) else 0

        try:
            self.port = await asyncio.to_thread(wait)
        except EOFError:
            self.port = 0
        reader.close()
        if not self.port:
            raise Failed(f"the server did not start: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-1500:] if self.log.exists() else ""

    def over(self) -> bool:
        return self.process.exitcode is not None

    async def stop(self) -> None:
        if self.process.exitcode is None:
            self.process.kill()
        await asyncio.to_thread(self.process.join, 5)

    def terminate(self) -> None:
        self.process.terminate()


class NodeServer:
    """A Node server; started again on its port where the program says so."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program, self.log, self.port = program, log, 0
        self.config = json.dumps(program.app.backend())

    async def start(self) -> None:
        file = str(NODE / SERVERS[self.program.stack])
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                "node",
                file,
                "--port",
                str(self.port),
                "--config",
                self.config,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), 40)
            self.port = int(line.split()[1])
        except (TimeoutError, IndexError):
            raise Failed(f"the server did not start: {self.log.read_text('utf-8', 'replace')[-1500:]}") from None

    def over(self) -> bool:
        return self.process.returncode is not None

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def terminate(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()


@contextlib.asynccontextmanager
async def _servers(program: Program, log: Path, count: int) -> AsyncIterator[list[int]]:
    kind = NodeServer if program.stack in SERVERS else PythonServer
    servers = [kind(program, log) for _ in range(count)]

    async def supervise() -> None:
        app = program.app
        if app.deploys:
            await asyncio.sleep(app.deploys["first"])
        while True:
            if app.deploys:
                servers[0].terminate()
            while not servers[0].over():
                await asyncio.sleep(0.03)
            await asyncio.sleep(app.restart_after or 0.3)
            await servers[0].start()
            if app.deploys:
                await asyncio.sleep(app.deploys["every"])

    try:
        for server in servers:
            await server.start()
        watching = asyncio.ensure_future(supervise()) if program.app.restart_after is not None else None
        try:
            yield [server.port for server in servers]
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    finally:
        for server in servers:
            with contextlib.suppress(AttributeError):
                await server.stop()


@contextlib.asynccontextmanager
async def _client(program: Program, url: str) -> AsyncIterator[None]:
    frontend = program.app.frontend() | program.app.more_frontend
    if program.library in LIBRARIES:
        task = asyncio.ensure_future(play(url, frontend, program.library))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return
    command = ["node", str(NODE / CLIENTS[program.library]), "--url", url, "--program", json.dumps(frontend)]
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


def write_label(program: Program, folder: Path) -> None:
    """Writes ``label.json``."""
    (folder / "label.json").write_text(json.dumps(program.as_json(), indent=1) + "\n", "utf-8")


async def record(program: Program, into: Path) -> Path:
    """Records a program into a folder of its own under ``into``: ``recording.jsonl`` and ``label.json``.

    Raises :class:`Failed` when it could not be run or did not show its fault; then nothing is left.
    """
    if why := missing(program):
        raise Failed(why)
    folder = Path(tempfile.mkdtemp(prefix=f".{program.folder}-", dir=into))
    try:
        watch = await _run(program, folder)
        if wrong := problems(program.expected, watch):
            raise Failed("; ".join(wrong))
        write_label(program, folder)
        folder.chmod(0o755)
        done = into / program.folder
        os.rename(folder, done)
        return done
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _proxy(target: str, words: list[str], path: Path) -> HangupProxy:
    """Starts the proxy; when cancelled meanwhile, no proxy is left that would still write."""
    starting = asyncio.ensure_future(asyncio.to_thread(HangupProxy, target, *words, record=path))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        (await starting).kill()
        raise


@contextlib.asynccontextmanager
async def _between(ports: list[int], parts: list[Any]) -> AsyncIterator[list[int]]:
    """What stands before these ports, the one that is nearest to the client first."""
    async with contextlib.AsyncExitStack() as stack:
        for part in reversed(parts):
            ports = [await stack.enter_async_context(between(ports, part))]
        yield ports


@contextlib.asynccontextmanager
async def backend(program: Program, log: Path) -> AsyncIterator[int]:
    """The port of what the proxy has for its target: the servers, and what stands before them."""
    app = program.app
    count = max((part.get("servers", 1) for part in app.between if isinstance(part, dict)), default=1)
    behind = app.between[app.between.index("hangup") + 1 :]
    async with _servers(program, log, count) as servers, _between(servers, behind) as ports:
        log.touch()
        yield ports[0]


@contextlib.asynccontextmanager
async def frontend(program: Program, port: int) -> AsyncIterator[None]:
    """The program's client, and what stands before the proxy, which listens at this port."""
    app = program.app
    before = app.between[: app.between.index("hangup")]
    async with _between([port], before) as ports, _client(program, f"ws://127.0.0.1:{ports[0]}"):
        yield


@contextlib.asynccontextmanager
async def recorded(
    program: Program, port: int, path: Path, words: list[str] | None = None
) -> AsyncIterator[tuple[Watch, HangupProxy]]:
    """A proxy before the backend at this port, and the program's client before it, which is recorded to ``path``."""
    proxy = await _proxy(f"ws://127.0.0.1:{port}", ["--no-web", "--quiet", *(words or [])], path)
    try:
        async with frontend(program, proxy.port):
            yield Watch(path), proxy
    finally:
        proxy.kill()


async def _run(program: Program, folder: Path) -> Watch:
    app, expected = program.app, program.expected
    preload()
    with tempfile.TemporaryDirectory(prefix="app-") as name:
        # The log's path stands in the recording: it must not tell what the program is called.
        log = Path(name) / "server.log"
        words = ["--backend-log", str(log)] if app.with_log else []
        async with (
            backend(program, log) as port,
            recorded(program, port, folder / "recording.jsonl", words) as (watch, proxy),
        ):
            until, begun = time.monotonic() + READY_WITHIN, False
            while time.monotonic() < until and len(watch.ended) < expected.enough:
                await asyncio.sleep(0.1)
                watch.read()
                if not begun and (watch.seen or expected.unanswered):  # the clock starts with the first handshake
                    begun, until = True, time.monotonic() + expected.seconds
            proxy.process.send_signal(signal.SIGTERM)  # first, as a person would who has seen enough
            await asyncio.to_thread(proxy.wait, 20)
    watch.read()
    return watch


__all__ = ["Failed", "backend", "frontend", "missing", "preload", "record", "recorded", "write_label"]
