"""The end of a connection that a replay holds: a socket, the session that it goes through, and what is heard.

As in the proxy there are a client and a server and filters between them, but one of the two is played: what it says
is handed to the session first, and it hears what the session lets through.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from hangup.net.driver import OTHER, Driver
from hangup.recording.events import FilterEvent, How, Side
from hangup.replay.endpoint import ReplayEndpoint
from hangup.replay.event_sink import EventSink
from hangup.replay.receiver import Receiver
from hangup.session import Session

CHUNK = 1 << 16
"""Bytes that are gathered at most before they are sent."""


class ReplayDriver(Driver):
    """``side`` is the one that is played, ``endpoint`` leads to the other. Call :meth:`start` when all is in place.

    What is said with :meth:`put` is gathered until something has to be waited for, :meth:`say` is for what comes in
    between. ``over`` is set when the played side was told that the connection is over, or over but for the closing;
    ``done`` when a filter ended it. ``said`` counts the bytes that went out.
    """

    def __init__(
        self, side: Side, endpoint: ReplayEndpoint, session: Session, sink: EventSink, receiver: Receiver
    ) -> None:
        super().__init__(session, sink.now)
        self.side: Side = side
        self.other = OTHER[side]
        self.endpoint = endpoint
        self.receiver = receiver
        self.over = False
        self.closing = False
        """The played side has sent a CLOSE."""
        self.said = 0
        self.said_at = 0.0
        self._emit = sink.emit
        self._gathered: list[bytes] = []
        self._size = 0
        self._between: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None

    def start(self, early: bytes = b"") -> None:
        """Begins to listen; ``early`` is what came with the handshake."""
        self.said_at = self.loop.time()
        self.refresh()
        if early:
            self._receive(early)
        self.endpoint.listen(self._receive, self._ended)

    def observe(self, side: Side, data: bytes) -> None:
        """Records bytes of a side, or counts them."""
        session = self.session
        if session.sums:
            counted = session.direction(side).count(data, self.now())
            if counted == len(data):
                return
            data = data[counted:]
        super().observe(side, data)

    @property
    def left(self) -> bool:
        """Whether the other side has ended its stream."""
        return self.has_ended(self.other)

    # What comes.

    def _receive(self, data: bytes) -> None:
        if self.session.plain(self.other):
            # Recorded first: what the played side answers must not come before it in the recording.
            self.observe(self.other, data)
            self.receiver.feed(data)
        else:
            self.filter(self.other, data)
        self.wake()

    def _ended(self, how: How) -> None:
        self.end(self.other, how)
        self.wake()

    # What goes.

    @property
    def waiting(self) -> bool:
        """Whether something was put, and is not sent yet."""
        return bool(self._gathered)

    def put(self, data: bytes) -> None:
        """Says something, soon."""
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= CHUNK or not self.session.plain(self.side):
            self.flush()

    def flush(self) -> None:
        """Sends what was gathered."""
        if self._gathered:
            data = self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered)
            self._gathered, self._size = [], 0
            self.forward(self.side, data)
            self.said_at = self.loop.time()
        if self._between and not self._inside:
            between, self._between = self._between, []
            self.forward(self.side, b"".join(between))

    def say(self, frame: bytes) -> None:
        """Says a control frame, as soon as that is not in the middle of another frame."""
        if self.done or self.has_ended(self.side):
            return
        self._between.append(frame)
        if not self._gathered:
            self.flush()

    @property
    def _inside(self) -> bool:
        return self.session.direction(self.side).reader.inside

    # What the session says.

    def send(self, to: Side, data: bytes) -> None:
        """Sends to the other side, or lets the played one hear."""
        if to == self.side:
            self.receiver.feed(data)
        else:
            self.said += len(data)
            self.endpoint.send(data)

    def pass_end(self, side: Side, how: How) -> None:
        """A side has ended its stream."""
        if side == self.other:
            self.over = True
        elif how == "fin":
            self.endpoint.half_close()
        else:
            self.endpoint.reset()

    def hang_up(self, side: Side, how: How) -> None:
        """A filter ends both sides: there is one connection to be closed."""
        self.over = self.done = True
        if side == self.side:
            return
        if how == "fin":
            self.endpoint.close()
        else:
            self.endpoint.reset()
        self.wake()

    def tick(self) -> None:
        """What the session waited for is due."""
        super().tick()
        self.wake()

    # Ends.

    def leave(self, how: How, *, by: str = "") -> None:
        """Ends the played side; ``by`` is who does it when it is not the side itself."""
        self.flush()
        if self.has_ended(self.side):
            return
        self.end(self.side, how, by=by)
        if by or self.endpoint.ended is not None:
            self.endpoint.close()

    def close_politely(self, wire: bytes, note: str) -> None:
        """hangup itself closes the connection with ``wire``, a CLOSE frame, as nobody else does."""
        self.flush()
        self.closing = True
        event = FilterEvent(
            at=self.now(),
            conn=self.session.conn,
            filter="",
            action="close",
            side=self.side,
            wire=wire,
            note=note,
        )
        self._emit(event)
        self.endpoint.send(wire)

    def insist(self, frame: bytes, note: str) -> None:
        """Says a frame past all filters."""
        if self.session.plain(self.side):
            self.say(frame)
            return
        self.flush()
        if self.done or self.has_ended(self.side) or self._inside:
            return
        at, conn = self.now(), self.session.conn
        event = FilterEvent(at=at, conn=conn, filter="", action="inject", side=self.side, wire=frame, note=note)
        self._emit(event)
        self.said += len(frame)
        self.endpoint.send(frame)

    # Waiting.

    def wake(self) -> None:
        """Something has happened."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def until(self, done: Callable[[], bool], time: float = math.inf) -> bool:
        """Sends what was gathered and waits for ``done()``, at most until the loop's ``time``; whether it is."""
        self.flush()
        while not done():
            if self.loop.time() >= time:
                return False
            self._waiter = self.loop.create_future()
            timer = self.loop.call_at(time, self.wake) if time < math.inf else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        return True
