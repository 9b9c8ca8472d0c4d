"""What went over a connection: the columns of a :class:`~hangup.recording.connections.Connection` that are bounded,
whatever its length. Sums per kind of message, both levels of heartbeats, pauses, and the messages around its beginning
and its end; those are looked into when somebody asks for them.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Any

import msgspec
from msgspec import Struct

from hangup.messages.kind import MessageKind, kind_of
from hangup.messages.shapes import OTHER, Shape, Shapes
from hangup.recording.beats import Heartbeats, SpokenBeats
from hangup.recording.events import Frame, Request, Response, Side
from hangup.wire.frames import OPCODE_NUMBERS

RECENT = 24
"""Frames that are kept of a connection's end."""

OPENING = 8
"""Messages that are kept of a connection's beginning."""

PREVIEW = 400
"""Characters that are kept of a message."""

SHAPES_KEPT = 24
"""Shapes that are counted for each side of a connection; further ones count as one."""

TIMES_KEPT = 2048
"""So many times of one kind of message are kept, to see whether they are regular."""

REMEMBERED = 256

LONGEST_NAMED = 4096
"""Characters of a first message that may say who its client is."""


def octets(text: str) -> int:
    """The length of a text on the wire, in bytes."""
    return len(text) if text.isascii() else len(text.encode())


class MessageSummary(Struct, gc=False, eq=False):
    """One message or control frame, as much of it as a diagnosis looks at. ``at`` in seconds, ``size`` in bytes.

    ``n`` is its (last) frame's number; ``opcode`` is ``text``, ``binary`` or a control frame's; ``text`` its beginning.
    """

    n: int
    at: float
    side: Side
    opcode: str
    shape: Shape
    size: int
    text: str = ""
    fragments: int = 1
    compressed: bool = False
    problems: tuple[str, ...] = ()

    @property
    def data(self) -> bool:
        """Whether it is a message of the application, and no control frame."""
        return self.opcode in ("text", "binary")

    @property
    def kind(self) -> MessageKind:
        """What it calls itself; of a longer one, whose end is not kept, nothing is known."""
        encoding = "latin-1" if self.opcode == "binary" else "utf-8"
        return kind_of(OPCODE_NUMBERS[self.opcode], self.text.encode(encoding, "replace"))


class KindCount:
    """How often and when one side sent one kind of message; times and gaps in seconds, sizes in bytes."""

    __slots__ = ("count", "times", "last", "first_n", "largest", "smallest")

    def __init__(self, at: float, n: int, size: int) -> None:
        self.count = 1
        self.times = array("d", (at,))
        """Of the first :data:`TIMES_KEPT`."""
        self.last = at
        self.first_n = n
        self.largest = self.smallest = size

    def add(self, at: float, size: int) -> None:
        """Counts one more."""
        self.count += 1
        self.last = at
        if len(self.times) < TIMES_KEPT:
            self.times.append(at)
        if size > self.largest:
            self.largest = size
        elif size < self.smallest:
            self.smallest = size

    def add_all(self, count: int, last: float, sizes: list[int]) -> None:
        """Counts many more."""
        self.count += count
        self.last = last
        self.largest = max(self.largest, max(sizes))
        self.smallest = min(self.smallest, min(sizes))

    @property
    def first(self) -> float:
        """When the first was sent."""
        return self.times[0]

    @property
    def period(self) -> float:
        """The mean gap."""
        return (self.last - self.first) / (self.count - 1) if self.count > 1 else 0.0

    @property
    def longest(self) -> float:
        """The longest gap."""
        times = self.times
        return max((after - before for before, after in zip(times, times[1:], strict=False)), default=0.0)

    @property
    def regular(self) -> bool:
        """Whether the gaps are alike: three messages or more, their gaps within a fifth of each other."""
        times = self.times
        if len(times) < 3 or times[-1] <= times[0]:
            return False
        mean = (times[-1] - times[0]) / (len(times) - 1)
        gaps = (after - before for before, after in zip(times, times[1:], strict=False))
        squares = sum(gap * gap for gap in gaps)  # no power: absurd times must not overflow
        variance = max(squares / (len(times) - 1) - mean * mean, 0.0)
        return bool(variance**0.5 <= 0.2 * mean)

    def merged(self, other: KindCount) -> KindCount:
        """The sums of both; the times of this one."""
        new = KindCount(self.first, self.first_n, self.largest)
        new.times, new.last = self.times, self.last
        new.count = self.count + other.count
        new.largest = max(self.largest, other.largest)
        new.smallest = min(self.smallest, other.smallest)
        return new


Seen = Frame | MessageSummary


class SideTraffic:
    """What one side sent until the end."""

    __slots__ = (
        "messages", "size", "largest", "compressed", "shapes", "kept", "pause", "at", "first_seen", "last_seen",
        "frame_seen", "opcode", "parts", "heads", "whole",
    )  # fmt: skip

    def __init__(self, whole: Traffic) -> None:
        self.whole = whole
        self.messages = 0
        self.size = 0
        self.largest = 0
        self.compressed = 0
        self.shapes: dict[Shape, KindCount] = {}
        self.kept: dict[Shape, int] = {}
        """Of those, how many a filter kept from the other side, or gave it something else for."""
        self.pause = 0.0
        """The longest time between two frames, or from opening to the first."""
        self.at = 0.0
        self.first_seen: Seen | None = None
        self.last_seen: Seen | None = None
        self.frame_seen: Seen | None = None
        self.opcode = ""
        """Of a message whose fragments are still coming."""
        self.parts: tuple[int, int, bool, tuple[str, ...]] = (0, 0, False, ())
        """Of the same: fragments and bytes so far, whether compressed, problems."""
        self.heads: dict[str, dict[int, KindCount]] = {}
        """How messages begin of which that tells the kind; then, by the number of quotes in them."""

    @property
    def first(self) -> MessageSummary | None:
        """The first message."""
        return None if self.first_seen is None else self.whole.summary(self.first_seen)

    @property
    def last(self) -> MessageSummary | None:
        """The last message."""
        return None if self.last_seen is None else self.whole.summary(self.last_seen)

    @property
    def frame(self) -> MessageSummary | None:
        """The last frame, be it a control frame."""
        return None if self.frame_seen is None else self.whole.summary(self.frame_seen)

    def count(self, shape: Shape, at: float, n: int, size: int) -> KindCount:
        """Counts a message of a shape."""
        count = self.shapes.get(shape)
        if count is None:
            if len(self.shapes) >= SHAPES_KEPT and shape is not OTHER:
                return self.count(OTHER, at, n, size)
            count = self.shapes[shape] = KindCount(at, n, size)
        else:
            count.add(at, size)
        return count


class Traffic:
    """What went over a connection. It is frozen at the first step towards its end: what a side still sent then, not
    knowing, is no cause of it.
    """

    __slots__ = (
        "request", "sent", "response", "halves", "seen", "opened", "control", "spoken", "frozen", "late", "junk",
        "acted", "pause", "at", "known", "_made", "_ids",
    )  # fmt: skip

    def __init__(self, shapes: Shapes) -> None:
        self.known = shapes
        self.request: Request | None = None
        """What the client asked."""
        self.sent: Request | None = None
        """What the server was asked."""
        self.response: Response | None = None
        self.halves: dict[Side, SideTraffic] = {"client": SideTraffic(self), "server": SideTraffic(self)}
        self.seen: deque[Seen] = deque(maxlen=RECENT)
        self.opened: list[Seen] = []
        self.control: dict[Side, Heartbeats] = {}
        self.spoken = SpokenBeats()
        self.frozen = False
        self.late = 0
        """Frames after that."""
        self.junk = ""
        self.acted: dict[str, int] = {}
        self.pause = 0.0
        """The longest time in which nobody sent anything, but for the last before the end."""
        self.at = 0.0
        self._made: dict[int, MessageSummary] = {}
        self._ids: dict[str, str] | None = None

    @property
    def client(self) -> SideTraffic:
        """What the client sent."""
        return self.halves["client"]

    @property
    def server(self) -> SideTraffic:
        """What the server sent."""
        return self.halves["server"]

    @property
    def host(self) -> str:
        """The Host that the server got."""
        headers = self.sent.headers if self.sent is not None else []
        return next((value for name, value in headers if name.lower() == "host"), "")

    @property
    def recent(self) -> list[MessageSummary]:
        """The last frames of both sides before the end, in order."""
        return [self.summary(seen) for seen in self.seen]

    @property
    def opening(self) -> list[MessageSummary]:
        """The first messages of both sides, in order."""
        return [self.summary(seen) for seen in self.opened]

    @property
    def ids(self) -> dict[str, str]:
        """What in the client's first message may say who it is."""
        first = self.halves["client"].first_seen
        if self._ids is None and first is not None:
            text = first.text
            if type(first) is MessageSummary and len(text or "") >= PREVIEW:
                text = None  # not all of it is kept
            self._ids = {} if text is None or len(text) > LONGEST_NAMED else _named(text)
        return self._ids or {}

    @property
    def beats(self) -> dict[tuple[Side, str], Heartbeats]:
        """The heartbeats of each side, by level: ``control`` (frames) and ``app`` (messages)."""
        found = {(side, "control"): beats for side, beats in self.control.items()}
        return found | {(side, "app"): beats for side, beats in self.spoken.read().items()}

    def beating(self, side: Side) -> Heartbeats:
        """The control frames of a side that are pings."""
        return self.control.setdefault(side, Heartbeats())

    def summary(self, seen: Seen) -> MessageSummary:
        """What is to be known of a message: the same object for the same one."""
        if type(seen) is MessageSummary:
            return seen
        assert type(seen) is Frame
        made = self._made.get(seen.n)
        if made is None:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            text = seen.text or ""
            cut = seen.length is not None
            shape = self.known.of_unknown(seen.opcode) if cut else self.known.of_text(text)
            size = seen.length if seen.length is not None else octets(text)
            made = MessageSummary(
                seen.n, seen.at, seen.side, seen.opcode, shape, size, text[:PREVIEW], problems=seen.problems
            )
            self._made[seen.n] = made
        return made


_ID_KEYS = (
    "id", "client", "user", "session", "device", "uid", "uuid", "sub", "peer", "name", "account", "login", "who",
    "player", "member", "nick", "handle", "station", "email", "sender", "author",
)


def _named(text: str) -> dict[str, str]:
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    ids: dict[str, str] = {}
    if isinstance(found, dict):
        for body in ("", "data", "payload", "params", "d"):
            inner = found.get(body) if body else found
            if isinstance(inner, dict):
                for key, value in list(inner.items())[:32]:
                    low = key.lower()
                    if isinstance(value, str | int) and any(low.endswith(word) for word in _ID_KEYS):
                        ids[key] = str(value)[:80]
    return ids
