"""Any program as a child process: its output is followed line by line, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import DEADLINE
from harness.forks import Forked

TESTS = Path(__file__).parents[1]


def _terminal() -> tuple[int, int]:
    import termios

    screen, inside = os.openpty()
    termios.tcsetwinsize(screen, (40, 120))
    return screen, inside


class Program:
    """A running child. ``output`` is its stdout and ``errors`` its stderr so far, as text.

    Leaving the ``with`` block kills it when it still runs. ``PYTHONPATH`` leads to the tests too, so that a
    child can import this package; ``environment`` is added to the parent's. With ``terminal`` its standard input
    and output are one.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        terminal: bool = False,
    ) -> None:
        self.command = [os.fspath(word) for word in command]
        self._changed = threading.Condition()
        self._lines: dict[str, list[str]] = {"output": [], "errors": []}
        self._ended: set[str] = set()
        self._terminal = terminal
        self.process = self._start(dict(environment or {}), cwd)
        for name, pipe in (("output", self.process.stdout), ("errors", self.process.stderr)):
            threading.Thread(target=self._follow, args=(name, pipe), daemon=True).start()

    def _start(self, environment: dict[str, str], cwd: str | os.PathLike[str] | None) -> subprocess.Popen[str] | Forked:
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        screen, inside = _terminal() if self._terminal else (-1, -1)
        process = subprocess.Popen(
            self.command,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment},
            cwd=cwd,
            stdin=inside if self._terminal else subprocess.DEVNULL,
            stdout=inside if self._terminal else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if self._terminal:
            os.close(inside)
            process.stdout = open(screen, encoding="utf-8", errors="replace")
        return process

    def _follow(self, name: str, pipe: object) -> None:
        # A terminal that its last user has left gives an error instead of an end.
        with contextlib.suppress(OSError):
            for line in pipe:  # type: ignore[attr-defined]
                with self._changed:
                    self._lines[name].append(line)
                    self._changed.notify_all()
        pipe.close()  # type: ignore[attr-defined]
        with self._changed:
            self._ended.add(name)
            self._changed.notify_all()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return "".join(self._lines["output"])

    @property
    def errors(self) -> str:
        return "".join(self._lines["errors"])

    def report(self) -> str:
        """What a failed test should show."""
        return (
            f"$ {' '.join(self.command)}\nexit code {self.process.poll()}\n"
            f"--- stdout\n{self.output}--- stderr\n{self.errors}"
        )

    def wait_for(self, pattern: str, deadline: float = DEADLINE) -> re.Match[str]:
        """Wait for output (stdout, else stderr) that matches this regular expression."""
        until = time.monotonic() + deadline
        compiled = re.compile(pattern, re.MULTILINE)
        with self._changed:
            while True:
                if found := compiled.search(self.output) or compiled.search(self.errors):
                    return found
                if len(self._ended) == 2 or time.monotonic() > until:
                    raise AssertionError(f"{pattern!r} did not come:\n{self.report()}")
                self._changed.wait(until - time.monotonic())

    def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for its end; its exit code. All its output has been read then."""
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.report()}") from None
        with self._changed:
            self._changed.wait_for(lambda: len(self._ended) == 2, 5)
        return code

    def stop(self, how: signal.Signals = signal.SIGTERM, deadline: float = DEADLINE, code: int = 0) -> str:
        """Ask it to end, check that it ends with this exit code, and return its stdout."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        assert self.wait(deadline) == code, self.report()
        return self.output

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
