"""``hangup`` as a process that is forked from one that has imported everything already: a start costs a tenth.

It is a process like any other, with its own pipes, signals and exit code; only its imports are shared.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pkgutil import walk_packages

import hangup.cli

_COMMANDS = sorted(each.name for each in walk_packages(hangup.cli.__path__, "hangup.cli."))
PRELOAD = ["__main__", *_COMMANDS, "hangup.proxy.run", "harness.forks"]


def possible() -> bool:
    """Whether this platform can fork like that."""
    return "forkserver" in multiprocessing.get_all_start_methods()


def _run(
    arguments: list[str], output: Connection, errors: Connection, environment: dict[str, str], cwd: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from hangup.cli import main

    try:
        main(arguments)
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing's leaves these out


class Forked:
    """What :class:`subprocess.Popen` is for ``hangup ARGUMENTS``, as far as the tests need it. ``environment`` is all
    of it, ``cwd`` this process's own if it is not given."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: str | os.PathLike[str] | None = None
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        pipes = [context.Pipe(duplex=False) for _ in range(2)]
        writers = [writer for _, writer in pipes]
        where = os.path.abspath(cwd or os.getcwd())
        self._process = context.Process(
            target=_run, args=(list(arguments), *writers, dict(environment), where), daemon=True
        )
        self._process.start()
        for writer in writers:
            writer.close()
        self.stdout, self.stderr = (_text(reader) for reader, _ in pipes)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("hangup", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _text(reader: Connection) -> TextIOWrapper:
    file = open(os.dup(reader.fileno()), encoding="utf-8", errors="replace")
    reader.close()
    return file
