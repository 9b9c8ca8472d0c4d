"""What is known of a recorded connection before its client is played: gone over once."""

from __future__ import annotations

from statistics import median
from typing import Literal

from msgspec import Struct, field

from hangup.errors import RecordingError
from hangup.recording.assembling import Messages
from hangup.recording.connections import Connection
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    How,
    Note,
    Part,
    Raw,
    Request,
    Side,
    Stop,
)
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.replayable.dynamic_values import Correlation, Finder
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
    """Which of the other side's pings ``side`` answered. Feed it all frames in order."""

    def __init__(self, side: Side = "client") -> None:
        self._side = side
        self._pending: list[tuple[int, bytes, float]] = []
        self._flags = bytearray()
        self._times: list[float] = []
        self._waits: list[float] = []

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
        if at is None:
            return False
        index, _, asked = self._pending[at]
        del self._pending[: at + 1]  # RFC 6455 5.5.3: a pong may answer only the latest of several pings
        self._flags[index] = 1
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


class Ends:
    """Watches for the first thing that ended the connection."""

    def __init__(self) -> None:
        self.by: By | None = None
        self.at = 0.0

    def see(self, event: AnyEvent) -> bool:
        """Whether the connection is over with this event."""
        by: By | None = None
        if isinstance(event, Frame):
            if event.opcode == "close":
                by = event.side
        elif isinstance(event, End):
            if event.how != "open":
                by = "nobody" if event.by else event.side
        elif isinstance(event, FilterEvent):
            if event.action == "close" or (event.wire and event.action != "replace" and event.wire[0] & 15 == 8):
                by = "nobody"
        if by is not None and self.by is None:
            self.by, self.at = by, event.at
            return True
        return False


def survey(recording: Recording, conn: int, side: Side = "client", *, correlate: bool = True) -> Survey:
    """Goes over a recording once; ``side`` is who is to be played.

    Raises :class:`~hangup.errors.RecordingError` when there is no such connection.
    """
    ledger = Ledger()
    ends = Ends()
    pongs = Pongs(side)
    messages = Messages(MESSAGE_LIMIT)
    other: Side = "server" if side == "client" else "client"
    finder = Finder(other) if correlate else None
    leave = Leave(answers=False)
    totals: dict[Side, int] = {"client": 0, "server": 0}
    shake: Handshake | None = None
    sent = filters = lost = 0
    last_n: int | None = None
    last = seen = 0.0
    other_closed = joins = False
    for event in recording:
        if isinstance(event, Stop):
            ledger.feed(event)
            if ends.by is None:
                seen = max(seen, event.at)
        if isinstance(event, Note) and event.lost > 0 and event.conn in (0, conn):
            lost += event.lost
        if event.conn != conn:
            continue
        ledger.feed(event)
        over = ends.by is not None
        ends.see(event)
        if not over:
            seen = event.at
        if isinstance(event, Frame):
            if event.opcode == "close" and event.side == other and not over:
                other_closed = True
            elif event.opcode == "close" and over and event.side == side and other_closed:
                leave.answers = True
            answer = pongs.feed(event)
            message = messages.feed(event)
            if over or answer:
                continue
            if message is not None:
                totals[event.side] += 1
                if event.side == "client" and message.data is not None and message.data.startswith(b"40"):
                    joins = True
                if finder is not None and message.data is not None:
                    finder.message(event.side, message.opcode, message.data, event.n)
            if event.side == side and ends.by is None:
                last, last_n = event.at, event.n
                sent += message is not None or event.opcode not in ("text", "binary", "continuation")
        elif isinstance(event, Handshake):
            shake = event
            last = event.at
            messages.feed(event)
            query = query_of(event.request.target)
            if finder is not None and side == "client" and "EIO" in query and "sid" in query:
                finder.elsewhere = True
            if finder is not None:
                finder.handshake(event)
        elif isinstance(event, Part):
            messages.feed(event)
        elif isinstance(event, Raw):
            if event.side == side and not over:
                last = event.at
                sent += 1
        elif isinstance(event, FilterEvent):
            filters += 1
        elif isinstance(event, End) and event.side == side and leave.at is None and not event.by:
            leave.how, leave.at = event.how, event.at
    connection = ledger.connections.get(conn)
    if connection is None:
        raise RecordingError(f"{recording.name} has no connection {conn}")
    if ends.by is not None:
        seen = ends.at
    elif connection.untold:  # it may have been over long before the file was
        seen = connection.last_seen
    pongs.end(seen)
    leave.first = ends.by == side
    if not other_closed:
        leave.answers = True
    return Survey(
        handshake=shake,
        connection=connection,
        by=ends.by or "nobody",
        over=seen,
        last=last,
        opened=connection.opened if connection.opened is not None else connection.first_seen,
        leave=leave,
        pongs=pongs,
        sent=sent,
        last_n=last_n,
        totals=totals,
        correlations=finder.found() if finder is not None else [],
        filters=filters,
        lost=lost,
        joins=joins,
    )


def query_of(target: str) -> dict[str, str]:
    """The parameters of a request target's query, as they are spelled."""
    pairs = (pair.partition("=") for pair in target.partition("?")[2].split("&"))
    return {key: value for key, _, value in pairs}


def failed(connection: Connection) -> int:
    """How much a connection's ending looks like a failure: 2 when the server ended or refused it, 1 when the client
    left without a proper CLOSE, 0 when nothing did."""
    ending = connection.ending
    if connection.refused:
        return 2 if ending.by != "client" else 1
    if ending.by == "server":
        return 2
    if ending.by == "client" and (ending.how != "close" or ending.code not in (1000, 1001, None)):
        return 1
    return 0


def choose(ledger: Ledger) -> Connection | None:
    """The connection to replay when nobody says which: the last one that failed, else the last one."""
    connections = list(ledger.connections.values())
    return max(connections, key=lambda c: (failed(c), c.conn), default=None)
