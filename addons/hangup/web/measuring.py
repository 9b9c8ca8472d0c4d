"""A connection in figures: what each side sent, of which kinds and sizes, and how long its pings were under way."""

from __future__ import annotations

import time
from array import array
from typing import Any

from msgspec import Struct

from hangup.messages.kind import kind_of
from hangup.recording.events import AnyEvent, Frame, Side
from hangup.recording.round_trips import Pings, RoundTrips, Trip
from hangup.web.query import Answer, OfConnection, Slices
from hangup.web.recorded import Recorded
from hangup.web.wanted import message_of
from hangup.wire.frames import PING, PONG

SLICE = 0.05
"""Seconds of reading between two pauses."""

KINDS = 40
"""So many kinds of messages are told, the most frequent; beyond :data:`KINDS_KEPT` they are not told apart."""

KINDS_KEPT = 1000

POINTS = 1000
"""So many round trips are told, spread over all; but always the slowest."""

OTHERS = "…"
"""The kind of messages that are not told apart any more."""


def round_trips(trips: RoundTrips) -> dict[str, Any]:
    """For JSON."""
    took = sorted(trip.took for trip in trips.trips)
    return {
        "sent": trips.sent,
        "answered": len(took),
        "waiting": _some(trips.waiting),
        "median": _part(took, 0.5),
        "slowest": _part(took, 1.0),
        "trips": _spread(trips.trips),
    }


def _some(waiting: list[tuple[float, int]]) -> list[tuple[float, int]]:
    return waiting if len(waiting) <= POINTS else [waiting[i * len(waiting) // POINTS] for i in range(POINTS)]


def _spread(trips: list[Trip]) -> list[Trip]:
    if len(trips) <= POINTS:
        return trips
    slowest = max(trips, key=lambda trip: trip.took)
    chosen = [trips[number * len(trips) // (POINTS - 1)] for number in range(POINTS - 1)]
    return sorted({trip.n: trip for trip in [*chosen, slowest]}.values(), key=lambda trip: trip.at)


def _part(ordered: list[float] | array[int], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class _Kind(Struct):
    count: int = 0
    bytes: int = 0


class Figures:
    """The figures of one connection, from its events one by one."""

    def __init__(self) -> None:
        self._sizes: dict[Side, array[int]] = {"client": array("Q"), "server": array("Q")}
        self._opcodes: dict[Side, dict[str, int]] = {"client": {}, "server": {}}
        self._kinds: dict[tuple[Side, str], _Kind] = {}
        self._pings = Pings()

    def feed(self, event: AnyEvent) -> None:
        """Takes the next event."""
        if not isinstance(event, Frame) or event.side not in self._sizes:
            return
        side, opcodes = event.side, self._opcodes[event.side]
        opcodes[event.opcode] = opcodes.get(event.opcode, 0) + 1
        if event.opcode in ("ping", "pong"):
            self._beat(side, PING if event.opcode == "ping" else PONG, event, event.payload)
            return
        said = message_of(event)
        if said is None:
            if event.fin and event.opcode in ("text", "binary", "continuation"):
                # What is recorded need not be possible.
                self._sizes[side].append(max(0, min(event.message_length or event.size, 1 << 62)))
            return
        opcode, data = said
        self._sizes[side].append(len(data))
        self._beat(side, opcode, event, data)

    def _beat(self, side: Side, opcode: int, event: Frame, data: bytes) -> None:
        kind = kind_of(opcode, data)
        if opcode < PING:
            key = side, kind.text
            if key not in self._kinds and len(self._kinds) >= KINDS_KEPT:
                key = side, OTHERS
            counted = self._kinds.setdefault(key, _Kind())
            counted.count += 1
            counted.bytes += len(data)
        self._pings.take(side, opcode, kind, event.at, event.n, data)

    def summary(self) -> Answer:
        """For JSON."""
        kinds = sorted(self._kinds.items(), key=lambda item: -item[1].count)
        trips = self._pings.trips.items()
        return {
            "sides": {side: self._side(side) for side in self._sizes},
            "kinds": [
                {"side": side, "kind": kind, "count": each.count, "bytes": each.bytes}
                for (side, kind), each in kinds[:KINDS]
            ],
            "other_kinds": max(0, len(kinds) - KINDS),
            "pings": [{"side": side, "level": level, **round_trips(each)} for (side, level), each in trips],
        }

    def _side(self, side: Side) -> Answer:
        sizes = array("Q", sorted(self._sizes[side]))
        return {
            "messages": len(sizes),
            "bytes": sum(sizes),
            "median": _part(sizes, 0.5),
            "largest": _part(sizes, 1.0),
            "opcodes": self._opcodes[side],
        }


class StatisticsQuery(OfConnection):
    """The figures of a connection. Sizes are those of messages, in bytes; times in seconds."""

    def answer(self, recorded: Recorded) -> Slices:
        return self._slices(recorded, array("Q", self.lane(recorded).places))

    def _slices(self, recorded: Recorded, places: array[int]) -> Slices:
        figures = Figures()
        until = time.monotonic() + SLICE
        for place in places:
            figures.feed(recorded.event(place))
            if time.monotonic() >= until:
                yield
                until = time.monotonic() + SLICE
        return {"conn": self.conn, **figures.summary()}
