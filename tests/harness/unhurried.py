"""An event loop whose clock stands still while other programs have the processor.

Where a server and its clients run in one loop, what they see of each other's times is then the same on a busy machine
as on an idle one: more than ten messages a second is what whoever says them does, and not a process that was away for
half a second. It holds for what asks the loop for the time, not for ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Waiting(selectors.DefaultSelector):
    """Knows how long it has waited in all; of a time that was asked for, no more than that."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the others."""
        begun = time.monotonic()
        found = super().select(timeout)
        took = time.monotonic() - begun
        self.waited += took if timeout is None else min(took, max(0.0, timeout))
        return found


class Unhurried(asyncio.SelectorEventLoop):
    """Its time is what its thread has worked and waited."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        """Seconds, from any moment on."""
        return self._waiting.waited + time.thread_time()


def run(main: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``."""
    with asyncio.Runner(loop_factory=Unhurried) as runner:
        return runner.run(main)
