"""A command that runs in the terminal while the proxy does, as if it had been started alone.

From a terminal the command shares hangup's process group, as a command within a command does: it can read what is
typed, Ctrl-C and Ctrl-Z reach it by themselves, and a shell's job is both. Without a terminal it is given a group of
its own, so that what it started in turn ends with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from hangup.errors import CommandError
from hangup.processes.ending import ending_signals, heard
from hangup.processes.tied import Scope, Tie

STOP_WITHIN = 5.0
"""Seconds that the command has to end when it is told to, before it is killed."""

SWEEP_WITHIN = 1.0
"""Seconds that what it left running has."""

_POLL = 0.05


class Foreground:
    """A command with the terminal's streams; ``stdout`` is another one for its output. ``on_end`` is called in the
    event loop once it has ended."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        on_end: Callable[[], None],
        *,
        stdout: int | None = None,
    ) -> None:
        self.words = list(words)
        self.environment = dict(environment)
        self.on_end = on_end
        self.stdout = stdout
        self.process: subprocess.Popen[bytes] | None = None
        self._own_group = sys.platform != "win32" and not _terminal()
        self._tie: Tie | None = None
        self._ended = asyncio.Event()
        self._doom: asyncio.TimerHandle | None = None
        self._taken: list[signal.Signals] = []

    @property
    def exit_code(self) -> int | None:
        """Its exit code as a shell has it: 128 and the number of the signal that killed it; None while it runs."""
        code = self.process.returncode if self.process is not None else None
        return 128 - code if code is not None and code < 0 else code

    def start(self) -> None:
        """Starts it, within the event loop, and takes the signals over; raises :class:`CommandError`."""
        self._tie = tie = Tie(self.words, self._scope(), self.environment)
        options = dict(tie.options)
        if self._own_group:
            options["process_group"] = 0
        try:
            self.process = subprocess.Popen(tie.words, stdout=self.stdout, **options)
            tie.begun(self.process.pid)
        except (OSError, ValueError) as error:
            tie.release()
            if self.process is not None:
                self.process.wait()
                self.process = None
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise CommandError(f"cannot start {self.words[0]!r}: {why}", found=True) from None
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, args=(loop,), name="hangup-command", daemon=True).start()
        self._take_signals(loop)

    def _scope(self) -> Scope:
        """Of a job of the shell's that we lead, all; else what we share the group with is not ours to end."""
        if self._own_group:
            return "own"
        return "ours" if sys.platform != "win32" and os.getpgrp() == os.getpid() else "process"

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self.process is not None
        self.process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._over)

    def _over(self) -> None:
        if self._doom is not None:
            self._doom.cancel()
        self._ended.set()
        self.on_end()

    # Signals.

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if sys.platform == "win32":
            signal.signal(signal.SIGINT, lambda *_: None)  # the console gives Ctrl-C to both
            return
        for number in ending_signals():
            loop.add_signal_handler(number, self.passes, number)
            self._taken.append(number)

    def passes(self, number: signal.Signals) -> None:
        """Passes a signal that hangup was sent on to the command. Ctrl-C at the terminal has reached it already, and
        so has Ctrl-\\."""
        heard(number)
        if number in (signal.SIGINT, signal.SIGQUIT) and not self._own_group:
            return
        self._send(number)
        if number == signal.SIGTERM and self._doom is None:
            self._doom = asyncio.get_running_loop().call_later(STOP_WITHIN, self._kill)

    def _send(self, number: int) -> None:
        process = self.process
        if process is None or process.returncode is not None:
            return
        if sys.platform == "win32":
            if self._tie is None or not self._tie.end():
                process.kill()
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._own_group:
                os.killpg(process.pid, number)
            elif os.getpgrp() == os.getpid():
                self._send_to_job(number)
            else:
                process.send_signal(number)

    def _send_to_job(self, number: int) -> None:
        """To all of the shell's job but to ourselves, who lead it."""
        before = signal.signal(number, signal.SIG_IGN)
        try:
            os.killpg(os.getpgrp(), number)
        finally:
            signal.signal(number, before)

    def _kill(self) -> None:
        if sys.platform != "win32" and self._own_group:
            self._send(signal.SIGKILL)
        elif self.process is not None and self.process.returncode is None:
            self.process.kill()

    # The end.

    async def stop(self) -> None:
        """Ends it if it still runs, and what it left behind in its group."""
        if self.process is None:
            return
        if not self._ended.is_set():
            self._send(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_WITHIN):
                    await self._ended.wait()
            except TimeoutError:
                self._kill()
                await self._ended.wait()
        if self._own_group:
            await self._sweep(self.process.pid)
        if self._tie is not None:
            self._tie.release()
        for number in self._taken:  # what is told now is told too late, and must not end us before all is written
            asyncio.get_running_loop().add_signal_handler(number, heard, number)

    async def _sweep(self, group: int) -> None:
        if sys.platform == "win32":
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
            for _ in range(round(SWEEP_WITHIN / _POLL)):
                await asyncio.sleep(_POLL)
                os.killpg(group, 0)
            os.killpg(group, signal.SIGKILL)


def _terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False
