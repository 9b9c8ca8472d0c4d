"""What one side of a recorded connection did, as a script: mostly the client, to be played against another server.

A :class:`Transcript` goes over the recording once to learn what a player must know beforehand
(:class:`~hangup.replayable.survey.Survey`); its :meth:`~Transcript.steps` then go over it again as a stream, so that a
recording of a million frames needs no more memory than one of ten. The script ends where the connection ended. What
it did by itself and at its own time is in it: messages, pings, malformed bytes, its CLOSE. What it did in answer to
the other side's timers is not: the survey describes its pongs, its answer to a CLOSE, and how it left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from hangup.recording.assembling import Messages
from hangup.recording.events import End, Frame, Handshake, Part, Raw, Side
from hangup.recording.formats import Recording
from hangup.recording.rebuild import Wire
from hangup.replayable.survey import MESSAGE_LIMIT, Ends, Pongs, Survey, survey

KEPT_FRAMES = 20_000
KEPT_BYTES = 8 << 20
"""A script of no more frames and bytes than these is remembered: it may be played hundreds of times."""
RSV1 = 4
AHEAD = 10_000
"""So many steps are looked ahead at most, for the end of a fragmented message."""


class Send(Struct, gc=False):
    """The played side sent these bytes: a frame as it was on the wire, a part of a large one, or bytes that are none.

    The first frame of a message tells how many ``fragments`` it has, and in ``message`` the whole of it, inflated;
    ``message`` is None where that is not known. ``begins`` is set on what the player may leave out or change: the
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


class Hear(Struct, gc=False):
    """A message of the other side, or its pong, had come when the played side went on. ``data`` is None when it is not
    known."""

    at: float
    n: int
    opcode: str
    data: bytes | None = None


Step = Send | Hear


class Transcript:
    """The script of connection ``conn``'s client, or of its server: ``side`` is who is to be played.

    With ``correlate``, values that it said back are found.
    """

    def __init__(self, recording: Recording, conn: int, side: Side = "client", *, correlate: bool = True) -> None:
        self.recording = recording
        self.conn = conn
        self.side: Side = side
        self.survey: Survey = survey(recording, conn, side, correlate=correlate)
        self._kept: list[Step] | None = None

    def steps(self) -> Iterator[Step]:
        """The script, anew for each call. Raises :class:`~hangup.errors.RecordingError` where bytes are missing."""
        if self._kept is None:
            connection = self.survey.connection
            steps = _ahead(self._steps())
            if sum(connection.frames.values()) > KEPT_FRAMES or sum(connection.bytes.values()) > KEPT_BYTES:
                return steps
            self._kept = list(steps)
        return iter(self._kept)

    def _steps(self) -> Iterator[Step]:
        side = self.side
        ends = Ends()
        pongs = Pongs(side)
        wire = Wire()
        messages = Messages(MESSAGE_LIMIT)
        packed = 0
        for event in self.recording:
            if event.conn != self.conn:
                continue
            ended = ends.see(event)
            if isinstance(event, Frame):
                if ended and event.side != side:
                    return
                if pongs.feed(event):
                    continue
                message = messages.feed(event)
                if event.side != side:
                    if ends.by is not None:
                        continue
                    if message is not None:
                        yield Hear(event.at, event.n, message.opcode, message.data)
                    elif event.opcode == "pong":
                        yield Hear(event.at, event.n, "pong", event.payload)
                    continue
                if event.parts:
                    continue  # its bytes were in the parts
                send = self._send(event, wire, message.data if message is not None else None)
                if send.begins and send.rsv & RSV1:
                    send.packed = packed = packed + 1
                yield send
            elif isinstance(event, Part):
                messages.feed(event)
                if event.side == side:
                    head = event.head
                    begins = head is not None and int(head[1:2] or "0", 16) in (1, 2)
                    yield Send(event.at, event.n, "", b"".join(wire.bytes(event)), data=True, begins=begins)
            elif isinstance(event, Raw):
                if event.side == side:
                    yield Send(event.at, None, "", b"".join(wire.bytes(event)))
            elif isinstance(event, End):
                messages.feed(event)
                if ended or event.side == side:
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
