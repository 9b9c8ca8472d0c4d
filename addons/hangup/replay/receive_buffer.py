"""Bytes that have arrived on an endpoint before there is a session to take them."""

from __future__ import annotations

import asyncio

from hangup.recording.events import How
from hangup.replay.endpoint import ReplayEndpoint


class ReceiveBuffer:
    """What arrives while the answer's head is read."""

    def __init__(self, endpoint: ReplayEndpoint) -> None:
        self.data = b""
        self.ended: How | None = None
        self._changed = asyncio.Event()
        endpoint.listen(self._more, self._end)

    def _more(self, data: bytes) -> None:
        self.data += data
        self._changed.set()

    def _end(self, how: How) -> None:
        self.ended = how
        self._changed.set()

    async def wait(self) -> None:
        """Until more has come, or the end."""
        if self.ended is None:
            self._changed.clear()
            await self._changed.wait()
