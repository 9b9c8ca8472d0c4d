"""A played client that hangs up by a rule: a sink that hears what passes, and says when it is time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from hangup.recording.events import Event, FilterEvent, Frame, Handshake, Part, Raw
from hangup.replay.event_sink import EventSink
from hangup.replayable.client_rule import ClientRule, RuleWatch
from hangup.session import Session


class RuleSink:
    """The sink of connection ``conn``, which passes everything on. Must be made within the running event loop."""

    takes_lines = False

    def __init__(self, sink: EventSink, conn: int, rule: ClientRule) -> None:
        self.ledger = sink.ledger
        self.sessions: dict[int, Session] = sink.sessions
        self.now = sink.now
        self._sink = sink
        self._conn = conn
        self._rule = rule
        self._watch: RuleWatch | None = None
        self._loop = asyncio.get_running_loop()
        self._due: asyncio.Handle | None = None
        self._hang_up: Callable[[], None] = lambda: None

    def begin(self, hang_up: Callable[[], None], failed_checks: Sequence[str]) -> None:
        """The connection is open, by a handshake that failed these checks; ``hang_up()`` is called when the rule says
        so."""
        self._hang_up = hang_up
        self._watch = RuleWatch(self._rule, self.now(), failed_checks)
        self._look()

    def stop(self) -> None:
        """It is over."""
        self._watch = None
        if self._due is not None:
            self._due.cancel()

    def emit(self, event: Event) -> None:
        """Takes an event."""
        self._sink.emit(event)
        if self._watch is not None and event.conn == self._conn:
            if isinstance(event, Frame | Part | Raw | FilterEvent | Handshake):
                self._watch.feed(event)
            if self._due is not None:
                self._due.cancel()
            # What a filter makes of it is told before anything else is done.
            self._due = self._loop.call_soon(self._look)

    def emit_lines(self, lines: bytes) -> None:
        """Never called, as ``takes_lines`` says."""
        raise NotImplementedError

    def _look(self) -> None:
        self._due = None
        if self._watch is None:
            return
        self._watch.settle()
        wait = self._watch.due - self.now()
        if wait <= 0:
            self.stop()
            self._hang_up()
        elif wait < inf:
            self._due = self._loop.call_later(wait, self._look)
