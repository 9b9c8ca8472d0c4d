"""A search among all connections: line by line through the recording, as it stands in the file."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from msgspec import field

from hangup.errors import FilterError
from hangup.filters.patterns import TooLong
from hangup.humanize import printable
from hangup.recording.events import AnyEvent, Frame, Log, decode, decode_lines
from hangup.web import wording
from hangup.web.index import HEARTBEAT, ConnectionIndex
from hangup.web.query import Answer
from hangup.web.recorded import Recorded
from hangup.web.wanted import SEARCH, Wanted, lines_of, texts_of

SHOWN = 20
"""Hits of one connection that are told in one answer; the rest are counted."""

TIMES = 64
"""Connections that are asked whether a log line stands with them, the latest first."""

BEFORE, AFTER = 40, 160
"""Characters that are shown around a text that was found."""


class SearchQuery(Wanted):
    """What fits all that is given in any connection, from place ``from`` in the file on; as far as a slice of time
    reaches. ``found`` has hits by connection, and their ``count``; log lines that stand with none are of connection 0.
    """

    from_: int = field(name="from", default=0)

    def answer(self, recorded: Recorded) -> Answer:
        end = recorded.tail.read_up_to
        try:
            hits = _Hits(recorded, self)
            at = hits.look(max(0, self.from_), end)
        except (FilterError, TooLong) as error:
            return {"found": [], "next": None, "upto": end, "of": end, "error": self.problem(error)}
        found = [{"conn": conn, "count": hits.counts[conn], "hits": each} for conn, each in hits.found.items()]
        return {"found": found, "next": at if at < end else None, "upto": at, "of": end}


class _Hits:
    """What was found so far."""

    def __init__(self, recorded: Recorded, wanted: Wanted) -> None:
        self.found: dict[int, list[dict[str, Any]]] = {}
        self.counts: dict[int, int] = {}
        self._recorded = recorded
        self._wanted = wanted
        self._fits = wanted.fits()
        self._screen = wanted.screen()
        self._heartbeats = _heartbeats(recorded) if wanted.opcode == "heartbeat" else None
        self._needle = wanted.text.lower()
        self._lanes = list(recorded.index.lanes.values())
        self._begins = [lane.places[0] for lane in self._lanes]

    def look(self, start: int, end: int) -> int:
        """Looks through the lines between two places, for a slice of time; the place up to which it came."""
        until = time.monotonic() + SEARCH
        fits, counts = self._fits, self.counts
        for at, block in self._recorded.tail.lines(start, end):
            if at > start and time.monotonic() >= until:
                return at
            lines, events = self._may_fit(at, block)
            for number, event in enumerate(events):
                if event is None or not fits(event):
                    continue
                if type(event) is Frame and counts.get(event.conn, 0) >= SHOWN:
                    counts[event.conn] += 1
                    continue
                if lines is None:
                    lines = lines_of(block)
                self._take(event, at + lines[number][0])
        return end

    def _may_fit(self, at: int, block: bytes) -> tuple[list[tuple[int, bytes]] | None, Sequence[AnyEvent | None]]:
        """The lines that may fit, or None for all of the block, and their events."""
        lines = self._screen.lines(block)
        if lines is None:
            if self._heartbeats is None and (events := _all_events(block)) is not None:
                return None, events
            lines = lines_of(block)
        if self._heartbeats is not None:
            lines = [(offset, line) for offset, line in lines if at + offset in self._heartbeats]
        return lines, _events([line for _, line in lines])

    def _take(self, event: AnyEvent, place: int) -> None:
        lane = self._lane(event, place)
        if lane is None:
            if isinstance(event, Log):
                self._keep(0, event, None, None)
            return
        own = bisect_left(lane.places, place)
        mine = own < len(lane.places) and lane.places[own] == place
        entries = self._recorded.index.entries(lane)
        number = entries.number(own) if mine else entries.find(place)
        self._keep(lane.conn, event, number, lane.classes[own] if mine else None)

    def _lane(self, event: AnyEvent, place: int) -> ConnectionIndex | None:
        """The connection with which an event stands: a log line stands with those of its time."""
        index = self._recorded.index
        lane = index.lanes.get(event.conn)
        if not isinstance(event, Log):
            return lane
        if lane is not None and index.entries(lane).find(place) is not None:
            return lane
        high = bisect_right(self._begins, place)
        latest = self._lanes[max(0, high - TIMES) : high]
        return next((each for each in reversed(latest) if index.entries(each).find(place) is not None), None)

    def _keep(self, conn: int, event: AnyEvent, number: int | None, byte: int | None) -> None:
        hits = self.found.setdefault(conn, [])
        self.counts[conn] = self.counts.get(conn, 0) + 1
        if len(hits) >= SHOWN:
            return
        made = wording.entry(-1 if number is None else number, event, byte)
        if self._needle:
            name = "preview" if isinstance(event, Frame) else "text"
            made[name] = self._excerpt(event) or made.get(name, "")
        hits.append(made)

    def _excerpt(self, event: AnyEvent) -> str:
        for text in texts_of(event):
            at = text.lower().find(self._needle)
            if at < 0:
                continue
            start = max(0, at - BEFORE) if at + len(self._needle) > AFTER else 0
            return ("…" if start else "") + printable(text[start : start + BEFORE + AFTER], BEFORE + AFTER)
        return ""


def _heartbeats(recorded: Recorded) -> set[int]:
    """The places of all heartbeats."""
    lanes = recorded.index.lanes.values()
    tracks = [(lane, lane.tracks.get(2 * HEARTBEAT + side)) for lane in lanes for side in (0, 1)]
    return {lane.places[own] for lane, track in tracks if track is not None for own in track.what}


def _all_events(block: bytes) -> Sequence[AnyEvent] | None:
    """The events of a block, one for each of its lines; None where it is not so plain."""
    try:
        events = decode_lines(block)
    except Exception:
        return None
    return events if len(events) == block.count(b"\n") + (block[-1:] != b"\n") else None


def _events(lines: list[bytes]) -> Sequence[AnyEvent | None]:
    """The events of lines; None for one that cannot be understood."""
    try:
        return decode_lines(b"\n".join(lines))
    except Exception:  # what cannot be understood is counted in the notes
        return [_event(line) for line in lines]


def _event(line: bytes) -> AnyEvent | None:
    try:
        return decode(line)
    except Exception:
        return None
