"""What is kept of each connection for the diagnosis: bounded, whatever the connection's length.

Its account (by the :class:`~hangup.recording.connections.Ledger`), sums per message shape, both levels of
heartbeats, and the few messages around its beginning and its end.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from hangup.diagnosis.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.events import Request, Response, Side

RECENT = 24
"""Frames that are kept of a connection's end."""


class Message(Struct, gc=False, eq=False):
    """One message or control frame, as much of it as the diagnosis looks at. ``at`` in seconds, ``size`` in bytes.

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


class Count:
    """How often and when one side sent one shape; times and gaps in seconds, sizes in bytes."""

    __slots__ = ("count", "first", "first_n", "last", "gaps", "squares", "longest", "largest", "smallest")

    def __init__(self, message: Message) -> None:
        self.count = 1
        self.first = self.last = message.at
        self.first_n = message.n
        self.gaps = self.squares = self.longest = 0.0
        self.largest = self.smallest = message.size

    def add(self, message: Message) -> None:
        """Counts one more."""
        gap = message.at - self.last
        self.last = message.at
        self.count += 1
        self.gaps += gap
        self.squares += gap * gap
        if gap > self.longest:
            self.longest = gap
        size = message.size
        if size > self.largest:
            self.largest = size
        elif size < self.smallest:
            self.smallest = size

    @property
    def period(self) -> float:
        """The mean gap."""
        return self.gaps / (self.count - 1) if self.count > 1 else 0.0

    @property
    def regular(self) -> bool:
        """Whether the gaps are alike: three messages or more, their gaps within a fifth of each other."""
        if self.count < 3 or self.period <= 0:
            return False
        mean = self.period
        variance = max(self.squares / (self.count - 1) - mean * mean, 0.0)
        return bool(variance**0.5 <= 0.2 * mean)


class Beats:
    """Heartbeats of one level (``control`` or ``app``) that ``side`` sends, and their answers. Times in seconds."""

    __slots__ = (
        "sent", "answered", "first", "first_n", "last", "last_n", "waiting", "waiting_n", "gap", "longest",
        "slowest", "unasked", "payloads", "mismatched", "shape", "answer",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sent = self.answered = self.unasked = self.mismatched = 0
        self.first = self.last = self.longest = self.gap = self.slowest = 0.0
        self.first_n = self.last_n = self.waiting_n = 0
        self.waiting: float | None = None
        """When the first ping that is not answered yet was sent."""
        self.payloads: deque[bytes] = deque(maxlen=8)
        self.shape: Shape | None = None
        self.answer: Shape | None = None

    def ping(self, message: Message, payload: bytes = b"") -> None:
        """One was sent."""
        if self.sent:
            self.gap = message.at - self.last
            self.longest = max(self.longest, self.gap)
        else:
            self.first, self.first_n = message.at, message.n
        self.sent += 1
        self.last, self.last_n = message.at, message.n
        self.shape = message.shape
        self.payloads.append(payload)
        if self.waiting is None:
            self.waiting, self.waiting_n = message.at, message.n

    def pong(self, message: Message, payload: bytes = b"") -> None:
        """The other side answered, or so it seems."""
        if self.waiting is None:
            self.unasked += 1
            return
        self.answer = message.shape
        if payload not in self.payloads:
            self.mismatched += 1
            return
        self.answered += 1
        self.slowest = max(self.slowest, message.at - self.waiting)
        self.waiting = None

    @property
    def period(self) -> float:
        """The mean gap."""
        return (self.last - self.first) / (self.sent - 1) if self.sent > 1 else 0.0

    @property
    def usual(self) -> float:
        """The mean gap without the longest one and the last."""
        rest = self.last - self.first - self.longest
        return rest / (self.sent - 2) if self.sent > 2 else self.period


class Half:
    """What one side sent until the end."""

    __slots__ = (
        "messages", "size", "first", "last", "frame", "shapes", "kept", "largest", "compressed", "opcode", "parts",
        "pause", "at",
    )  # fmt: skip

    def __init__(self) -> None:
        self.messages = 0
        self.size = 0
        self.largest = 0
        self.compressed = 0
        self.first: Message | None = None
        self.last: Message | None = None
        """The last message."""
        self.frame: Message | None = None
        """The last frame, be it a control frame."""
        self.shapes: dict[Shape, Count] = {}
        self.kept: dict[Shape, int] = {}
        """Of those, how many a filter kept from the other side, or gave it something else for."""
        self.pause = 0.0
        """The longest time between two frames, or from opening to the first."""
        self.at = 0.0
        self.opcode = ""
        """Of a message whose fragments are still coming."""
        self.parts: tuple[int, int, bool, tuple[str, ...]] = (0, 0, False, ())
        """Of the same: fragments and bytes so far, whether compressed, problems."""


class Trace:
    """What is known of one connection. It is frozen at the first step towards its end: what a side still sent then,
    not knowing, is no cause of it."""

    __slots__ = (
        "conn", "account", "host", "request", "response", "waited", "error", "by", "halves", "recent", "opening",
        "beats", "frozen", "late", "junk", "acted", "ids", "pause", "at",
    )  # fmt: skip

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.account = Connection(conn=conn)
        self.host = ""
        """The Host that the server got."""
        self.request: Request | None = None
        self.response: Response | None = None
        self.waited = 0.0
        self.error = ""
        self.by = ""
        self.halves: dict[Side, Half] = {"client": Half(), "server": Half()}
        self.recent: deque[Message] = deque(maxlen=RECENT)
        self.opening: list[Message] = []
        self.beats: dict[tuple[Side, str], Beats] = {}
        self.frozen = False
        self.late = 0
        self.junk = ""
        self.acted: dict[str, int] = {}
        self.ids: dict[str, str] = {}
        self.pause = 0.0
        """The longest time in which nobody sent anything, but for the last before the end."""
        self.at = 0.0

    @property
    def client(self) -> Half:
        """What the client sent."""
        return self.halves["client"]

    @property
    def server(self) -> Half:
        """What the server sent."""
        return self.halves["server"]
