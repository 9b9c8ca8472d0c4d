"""How late this process comes to what it has to do, where the machine is busy: what was to be said after 1.50 s may
have been said after 1.62 s."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

GRAIN = 0.02
"""Seconds between two looks."""

KEPT = 30_000
"""Looks that are remembered: ten minutes of them."""

NOTICED = 0.005
"""Seconds; less is no lateness."""


class Lateness:
    """Looks at the clock of the running loop for as long as it is entered."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Lateness:
        self._task = asyncio.get_running_loop().create_task(self._watch())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()

    def since(self, began: float) -> float:
        """The most, in seconds, by which something was late since then (the loop's time)."""
        most = 0.0
        for at, late in reversed(self._late):
            if at < began:
                break
            most = max(most, late)
        return most

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + GRAIN
            await asyncio.sleep(GRAIN)
            if (late := loop.time() - due) > NOTICED:
                self._late.append((loop.time(), late))
