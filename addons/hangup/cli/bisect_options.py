"""What either kind of bisect is asked for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from hangup.experiment.failure import Failure


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for, of either kind of bisect."""

    failure: Failure | None
    given: tuple[str, ...]
    survive: float | None
    connections: int | None
    seconds: float
    seed: int
    record: Path
    start: str
    backend_logs: tuple[str, ...]
    wait: float
    insecure: bool
    ca: Path | None
    as_json: bool
    markdown: bool
    path: str | None = None
    parallel: int = 8

    @property
    def quiet(self) -> bool:
        """Whether only the result is to be printed."""
        return self.as_json or self.markdown


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel the task that is within, so that it can end in order and say what it has learned."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            loop.add_signal_handler(number, task.cancel)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
