"""What a report holds of a recording: the answers that the page would otherwise ask a server for.

Of an ordinary loop that is everything. Of a large recording it is what the diagnosis speaks of, and of the rest as much
as there is room for; what is left out is said where it would stand. Times are seconds from the recording's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
from msgspec import Struct

from hangup.humanize import plural
from hangup.recording.formats.losses import Losses
from hangup.web.entries import ConnectionQuery, EntriesQuery, EntryQuery
from hangup.web.index import ConnectionIndex
from hangup.web.measuring import Figures
from hangup.web.overview import Overview, Ticks, actions, ticks
from hangup.web.query import Answer, describe
from hangup.web.recorded import Recorded


class Room(Struct, frozen=True):
    """How much there may be of each: characters of JSON for what the connections ``said``, and for what is ``marked``
    on the timeline; connections; notes, and changes of filters; entries from the beginning and the end of a connection,
    and around a frame that is spoken of; characters of one message, or of any other text."""

    said: int = 900_000
    marked: int = 250_000
    connections: int = 300
    notes: int = 50
    changes: int = 300
    first: int = 60
    last: int = 340
    around: int = 15
    text: int = 4096


FINEST = 2000
"""Ticks of a connection that are kept one by one; of more, how many there were in each of :data:`PARTS` of the time."""

FEW = 20
"""The same of a connection for whose ticks there is no room left."""

PARTS = 1000

Frames = dict[int, set[int]]
"""By connection, the frames that the diagnosis speaks of."""


_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What within JSON could be markup, or the end of a line of script."""


def embeddable(value: Any) -> str:
    """JSON that ends no script, whatever is in it."""
    return msgspec.json.encode(value).decode().translate(_UNSAFE)


def embedded(recorded: Recorded, spoken_of: Frames, room: Room, losses: Losses) -> Answer:
    """The answers, by what is asked for; ``losses`` counts what is left out."""
    overview = Overview().answer(recorded)
    every = [each["conn"] for each in overview["connections"]]
    chosen = _chosen(every, spoken_of, overview["loops"], room.connections)
    left_out = len(every) - len(chosen)
    if left_out:
        losses.count("connection", left_out)
        overview["notes"].append(f"{plural(left_out, 'connection')} of {len(every)} are not in this report")
        wanted = set(chosen)
        overview["connections"] = [each for each in overview["connections"] if each["conn"] in wanted]
        for loop in overview["loops"]:  # which has its own count
            loop["conns"] = [conn for conn in loop["conns"] if conn in wanted]
        overview["loops"] = [loop for loop in overview["loops"] if loop["conns"]]
    overview["notes"] = overview["notes"][-room.notes :]
    overview["marks"] = overview["marks"][: room.changes]
    told = _told(recorded, chosen, spoken_of, room, losses)
    return {
        "overview": clipped(overview, room.text),
        "ticks": clipped(_marks(recorded, chosen, told, room), room.text),
        "connections": {str(conn): each for conn, each in told.items()},
    }


def _chosen(every: list[int], spoken_of: Iterable[int], loops: list[Answer], most: int) -> list[int]:
    """The connections that are shown, what matters most first."""
    there = set(every)
    ends = [conn for loop in loops for conn in (loop["conns"][-1], loop["conns"][0])]
    wanted = dict.fromkeys([*spoken_of, *reversed(ends), *reversed(every)])
    return [conn for conn in wanted if conn in there][:most]


def _told(recorded: Recorded, chosen: list[int], spoken_of: Frames, room: Room, losses: Losses) -> dict[int, Answer]:
    """Handshake, ending, figures and entries of as many of these connections as there is room for."""
    told: dict[int, Answer] = {}
    left = room.said
    for conn in chosen:
        lane = recorded.index.lanes[conn]
        detail = ConnectionQuery(conn=conn).answer(recorded)
        numbers = _numbers(recorded, lane, spoken_of.get(conn, set()), room)
        figures = clipped(_figures(recorded, lane), room.text)
        for text in (room.text, room.text // 8):
            made = {
                "detail": clipped(_beyond(describe(recorded, lane), detail), room.text),
                "figures": figures,
                "total": detail["entries"],
                "entries": list(_entries(recorded, conn, numbers, text)),
            }
            needed = len(embeddable(made))
            if needed <= left:
                break
        else:
            break
        left -= needed
        told[conn] = made
        losses.count("event", detail["entries"] - len(numbers))
    for conn in chosen:
        if conn not in told:
            losses.count("event", len(recorded.index.entries(recorded.index.lanes[conn])))
    return told


def _figures(recorded: Recorded, lane: ConnectionIndex) -> Answer:
    """The figures of a whole connection, whatever of it is left out."""
    figures = Figures()
    for place in lane.places:
        figures.feed(recorded.event(place))
    return msgspec.to_builtins(figures.summary())  # type: ignore[no-any-return]


def _numbers(recorded: Recorded, lane: ConnectionIndex, frames: set[int], room: Room) -> list[int]:
    """Which of a connection's entries are shown."""
    entries = recorded.index.entries(lane)
    total = len(entries)
    if total <= room.first + room.last:
        return list(range(total))
    wanted = {*range(room.first), *range(total - room.last, total)}
    for frame in frames:
        own = lane.frame(frame)
        if own is not None:
            at = entries.number(own)
            wanted.update(range(max(0, at - room.around), min(total, at + room.around + 1)))
    return sorted(wanted)


def _entries(recorded: Recorded, conn: int, numbers: list[int], text: int) -> Iterator[tuple[Answer, Answer]]:
    """Each entry as it is listed, and what there is to it beyond that."""
    for start, count in _runs(numbers):
        listed = EntriesQuery(conn=conn, from_=start, count=count).answer(recorded)["entries"]
        for each in listed:
            whole = EntryQuery(conn=conn, i=each["i"]).answer(recorded)
            yield clipped(each, text), _beyond(each, _shortened(whole, text))


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


def clipped(value: Any, most: int) -> Any:
    """The same with no text longer than that."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[: most - 1]}…"
    if isinstance(value, dict):
        return {name: clipped(each, most) for name, each in value.items()}
    return [clipped(each, most) for each in value] if isinstance(value, list | tuple) else value


def _marks(recorded: Recorded, chosen: list[int], told: dict[int, Answer], room: Room) -> Answer:
    """What the timeline shows of these connections; in full first of those whose entries are there."""
    end = math.nextafter(recorded.index.ledger.last_at, math.inf)
    lanes: dict[str, Answer] = {}
    acted: dict[str, Any] = {}
    left = room.marked
    for conn in sorted(chosen, key=lambda conn: conn not in told):
        lane = recorded.index.lanes[conn]
        found = ticks(recorded, lane, 0.0, end, PARTS, FINEST if left > 0 else FEW)
        lanes[str(conn)] = found
        left -= len(embeddable(found))
        if left > 0 and (did := actions(recorded, lane, 0.0, end)):
            acted[str(conn)] = did
            left -= len(embeddable(did))
    logs = Ticks().answer(recorded)["logs"]
    return {"from": 0.0, "to": end, "px": PARTS, "lanes": lanes, "actions": acted, "logs": logs}
