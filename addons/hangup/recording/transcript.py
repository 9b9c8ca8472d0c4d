"""What one recorded client did, as a script that can be played against another server.

A :class:`Transcript` goes over the recording once to learn what a player must know beforehand (:class:`Survey`); its
:meth:`~Transcript.steps` then go over it again as a stream, so that a recording of a million frames needs no more
memory than one of ten. The script ends where the connection ended. What a client does by itself and at its own time
is in it: messages, pings, malformed bytes, its CLOSE, how it left. What it does in answer to the server's own timers
is not: pongs, and the answer to a CLOSE, are described by :class:`Pongs` and :class:`Leave`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from statistics import median
from typing import Literal

from msgspec import Struct, field

from hangup.errors import RecordingError
from hangup.recording.account import Connection, Ledger
from hangup.recording.assembling import Messages
from hangup.recording.correlate import Correlation, Finder, request_values
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
from hangup.recording.rebuild import Wire

MESSAGE_LIMIT = 16 << 20
"""Larger messages (bytes) are played as they were, without a look at what they say."""
AHEAD = 10_000
"""So many steps are looked ahead at most, for the end of a fragmented message."""
PINGS_KEPT = 4096
UNANSWERED = 0.5
"""A ping within so many seconds before the end tells nothing about who would have answered it."""

By = Literal["client", "server", "nobody"]


class Send(Struct, gc=False):
    """The client sent these bytes: a frame (or a part of a large one, or bytes that are none) as it was on the wire.

    The first frame of a message tells how many ``fragments`` it has, and in ``message`` the whole of it, inflated;
    ``message`` is None where that is not known. ``begins`` is set on what the player may leave out or change: the
    first frame of a data message.
    """

    at: float
    n: int | None
    opcode: str
    wire: bytes
    begins: bool = False
    data: bool = False
    compressed: bool = False
    fragments: int = 1
    size: int = 0
    key: bytes | None = None
    rsv: int = 0
    message: bytes | None = None


class Hear(Struct, gc=False):
    """The server's message, or its pong, had come when the client went on. ``data`` is None when it is not known."""

    at: float
    n: int
    opcode: str
    data: bytes | None = None


Step = Send | Hear


class Leave(Struct):
    """How the client's side of the connection ended: with which stream end, and whether it sent a CLOSE.

    ``first`` is whether the client ended the connection. ``answers`` is whether it answered the server's CLOSE.
    """

    first: bool = False
    how: How = "fin"
    at: float | None = None
    answers: bool = True


class Pongs:
    """Which of the server's pings the client answered. Feed it all frames in order."""

    def __init__(self) -> None:
        self._pending: list[tuple[int, bytes, float]] = []
        self._flags = bytearray()
        self._times: list[float] = []
        self._waits: list[float] = []

    def feed(self, event: Frame) -> bool:
        """Whether this frame is the client's answer to a ping."""
        if event.opcode == "ping" and event.side == "server":
            if len(self._flags) < PINGS_KEPT:
                self._pending.append((len(self._flags), event.payload, event.at))
                self._flags.append(0)
                self._times.append(event.at)
            else:  # all that are so late are answered as those before them
                self._pending.append((PINGS_KEPT - 1, event.payload, event.at))
            del self._pending[:-64]
            return False
        if event.opcode != "pong" or event.side != "client":
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
        """Whether the server's ping number ``k`` (from 1) is to be answered; those never seen like the last one."""
        if not self._flags:
            return True
        return bool(self._flags[min(k, len(self._flags)) - 1])

    @property
    def wait(self) -> float:
        """Seconds that the client took to answer, typically."""
        return max(0.0, median(self._waits)) if self._waits else 0.0


class Survey(Struct, kw_only=True):
    """What is known of the connection before it is played. Times are in seconds from the recording's start.

    ``connection`` is its account. ``by`` is who ended it, ``nobody`` also where hangup itself did, and ``over`` when
    that was (else the time of the last event). ``last`` is when the client did the last thing of its own before that,
    and ``sent`` how many messages, control frames and odd bytes of its own it had sent by then.
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
    def reaction(self) -> float:
        """Seconds from the last thing that the client did to the end."""
        return max(0.0, self.over - self.last)

    @property
    def lifetime(self) -> float:
        """Seconds from opening to the end, or to the end of the recording."""
        return max(0.0, self.over - self.opened)


class _Ends:
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


class Transcript:
    """The client of connection ``conn``. With ``correlate``, values that it said back are found."""

    def __init__(self, recording: Recording, conn: int, *, correlate: bool = True) -> None:
        self.recording = recording
        self.conn = conn
        self.survey = _survey(recording, conn, correlate)

    def steps(self) -> Iterator[Step]:
        """The script, anew for each call. Raises :class:`~hangup.errors.RecordingError` where bytes are missing."""
        return _ahead(self._steps())

    def _steps(self) -> Iterator[Step]:
        ends = _Ends()
        pongs = Pongs()
        wire = Wire()
        messages = Messages(MESSAGE_LIMIT)
        for event in self.recording:
            if event.conn != self.conn:
                continue
            ended = ends.see(event)
            if isinstance(event, Frame):
                if ended and event.side == "server":
                    return
                if pongs.feed(event):
                    continue
                message = messages.feed(event)
                if event.side == "server":
                    if ends.by is not None:
                        continue
                    if message is not None:
                        yield Hear(event.at, event.n, message.opcode, message.data)
                    elif event.opcode == "pong":
                        yield Hear(event.at, event.n, "pong", event.payload)
                    continue
                if event.parts:
                    continue  # its bytes were in the parts
                yield self._send(event, wire, message.data if message is not None else None)
            elif isinstance(event, Part):
                messages.feed(event)
                if event.side == "client":
                    head = event.head
                    begins = head is not None and int(head[1:2] or "0", 16) in (1, 2)
                    yield Send(event.at, event.n, "", b"".join(wire.bytes(event)), data=True, begins=begins)
            elif isinstance(event, Raw):
                if event.side == "client":
                    yield Send(event.at, None, "", b"".join(wire.bytes(event)))
            elif isinstance(event, End):
                messages.feed(event)
                if ended or event.side == "client":
                    return
            elif isinstance(event, Handshake):
                messages.feed(event)
            elif ended:
                return

    @staticmethod
    def _send(event: Frame, wire: Wire, message: bytes | None) -> Send:
        opcode = event.opcode
        begins = opcode == "text" or opcode == "binary"
        send = Send(event.at, event.n, opcode, b"".join(wire.bytes(event)))
        if begins or opcode == "continuation":
            send.data, send.begins, send.size, send.rsv = True, begins, event.size, event.rsv
            send.compressed = bool(event.rsv & 4)
            send.fragments = 1 if event.fin else 0
            send.key = bytes.fromhex(event.mask) if event.mask else None
            send.message = message
        return send


def _ahead(steps: Iterator[Step]) -> Iterator[Step]:
    """Completes what the first fragment of a message says of the whole, by looking ahead."""
    waiting: deque[Step] = deque()
    first: Send | None = None
    size = 0
    for step in steps:
        if first is None:
            if type(step) is Send and step.begins and not step.fragments:
                first = step
                step.fragments = 1
                waiting.append(step)
                size = len(step.wire)
                continue
            yield step
            continue
        waiting.append(step)
        if type(step) is Send:
            size += len(step.wire)
            if step.data and not step.begins:
                first.fragments += 1
                if step.fragments:  # the last one
                    first.message, step.message = step.message, None
                    first = None
        if first is None or len(waiting) > AHEAD or size > MESSAGE_LIMIT or (type(step) is Send and step.begins):
            first = None
            while waiting:
                yield waiting.popleft()
    yield from waiting


def _survey(recording: Recording, conn: int, correlate: bool) -> Survey:
    """Goes over a recording once. Raises :class:`~hangup.errors.RecordingError` when there is no such connection."""
    ledger = Ledger()
    ends = _Ends()
    pongs = Pongs()
    messages = Messages(MESSAGE_LIMIT)
    finder = Finder() if correlate else None
    leave = Leave(answers=False)
    totals: dict[Side, int] = {"client": 0, "server": 0}
    shake: Handshake | None = None
    sent = filters = lost = 0
    last_n: int | None = None
    last = seen = 0.0
    server_closed = False
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
            if event.opcode == "close" and event.side == "server" and not over:
                server_closed = True
            elif event.opcode == "close" and over and event.side == "client" and server_closed:
                leave.answers = True
            answer = pongs.feed(event)
            message = messages.feed(event)
            if over or answer:
                continue
            if message is not None:
                totals[event.side] += 1
                if finder is not None and message.data is not None:
                    finder.message(event.side, message.opcode, message.data, event.n)
            if event.side == "client" and ends.by is None:
                last, last_n = event.at, event.n
                sent += message is not None or event.opcode not in ("text", "binary", "continuation")
        elif isinstance(event, Handshake):
            shake = event
            last = event.at
            messages.feed(event)
            if finder is not None:
                finder.handshake(event)
        elif isinstance(event, Part):
            messages.feed(event)
        elif isinstance(event, Raw):
            if event.side == "client" and not over:
                last = event.at
                sent += 1
        elif isinstance(event, FilterEvent):
            filters += 1
        elif isinstance(event, End) and event.side == "client" and leave.at is None and not event.by:
            leave.how, leave.at = event.how, event.at
    connection = ledger.connections.get(conn)
    if connection is None:
        raise RecordingError(f"{recording.name} has no connection {conn}")
    if ends.by is not None:
        seen = ends.at
    pongs.end(seen)
    leave.first = ends.by == "client"
    if not server_closed:
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
    )


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
