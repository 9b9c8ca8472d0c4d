"""The page's live socket: it says that something changed, and what is not in the file; the rest the page looks up.

A page that does not read costs the proxy nothing: what happens meanwhile waits in a bounded
:class:`~hangup.web.feed.Feed`, and what does not fit there is told as missed once the page reads again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from hangup.filters.filter_set import FilterSet
from hangup.recorder.recorder import Recorder
from hangup.web.feed import LIMIT, Feed, Gap
from hangup.web.server import Route, Secured

PACE = 0.1
"""Seconds between two messages, at least."""

PULSE = 0.5
"""Seconds between two messages, at most: time goes on also where nothing happens."""

BUFFER = 1 << 14
"""Bytes that the system may keep for a page that does not read: what waits should wait where it is counted."""


class LiveState:
    """The state of a running proxy, and the sockets that are told of it. ``phase`` is that of its live bisect."""

    def __init__(
        self, recorder: Recorder, filters: FilterSet, phase: Callable[[], str] = lambda: "idle", limit: int = LIMIT
    ) -> None:
        self.recorder = recorder
        self.limit = limit
        self._filters = filters
        self._phase = phase
        self._full: dict[Path, int] = {}
        self.sockets: set[LiveSocket] = set()

    def state(self) -> dict[str, Any]:
        """All but the time."""
        recorder = self.recorder
        size = self._size()
        return {
            "size": size,
            "rev_hint": size,
            "filters": self._filters.describe(),
            "open": len(recorder.sessions),
            "all": recorder.conns,
            "bisect": self._phase(),
            "trouble": recorder.journal.outage,
        }

    def _size(self) -> int:
        """Bytes in all files of the recording."""
        files = list(self.recorder.journal.files)
        for path in files[:-1]:
            if path not in self._full:
                self._full[path] = _size(path)
        return sum(self._full.values()) + sum(map(_size, files[-1:]))

    def close(self) -> None:
        """Ends all sockets."""
        for each in list(self.sockets):
            each.end()

    def routes(self) -> list[Route]:
        """The socket's route."""
        return [("live", LiveSocket, {"live": self})]


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


class LiveSocket(Secured, WebSocketHandler):
    """One page. That it is ours was checked before this was made."""

    def initialize(self, live: LiveState) -> None:
        """tornado: a request for this route."""
        self._live = live
        self._task: asyncio.Task[None] | None = None

    def check_origin(self, origin: str) -> bool:
        """tornado: :class:`~hangup.web.access.Access` has looked at it."""
        return True

    def open(self, *args: str, **kwargs: str) -> None:
        """tornado: the handshake is done."""
        connection: Any = self.ws_connection
        with suppress(OSError, AttributeError):
            connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._live.sockets.add(self)
        self._task = asyncio.get_running_loop().create_task(self._tell())

    def on_message(self, message: str | bytes) -> None:
        """tornado: the page said something, which it has no reason to."""

    def on_close(self) -> None:
        """tornado: it is closed."""
        self._live.sockets.discard(self)
        if self._task is not None:
            self._task.cancel()

    def end(self) -> None:
        """Says goodbye, without waiting for an answer."""
        self.close(1001)
        self.on_close()

    async def _tell(self) -> None:
        live = self._live
        said: dict[str, Any] | None = None
        missed: Gap | None = None
        quiet = 0.0
        with Feed(live.recorder, live.limit) as feed, suppress(WebSocketClosedError, StreamClosedError):
            while True:
                state = live.state()
                if missed is not None or state != said or quiet >= PULSE:
                    quiet = 0.0
                    message = {"now": live.recorder.now(), **state}
                    if missed is not None:
                        message["missed"] = {"events": missed.missed, "since": missed.since, "until": missed.until}
                    await self.write_message(msgspec.json.encode(message).decode())
                    said = state
                await asyncio.sleep(PACE)
                quiet += PACE
                missed = next((each for each in feed.take() if isinstance(each, Gap)), None)
