"""How long a process would have worked but got no CPU: what a deadline for it must allow for on a busy machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple


class _Thread(NamedTuple):
    ran: int
    """Nanoseconds on a CPU, of old."""
    waited: int
    """Nanoseconds ready to run, and waiting for one; without the wait that it may be in."""
    ready: bool


class CpuWatch:
    """Samples of a process's threads, from Linux's ``schedstat``; elsewhere nothing is known, nothing allowed for."""

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._samples: list[tuple[float, dict[str, _Thread]]] = []

    def sample(self) -> float:
        """Look at the threads; the moment (``time.monotonic``) at which that was."""
        now = time.monotonic()
        threads: dict[str, _Thread] = {}
        try:
            for task in self._tasks.iterdir():
                ran, waited, _ = (task / "schedstat").read_text().split()
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                threads[task.name] = _Thread(int(ran), int(waited), state == "R")
        except (OSError, ValueError):
            pass
        self._samples.append((now, threads))
        return now

    def moment_before(self, seconds: float) -> float:
        """The latest sampled moment from which to the last sample the process had so many seconds, starvation aside.

        0 when there is none.
        """
        end, last = self._samples[-1]
        return max(
            (at for at, then in self._samples if end - at - self._starved(at, then, end, last) > seconds), default=0
        )

    def _starved(self, at: float, then: dict[str, _Thread], end: float, last: dict[str, _Thread]) -> float:
        starved = 0.0
        for name, thread in last.items():
            before = then.get(name, _Thread(0, 0, False))
            starved += (thread.waited - before.waited) / 1e9
            if thread.ready:  # the wait that it is in counts only once it is over: it began after it last ran
                ran = (t for t, threads in self._samples if name in threads and threads[name].ran < thread.ran)
                starved += end - max(at, max(ran, default=0.0))
        return starved
