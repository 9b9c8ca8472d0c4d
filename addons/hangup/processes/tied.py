"""A program that we start is tied to us: it never outlives us, whatever ends us.

On POSIX a small program goes before it and leaves a watcher (:mod:`hangup.processes.guard`); on Windows it is put into
a job (:mod:`hangup.processes.job_object`). What leaves its process group there, and descends from the program no more
(a daemon that has detached itself), is not followed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from hangup.processes import guard
from hangup.processes.job_object import JobObject

Scope = Literal["own", "ours", "process"]
"""What ends when we are gone: the program's own process group, ours, which we lead, or the process and its descendants.
"""


class Tie:
    """Before the program's start: it is to be started as ``words``, with ``options`` of :class:`subprocess.Popen`, and
    with the ``environment`` that is given here. Afterwards :meth:`begun`, and once all has ended :meth:`release`."""

    def __init__(self, words: Sequence[str], scope: Scope, environment: Mapping[str, str] = os.environ) -> None:
        self.words = list(words)
        self.options: dict[str, Any] = {"env": dict(environment)}
        self._job: JobObject | None = None
        self._alive = self._failed = -1
        self._theirs: tuple[int, ...] = ()
        if sys.platform == "win32" or not sys.executable:
            return
        life, self._alive = os.pipe()
        self._failed, failed = os.pipe()
        self._theirs = (life, failed)
        self.options["pass_fds"] = self._theirs
        group = os.getpgrp() if scope == "ours" else 0
        kind = "process" if scope == "process" else "group"
        launch = [sys.executable, "-I", "-S", str(Path(guard.__file__).absolute())]
        self.words = [*launch, str(life), str(failed), kind, str(group), environment.get("LC_CTYPE", ""), *words]

    def begun(self, pid: int) -> None:
        """It has been started as ``pid``: waits (for some 20 ms) until it runs. Raises the :class:`OSError` that
        starting it alone would have raised; then whoever has started it still has to wait for its process."""
        if sys.platform == "win32":
            self._job = JobObject(pid)
            return
        self._let_go()
        if self._failed < 0:
            return
        said = b""
        with suppress(OSError):
            said = os.read(self._failed, 16)
        os.close(self._failed)
        self._failed = -1
        if said:
            number = int(said)
            self.release()
            raise OSError(number, os.strerror(number))

    def end(self) -> bool:
        """Ends all of it at once, where the tie itself can do so (on Windows)."""
        held = self._job is not None and self._job.held
        if self._job is not None:
            self._job.end()
        return held

    def release(self) -> None:
        """It has ended, or was never started: there is nothing to watch any more."""
        self._let_go()
        if self._job is not None:
            self._job.close()
        if self._alive >= 0:
            with suppress(OSError):  # nobody watches any more
                os.write(self._alive, b".")
            os.close(self._alive)
            self._alive = -1
        if self._failed >= 0:
            os.close(self._failed)
            self._failed = -1

    def _let_go(self) -> None:
        for each in self._theirs:
            os.close(each)
        self._theirs = ()
