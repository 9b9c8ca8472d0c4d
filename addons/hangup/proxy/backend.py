"""The backend beside the proxy: its log followed, or the backend itself started and stopped with the proxy."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hangup.errors import BackendError, UsageError
from hangup.proxy.recorder import Recorder
from hangup.recording import events
from hangup.recording.backend_log import QUIET, Entry, Grouper

POLL = 0.05
"""Seconds between two looks at a log file: there is no portable way to be told."""

LINE = 1 << 16
STOP_WITHIN = 5.0

Echo = Callable[[str], None]


class Follower:
    """One source of log lines, recorded as ``log`` events."""

    def __init__(self, recorder: Recorder, source: str, echo: Echo = lambda text: None) -> None:
        self.recorder = recorder
        self.source = source
        self.echo = echo
        self._grouper = Grouper()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def line(self, line: str) -> None:
        """Takes a line."""
        self.echo(line)
        self._record(self._grouper.feed(line, self.recorder.now()))
        if self._timer is None and self._grouper.deadline is not None:
            self._timer = self._loop.call_later(QUIET, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self.recorder.now()
        self._record(self._grouper.tick(now))
        deadline = self._grouper.deadline
        if deadline is not None:
            self._timer = self._loop.call_later(max(0.001, deadline - now), self._tick)

    def close(self) -> None:
        """Records what is left."""
        if self._timer is not None:
            self._timer.cancel()
        self._record(self._grouper.finish())

    def _record(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.recorder.emit(events.Log(at=entry.at, source=self.source, text=entry.text))


async def follow_file(path: Path, follower: Follower) -> None:
    """Follows a file from its present end, also when it is cut or replaced; until cancelled."""
    position = path.stat().st_size if path.exists() else 0
    identity = _identity(path)
    rest = b""
    while True:
        with suppress(OSError):
            now = _identity(path)
            size = path.stat().st_size
            if now != identity or size < position:
                identity, position, rest = now, 0, b""
            if size > position:
                with path.open("rb") as file:
                    file.seek(position)
                    data = file.read(1 << 20)
                position += len(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    follower.line(line.decode(errors="replace"))
                rest = rest[-LINE:]
                if len(data) == 1 << 20:
                    continue
        await asyncio.sleep(POLL)


def _identity(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def follow_stdin(follower: Follower) -> None:
    """Follows standard input in a thread of its own, which ends with it or with the program."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError, ValueError):  # the loop, or the stream, is closed
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(follower.line, line.decode(errors="replace").rstrip("\n"))

    threading.Thread(target=read, name="backend log", daemon=True).start()


class Command:
    """A backend that runs as long as the proxy does; its output is its log."""

    def __init__(self, command: str, follower: Follower) -> None:
        self.words = shlex.split(command, posix=os.name == "posix")
        if not self.words:
            raise UsageError("--backend-cmd needs a command")
        self.follower = follower
        self.process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts it; raises :class:`BackendError` when that is not possible."""
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=LINE,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            raise BackendError(f"cannot start {self.words[0]!r}: {error.strerror or error}") from None
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        while True:
            try:
                line = await self.process.stdout.readline()
            except ValueError:  # a line longer than anybody reads
                continue
            if not line:
                break
            self.follower.line(line.decode(errors="replace").rstrip("\n"))
        code = await self.process.wait()
        self.follower.close()
        if not self.follower.recorder.closed:
            self.follower.recorder.note(f"the backend ended by itself, with exit code {code}: {' '.join(self.words)}")

    async def stop(self) -> None:
        """Ends it, and all that it started."""
        process = self.process
        if process is None:
            return
        if self._task is not None:
            self._task.cancel()
        if process.returncode is None:
            self._signal(int(signal.SIGTERM))
            try:
                async with asyncio.timeout(STOP_WITHIN):
                    await process.wait()
            except TimeoutError:
                self._signal(int(getattr(signal, "SIGKILL", signal.SIGTERM)))
                await process.wait()

    def _signal(self, number: int) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform != "win32":
                os.killpg(self.process.pid, number)
            else:
                self.process.terminate()


class Backends:
    """Everything that was asked for: ``logs`` are files (``-`` for standard input), ``command`` starts a backend."""

    def __init__(self, recorder: Recorder, logs: list[str], command: str, echo: Echo = lambda text: None) -> None:
        self.recorder = recorder
        self._followers: list[Follower] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.command: Command | None = None
        for name in logs:
            follower = self._follower("stdin" if name == "-" else name, echo)
            if name == "-":
                follow_stdin(follower)
            else:
                self._tasks.append(asyncio.create_task(follow_file(Path(name), follower)))
        if command:
            words = shlex.split(command)
            self.command = Command(command, self._follower(Path(words[0]).name if words else "", echo))

    def _follower(self, source: str, echo: Echo) -> Follower:
        follower = Follower(self.recorder, source, echo)
        self._followers.append(follower)
        return follower

    async def start(self) -> None:
        """Starts the backend, if there is one to start."""
        if self.command is not None:
            await self.command.start()

    async def stop(self) -> None:
        """Ends it all; what is left of the logs is recorded."""
        for task in self._tasks:
            task.cancel()
        if self.command is not None:
            await self.command.stop()
        for follower in self._followers:
            follower.close()
