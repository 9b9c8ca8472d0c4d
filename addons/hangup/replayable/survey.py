"""What is known of a recorded connection before its client is played: gone over once."""

from __future__ import annotations

from statistics import median
from typing import Literal

from msgspec import Struct, field

from hangup.recording.assembling import Message
from hangup.recording.connections import Connection
from hangup.recording.endings import closer
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    How,
    Raw,
    Request,
    Side,
)
from hangup.replayable.dynamic_values import Correlation, CorrelationFinder
from hangup.replayable.handshake_values import request_values

MESSAGE_LIMIT = 16 << 20
"""Larger messages (bytes) are played as they were, without a look at what they say."""
PINGS_KEPT = 4096
UNANSWERED = 0.5
"""A ping within so many seconds before the end tells nothing about who would have answered it."""

By = Literal["client", "server", "nobody"]


class Leave(Struct):
    """How the played side of the connection ended: with which stream end, and when (None: it did not).

    ``first`` is whether it ended the connection. ``answers`` is whether it answered the other's CLOSE.
    """

    first: bool = False
    how: How = "fin"
    at: float | None = None
    answers: bool = True


class Pongs:
    """Which of the other side's pings ``side`` answered, and with what. Feed it all frames in order.

    A pong right after a ping is its answer although it says something else than the ping did: a wrong one, which
    whoever plays this side gives as well, where the ping comes.
    """

    def __init__(self, side: Side = "client") -> None:
        self._side = side
        self._pending: list[tuple[int, bytes, float]] = []
        self._flags = bytearray()
        self._times: list[float] = []
        self._waits: list[float] = []
        self._wrong: dict[int, bytes] = {}
        """What a ping was answered with, by its place, where that was not what it had said."""

    def feed(self, event: Frame) -> bool:
        """Whether this frame is the answer to a ping."""
        if event.opcode == "ping" and event.side != self._side:
            if len(self._flags) < PINGS_KEPT:
                self._pending.append((len(self._flags), event.payload, event.at))
                self._flags.append(0)
                self._times.append(event.at)
            else:  # all that are so late are answered as those before them
                self._pending.append((PINGS_KEPT - 1, event.payload, event.at))
            del self._pending[:-64]
            return False
        if event.opcode != "pong" or event.side != self._side:
            return False
        at = next((i for i, (_, payload, _) in enumerate(self._pending) if payload == event.payload), None)
        wrong = at is None and bool(self._pending) and event.at - self._pending[-1][2] < UNANSWERED
        if at is None and not wrong:
            return False
        index, _, asked = self._pending[-1 if at is None else at]
        # RFC 6455 5.5.3: a pong may answer only the latest of several pings.
        del self._pending[: len(self._pending) if at is None else at + 1]
        self._flags[index] = 1
        if wrong:
            self._wrong[index] = event.payload
        if len(self._waits) < PINGS_KEPT:
            self._waits.append(event.at - asked)
        return True

    def end(self, at: float) -> None:
        """The connection ended then: pings just before it count for nothing."""
        while self._times and not self._flags[-1] and at - self._times[-1] < UNANSWERED:
            self._times.pop()
            self._flags.pop()

    def answers(self, k: int) -> bool:
        """Whether the other side's ping number ``k`` (from 1) is to be answered; those never seen like the last one."""
        if not self._flags:
            return True
        return bool(self._flags[min(k, len(self._flags)) - 1])

    def answer(self, k: int, payload: bytes) -> bytes:
        """What ping number ``k``, which says ``payload``, is to be answered with: the same, unless the recorded one was
        not."""
        return self._wrong.get(min(k, len(self._flags)) - 1, payload)

    @property
    def wrong(self) -> bool:
        """Whether an answer was not what the ping had said."""
        return bool(self._wrong)

    @property
    def wait(self) -> float:
        """Seconds that it took to answer, typically."""
        return max(0.0, median(self._waits)) if self._waits else 0.0


class Survey(Struct, kw_only=True):
    """What is known of the connection before it is played. Times are in seconds from the recording's start.

    ``connection`` is its account. ``by`` is who ended it, ``nobody`` also where hangup itself did, and ``over`` when
    that was (else the time of the last event). ``last`` is when the played side did the last thing of its own before
    that, ``last_n`` the last frame of it, and ``sent`` how many messages, control frames and odd bytes it had sent.
    ``totals`` are the messages of either side. ``filters`` acted so often in the recording: what the server got was
    not what the client sent, and the script has the latter.
    """

    handshake: Handshake | None
    connection: Connection
    by: By
    over: float
    last: float
    opened: float
    leave: Leave
    pongs: Pongs
    sent: int = 0
    last_n: int | None = None
    totals: dict[Side, int] = field(default_factory=dict)
    correlations: list[Correlation] = field(default_factory=list)
    filters: int = 0
    lost: int = 0
    joins: bool = False
    """Whether the client asked to be connected to a Socket.IO namespace on this connection."""

    @property
    def request(self) -> Request:
        """What the client asked for."""
        if self.handshake is None:
            return Request()
        return self.handshake.original or self.handshake.request

    @property
    def asked_with(self) -> list[str]:
        """The names of its query parameters and cookies."""
        return [str(path[1]) for path, _ in request_values(self.request) if path[0] in ("query", "cookie")]

    @property
    def upgraded(self) -> bool:
        """Whether this WebSocket continues an Engine.IO session that was opened by HTTP polling."""
        query = query_of(self.request.target)
        return "EIO" in query and query.get("transport") == "websocket" and bool(query.get("sid"))

    @property
    def reaction(self) -> float:
        """Seconds from the last thing that the played side did to the end."""
        return max(0.0, self.over - self.last)

    @property
    def lifetime(self) -> float:
        """Seconds from opening to the end, or to the end of the recording."""
        return max(0.0, self.over - self.opened)


class Surveyor:
    """Learns what is known of a connection from its events, one at a time; ``side`` is who is to be played. Its account
    is somebody else's, given in the end."""

    def __init__(self, conn: int, side: Side = "client", *, correlate: bool = True) -> None:
        self.conn = conn
        self.side: Side = side
        self.other: Side = "server" if side == "client" else "client"
        self.by: By | None = None
        """Who ended it, once somebody has."""
        self._finder = CorrelationFinder(self.other) if correlate else None
        self._pongs = Pongs(side)
        self._leave = Leave(answers=False)
        self._totals: dict[Side, int] = {"client": 0, "server": 0}
        self._shake: Handshake | None = None
        self._sent = self._filters = 0
        self._last_n: int | None = None
        self._last = self._seen = self._over = 0.0
        self._other_closed = self._joins = False

    def feed(self, event: AnyEvent, message: Message | None) -> bool:
        """Takes the connection's next event, with the message that it completes; whether the event is of the script,
        and not a pong that answers a ping."""
        over = self.by is not None
        by = closer(event)
        if by is not None and not over:
            self.by, self._over = "nobody" if by == "proxy" else by, event.at
        if not over:
            self._seen = event.at
        if isinstance(event, Frame):
            return self._frame(event, message, over)
        if isinstance(event, Handshake):
            self._handshake(event)
        elif isinstance(event, Raw):
            if event.side == self.side and not over:
                self._last = event.at
                self._sent += 1
        elif isinstance(event, FilterEvent):
            self._filters += 1
        elif isinstance(event, End) and event.side == self.side and self._leave.at is None and not event.by:
            self._leave.how, self._leave.at = event.how, event.at
        return True

    def _frame(self, event: Frame, message: Message | None, over: bool) -> bool:
        if event.opcode == "close" and event.side == self.other and not over:
            self._other_closed = True
        elif event.opcode == "close" and over and event.side == self.side and self._other_closed:
            self._leave.answers = True
        if self._pongs.feed(event):
            return False
        if over:
            return True
        if message is not None:
            self._totals[event.side] += 1
            data = message.data
            if event.side == "client" and data is not None and data.startswith(b"40"):
                self._joins = True
            if self._finder is not None and data is not None:
                self._finder.message(event.side, message.opcode, data, event.n)
        if event.side == self.side and self.by is None:
            self._last, self._last_n = event.at, event.n
            self._sent += message is not None or event.opcode not in ("text", "binary", "continuation")
        return True

    def _handshake(self, event: Handshake) -> None:
        self._shake = event
        self._last = event.at
        query = query_of(event.request.target)
        if self._finder is not None:
            if self.side == "client" and "EIO" in query and "sid" in query:
                self._finder.elsewhere = True
            self._finder.handshake(event)

    def finish(self, connection: Connection, stopped_at: float | None = None) -> Survey:
        """What was learned. ``stopped_at`` is when the recording was ended, where it was."""
        seen = self._seen if stopped_at is None else max(self._seen, stopped_at)
        if self.by is not None:
            seen = self._over
        elif connection.untold:  # it may have been over long before the file was
            seen = connection.last_seen
        self._pongs.end(seen)
        self._leave.first = self.by == self.side
        if not self._other_closed:
            self._leave.answers = True
        return Survey(
            handshake=self._shake,
            connection=connection,
            by=self.by or "nobody",
            over=seen,
            last=self._last,
            opened=connection.opened if connection.opened is not None else connection.first_seen,
            leave=self._leave,
            pongs=self._pongs,
            sent=self._sent,
            last_n=self._last_n,
            totals=self._totals,
            correlations=self._finder.found() if self._finder is not None else [],
            filters=self._filters,
            lost=connection.lost,
            joins=self._joins,
        )


def query_of(target: str) -> dict[str, str]:
    """The parameters of a request target's query, as they are spelled."""
    pairs = (pair.partition("=") for pair in target.partition("?")[2].split("&"))
    return {key: value for key, _, value in pairs}
