"""A program that runs beside us: its output is read line by line, and it ends with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from hangup.errors import BackendError, UsageError
from hangup.processes.tied import Tie
from hangup.system import split_command

LINE = 1 << 16
STOP_WITHIN = 5.0
LEFT_OVER = 0.5
"""Seconds for reading what is left of the output: a child that lives on may hold the pipe."""

Heard = Callable[[str], None]
"""Is given what a program prints, line by line."""


def words_of(command: str, option: str) -> list[str]:
    """A command as a shell would split it; raises :class:`UsageError` where it is none."""
    try:
        words = split_command(command)
    except ValueError as error:
        raise UsageError(f"{option} {command!r}: {error}".lower()) from None
    if not words:
        raise UsageError(f"{option} needs a command")
    return words


class Beside:
    """The running program. ``last`` are the last lines that it printed."""

    def __init__(self, process: asyncio.subprocess.Process, heard: Heard, tie: Tie) -> None:
        self.last: deque[str] = deque(maxlen=50)
        self._process = process
        self._tie = tie
        self._heard = heard
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, words: Sequence[str], heard: Heard = lambda line: None, environment: Mapping[str, str] | None = None
    ) -> Beside:
        """Starts it in a process group of its own, tied to us; raises :class:`BackendError` when that is not possible.
        """
        tie = Tie(words, "own", {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})})
        try:
            process = await asyncio.create_subprocess_exec(
                *tie.words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=LINE,
                start_new_session=sys.platform != "win32",
                **tie.options,
            )
        except OSError as error:
            tie.release()
            raise _cannot(words, error) from None
        beside = cls(process, heard, tie)
        try:
            await asyncio.to_thread(tie.begun, process.pid)
        except OSError as error:
            await beside.wait()
            raise _cannot(words, error) from None
        except BaseException:
            await beside.end()
            raise
        return beside

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Until it has ended and its output is read; its exit code."""
        code = await self._process.wait()
        await asyncio.wait({self._reading}, timeout=LEFT_OVER)
        return code

    async def end(self) -> None:
        """Asks it to end, and makes it: also its children, also when it has ended and they have not."""
        try:
            if self.code is None:
                self._send(signal.SIGTERM)
                async with asyncio.timeout(STOP_WITHIN):
                    await self._process.wait()
        except TimeoutError:
            pass
        finally:  # also when somebody is too impatient to wait
            self._send(int(getattr(signal, "SIGKILL", signal.SIGTERM)))
        await self.wait()
        self._reading.cancel()
        self._tie.release()

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform != "win32":
                os.killpg(self._process.pid, number)
            elif not self._tie.end() and self.code is None:
                self._process.terminate()

    async def _read(self) -> None:
        # It must be read, or the program would stop when the pipe is full.
        stream = self._process.stdout
        assert stream is not None
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


def _cannot(words: Sequence[str], error: OSError) -> BackendError:
    return BackendError(f"cannot start {words[0]!r}: {error.strerror or error}")
