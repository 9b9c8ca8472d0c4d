"""Heartbeats of a connection: who sends them, and what answers them.

A message that is called a ping, a heartbeat or ``hb`` may be the answer to the other side's: what comes as a rule right
after a beat of the other side is its pong, whatever it is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from hangup.messages.shapes import Shape
from hangup.recording.events import Side

KEPT = 512
"""So many messages that are beats are looked at to see who answers whom; the later ones are taken likewise."""

PROMPT = 0.25
"""The share of the other side's usual gap (a median) within which a beat follows one of it at once."""

SOON = 0.1
"""Seconds for the same where there is no such gap."""

RULE = 0.8
"""The share of a side's beats from which on it is a rule that they follow at once."""


class Heartbeats:
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

    def ping(self, at: float, n: int, shape: Shape, payload: bytes = b"") -> None:
        """One was sent."""
        if self.sent:
            self.gap = at - self.last
            self.longest = max(self.longest, self.gap)
        else:
            self.first, self.first_n = at, n
        self.sent += 1
        self.last, self.last_n = at, n
        self.shape = shape
        self.payloads.append(payload)
        if self.waiting is None:
            self.waiting, self.waiting_n = at, n

    def pong(self, at: float, shape: Shape, payload: bytes = b"") -> None:
        """The other side answered, or so it seems."""
        if self.waiting is None:
            self.unasked += 1
            return
        self.answer = shape
        if payload not in self.payloads:
            self.mismatched += 1
            return
        self.answered += 1
        self.slowest = max(self.slowest, at - self.waiting)
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


class Spoken(NamedTuple):
    """A message that is a beat."""

    at: float
    n: int
    side: Side
    shape: Shape

    @property
    def asks(self) -> bool:
        """Whether it is called a ping, or something that may be one."""
        return self.shape.beat is not None and self.shape.beat.kind == "ping"


class SpokenBeats:
    """The beats of a connection that are messages. They are taken in order, and read when somebody asks."""

    __slots__ = ("kept", "_found", "_count", "_answers")

    def __init__(self) -> None:
        self.kept: list[Spoken] = []
        self._found: dict[Side, Heartbeats] = {}
        self._count = 0
        """How many of those kept are in what was found."""
        self._answers: frozenset[tuple[Side, Shape]] | None = None
        """Which are answers, once that is decided for all that follow."""

    def add(self, at: float, n: int, side: Side, shape: Shape) -> None:
        """One was sent."""
        beat = Spoken(at, n, side, shape)
        if self._answers is not None:
            _count(self._found, beat, self._answers)
            return
        self.kept.append(beat)
        if len(self.kept) >= KEPT:
            self.read()
            self._answers = answers(self.kept)
            self.kept = []

    def read(self) -> dict[Side, Heartbeats]:
        """The pings of each side."""
        if self._answers is None and self._count != len(self.kept):
            self._found = {}
            mine = answers(self.kept)
            for beat in self.kept:
                _count(self._found, beat, mine)
            self._count = len(self.kept)
        return self._found


def _count(found: dict[Side, Heartbeats], beat: Spoken, answering: frozenset[tuple[Side, Shape]]) -> None:
    other: Side = "server" if beat.side == "client" else "client"
    asked = found.get(other)
    # What answers a ping may be the very same message (`{"type":"heartbeat"}`, `{}`).
    same = asked is not None and asked.waiting is not None and asked.shape is beat.shape
    if not beat.asks or same or (beat.side, beat.shape) in answering:
        found.setdefault(other, Heartbeats()).pong(beat.at, beat.shape)
    else:
        found.setdefault(beat.side, Heartbeats()).ping(beat.at, beat.n, beat.shape)


def answers(beats: Sequence[Spoken]) -> frozenset[tuple[Side, Shape]]:
    """Which side's beats of which shape are answers to the other side's: those that follow one of them at once, as a
    rule, and each another one."""
    times: dict[tuple[Side, Shape], list[float]] = {}
    for beat in beats:
        times.setdefault((beat.side, beat.shape), []).append(beat.at)
    gaps = {key: _usual_gap(its) for key, its in times.items()}
    waiting: dict[Side, Spoken] = {}
    followed: dict[tuple[Side, Shape], int] = {}
    total: dict[tuple[Side, Shape], int] = {}
    for beat in beats:
        other: Side = "server" if beat.side == "client" else "client"
        asked = waiting.pop(other, None)
        if not beat.asks:
            continue
        key = beat.side, beat.shape
        total[key] = total.get(key, 0) + 1
        gap = None if asked is None else gaps[other, asked.shape]
        if asked is not None and beat.at - asked.at <= (SOON if gap is None else PROMPT * gap):
            followed[key] = followed.get(key, 0) + 1
        else:
            waiting[beat.side] = beat
    found = {key for key, count in followed.items() if count >= RULE * total[key]}
    first = next((beat.side for beat in beats if beat.asks), None)
    if {side for side, _ in found} == {"client", "server"}:
        found = {key for key in found if key[0] != first}  # who began asks
    return frozenset(found)


def _usual_gap(times: Sequence[float]) -> float | None:
    """The median gap, None where there is only one time."""
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    return median(gaps) if gaps else None
