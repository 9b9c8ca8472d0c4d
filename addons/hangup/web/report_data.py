"""What a report holds of a recording: the answers that the page would otherwise ask a server for.

Of an ordinary loop that is everything. Of a large recording it is what the diagnosis speaks of, and of the rest as much
as there is room for; what is left out is said where it would stand. Times are seconds from the recording's start.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from hangup.recording.formats.losses import Losses
from hangup.web.entries import ConnectionQuery, EntriesQuery, EntryQuery
from hangup.web.index import ConnectionIndex
from hangup.web.measuring import Figures
from hangup.web.overview import Overview, Ticks, actions, ticks
from hangup.web.query import Answer, describe
from hangup.web.recorded import Recorded
from hangup.web.report_room import DEPTHS, Depth, Room, clipped, fitted, weight

FINEST = 2000
"""Ticks of a connection that are kept one by one; of more, how many there were in each of :data:`PARTS` of the time."""

PARTS = 1000

COARSE = (1000, 50, 10)
"""In how many parts the time is divided, the finest first, where the ticks are too many."""

SHARE = 4
"""How many times as much as an equal share of the room a connection's marks may take."""

KEPT = 16_000
"""Bytes that are kept for each connection that the diagnosis speaks of."""

OURS = re.compile(r"upgrade|connection|sec-websocket-.*|origin|host|cookie|authorization|location", re.I)
"""Headers that a handshake is about."""

Frames = dict[int, set[int]]
"""By connection, the frames that the diagnosis speaks of."""


class Embedding:
    """What a report on ``recorded`` holds, whose diagnosis speaks of ``spoken_of``."""

    def __init__(self, recorded: Recorded, spoken_of: Frames) -> None:
        self._recorded = recorded
        self._spoken_of = spoken_of
        self._figures: dict[int, Answer] = {}
        """What took long to find out, and is the same however much room there is."""

    def answers(self, room: Room, losses: Losses) -> Answer:
        """The answers, by what is asked for; ``losses`` counts what is left out."""
        recorded = self._recorded
        overview = Overview(since=recorded.index.rev).answer(recorded)  # without the connections
        every = list(recorded.index.lanes)
        chosen = _chosen(every, self._spoken_of, overview["loops"], room.connections)
        left_out = len(every) - len(chosen)
        losses.count("connection", left_out)
        told = self._told(chosen, room, losses)
        notes = overview["notes"][: room.notes]
        if len(told) < len(chosen):
            notes.insert(0, f"showing what went over {len(told):,} of these connections; the recording has the rest")
        if left_out:
            others = f"the recording has the other {left_out:,}"
            notes.insert(0, f"showing {len(chosen):,} of {len(every):,} connections; {others}")
        wanted = set(chosen)
        overview["connections"] = [describe(recorded, recorded.index.lanes[conn]) for conn in every if conn in wanted]
        for loop in overview["loops"]:  # which has its own count
            loop["conns"] = [conn for conn in loop["conns"] if conn in wanted]
        overview["loops"] = [loop for loop in overview["loops"] if loop["conns"]]
        overview["notes"] = notes
        overview["marks"] = overview["marks"][: room.changes]
        return {
            "overview": fitted(overview, room.list),
            "ticks": _marks(recorded, chosen, told, room),
            "connections": {str(conn): each for conn, each in told.items()},
        }

    def _told(self, chosen: list[int], room: Room, losses: Losses) -> dict[int, Answer]:
        """Handshake, ending, figures and entries of as many of these connections as there is room for, each as deep as
        there is; of those that are spoken of in any case."""
        told: dict[int, Answer] = {}
        sure = [conn for conn in chosen if conn in self._spoken_of][: room.cited]
        kept = KEPT * len(sure)
        left = room.said
        for conn in [*sure, *(conn for conn in chosen if conn not in sure)]:
            kept -= KEPT if conn in sure else 0
            for depth in DEPTHS:
                made = self._connection(conn, depth)
                if weight(made) <= max(left - kept, KEPT if conn in sure else 0):
                    break
            else:
                if conn not in sure:
                    break
            left -= weight(made)
            told[conn] = made
            losses.count("event", made["total"] - len(made["entries"]))
        for conn in chosen:
            if conn not in told:
                losses.count("event", len(self._recorded.index.entries(self._recorded.index.lanes[conn])))
        return told

    def _connection(self, conn: int, depth: Depth) -> Answer:
        """What is told of one connection."""
        recorded, lane = self._recorded, self._recorded.index.lanes[conn]
        if conn not in self._figures:
            self._figures[conn] = _figures(recorded, lane)
        detail = ConnectionQuery(conn=conn).answer(recorded)
        numbers = _numbers(recorded, lane, self._spoken_of.get(conn, set()), depth)
        return {
            "detail": clipped(_with_fewer_headers(_beyond(describe(recorded, lane), detail), depth), depth.text),
            "figures": clipped(_thinned(self._figures[conn], depth), depth.text),
            "total": detail["entries"],
            "entries": list(_entries(recorded, conn, numbers, depth)),
        }


def _chosen(every: list[int], spoken_of: Iterable[int], loops: list[Answer], most: int) -> list[int]:
    """The connections that are shown, what matters most first."""
    there = set(every)
    ends = [conn for loop in loops for conn in (loop["conns"][-1], loop["conns"][0])]
    wanted = dict.fromkeys([*spoken_of, *reversed(ends), *reversed(every)])
    return [conn for conn in wanted if conn in there][:most]


def _with_fewer_headers(whole: Answer, depth: Depth) -> Answer:
    """The same, with the headers that a handshake is about and the first others; ``headers_left_out`` counts more."""
    handshake = whole.get("handshake")
    if handshake is not None:
        return {**whole, "handshake": _with_fewer_headers(handshake, depth)}
    found = dict(whole)
    for name in ("request", "response", "original", "returned"):
        head = whole.get(name)
        if not isinstance(head, dict) or len(head.get("headers", ())) <= depth.headers:
            continue
        headers = head["headers"]
        ours = [pair for pair in headers if OURS.fullmatch(pair[0])][: depth.headers]
        others = [pair for pair in headers if not OURS.fullmatch(pair[0])][: depth.headers - len(ours)]
        kept = {id(pair) for pair in [*ours, *others]}
        shown = [pair for pair in headers if id(pair) in kept]
        found[name] = {**head, "headers": shown, "headers_left_out": len(headers) - len(shown)}
    return found


def _figures(recorded: Recorded, lane: ConnectionIndex) -> Answer:
    """The figures of a whole connection, whatever of it is left out."""
    figures = Figures()
    for place in lane.places:
        figures.feed(recorded.event(place))
    return msgspec.to_builtins(figures.summary())  # type: ignore[no-any-return]


def _thinned(figures: Answer, depth: Depth) -> Answer:
    """The same with fewer of what there may be many."""
    kinds = figures["kinds"]
    pings = [
        {**each, "trips": _some(each["trips"], depth.trips), "waiting": _some(each["waiting"], depth.trips)}
        for each in figures["pings"]
    ]
    others = figures["other_kinds"] + max(0, len(kinds) - depth.kinds)
    return {**figures, "kinds": kinds[: depth.kinds], "other_kinds": others, "pings": pings}


def _some(found: list[Any], most: int) -> list[Any]:
    """So many of these, spread over all."""
    return found[:: -(-len(found) // most)] if len(found) > most else found


def _numbers(recorded: Recorded, lane: ConnectionIndex, frames: set[int], depth: Depth) -> list[int]:
    """Which of a connection's entries are shown."""
    entries = recorded.index.entries(lane)
    total = len(entries)
    if total <= depth.first + depth.last:
        return list(range(total))
    wanted = {*range(depth.first), *range(total - depth.last, total)}
    for frame in sorted(frames, reverse=True)[: depth.cited]:
        own = lane.frame(frame)
        if own is not None:
            at = entries.number(own)
            wanted.update(range(max(0, at - depth.around), min(total, at + depth.around + 1)))
    return sorted(wanted)


def _entries(recorded: Recorded, conn: int, numbers: list[int], depth: Depth) -> Iterator[tuple[Answer, Answer]]:
    """Each entry as it is listed, and what there is to it beyond that."""
    for start, count in _runs(numbers):
        listed = EntriesQuery(conn=conn, from_=start, count=count).answer(recorded)["entries"]
        for each in listed:
            whole = _with_fewer_headers(EntryQuery(conn=conn, i=each["i"]).answer(recorded), depth)
            yield clipped(each, depth.text), _beyond(each, _shortened(whole, depth.text))


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Numbers that rise as (first, how many) of those that follow on one another."""
    start = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            for first in range(numbers[start], numbers[at - 1] + 1, 500):
                yield first, min(500, numbers[at - 1] + 1 - first)
            start = at


def _beyond(known: Answer, whole: Answer) -> Answer:
    """What of the whole is not known already."""
    return {name: value for name, value in whole.items() if name not in known or known[name] != value}


def _shortened(whole: Answer, most: int) -> Answer:
    """An entry with the beginning of what it says."""
    found = dict(whole)
    text, data = found.get("text"), found.get("base64")
    if isinstance(text, str) and len(text) > most:
        found |= {"text": text[:most], "truncated": True}
    if isinstance(data, str) and len(data) > most:
        found |= {"base64": data[: most // 4 * 4], "truncated": True}
    return cast(Answer, clipped(found, most))


def _marks(recorded: Recorded, chosen: list[int], told: dict[int, Answer], room: Room) -> Answer:
    """What the timeline shows of these connections; in full first of those whose entries are there."""
    end = math.nextafter(recorded.index.ledger.last_at, math.inf)
    logs = fitted(Ticks().answer(recorded)["logs"], room.marked // 4)
    while weight(logs) > room.marked // 4:
        logs = logs[::2]
    lanes: dict[str, Answer] = {}
    acted: dict[str, Any] = {}
    left = room.marked - weight(logs)
    for number, conn in enumerate(sorted(chosen, key=lambda conn: conn not in told)):
        lane = recorded.index.lanes[conn]
        # None takes so much that too little is left for the others.
        most = min(left, SHARE * left // (len(chosen) - number))
        for parts in COARSE:
            found = _ticks(recorded, lane, end, parts)
            if weight(found) <= most:
                lanes[str(conn)] = found
                left -= weight(found)
                break
        did = fitted(actions(recorded, lane, 0.0, end), most)
        if did and weight(did) <= min(most, left):
            acted[str(conn)] = did
            left -= weight(did)
    return {"from": 0.0, "to": end, "px": PARTS, "lanes": lanes, "actions": acted, "logs": logs}


def _ticks(recorded: Recorded, lane: ConnectionIndex, end: float, parts: int) -> Answer:
    """The ticks of a connection; if they are many, how many in each of so many parts of the time, at their middle."""
    found = ticks(recorded, lane, 0.0, end, parts, FINEST if parts == PARTS else 0)
    if "bins" not in found or parts == PARTS:
        return found
    width = PARTS // parts
    return {"bins": {name: [(x * width + width // 2, n) for x, n in bins] for name, bins in found["bins"].items()}}
