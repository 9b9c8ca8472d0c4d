"""The end of a connection that a replay holds: a socket, the session that it goes through, and what is heard.

As in the proxy there are a client and a server and filters between them, but one of the two is played: what it says
is handed to the session first, and it hears what the session lets through.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from hangup.net.endpoint import Endpoint
from hangup.recording.events import FilterEvent, How, Side
from hangup.replay.event_sink import EventSink
from hangup.replay.receiver import Receiver
from hangup.session import Out, Session

CHUNK = 1 << 16
"""Bytes that are gathered at most before they are sent."""


class ReplayDriver:
    """``side`` is the one that is played, ``endpoint`` leads to the other. Call :meth:`start` when all is in place.

    What is said with :meth:`put` is gathered until something has to be waited for, :meth:`say` is for what comes in
    between. ``over`` is set when the played side was told that the connection is over, or over but for the closing;
    ``cut`` when a filter ended it. ``said`` counts the bytes that went out.
    """

    def __init__(self, side: Side, endpoint: Endpoint, session: Session, sink: EventSink, receiver: Receiver) -> None:
        self.side: Side = side
        self.other: Side = "server" if side == "client" else "client"
        self.endpoint = endpoint
        self.session = session
        self.receiver = receiver
        self.over = False
        self.cut = False
        self.closing = False
        """The played side has sent a CLOSE."""
        self.said = 0
        self.said_at = 0.0
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []
        self._size = 0
        self._between: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None

    def start(self, early: bytes = b"") -> None:
        """Begins to listen; ``early`` is what came with the handshake."""
        self.said_at = self._loop.time()
        self._carry_out(self.session.refresh(self._sink.now()))
        if early:
            self._receive(early)
        self.endpoint.listen(self._receive, self._ended)

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def left(self) -> bool:
        """Whether the other side has ended its stream."""
        return self.other in self.session.ended

    # What comes.

    def _receive(self, data: bytes) -> None:
        session, now = self.session, self._sink.now()
        if session.plain(self.other):
            session.observe(self.other, data, now)
            self.receiver.feed(data)
        else:
            self._carry_out(session.receive(self.other, data, now))
        self.wake()

    def _ended(self, how: How) -> None:
        self._carry_out(self.session.end(self.other, how, self._sink.now()))
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
            self._pass_on(data)
            self.said_at = self._loop.time()
        if self._between and not self._inside:
            between, self._between = self._between, []
            self._pass_on(b"".join(between))

    def say(self, frame: bytes) -> None:
        """Says a control frame, as soon as that is not in the middle of another frame."""
        if self.cut or self.side in self.session.ended:
            return
        self._between.append(frame)
        if not self._gathered:
            self.flush()

    @property
    def _inside(self) -> bool:
        return self.session.direction(self.side).reader.inside

    def _pass_on(self, data: bytes) -> None:
        session = self.session
        if session.plain(self.side):
            self.said += len(data)
            self.endpoint.send(data)
            session.observe(self.side, data, self._sink.now())
        else:
            self._carry_out(session.receive(self.side, data, self._sink.now()))

    # Filters and ends.

    def _carry_out(self, out: Out) -> None:
        client = self.side == "client"
        heard, said = (out.to_client, out.to_server) if client else (out.to_server, out.to_client)
        if heard:
            self.receiver.feed(heard)
        if said:
            self.said += len(said)
            self.endpoint.send(said)
        for side, how in out.ends:
            if side == self.other:
                self.over = True
            elif how == "fin":
                self.endpoint.finish()
            else:
                self.endpoint.reset()
        if out.cut is not None:
            self._cut_off(*out.cut)
        self._schedule()

    def _cut_off(self, side: Side, how: How, by: str) -> None:
        """A filter ends both legs."""
        self.over = self.cut = True
        for each in (side, self.other if side == self.side else self.side):
            if each not in self.session.ended:
                self.session.end(each, how, self._sink.now(), by=by)
        if how == "fin":
            self.endpoint.close()
        else:
            self.endpoint.reset()
        self.wake()

    def _schedule(self) -> None:
        """Comes back when something that a filter holds is due."""
        self.stop()
        deadline = None if self.cut else self.session.deadline()
        if deadline is not None:
            self._timer = self._loop.call_later(max(0.0, deadline - self._sink.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        # Rounding must not make us early, or we would be called again and again.
        now = max(self._sink.now(), self.session.deadline() or 0.0)
        self._carry_out(self.session.tick(now))
        self.wake()

    def leave(self, how: How, *, by: str = "") -> None:
        """Ends the played side; ``by`` is who does it when it is not the side itself."""
        self.flush()
        if self.side in self.session.ended:
            return
        self._carry_out(self.session.end(self.side, how, self._sink.now(), by=by))
        if by or self.endpoint.ended is not None:
            self.endpoint.close()

    def hang_up(self, wire: bytes, note: str) -> None:
        """hangup itself closes the connection with ``wire``, a CLOSE frame, as nobody else does."""
        self.flush()
        self.closing = True
        event = FilterEvent(
            at=self._sink.now(),
            conn=self.session.conn,
            filter="",
            action="close",
            side=self.side,
            wire=wire,
            note=note,
        )
        self._sink.emit(event)
        self.endpoint.send(wire)

    def insist(self, frame: bytes, note: str) -> None:
        """Says a frame past all filters."""
        if self.session.plain(self.side):
            self.say(frame)
            return
        self.flush()
        if self.cut or self.side in self.session.ended or self._inside:
            return
        at, conn = self._sink.now(), self.session.conn
        event = FilterEvent(at=at, conn=conn, filter="", action="inject", side=self.side, wire=frame, note=note)
        self._sink.emit(event)
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
            if self._loop.time() >= time:
                return False
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(time, self.wake) if time < math.inf else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        return True
