"""The backend beside the proxy: its log followed, or the backend itself started and stopped with the proxy."""

from __future__ import annotations

import asyncio
import shlex
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hangup.processes.program import Beside, words_of
from hangup.recorder.recorder import Recorder
from hangup.recording import events
from hangup.recording.backend_log import QUIET, Grouper, LogEntry

POLL = 0.05
"""Seconds between two looks at a log file: there is no portable way to be told."""

LINE = 1 << 16
CHUNK = 1 << 20

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

    def _record(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            self.recorder.emit(events.Log(at=entry.at, source=self.source, text=entry.text))


class LogFile:
    """A file that is followed from its present end, also when it is cut or replaced."""

    def __init__(self, path: Path, follower: Follower) -> None:
        self.path = path
        self.follower = follower
        self._rest = b""
        self._identity, self._position = self._stat()

    async def follow(self) -> None:
        """Until cancelled. That there is no such file (yet) is a remark: a backend may make it that starts later."""
        await asyncio.sleep(0)  # tasks may be eager, and this is to be told after the proxy's own first words
        if not self.path.is_file():
            what = "is not a file" if self.path.exists() else "does not exist yet; it is waited for"
            self.follower.recorder.note(f"the backend's log {self.path} {what}")
        while True:
            if not self._look():
                await asyncio.sleep(POLL)

    def finish(self) -> None:
        """Takes what was written last, a line without an end too."""
        while self._look():
            pass
        if self._rest:
            self.follower.line(self._rest.decode(errors="replace"))

    def _stat(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError:
            return -1, 0
        return found.st_ino, found.st_size

    def _look(self) -> bool:
        """Whether there may be more."""
        identity, size = self._stat()
        if identity != self._identity or size < self._position:
            self._identity, self._position, self._rest = identity, 0, b""
        if size <= self._position or not self.path.is_file():
            return False
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                data = file.read(CHUNK)
        except OSError:
            return False
        self._position += len(data)
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.follower.line(line.decode(errors="replace"))
        self._rest = rest[-LINE:]
        return len(data) == CHUNK


def follow_stdin(follower: Follower) -> None:
    """Follows standard input in a thread of its own, which ends with it or with the program."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError, ValueError):  # the loop, or the stream, is closed
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(follower.line, line.decode(errors="replace").rstrip("\n"))

    threading.Thread(target=read, name="backend log", daemon=True).start()


class Command:
    """A backend that runs as long as the proxy does; its output is its log. Raises :class:`UsageError` for none."""

    def __init__(self, command: str, follow: Callable[[str], Follower]) -> None:
        self.words = words_of(command, "--backend-cmd")
        self.follower = follow(Path(self.words[0]).name)
        self._backend: Beside | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts it; raises :class:`BackendError` when that is not possible."""
        self._backend = await Beside.start(self.words, self.follower.line)
        self._waiting = asyncio.create_task(self._wait(self._backend))

    async def _wait(self, backend: Beside) -> None:
        code = await backend.wait()
        self.follower.close()
        self.follower.recorder.note(f"the backend ended by itself, with exit code {code}: {shlex.join(self.words)}")

    async def stop(self) -> None:
        """Ends it, and all that it started."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._backend is not None:
            await self._backend.end()


class Backends:
    """Everything that was asked for: ``logs`` are files (``-`` for standard input), ``command`` starts a backend."""

    def __init__(self, recorder: Recorder, logs: list[str], command: str, echo: Echo = lambda text: None) -> None:
        self.recorder = recorder
        self._followers: list[Follower] = []
        self._files: list[LogFile] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.command: Command | None = None
        for name in logs:
            follower = self._follower("stdin" if name == "-" else name, echo)
            if name == "-":
                follow_stdin(follower)
            else:
                self._files.append(LogFile(Path(name), follower))
                self._tasks.append(asyncio.create_task(self._files[-1].follow()))
        if command:
            self.command = Command(command, lambda source: self._follower(source, echo))

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
        for file in self._files:
            file.finish()
        for follower in self._followers:
            follower.close()
