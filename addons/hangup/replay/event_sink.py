"""Where the events of a played connection go: a recording, or just the sums in memory."""

from __future__ import annotations

import asyncio
from typing import Protocol

from hangup.recording.events import Event
from hangup.recording.ledger import Ledger
from hangup.session import Session


class EventSink(Protocol):
    """What a replay writes to; :class:`hangup.recorder.recorder.Recorder` is one.

    ``takes_lines`` is whether :meth:`emit_lines` may be given data frames that are encoded already; then ``sessions``
    are asked for their sums.
    """

    ledger: Ledger
    takes_lines: bool
    sessions: dict[int, Session]

    def now(self) -> float:
        """Seconds since it began."""

    def emit(self, event: Event) -> None:
        """Takes an event."""

    def emit_lines(self, lines: bytes) -> None:
        """Takes events that are encoded already, each with its newline."""


class MemorySink:
    """A sink in memory: the account of each connection in ``ledger``, and the first ``keep`` events.

    Must be made within the running event loop.
    """

    takes_lines = False

    def __init__(self, keep: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()
        self.ledger = Ledger()
        self.sessions: dict[int, Session] = {}
        self.events: list[Event] = []
        self.keep = keep

    def now(self) -> float:
        """Seconds since it began, to the microsecond."""
        return round(self._loop.time() - self._zero, 6)

    def emit(self, event: Event) -> None:
        """Takes an event."""
        self.ledger.feed(event)
        if len(self.events) < self.keep:
            self.events.append(event)

    def emit_lines(self, lines: bytes) -> None:
        """Never called, as ``takes_lines`` says."""
        raise NotImplementedError
