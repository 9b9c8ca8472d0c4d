"""What the page needs to know of a recording without reading it again: sums, and where each event stands.

An :class:`Index` is fed the lines of a recording as they come. It keeps the account (by the :class:`Ledger`, as the
command line does) and of each event only its place in the file, its class and its time: about 25 bytes. What an event
says is read from the file when somebody looks at it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate, islice
from operator import itemgetter
from typing import Any

import msgspec

from hangup.messages.heartbeats import LONGEST, recognise
from hangup.recording.connections import Connection
from hangup.recording.endings import Fate
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    Log,
    Note,
    Part,
    Raw,
    Stop,
)
from hangup.recording.ledger import Ledger
from hangup.wire.frames import BINARY, TEXT

CLASSES = ("data", "heartbeat", "ping", "pong", "close", "problem")
"""Of what a tick of the timeline stands for, by number. A heartbeat is one of the application."""

DATA, HEARTBEAT, PING, PONG, CLOSE, PROBLEM = range(len(CLASSES))
OTHER = 2 * len(CLASSES)
"""The class byte of an event that is no tick; that of a tick is twice its class, plus 1 for the server's side."""

GRACE = 2.0
"""Log lines up to so many seconds after a connection's end stand with it: a traceback comes after the FIN."""

OWN = 0.25
"""But after so many, only until another connection ends: then they may be about that one."""

NOTES_KEPT = 200
MARKS_KEPT = 5000

REMEMBERED = 2000
"""So many short messages are remembered with whether they are heartbeats: those that are come again and again."""

_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
_CONTROL = {"ping": PING, "pong": PONG, "close": CLOSE}


class Track:
    """Times in seconds, and what they are the times of: event numbers of a connection, or places in the file."""

    __slots__ = ("at", "what", "ordered")

    def __init__(self, typecode: str = "I") -> None:
        self.at = array("d")
        self.what: array[int] = array(typecode)
        self.ordered = True

    def __len__(self) -> int:
        return len(self.at)

    def add(self, at: float, what: int) -> None:
        """Appends one."""
        if self.at and at < self.at[-1]:
            self.ordered = False
        self.at.append(at)
        self.what.append(what)

    def count(self, start: float, end: float) -> int:
        """How many there are from ``start`` up to, but not at, ``end``."""
        if self.ordered:
            return bisect_left(self.at, end) - bisect_left(self.at, start)
        return sum(start <= at < end for at in self.at)

    def near(self, low: int, high: int, more: int) -> Iterable[int]:
        """What stands from ``low`` up to ``high``, and so many after that. For event numbers, which only grow."""
        return self.what[bisect_left(self.what, low) : bisect_right(self.what, high) + more]

    def within(self, start: float, end: float) -> Iterator[tuple[float, int]]:
        """Time and what of those."""
        if self.ordered:
            low, high = bisect_left(self.at, start), bisect_left(self.at, end)
            return zip(self.at[low:high], self.what[low:high], strict=True)
        return ((at, what) for at, what in zip(self.at, self.what, strict=True) if start <= at < end)

    def bins(self, start: float, end: float, count: int) -> list[tuple[int, int]]:
        """How many there are in each of ``count`` equal parts of the time, as (number of the part, how many)."""
        width = (end - start) / count
        if self.ordered:
            edges = [bisect_left(self.at, start + x * width) for x in range(count)] + [bisect_left(self.at, end)]
            return [(x, high - low) for x, (low, high) in enumerate(zip(edges, edges[1:], strict=False)) if high > low]
        # The same edges as above, so that the same numbers come out.
        borders = [start + x * width for x in range(count)]
        found: dict[int, int] = {}
        for at, _ in self.within(start, end):
            x = bisect_right(borders, at) - 1
            found[x] = found.get(x, 0) + 1
        return sorted(found.items())


class ConnectionIndex:
    """One connection: for each of its events the place in the file, its class byte, and the number of the frame."""

    __slots__ = (
        "conn", "places", "classes", "frames", "tracks", "actions", "acted", "handshake", "messages", "heartbeats",
        "rev", "loop", "fate",
    )  # fmt: skip

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.places = array("Q")
        self.classes = array("B")
        self.frames = array("I")
        """The number (``n``) of the frame that each event is, or is about; 0 for none."""
        self.tracks: dict[int, Track] = {}
        """By class byte, the ticks."""
        self.actions = Track()
        """When filters acted."""
        self.handshake: int | None = None
        self.messages = [0, 0]
        self.heartbeats = 0
        self.rev = 0
        self.loop: int | None = None
        self.fate: Fate = "open"
        """What became of it, as it was last worked out in the light of the others."""

    def frame(self, n: int) -> int | None:
        """Which of the events is frame ``n``."""
        at = 0
        while n > 0:
            try:
                at = self.frames.index(n, at)
            except ValueError:
                return None
            if self.classes[at] < OTHER:
                return at
            at += 1
        return None


class Index:
    """Lines in, columns out. ``rev`` grows with all that is fed, and each lane keeps the one of its last change.

    What a page from ``origins`` opened is hangup's own page testing the connection.
    """

    def __init__(self, origins: Collection[str] = ()) -> None:
        self.ledger: Ledger = _PageLedger(origins)
        self.lanes: dict[int, ConnectionIndex] = {}
        self.common = array("Q")
        """The places of what concerns no connection, or all of them."""
        self.logs = Track("Q")
        """The log lines, by place; their times never go back."""
        self.ends: list[tuple[float, int]] = []
        """Ends of legs: times, which never go back, and connections."""
        self.marks: list[dict[str, Any]] = []
        """Filters that were added, removed or switched, for all connections."""
        self.notes: list[str] = []
        self.skipped = 0
        """Lines that could not be understood."""
        self.rev = 0
        self.turns = 0
        """Grows when a connection begins or ends, or may have."""

    def feed(self, lines: bytes, place: int) -> None:
        """Takes whole lines, the first of which stands at ``place``."""
        self.rev += 1
        try:
            events = _decoder.decode_lines(lines)
        except _UNREADABLE:
            events = []
        split = lines.split(b"\n")
        if not split[-1]:
            split.pop()
        places: Iterable[int] = accumulate((len(line) + 1 for line in split), initial=place)
        if len(events) != len(split):
            read = list(self._one_by_one(split, places))
            events, places = [event for event, _ in read], [at for _, at in read]
        self.ledger.feed_all(events)
        self._take(zip(events, places, strict=False))

    @staticmethod
    def decode(lines: bytes) -> list[AnyEvent]:
        """The events of whole lines, but for those that cannot be understood."""
        try:
            return _decoder.decode_lines(lines)
        except _UNREADABLE:
            found = []
            for line in lines.split(b"\n"):
                with suppress(*_UNREADABLE):
                    found.append(_decoder.decode(line))
            return found

    def _one_by_one(self, lines: list[bytes], places: Iterable[int]) -> Iterator[tuple[AnyEvent, int]]:
        for line, place in zip(lines, places, strict=False):
            try:
                yield _decoder.decode(line), place
            except _UNREADABLE:
                self.skipped += bool(line.strip())

    def _take(self, found: Iterable[tuple[AnyEvent, int]]) -> None:
        lanes, rev = self.lanes, self.rev
        for event, place in found:
            conn = event.conn
            kind = type(event)
            if not conn or kind is Log:
                self._for_all(event, place)
                continue
            lane = lanes.get(conn)
            if lane is None:
                lane = lanes[conn] = ConnectionIndex(conn)
                self.turns += 1
            lane.rev = rev
            if isinstance(event, Frame):
                byte, n = self._frame(lane, event), event.n
            else:
                byte, n = self._other(lane, event)
            if byte < OTHER:
                track = lane.tracks.get(byte)
                if track is None:
                    track = lane.tracks[byte] = Track()
                track.add(event.at, len(lane.places))
            lane.places.append(place)
            lane.classes.append(byte)
            lane.frames.append(n if 0 <= n < 1 << 32 else 0)

    def _frame(self, lane: ConnectionIndex, event: Frame) -> int:
        side = 1 if event.side == "server" else 0
        found = _CONTROL.get(event.opcode, DATA)
        if found == CLOSE:
            self.turns += 1
        elif found == DATA and event.fin:
            lane.messages[side] += 1
            if beats(event):
                lane.heartbeats += 1
                found = HEARTBEAT
        return (PROBLEM if event.problems else found) * 2 + side

    def _other(self, lane: ConnectionIndex, event: AnyEvent) -> tuple[int, int]:
        """Class byte, and number of the frame if any."""
        self.turns += 1
        if isinstance(event, Raw):
            return PROBLEM * 2 + (event.side == "server"), 0
        if isinstance(event, FilterEvent):
            lane.actions.add(event.at, len(lane.places))
            return OTHER, event.n or 0
        if isinstance(event, Part):
            return OTHER, event.n
        if isinstance(event, Stop) or isinstance(event, Note) and event.lost:
            self._touch_all()
        if isinstance(event, End):
            self.ends.append((max(event.at, self.ends[-1][0]) if self.ends else event.at, event.conn))
        elif isinstance(event, Handshake):
            lane.handshake = len(lane.places)
        return OTHER, 0

    def _for_all(self, event: AnyEvent, place: int) -> None:
        self.common.append(place)
        if isinstance(event, Log):
            at = self.logs.at
            self.logs.add(max(event.at, at[-1]) if at else event.at, place)
        elif isinstance(event, FilterEvent):
            if len(self.marks) < MARKS_KEPT:
                self.marks.append({"at": event.at, "action": event.action, "filter": event.filter})
        elif isinstance(event, Note):
            if len(self.notes) < NOTES_KEPT:
                self.notes.append(event.text)
            if event.lost:
                self._touch_all()
        elif isinstance(event, Stop):
            self._touch_all()

    def _touch_all(self) -> None:
        for lane in self.lanes.values():
            lane.rev = self.rev

    def connection(self, conn: int) -> Connection:
        """Its account."""
        return self.ledger.connections[conn]

    def next_of(self, conns: Collection[int], place: int) -> int | None:
        """Where the next event of one of these connections, or of all, stands in the file, from ``place`` on."""
        found = [self.common, *(self.lanes[conn].places for conn in conns if conn in self.lanes)]
        return min((places[at] for places in found if (at := bisect_left(places, place)) < len(places)), default=None)

    def entries(self, lane: ConnectionIndex) -> Entries:
        """What belongs to a connection, log lines of its time included."""
        connection = self.connection(lane.conn)
        start = connection.first_seen if connection.asked is None else connection.asked
        low = bisect_left(self.logs.at, start)
        ended = connection.ended
        high = len(self.logs) if ended is None else bisect_right(self.logs.at, self._until(lane.conn, ended))
        return Entries(lane.places, self.logs.what, low, max(low, high))

    def _until(self, conn: int, ended: float) -> float:
        """Until when log lines stand with a connection that ended then."""
        for at, whose in islice(self.ends, bisect_right(self.ends, ended + OWN, key=itemgetter(0)), None):
            if whose != conn or at > ended + GRACE:
                return min(at, ended + GRACE)
        return ended + GRACE


def beats(event: Frame) -> bool:
    """Whether the frame is a message that is a heartbeat of the application."""
    text, data = event.message, event.message_base64
    opcode = TEXT if event.opcode == "text" else BINARY
    if text is None and data is None:
        if event.rsv or event.opcode == "continuation" or event.parts or event.length is not None:
            return False
        text, data = event.text, event.base64
    elif event.opcode == "continuation":
        opcode = BINARY if text is None else TEXT
    if text is not None:
        return len(text) <= LONGEST and _says(opcode, text)
    return recognise(opcode, data or b"") is not None


@lru_cache(REMEMBERED)
def _says(opcode: int, text: str) -> bool:
    return recognise(opcode, text.encode()) is not None


class _PageLedger(Ledger):
    """A ledger that knows which connections the page opened itself."""

    def __init__(self, origins: Collection[str]) -> None:
        super().__init__()
        self._origins = origins

    def _handshake(self, event: Handshake) -> None:
        super()._handshake(event)
        mark_test(self, event.conn, self._origins)


def mark_test(ledger: Ledger, conn: int, origins: Collection[str]) -> None:
    """Takes a connection for a test of the page, when it comes from there: it says nothing about the application."""
    connection = ledger.connections.get(conn)
    if connection is not None and connection.origin in origins:
        connection.kind = "test"


class Entries:
    """The events of a connection and the log lines of its time, numbered from 0 in the order of the file.

    ``own`` are the places of the events; of ``logs``, those from ``low`` up to ``high`` count. A number once given
    stays: whatever comes later stands further back in the file.
    """

    def __init__(self, own: array[int], logs: array[int], low: int, high: int) -> None:
        self._own = own
        self._logs = logs
        self._low = low
        self._high = high

    def __len__(self) -> int:
        return len(self._own) + self._high - self._low

    def number(self, own: int) -> int:
        """The number of the connection's event ``own``."""
        return own + bisect_left(self._logs, self._own[own], self._low, self._high) - self._low

    def find(self, place: int) -> int | None:
        """The number of the log line that stands at a place of the file; None when it is not among these."""
        log = bisect_left(self._logs, place, self._low, self._high)
        if log >= self._high or self._logs[log] != place:
            return None
        return log - self._low + bisect_left(self._own, place)

    def places(self, start: int, count: int) -> Iterator[tuple[int, int, int | None]]:
        """Number, place, and which of the connection's own events it is (None: a log line)."""
        end = min(start + count, len(self))
        own = self._split(min(start, len(self)))
        log = self._low + start - own
        for number in range(start, end):
            if log >= self._high or (own < len(self._own) and self._own[own] < self._logs[log]):
                yield number, self._own[own], own
                own += 1
            else:
                yield number, self._logs[log], None
                log += 1

    def _split(self, start: int) -> int:
        """How many of the first ``start`` entries are the connection's own."""
        logs = self._high - self._low
        low, high = max(0, start - logs), min(start, len(self._own))
        while low < high:
            middle = (low + high) // 2
            if self._own[middle] < self._logs[self._low + start - middle - 1]:
                low = middle + 1
            else:
                high = middle
        return low
