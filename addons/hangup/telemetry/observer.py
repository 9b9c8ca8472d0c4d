"""Watches a running proxy's events for its metrics, at a price that stays small whatever there is to be counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from hangup.recorder.recorder import Recorder
from hangup.recording import loops
from hangup.recording.events import Event
from hangup.recording.known import Known
from hangup.recording.loops import Loop
from hangup.recording.totals import Totals
from hangup.telemetry.families import Family, families

LEISURE = 100
"""What took so long is not done again until so many times that have passed: with very many connections, loops are
looked for less often, so that it is never more than 1 % of the time."""


class Observer:
    """The metrics of one recorder, from now on. To be made before there are connections, and used within its event
    loop."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.totals = Totals(recorder.ledger)
        self._loops: Sequence[Loop] = ()
        self._as_of: object = None
        self._not_before = 0.0
        self._looking: asyncio.Task[None] | None = None
        recorder.listeners.append(self._event)

    def _event(self, event: Event) -> None:
        self.totals.feed(event)

    def families(self) -> list[Family]:
        """All metrics, as of now; loops as :meth:`find_loops` found them."""
        return families(self.totals, self.recorder, self._loops)

    async def find_loops(self) -> None:
        """Looks for loops, if that may tell something new and is not too early."""
        if self._looking is not None:  # for somebody else who asks
            await asyncio.shield(self._looking)
            return
        ledger = self.recorder.ledger
        now = ledger.last_at if ledger.stopped else self.recorder.now()
        # One that goes on is over when nothing has come for long enough.
        waits = int(now) if any(loop.going_on for loop in self._loops) else None
        as_of = ledger.events, waits
        if as_of == self._as_of or time.monotonic() < self._not_before:
            return
        self._as_of = as_of
        self._looking = asyncio.ensure_future(self._look(list(ledger.known()), now))
        try:
            await asyncio.shield(self._looking)
        finally:
            self._looking = None

    async def _look(self, known: Sequence[Known], now: float) -> None:
        # In a thread, as traffic must not wait for it; nothing that is over changes any more.
        try:
            self._loops, took = await asyncio.to_thread(_find, known, now)
        except RuntimeError:  # one that is still open changed while it was looked at
            self._as_of = None
        else:
            self._not_before = time.monotonic() + LEISURE * took


def _find(known: Sequence[Known], now: float) -> tuple[list[Loop], float]:
    """The loops, and how much processor time (seconds) it took to find them."""
    begun = time.thread_time()
    found = loops.find(known, now=now)
    return found, time.thread_time() - begun
