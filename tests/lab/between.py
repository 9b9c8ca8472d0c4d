"""What may stand between client and server: a relay in this process, nginx, or HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from lab import wire
from lab.stacks.site import reset

Settings = dict[str, Any]

SBIN = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:/usr/bin"


def where(program: str) -> str | None:
    """The path of nginx or haproxy, if it is installed."""
    return shutil.which(program) or shutil.which(program, path=SBIN)


class Relay:
    """Passes bytes on, except for what its settings say.

    ``idle``/``cap``: seconds without traffic (``one_way``: from the server) or since the opening after which it ends
    the connection (``how``: ``fin``, ``rst``, or a close code). ``swallow``: ``[side, opcode]``.
    ``request``/``response``: headers to drop (null) or set. ``after_101``: bytes written to the client after the
    server's 101. ``corrupt``: ``{side, nth, how}``. ``hold``: seconds after which nothing passes any more, silently.
    ``restart``: ``{first, every, down}``. ``refuse``: ``{every, status}``. ``most``: connections at once, the next is
    answered 503. ``split``: writes of so many bytes. Several targets are taken in turn.
    """

    def __init__(self, targets: list[int], settings: Settings) -> None:
        self.settings = settings
        self.targets = itertools.cycle(targets)
        self.rng = random.Random(str(settings))
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.back: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self.asked = 0
        self.open = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        restarts = asyncio.ensure_future(self.restarts(port))
        try:
            yield port
        finally:
            restarts.cancel()
            self.server.close()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(restarts, *self.tasks, return_exceptions=True)

    async def restarts(self, port: int) -> None:
        if not (plan := self.settings.get("restart")):
            return
        await asyncio.sleep(plan["first"])
        while True:
            self.server.close()
            for writer in list(self.writers):
                self.end(writer)
            await asyncio.sleep(plan["down"])
            self.server = await asyncio.start_server(self.accept, "127.0.0.1", port)
            await asyncio.sleep(plan["every"])

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.open += 1
        ours = {writer}
        try:
            await self.connection(reader, writer, ours)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self.tasks.discard(task)
            self.writers -= ours
            for one in ours:
                one.close()

    def end(self, writer: asyncio.StreamWriter) -> None:
        how = self.settings.get("how", "fin")
        if how == "rst":
            reset(writer.transport)
        elif isinstance(how, int):
            writer.write(wire.frame(wire.CLOSE, how.to_bytes(2, "big") + self.settings.get("reason", "").encode()))
            writer.close()
        else:
            writer.close()

    async def connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ours: set[asyncio.StreamWriter]
    ) -> None:
        settings = self.settings
        self.asked += 1
        request = await wire.head(reader)
        refuse = settings.get("refuse")
        if (refuse and self.asked % refuse["every"] == 0) or self.open > settings.get("most", 10_000):
            status = refuse["status"] if refuse else 503
            body = f"<html><body><h1>{status} Service Unavailable</h1></body></html>"
            length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {status} Unavailable\r\n{length}{body}".encode())
            await writer.drain()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", next(self.targets))
        ours.add(up_writer)
        self.writers |= ours
        up_writer.write(_changed(request, settings.get("request")))
        answer = await wire.head(up_reader)
        writer.write(_changed(answer, settings.get("response")))
        if " 101" in answer[0] and settings.get("after_101"):
            await writer.drain()
            await asyncio.sleep(settings.get("after", 0.002))
            writer.write(bytes.fromhex(settings["after_101"]))
            return
        self.back[up_writer] = writer
        moved = [time.monotonic(), time.monotonic()]
        work = [
            asyncio.ensure_future(self.pump("client", reader, up_writer, moved)),
            asyncio.ensure_future(self.pump("server", up_reader, writer, moved)),
        ]
        if " 101" in answer[0]:
            work += [asyncio.ensure_future(watch) for watch in self.watches(writer, moved)]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.02)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def watches(self, writer: asyncio.StreamWriter, moved: list[float]) -> list[Any]:
        async def idle() -> None:
            while True:
                last = moved[1] if self.settings.get("one_way") else max(moved)
                left = last + self.settings["idle"] - time.monotonic()
                if left <= 0:
                    break
                await asyncio.sleep(left)
            self.end(writer)

        async def cap() -> None:
            await asyncio.sleep(self.settings["cap"])
            self.end(writer)

        return ([idle()] if "idle" in self.settings else []) + ([cap()] if "cap" in self.settings else [])

    async def pump(
        self, side: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: list[float]
    ) -> None:
        opened = time.monotonic()
        settings = self.settings
        by_frame = settings.get("swallow") or settings.get("corrupt") or settings.get("no_fragments")
        chunks = self.frames(side, reader, writer) if by_frame else self.chunks(reader)
        async for data in chunks:
            if "hold" in settings and time.monotonic() - opened > settings["hold"]:
                continue
            moved[side == "server"] = time.monotonic()
            for piece in self.pieces(data):
                writer.write(piece)
            await writer.drain()

    def pieces(self, data: bytes) -> list[bytes]:
        size = self.settings.get("split", len(data) or 1)
        return [data[n : n + size] for n in range(0, len(data), size)]

    async def chunks(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while data := await reader.read(65536):
            yield data

    async def frames(
        self, side: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncIterator[bytes]:
        """Frames as they were, but for those that are swallowed or corrupted."""
        swallow, corrupt = self.settings.get("swallow"), self.settings.get("corrupt")
        seen = 0
        while True:
            first, second = head = await reader.readexactly(2)
            more = {126: 2, 127: 8}.get(second & 127, 0)
            extra = await reader.readexactly(more)
            length = int.from_bytes(extra, "big") if more else second & 127
            mask = await reader.readexactly(4) if second & 128 else b""
            data = await reader.readexactly(length)
            if swallow and [side, first & 15] == swallow:
                continue
            if self.settings.get("no_fragments") and not first & 128:
                self.end(self.back[writer])
                return
            whole = head + extra + mask + data
            if corrupt and corrupt["side"] == side and first & 15 in (1, 2):
                seen += 1
                if seen == corrupt["nth"]:
                    whole = _corrupted(corrupt["how"], first, second, extra, mask, data)
            yield whole


def _corrupted(how: str, first: int, second: int, extra: bytes, mask: bytes, data: bytes) -> bytes:
    match how:
        case "length":  # loses its last byte: what follows is read as the end of this frame
            return bytes([first, second]) + extra + mask + data[:-1]
        case "reserved":
            return bytes([first | 0x40, second]) + extra + mask + data
        case "opcode":
            return bytes([(first & 0xF0) | 3, second]) + extra + mask + data
        case "unmasked":
            plain = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data)) if mask else data
            return bytes([first, second & 127]) + extra + plain
        case "twice":
            return (bytes([first, second]) + extra + mask + data)[:1] + bytes([first, second]) + extra + mask + data
    return bytes([first, second]) + extra + mask + bytes([data[0] ^ 0x80, *data[1:]]) if data else b""


def _changed(message: tuple[str, list[tuple[str, str]], bytes], changes: dict[str, str | None] | None) -> bytes:
    first, headers, raw = message
    if not changes:
        return raw
    lower = {name.lower(): value for name, value in changes.items()}
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in lower]
    kept += [f"{name}: {value}" for name, value in changes.items() if value is not None]
    return "\r\n".join([first, *kept, "", ""]).encode("latin-1")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


NGINX = """worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log error;
events {{ worker_connections 128; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
 uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; {http}
 server {{ listen 127.0.0.1:{port}; {server} location / {{ {target} {location} }} }} }}
"""
UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'

HAPROXY = """global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client {client}
    timeout server {server}
    {more}
frontend f
    bind 127.0.0.1:{port}
    {frontend}
    default_backend b
backend b
    {backend}
    server s 127.0.0.1:{target} {options}
"""


async def _when_listening(port: int, process: asyncio.subprocess.Process) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise RuntimeError("the proxy between does not listen")


@contextlib.asynccontextmanager
async def _process(kind: str, targets: list[int], settings: Settings) -> AsyncIterator[int]:
    program = where(kind)
    if program is None:
        raise RuntimeError(f"{kind} is not installed")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        file = Path(folder) / f"{kind}.conf"
        words = {"dir": folder, "port": port, "target": str(targets[0])}
        if kind == "nginx":
            location = settings.get("location", "") + (UPGRADE if settings.get("upgrade", True) else "")
            words["target"] = f"proxy_pass http://127.0.0.1:{1 if settings.get('no_target') else targets[0]};"
            file.write_text(
                NGINX.format(
                    **words, location=location, http=settings.get("http", ""), server=settings.get("server", "")
                )
            )
            command = [program, "-c", str(file), "-p", folder, "-e", f"{folder}/error.log"]
        else:
            defaults = {"client": "60s", "server": "60s", "more": "", "frontend": "", "backend": "", "options": ""}
            file.write_text(HAPROXY.format(**words, **{**defaults, **settings.get("haproxy", {})}))
            command = [program, "-f", str(file), "-db", "-q"]
        quiet = asyncio.subprocess.DEVNULL
        started = []

        async def start() -> asyncio.subprocess.Process:
            process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
            started.append(process)
            await _when_listening(port, process)
            return process

        async def restart() -> None:
            plan = settings["restart"]
            await asyncio.sleep(plan["first"])
            while True:
                started[-1].terminate()  # nginx and HAProxy both drop what is open
                await started[-1].wait()
                await asyncio.sleep(plan["down"])
                await start()
                await asyncio.sleep(plan["every"])

        await start()
        restarting = asyncio.ensure_future(restart()) if "restart" in settings else None
        try:
            yield port
        finally:
            if restarting is not None:
                restarting.cancel()
                await asyncio.gather(restarting, return_exceptions=True)
            for process in started:
                if process.returncode is None:
                    process.terminate()
                    try:
                        await asyncio.wait_for(process.wait(), 3)
                    except TimeoutError:
                        process.kill()
                        await process.wait()


@contextlib.asynccontextmanager
async def between(targets: list[int], settings: Settings) -> AsyncIterator[int]:
    """What these settings say, in front of these ports; gives its own."""
    if settings["kind"] == "relay":
        async with Relay(targets, settings).serve() as port:
            yield port
    else:
        async with _process(settings["kind"], targets, settings) as port:
            yield port


__all__ = ["Relay", "between", "where"]
