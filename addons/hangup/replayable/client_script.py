"""What one side of a recorded connection did, as a script: mostly the client, to be played against another server.

A :class:`Transcript` goes over the recording once to learn what a replay must know beforehand
(:class:`~hangup.replayable.survey.Survey`). A script of ordinary length is kept; a longer one is gone over again as a
stream for each play, so that a recording of a million frames needs no more memory than one of ten. The script ends
where the connection ended. What it did by itself and at its own time is in it: messages, pings, malformed bytes, its
CLOSE. What it did in answer to the other side's timers is not: the survey describes its pongs, its answer to a CLOSE,
and how it left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from hangup.errors import RecordingError
from hangup.recording.assembling import Message, Messages
from hangup.recording.connections import Connection
from hangup.recording.endings import closer
from hangup.recording.events import AnyEvent, End, Frame, Part, Raw, Side
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.rebuild import Wire
from hangup.replayable.substitutions import Uses
from hangup.replayable.survey import MESSAGE_LIMIT, By, Pongs, Survey, Surveyor

KEPT_FRAMES = 40_000
KEPT_BYTES = 8 << 20
"""A script of no more steps and bytes than these is remembered: it may be played hundreds of times."""
RSV1 = 4
AHEAD = 10_000
"""So many steps are looked ahead at most, for the end of a fragmented message."""


class Send(Struct, gc=False):
    """The played side sent these bytes: a frame as it was on the wire, a part of a large one, or bytes that are none.

    The first frame of a message tells how many ``fragments`` it has, and in ``message`` the whole of it, inflated;
    ``message`` is None where that is not known. ``begins`` is set on what the replay may leave out or change: the
    first frame of a data message. ``packed`` counts the compressed messages up to this one, from 1; 0 for another.
    """

    at: float
    n: int | None
    opcode: str
    wire: bytes
    begins: bool = False
    data: bool = False
    packed: int = 0
    fragments: int = 1
    size: int = 0
    key: bytes | None = None
    rsv: int = 0
    message: bytes | None = None
    problems: tuple[str, ...] = ()
    """In what the frame breaks the rules (:mod:`hangup.wire.problems`)."""


class Hear(Struct, gc=False):
    """A message of the other side, or its pong, had come when the played side went on. ``data`` is None when it is not
    known."""

    at: float
    n: int
    opcode: str
    data: bytes | None = None


Step = Send | Hear


class Steps:
    """The steps of one side, from the connection's events, one at a time. ``over`` is set when the script ends.

    A frame that came in parts is one step, unless it is larger than :data:`MESSAGE_LIMIT`: also where the other side
    ended the connection while it was on its way, as who minds its size does.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.over = False
        self._wire = Wire()
        self._packed = 0
        self._parted: Send | None = None
        """The frame that is on its way, with what has come of it."""
        self._left = False
        """Whether the connection was ended in the midst of it."""

    def feed(self, event: AnyEvent, message: Message | None, closer: By | None, ended: bool) -> Step | None:
        """The step that an event makes. ``ended`` is whether it is this event that ends the connection, ``closer`` who
        did, if anybody has."""
        side = self.side
        if self.over:
            return None
        if isinstance(event, Frame):
            if event.side == side:
                return self._whole(event, message) if event.parts else self._sends(event, message)
            if ended:
                self._end()
            elif closer is None and message is not None:
                return Hear(event.at, event.n, message.opcode, message.data)
            elif closer is None and event.opcode == "pong":
                return Hear(event.at, event.n, "pong", event.payload)
        elif isinstance(event, Part):
            if event.side == side:
                return self._part(event)
        elif isinstance(event, Raw):
            if event.side == side:
                half, wire = self._half(), b"".join(self._wire.bytes(event))
                if half is None:
                    return Send(event.at, None, "", wire)
                half.wire += wire
                return half
        elif isinstance(event, End) and event.side == side:
            self.over = True
            return self._half()
        elif ended:
            self._end()
        return None

    def _end(self) -> None:
        self._left = self._parted is not None
        self.over = not self._left

    def _part(self, event: Part) -> Send | None:
        begins = event.head is not None and int(event.head[1:2] or "0", 16) in (1, 2)
        wire = b"".join(self._wire.bytes(event))
        if event.head is not None:
            self._parted = Send(event.at, event.n, "", wire, data=True, begins=begins)
        elif self._parted is not None:
            self._parted.wire += wire
        else:
            return Send(event.at, event.n, "", wire, data=True)
        return self._half() if len(self._parted.wire) > MESSAGE_LIMIT else None

    def _half(self) -> Send | None:
        """What has come of a frame that is not waited for."""
        half, self._parted = self._parted, None
        return half

    def _whole(self, event: Frame, message: Message | None) -> Send | None:
        """A frame of which the last part has come; None where its parts were steps of their own."""
        parted, self._parted = self._parted, None
        self.over = self._left
        if parted is None:
            return None
        step = self._sends(event, message)
        step.at, step.wire = parted.at, parted.wire
        return step

    def _sends(self, event: Frame, message: Message | None) -> Send:
        send = self._send(event, self._wire, message.data if message is not None else None)
        if send.begins and send.rsv & RSV1:
            send.packed = self._packed = self._packed + 1
        return send

    @staticmethod
    def _send(event: Frame, wire: Wire, message: bytes | None) -> Send:
        opcode = event.opcode
        begins = opcode == "text" or opcode == "binary"
        send = Send(event.at, event.n, opcode, b"".join(wire.bytes(event)), problems=tuple(event.problems))
        if begins or opcode == "continuation":
            send.data, send.begins, send.size, send.rsv = True, begins, event.size, event.rsv
            send.fragments = 1 if event.fin else 0
            send.key = bytes.fromhex(event.mask) if event.mask else None
            send.message = message
        return send


class ScriptReader:
    """Reads the script of one connection as its events come by, and what a replay must know of it beforehand.

    Where the script is longer than :data:`KEPT_FRAMES` steps or :data:`KEPT_BYTES`, only its end is kept.
    """

    def __init__(self, conn: int, side: Side = "client", *, correlate: bool = True) -> None:
        self.conn = conn
        self.surveyor = Surveyor(conn, side, correlate=correlate)
        self.complete = True
        self.problem: RecordingError | None = None
        """Why it cannot be played: bytes are missing."""
        self._messages = Messages(MESSAGE_LIMIT)
        self._steps = Steps(side)
        self._kept: deque[Step] = deque(maxlen=KEPT_FRAMES)
        self._bytes = 0

    def feed(self, event: AnyEvent) -> None:
        """Takes the connection's next event."""
        before = self.surveyor.by
        message = self._messages.feed(event)
        ours = self.surveyor.feed(event, message)
        by = self.surveyor.by
        if not ours:
            return
        try:
            step = self._steps.feed(event, message, by, before is None and by is not None)
        except RecordingError as error:
            self.problem = self.problem or error
            return
        if step is None:
            return
        self._bytes += _weight(step)
        if len(self._kept) == KEPT_FRAMES:
            self.complete = False
        self._kept.append(step)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self.complete = False
            self._bytes -= _weight(self._kept.popleft())

    def last_steps(self) -> list[Step]:
        """The script, or the end of it that was kept."""
        return list(_ahead(iter(self._kept)))


class Transcript:
    """The script of connection ``conn``'s client, or of its server: ``side`` is who is to be played.

    With ``correlate``, values that it said back are found. Where ``read`` is given, and ``connection``, the recording
    was gone over already. Raises :class:`~hangup.errors.RecordingError` when there is no such connection.
    """

    def __init__(
        self,
        recording: Recording,
        conn: int,
        side: Side = "client",
        *,
        correlate: bool = True,
        read: ScriptReader | None = None,
        connection: Connection | None = None,
        stopped_at: float | None = None,
    ) -> None:
        self.recording = recording
        self.conn = conn
        self.side: Side = side
        if read is None or connection is None:
            read = ScriptReader(conn, side, correlate=correlate)
            ledger = Ledger()
            for event in recording:
                if event.conn in (0, conn):
                    ledger.feed(event)
                if event.conn == conn:
                    read.feed(event)
            connection = ledger.connections.get(conn)
            stopped_at = ledger.last_at if ledger.stopped else None
        if connection is None:
            raise RecordingError(f"{recording.name} has no connection {conn}")
        self.survey: Survey = read.surveyor.finish(connection, stopped_at)
        self.uses = Uses(self.survey.correlations)
        self._problem = read.problem
        self._kept: list[Step] | None = read.last_steps() if read.complete else None

    def steps(self) -> Iterator[Step]:
        """The script, anew for each call. Raises :class:`~hangup.errors.RecordingError` where bytes are missing."""
        if self._problem is not None:
            raise self._problem
        return _ahead(self._stream()) if self._kept is None else iter(self._kept)

    def _stream(self) -> Iterator[Step]:
        side = self.side
        pongs = Pongs(side)
        steps = Steps(side)
        messages = Messages(MESSAGE_LIMIT)
        by: By | None = None
        for event in self.recording:
            if event.conn != self.conn:
                continue
            closed = closer(event)
            ended = by is None and closed is not None
            if ended:
                by = "nobody" if closed == "proxy" else closed
            message = messages.feed(event)
            if isinstance(event, Frame) and pongs.feed(event):
                continue
            step = steps.feed(event, message, by, ended)
            if step is not None:
                yield step
            if steps.over:
                return


def _weight(step: Step) -> int:
    return len(step.wire) if isinstance(step, Send) else len(step.data or b"")


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
