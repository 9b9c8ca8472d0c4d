"""When a played side answers pings, and with what: as the recorded one did, at once or after a while, all or some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hangup.replayable.survey import Pongs

AT_ONCE = 0.02
"""Who answered pings within so many seconds answered at once."""


class PongTimer:
    """Calls ``answer(payload)`` for each ping that is answered, when it is."""

    def __init__(self, pongs: Pongs, answer: Callable[[bytes], None]) -> None:
        self._pongs = pongs
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._pings = 0
        self._timers: list[asyncio.TimerHandle] = []

    def ping(self, payload: bytes) -> None:
        """A ping has come."""
        self._pings += 1
        if not self._pongs.answers(self._pings):
            return
        payload = self._pongs.answer(self._pings, payload)
        if self._pongs.wait < AT_ONCE:
            self._answer(payload)
            return
        self._timers = [timer for timer in self._timers if timer.when() > self._loop.time()]
        self._timers.append(self._loop.call_later(self._pongs.wait, self._answer, payload))

    def stop(self) -> None:
        """What is not answered yet will not be."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []
