"""What a file of another format is read into: it behaves as :class:`hangup.recording.reader.Reader` does."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path

from hangup.recording import events
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Header, Note, Side, Stop, payload_fields
from hangup.recording.reader import BATCH_LINES
from hangup.wire.frames import CLOSE, OPCODE_NAMES, header
from hangup.wire.inflation_budget import InflationBudget, whole
from hangup.wire.messages import parse_close

UNKNOWN_KEY = bytes(4)
"""The masking key of imported client frames. Other formats do not keep the true one; with this one, which is
valid and changes nothing, the frames can be replayed, and the all-zero key tells that it is not the true one."""

SKIPS_KEPT = 10
"""How many of the things that were left out are remembered, with what was wrong."""

FARTHEST = 1e10
"""No event is later than this (seconds): what says so is taken for a mistake."""


MakeEvents = Callable[[InflationBudget], Iterator[AnyEvent]]
"""The events of one connection, anew each time, given what may be inflated of the whole file."""


class Imported:
    """A recording that was read from another format. Iterating merges its connections by time.

    ``connections`` make the events of one connection each, in order, anew for every iteration.
    ``skipped`` counts what could not be understood, ``skips`` tells where the first of it was.
    """

    torn = False
    complete = True

    def __init__(
        self,
        name: str,
        path: Path | None,
        header: Header,
        connections: Sequence[MakeEvents],
        skips: Sequence[tuple[int, str]] = (),
        skipped: int | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.header = header
        self.skips = list(skips)
        self.skipped = len(self.skips) if skipped is None else skipped
        self._connections = connections

    def __iter__(self) -> Iterator[AnyEvent]:
        last = 0.0
        inflation = whole()
        streams = [connection(inflation) for connection in self._connections]
        for event in heapq.merge(*streams, key=attrgetter("at")):
            last = event.at
            yield event
        yield Stop(at=last)

    def batches(self) -> Iterator[list[AnyEvent]]:
        """The same events, many at a time."""
        events = iter(self)
        while batch := list(islice(events, BATCH_LINES)):
            yield batch


class Script:
    """Makes the events of one imported connection: numbers its frames and keeps its times in order."""

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.n = 0
        self.at = 0.0

    def time(self, at: float | None) -> float:
        """``at`` to the microsecond, but never before the last event; None is the time of the last event."""
        if at is not None and math.isfinite(at) and self.at < at < FARTHEST:
            self.at = round(at, 6)
        return self.at

    def frame(self, at: float | None, side: Side, opcode: int, payload: bytes) -> Frame:
        """A whole, unfragmented frame."""
        self.n += 1
        text, data = payload_fields(payload)
        frame = Frame(
            at=self.time(at),
            conn=self.conn,
            n=self.n,
            side=side,
            opcode=OPCODE_NAMES[opcode & 15],
            mask=UNKNOWN_KEY.hex() if side == "client" else None,
            text=text,
            base64=data,
            problems=("invalid-utf8",) if opcode == 1 and data is not None else (),
        )
        if opcode == CLOSE:
            frame.code, frame.reason, frame.problems = parse_close(payload)
        return frame

    def injected(self, at: float | None, side: Side, opcode: int, payload: bytes, by: str) -> FilterEvent:
        """A message that neither side sent, but ``by`` put into the stream as if from ``side``."""
        key = UNKNOWN_KEY if side == "client" else None
        wire = header(True, 0, opcode & 15, key, len(payload)) + payload
        return FilterEvent(at=self.time(at), conn=self.conn, filter=by, action="inject", side=side, wire=wire)

    def dropped(self, by: str, side: Side) -> FilterEvent:
        """The last frame was not passed on."""
        return FilterEvent(at=self.at, conn=self.conn, filter=by, action="drop", side=side, n=self.n)

    def end(self, at: float | None, side: Side, how: events.How, note: str = "") -> End:
        """One side ended."""
        return End(at=self.time(at), conn=self.conn, side=side, how=how, note=note)

    def note(self, text: str, at: float | None = None, *, ending: bool = False) -> Note:
        """A remark; with ``ending`` all that is known of how it ended."""
        return Note(at=self.time(at), conn=self.conn, text=text, ending=ending)

    def ended(self, text: str, at: float, *, by: Side | None = None, code: int | None = None, reason: str = "") -> Note:
        """It was over at ``at`` (the recording's seconds); ``text`` says what else is known of that."""
        return Note(
            at=self.time(at), conn=self.conn, text=text, ending=True, ended=True, by=by, code=code, reason=reason
        )


def close_payload(code: int | None, reason: str) -> bytes:
    """The payload of a close frame; codes that stand for none (1005) or for no frame (1006, 1015) make it empty."""
    if code is None or code in (1005, 1006, 1015) or not 0 <= code < 65536:
        return b""
    return code.to_bytes(2, "big") + reason.encode(errors="replace")[:123]


def iso(seconds: float) -> str:
    """A time in seconds since 1970 as a header has it: UTC, ISO 8601, microseconds."""
    whole = math.floor(seconds)
    micro = round((seconds - whole) * 1e6)
    moment = datetime.fromtimestamp(whole + micro // 1_000_000, UTC).replace(microsecond=micro % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def epoch(text: object) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (without a zone: UTC), None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def moment(started: int, at: float) -> int:
    """A time ``at`` seconds after ``started``, in microseconds since 1970; whatever a recording says, within reason."""
    return started + round(min(max(at, 0.0), FARTHEST) * 1e6)


def microseconds(header: Header) -> int:
    """``Header.started`` in whole microseconds since 1970; 0 when it says nothing of use."""
    seconds = epoch(header.started)
    return round(seconds * 1e6) if seconds is not None and 0 <= seconds < FARTHEST else 0
