"""Where the events of a simulated client's connection go: its own sums, and a recording where it is one that is
recorded. On the way it is seen when the handshake is over and when the connection is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hangup.recorder.recorder import Recorder
from hangup.recording.events import End, Event, Frame, Handshake
from hangup.recording.ledger import Ledger
from hangup.session import Session

SIDES = ("client", "server")


class WatchingSink:
    """One connection's sink. ``recorder`` records it, None for none. ``on_handshake`` is called with its handshake,
    ``on_over`` once it is being ended by anybody."""

    takes_lines = True

    def __init__(
        self,
        recorder: Recorder | None,
        on_handshake: Callable[[Handshake], None],
        on_over: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()
        if recorder is not None:
            self.now = recorder.now  # type: ignore[method-assign]
        self.ledger = Ledger() if recorder is None else recorder.ledger
        self.sessions: dict[int, Session] = {} if recorder is None else recorder.sessions
        self._on_handshake = on_handshake
        self._on_over = on_over

    def now(self) -> float:
        """Seconds since it began."""
        return self._loop.time() - self._zero

    def emit(self, event: Event) -> None:
        """Takes an event."""
        over = isinstance(event, End) or (isinstance(event, Frame) and event.opcode == "close")
        if self._recorder is not None:
            self._recorder.emit(event)
        else:
            if over and (session := self.sessions.get(event.conn)) is not None:
                for side in SIDES:
                    c = session.direction(side).counters  # type: ignore[arg-type]
                    self.ledger.tally(event.conn, side, c.frames, c.bytes, c.last_n, c.last_at, c.last_opcode)  # type: ignore[arg-type]
            self.ledger.feed(event)
        if over:
            self._on_over()
        elif isinstance(event, Handshake):
            self._on_handshake(event)

    def emit_lines(self, lines: bytes) -> None:
        """Takes data frames that are encoded already; of what is not recorded the session keeps the sums."""
        if self._recorder is not None:
            self._recorder.emit_lines(lines)
