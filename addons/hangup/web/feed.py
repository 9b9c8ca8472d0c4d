"""A recorder's events for someone who may be slow: a bounded queue, and a gap where it ran over."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from msgspec import Struct

from hangup.recorder.recorder import Recorder
from hangup.recording.events import Event

LIMIT = 4096
"""Events that wait for one subscriber."""


class Gap(Struct, frozen=True):
    """Events that were left out, from the time of the first to that of the last in seconds; they are in the file."""

    missed: int
    since: float
    until: float


class Feed:
    """What a recorder tells its listeners: every event but sound data frames, which are too many.

    To be used as a context (``with Feed(recorder) as feed``); it costs nothing before and after. A recorder never waits
    for it.
    """

    def __init__(self, recorder: Recorder, limit: int = LIMIT) -> None:
        self._recorder = recorder
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._gap: Gap | None = None
        self._some = asyncio.Event()

    def __enter__(self) -> Feed:
        self._recorder.listeners.append(self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorder.listeners.remove(self._take)

    def _take(self, event: Event) -> None:
        gap = self._gap
        if gap is not None:
            self._gap = Gap(gap.missed + 1, gap.since, event.at)
        elif len(self._queue) < self._limit:
            self._queue.append(event)
        else:
            self._gap = Gap(1, event.at, event.at)
        self._some.set()

    async def batch(self) -> list[Event | Gap]:
        """Waits until there is something; all that there is, in order. A gap, if any, comes last."""
        await self._some.wait()
        return self.take()

    def take(self) -> list[Event | Gap]:
        """The same without waiting: there may be nothing."""
        self._some.clear()
        batch: list[Event | Gap] = list(self._queue)
        self._queue.clear()
        if self._gap is not None:
            batch.append(self._gap)
            self._gap = None
        return batch
