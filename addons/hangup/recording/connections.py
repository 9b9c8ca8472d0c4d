"""A connection: all that is known of it, in the one summary that there is.

A :class:`Connection` is built in one pass over the events, by a :class:`~hangup.recording.ledger.Ledger`. It has sums,
the last frame of each side and the few steps that lead to its end, whoever asks; what went over it
(:attr:`Connection.traffic`) where the ledger was asked to look into that. The rest is worked out from these when it is
asked for: how it ended, what became of it, how long it lasted, and what its request said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from msgspec import Struct, field

from hangup.humanize import clip, span
from hangup.messages.farewells import dismisses
from hangup.messages.shapes import Shapes
from hangup.recording.dev_server import Kind
from hangup.recording.ending_words import Ending, ending_of
from hangup.recording.endings import SETTLED, By, Course, Fate, Last, Step, Told, course, fate_among, is_failure, leg
from hangup.recording.events import Frame, Side
from hangup.recording.traffic import MessageSummary, Traffic
from hangup.unreachable import no_server

Manner = Literal["close", "abrupt", "refused"]
"""With a close frame, without one (FIN, RST, time-out), or a handshake that was not answered by 101."""

GIVEN_UP = 1.0
AT_ONCE = 0.1
"""Seconds in which a page gives up what it has asked for: before it has said anything, or whatever it has said."""

FOREVER = 1e9
"""Seconds; a longer time is a broken clock's."""

_VOLATILE = re.compile(r".*\d.*|[A-Za-z0-9_-]{20,}")
_VERSION = re.compile(r"v\d{1,2}|\d{1,2}(?:\.\d+)?|socket\.io|ws\d?|mqtt\d?", re.I)


def route_of(target: str) -> str:
    """The path of a target with its volatile parts (``/ws/client-7`` is ``/ws/{}``)."""
    path = target.partition("?")[0]
    parts = [
        "{}" if _VOLATILE.fullmatch(part) and not _VERSION.fullmatch(part) else part for part in path.split("/")[:12]
    ]
    return "/".join(parts)


def manner_of(read: Course, told: Told | None) -> Manner | None:
    """How it ended, by its course and by what an import tells."""
    first = read.first
    if read.state == "refused":
        return "refused"
    if first is None and told is not None:
        return None if told.code is None else "close"
    if first is None or first.by or read.over is None:
        return None
    return "close" if first.what == "close" else "abrupt"


_NONE: dict[Side, int] = {"client": 0, "server": 0}
_NOTHING: Mapping[Any, Any] = {}


def _never() -> Mapping[Side, int]:
    """The same one for all connections with which there is nothing the like: a recording may have very many."""
    return _NONE


def _nothing() -> Mapping[Any, Any]:
    return _NOTHING


class Connection(Struct, kw_only=True, eq=False):
    """One connection, as far as it was seen. Times are in seconds from the recording's start.

    ``client`` and ``server`` are addresses, ``path`` the target without its query. ``status`` is the HTTP
    status that the server (or what stood in for it) gave. ``bytes`` are payload bytes on the wire, of whole
    frames. ``problems`` counts what was wrong with frames, ``checks`` lists the handshake checks that failed,
    and ``actions`` is how often a filter acted. ``lost`` counts events that the recorder lost while it was
    open.
    """

    conn: int
    client: str = ""
    server: str = ""
    path: str = ""
    target: str = ""
    kind: Kind = "app"
    """What it is for: the application, or a dev server's own business."""
    origin: str | None = None
    """Where the page comes from that asked, as it said itself; programs say nothing."""
    status: int | None = None
    phrase: str = ""
    location: str = ""
    subprotocol: str | None = None
    asked: float | None = None
    """When the handshake's request came."""
    answered: float | None = None
    """When its answer, or its failure, was known."""
    answered_by: str = ""
    opened: float | None = None
    error: str = ""
    checks: tuple[str, ...] = ()
    first_seen: float = 0.0
    last_seen: float = 0.0
    frames: dict[Side, int] = field(default_factory=_NONE.copy)
    bytes: dict[Side, int] = field(default_factory=_NONE.copy)
    pings: Mapping[Side, int] = field(default_factory=_never)
    pongs: Mapping[Side, int] = field(default_factory=_never)
    last: dict[Side, Last | Frame] = {}
    problems: Mapping[str, int] = field(default_factory=_nothing)
    half: Mapping[Side, str] = field(default_factory=_nothing)
    """Of a side that ended within a frame: the frame in words."""
    junk: Mapping[Side, str] = field(default_factory=_nothing)
    """Of a side that sent bytes which are no frame: the first of them."""
    left_compressed: int = 0
    """Messages that were left compressed, as they inflate to far more than was on the wire."""
    actions: int = 0
    passed_on: Mapping[Side, float] = field(default_factory=_nothing)
    """When a filter last sent a message in a side's name, or one of its own later than it came."""
    lost: int = 0
    stopped: bool = False
    """Whether the recording was ended in order while this was open."""
    untold: str = ""
    """Of an import that does not tell how it ended: all that is known of its ending."""
    told: Told | None = None
    """Of an import that tells at least when it ended: what it tells."""
    steps: list[Step] = []
    looked_into: Traffic | None = None
    successor: int | None = None
    """The number of what its client opened next, once that was found out (:func:`hangup.recording.loops.follow`)."""
    reopened: float | None = None
    """When its client asked for that one."""
    read: tuple[Any, Course] | None = None
    """The course, and from what it was read."""
    over: Course | None = None
    """The course, once nothing more will be learned."""
    context: Fate | None = None
    """What the other connections make of its fate, where that is another than by itself."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        names = (name for name in self.__struct_fields__ if name not in ("read", "over"))
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def refused(self) -> bool:
        """Whether the handshake failed: no 101, or no answer at all."""
        return self.answered is not None and self.opened is None

    @property
    def traffic(self) -> Traffic:
        """What went over it; nothing where nobody looked into that."""
        if self.looked_into is None:
            self.looked_into = Traffic(Shapes())
        return self.looked_into

    # How it ended.

    @property
    def course(self) -> Course:
        """Its steps, read by the theory of endings."""
        if self.over is not None:
            return self.over
        state = self.told, len(self.steps), self.frames["client"], self.frames["server"], self.answered, self.opened
        if self.read is None or self.read[0] != state:
            self.read = state, course(self)
        return self.read[1]

    @property
    def ending(self) -> Ending:
        """Who ended it and how, as far as is known."""
        return ending_of(self, self.course)

    @property
    def ended(self) -> float | None:
        """When it was over, or the handshake refused; None while it is open."""
        return self.course.over

    @property
    def end(self) -> float | None:
        """When it began to end (seconds): the first step, which may be a half-close. None while there is none."""
        return self.course.began

    @property
    def lifetime(self) -> float | None:
        """Seconds from opening to the end; None while it is open, or when it never was."""
        ended = self.ended
        return None if ended is None or self.opened is None else span(self.opened, ended)

    @property
    def fate(self) -> Fate:
        """What became of it, by itself and by what its client did next."""
        return self.context if self.context is not None else fate_among(self.alone, self.successor)

    @property
    def alone(self) -> Fate:
        """Its fate by itself."""
        read = self.course
        if read.state == "refused":
            return self._refusal()
        first = read.first
        if first is None and self.told is not None:
            return self._fate_by(self.told.by, self.told.code, self.told.reason, self.told.code is not None)
        if first is None or read.state == "half-closed":
            return "open"
        if first.by:
            return "stopped" if first.by == "proxy" else "filtered"
        return self._fate_by(first.side, first.code, first.reason, first.what == "close" and not first.unread)

    def _fate_by(self, by: str, code: int | None, reason: str, close: bool) -> Fate:
        if by == "server":
            mild = close and code in (None, 1000) and not reason
            return "finished" if mild and self.lasted >= SETTLED else "dropped"
        odd = close and code not in (None, 1000, 1001)
        checks = self.checks
        balked = checks and self.lasted < SETTLED and any("subprotocol" in c or "extension" in c for c in checks)
        return "dropped" if odd or balked else "left"

    def _refusal(self) -> Fate:
        ending = self.ending
        if ending.by == "proxy":
            return "filtered"
        left = next((step for step in self.steps if step.what in ("fin", "rst", "close")), None)
        if ending.by == "client" or (self.status is None and left is not None and left.side == "client"):
            return "abandoned"
        return "unreachable" if self.status is None and no_server(self.error) else "refused"

    @property
    def failed(self) -> bool:
        """Whether that was a failure."""
        return is_failure(self.fate, self.successor)

    @property
    def manner(self) -> Manner | None:
        """How it ended; None while it is open, and when hangup ended it."""
        return manner_of(self.course, self.told)

    @property
    def code(self) -> int | None:
        """The close code, or the status that refused the handshake."""
        return self.status if self.refused else self.ending.code

    @property
    def reason(self) -> str:
        """The reason in the first close frame."""
        return self.ending.reason or ""

    # Times, in seconds.

    @property
    def began(self) -> float:
        """When its client asked for it."""
        return self.first_seen if self.asked is None else self.asked

    @property
    def open_since(self) -> float | None:
        """When it was opened; where the handshake is missing from the file, when it was first seen."""
        if self.opened is None and self.answered is None and (any(self.frames.values()) or self.steps):
            return self.first_seen
        return self.opened

    @property
    def waited(self) -> float:
        """For how long its client waited for the answer to the handshake."""
        return 0.0 if self.answered is None or self.asked is None else span(self.asked, self.answered)

    @property
    def lasted(self) -> float:
        """From opening to where it began to end, or to the last event while it is open."""
        opened = self.open_since
        if opened is None:
            return 0.0
        end = self.end
        return clip((self.last_seen if end is None else end) - opened, 0.0, FOREVER)

    @property
    def gap(self) -> float | None:
        """From the end to the client's next request."""
        end = self.end
        if self.reopened is None or end is None:
            return None
        return clip(self.reopened - end, -60.0, FOREVER)

    def since(self, at: float | None) -> float:
        """From a moment to where it began to end; infinite when there was no such moment."""
        end = self.end
        if at is None or end is None:
            return math.inf
        return clip(end - at, 0.0, FOREVER)

    @property
    def silence(self) -> float | None:
        """For how long neither side had sent a frame when it began to end; None where nothing was sent, or while it is
        open."""
        return self.silent_before(self.end)

    def silent_before(self, end: float | None) -> float | None:
        """The same of one of which is known when it began to end."""
        if end is None:
            return None
        spoke = [last.at for last in self.last.values() if last.opcode != "close"]
        return clip(end - max(spoke), 0.0, FOREVER) if spoke else None

    @property
    def given_up(self) -> bool:
        """Whether its client took it back as soon as it had asked for it, or before it had said anything."""
        return self.gives_up(self.ending.by)

    def gives_up(self, by: str) -> bool:
        """The same of one of which is known ``by`` whom it was ended."""
        if by != "client":
            return False
        read = self.course
        ended, first = read.over, read.first
        if ended is None:
            return False
        closing = first is not None and first.what == "close"
        said = self.frames["client"] - self.pings["client"] - self.pongs["client"] - closing
        if said > 0 and self.opened is not None and ended - self.opened > 2 * AT_ONCE:
            return False  # as of nearly all, without a closer look
        if ended - self.began > GIVEN_UP + self.waited:
            return False
        return said <= 0 or (self.lifetime or 0.0) <= AT_ONCE

    # What its request and its messages said.

    @property
    def route(self) -> str:
        """Its path without what is another each time."""
        return route_of(self.target)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        try:
            return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=100))
        except ValueError:
            return {}

    def header(self, name: str, *, response: bool = False) -> str:
        """A header of the request, or of the response; empty when it is not there."""
        message = self.traffic.response if response else self.traffic.request
        if message is None:
            return ""
        return next((value for key, value in message.headers if key.lower() == name), "")

    def last_message(self, side: Side) -> MessageSummary | None:
        """The side's last message before the end."""
        return self.traffic.halves[side].last

    @property
    def dismissed(self) -> MessageSummary | None:
        """The server's message that told its client to go, where it closed at once. As far as the traffic was looked
        into."""
        last = self.traffic.halves["server"].last if self.looked_into is not None else None
        first = self.course.first
        if last is None or first is None or first.side != "client" or first.by or self.since(last.at) > AT_ONCE:
            return None
        return last if last.data and dismisses(last.kind) else None

    @property
    def hung_up_by(self) -> By:
        """Who wanted it to end: mostly the one that ended it."""
        return "server" if self.dismissed is not None else self.ending.by

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "conn": self.conn,
            "client": self.client,
            "server": self.server,
            "path": self.path,
            "target": self.target,
            "kind": self.kind,
            "status": self.status,
            "subprotocol": self.subprotocol,
            "opened": self.opened,
            "lifetime": self.lifetime,
            "fate": self.fate,
            "failed": self.failed,
            "frames": self.frames,
            "bytes": self.bytes,
            "pings": self.pings,
            "pongs": self.pongs,
            "problems": self.problems,
            "checks": self.checks,
            "error": self.error or None,
            "actions": self.actions,
            "lost": self.lost,
            "legs": {"client": leg(self, "client"), "server": leg(self, "server")},
            "ending": self.ending.summary(),
        }


def numbered(connections: Iterable[Connection]) -> str:
    """``connection 3``, ``connections 1, 2 and 5``, ``12 connections``."""
    numbers = [connection.conn for connection in connections]
    if len(numbers) == 1:
        return f"connection {numbers[0]}"
    if len(numbers) <= 4:
        return f"connections {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    return f"{len(numbers)} connections"
