"""What a timer of the server, or of something before it, may count from, and how steady the time from that is."""

from __future__ import annotations

import math

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread, steadiness
from hangup.diagnosis.findings import Cite, Trigger, cite
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary


def _steady(values: list[float]) -> tuple[float, float, str]:
    """Steadiness, median, and both in words."""
    weight, value = steadiness(values), middle(values)
    wide = spread(values)
    words = duration(value) if len(values) < 2 else f"{duration(value)} (spread {duration(wide)})"
    return weight, value, words


class Clocks:
    """For each thing that a timer may count from, how steady the time from it to the end is."""

    def __init__(self, case: Case) -> None:
        self.lives = [life for life in case.victims if life.open_since is not None and life.end is not None]
        self.open = [life.lasted for life in self.lives]
        self.client = [_since(life, "client") for life in self.lives]
        self.server = [_since(life, "server") for life in self.lives]
        self.idle = [min(pair) for pair in zip(self.client, self.server, strict=True)]
        self.ping = [life.since(_last_ping(life)) for life in self.lives]
        self.age = _steady(self.open)

    def of(self, values: list[float]) -> tuple[float, float, str]:
        """As for ``age``; steadiness 0 when some connection has no such frame."""
        if not values or any(math.isinf(v) for v in values):
            return 0.0, 0.0, ""
        return _steady(values)


def _since(life: Connection, side: Side) -> float:
    frame = life.traffic.halves[side].frame
    return life.since(frame.at if frame is not None else life.open_since)


def _last_ping(life: Connection) -> float | None:
    beats = life.traffic.beats.get(("server", "control"))
    return beats.last if beats is not None and beats.sent else None


def typical_pause(case: Case) -> float:
    """A typical pause between frames of the victims, so that silence can be told from it."""
    total = sum(life.traffic.client.messages + life.traffic.server.messages for life in case.victims)
    time = sum(life.lasted for life in case.victims)
    return time / (total + len(case.victims)) if total else math.inf


def cites_of(clocks: Clocks, side: Side | None = None) -> list[Cite]:
    """The connections, each with the last frame of a side if one is named."""
    return [cite(life, life.traffic.halves[side].frame if side else None) for life in clocks.lives]


def left_waiting(clocks: Clocks) -> list[tuple[Connection, MessageSummary]]:
    """The clients' last messages, if the server answered something before them each time, but nothing after."""
    found = []
    for life in clocks.lives:
        last, answer = life.last_message("client"), life.last_message("server")
        if last is None or answer is None or answer.n > last.n:
            return []
        first = life.traffic.client.first
        if first is None or first.n > answer.n:
            return []  # what the server said was no answer
        found.append((life, last))
    return found


def by_time(clocks: Clocks, beats: tuple[Side, str] | None = None) -> Trigger:
    """What happened last, or the ping in question: the end itself comes of time."""
    life = clocks.lives[0]
    frame = None
    if beats is not None:
        found = life.traffic.beats.get(beats)
        if found is not None and found.sent:
            frame = found.waiting_n or found.last_n
    if frame is None:
        last = [half.frame for half in life.traffic.halves.values() if half.frame is not None]
        frame = max(last, key=lambda m: m.n).n if last else None
    return Trigger("time", life.conn, frame)
