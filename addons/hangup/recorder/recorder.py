"""Where a running proxy's events go: the journal first, then whoever listens to what is rare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hangup import __version__
from hangup.recorder.journal import NOT_RECORDED, Journal
from hangup.recording import events
from hangup.recording.events import End, Event, Frame, Part, Side
from hangup.recording.folder import new_path
from hangup.recording.known import Known
from hangup.recording.ledger import Ledger
from hangup.recording.outlines import OutlineLedger
from hangup.session import Session
from hangup.wire.inflation_budget import whole

BEHIND = 4 << 20
"""Bytes that may wait to be written before traffic is slowed down to what can be recorded."""

LARGE = 16 << 10
HEAVY = 128 << 10
"""Of large texts (over LARGE bytes) so many bytes are written as text between two flushes. What is beyond goes as
base64: escaping text for JSON costs many times as much, and would then be what limits the traffic."""

FLUSH_AFTER = 0.01
"""Seconds that a line may wait in memory: well within the 50 ms after which it must be in the file."""
WHOLE = 200
"""So many connections that were over last are known in full; of those before them there are outlines."""

DATA = frozenset(("text", "binary", "continuation"))


class Recorder:
    """Numbers the connections, stamps the time, writes the journal, keeps the sums.

    Must be made within the running event loop. ``listeners`` are given every event but data frames, which are
    too many; those are in the file. ``on_loss(message)`` is told when something is not recorded, ``on_rotation`` when
    the recording goes on in another file; either from another thread.
    """

    def __init__(
        self,
        record: Path,
        *,
        target: str,
        listen: str = "",
        mode: str = "reverse",
        max_size: int = 0,
        max_payload: int = 0,
        keep: int = 0,
        filters: list[str] | None = None,
        source: str = "",
        note: str = "",
        on_loss: Callable[[str], None] = lambda message: None,
        on_rotation: Callable[[str], None] = lambda message: None,
    ) -> None:
        started = datetime.now(UTC)
        self.started = started
        """When ``at`` is 0."""
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.on_loss = on_loss
        self._lost = 0
        folder = record.is_dir() or record.suffix == ""
        self.path = new_path(record, started, target or mode) if folder else record
        header = events.Header(
            hangup=events.FORMAT,
            started=started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            target=target,
            listen=listen,
            mode=mode,
            version=__version__,
            filters=filters or [],
            source=source,
            note=note,
        )
        self.journal = Journal(
            self.path,
            header,
            max_size=max_size,
            max_payload=max_payload,
            keep=keep,
            on_loss=lambda message, lost: on_loss(message),
            on_rotation=on_rotation,
        )
        self._write = self.journal.write
        self._extend = self.journal.extend
        self.takes_lines = not max_payload
        """Whether :meth:`emit_lines` may be used: not where payloads must be cut."""
        self.inflation = whole(self.now)
        """What may be inflated to be recorded, of all connections together."""
        self.ledger: Ledger = OutlineLedger(WHOLE)
        self.sessions: dict[int, Session] = {}
        """Those under way, by number: they keep the sums of their data frames."""
        self._carried = 0
        self._waiting: list[Callable[[], None]] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.http = 0
        self.conns = 0
        self.closed = False

    def now(self) -> float:
        """Seconds since the recording started, to the microsecond."""
        return round(self._loop.time() - self._zero, 6)

    def next_conn(self) -> int:
        """The number of a new connection."""
        self.conns += 1
        return self.conns

    def bulky(self, size: int) -> bool:
        """Whether a payload of so many bytes goes into the file as base64, even if it is text."""
        if size <= LARGE:
            return False
        self._carried += size
        return self._carried > HEAVY

    def emit(self, event: Event) -> None:
        """Writes an event; what is not a data frame goes to the sums and the listeners too."""
        if isinstance(event, Part) and (text := event.text) is not None and self.bulky(len(text)):
            event.text, event.base64 = None, text.encode()
        self._write(event)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_AFTER, self._flush)
        if isinstance(event, Frame):
            if event.opcode in DATA and not event.problems:
                return
            if event.opcode == "close":
                self.tally(event.conn)
        elif isinstance(event, End):
            self.tally(event.conn)
        elif isinstance(event, Part):
            return
        self.ledger.feed(event)
        for listener in self.listeners:
            listener(event)

    def emit_lines(self, lines: bytes) -> None:
        """Writes data frames that are encoded already, each with its newline."""
        self._extend(lines)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_AFTER, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._carried = 0
        self.journal.flush()
        if self._waiting and self.journal.behind < BEHIND // 2:
            waiting, self._waiting = self._waiting, []
            for resume in waiting:
                resume()
        if self._waiting:
            self._timer = self._loop.call_later(FLUSH_AFTER, self._flush)

    @property
    def congested(self) -> bool:
        """Whether the disk, or the thread that writes to it, cannot keep up."""
        return self.journal.behind > BEHIND

    def when_clear(self, resume: Callable[[], None]) -> None:
        """Calls ``resume`` once what waits to be written has become little."""
        self._waiting.append(resume)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_AFTER, self._flush)

    def tally(self, conn: int) -> None:
        """Brings the sums of a connection's data frames up to date."""
        session = self.sessions.get(conn)
        if session is None:
            return
        sides: tuple[Side, Side] = ("client", "server")
        for side in sides:
            c = session.direction(side).counters
            self.ledger.tally(conn, side, c.frames, c.bytes, c.last_n, c.last_at, c.last_opcode)

    def sums(self) -> Sequence[Known]:
        """All connections so far, with the sums of those that are open up to date."""
        for conn in self.sessions:
            self.tally(conn)
        return self.ledger.known()

    def note(self, text: str, conn: int = 0) -> None:
        """Records a remark."""
        self.emit(events.Note(at=self.now(), conn=conn, text=text))

    @property
    def lost(self) -> int:
        """How many events are not in the recording."""
        return self.journal.lost + self._lost

    def lose(self, message: str, count: int) -> None:
        """Tells that ``count`` events could not be recorded."""
        self._lost += count
        self.on_loss(f"{NOT_RECORDED}: {message}")
        self.emit(events.Note(at=self.now(), text=message, lost=count))

    def close(self) -> None:
        """Writes the last line and waits until all is in the file."""
        if self.closed:
            return
        self.closed = True
        self.emit(events.Stop(at=self.now(), http=self.http))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.journal.close()
