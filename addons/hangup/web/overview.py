"""The timeline: what connections there are, and what happened when."""

from __future__ import annotations

import math

import msgspec
from msgspec import field

from hangup.humanize import plural, printable
from hangup.recording.choice import Choice
from hangup.recording.events import AnyEvent
from hangup.recording.loops import Loop
from hangup.web.index import CLASSES, ConnectionIndex
from hangup.web.query import Answer, RecordingQuery, describe, numbers
from hangup.web.recorded import Recorded
from hangup.web.wording import headline

TICKS = 2000
"""A lane with more ticks than this is given in bins."""

MOST = 10_000
"""So many connections, the last ones, are told of."""

EARLY = 500
"""So many as long as very many are still being read."""

LANES = 1000
LABELS = 500
"""So many log lines, and actions of a lane, in one answer; of more, as many spread over all of them."""

FILTER_SHOWN = 200


class Overview(RecordingQuery):
    """Everything but what happened within connections; of these only what changed after ``since``, and those that are
    chosen: whose path fits a shell pattern, that ``failed``. ``total`` counts all of them, ``fitting`` the chosen;
    ``earliest`` is the first that is told of. What is ``partial`` has the newest, whenever they changed."""

    since: int = 0
    path: str = ""
    failed: bool = False

    def answer(self, recorded: Recorded) -> Answer:
        index, tail = recorded.index, recorded.tail
        loops = recorded.loops()
        fitting = self._fitting(recorded)
        partial = recorded.partial
        left_out = max(len(fitting) - (EARLY if partial else MOST), 0)
        told = fitting[left_out:]
        since = 0 if partial else self.since
        connections = [describe(recorded, lane) for lane in told if lane.rev > since or not since]
        notes = list(index.notes)
        if left_out and not partial:
            notes.append(f"{left_out:,} more connections came before these: choose by path, or search")
        if index.skipped:
            notes.append(f"left out: {plural(index.skipped, 'line')} that could not be understood")
        if tail.torn and not recorded.facts.get("live"):
            notes.append("the file ends in the middle of a line (the recorder was killed)")
        if recorded.problem:
            notes.append(recorded.problem)
        return {
            "rev": index.rev,
            "now": index.ledger.last_at,
            "live": bool(recorded.facts.get("live")),
            "readonly": bool(recorded.facts.get("readonly")),
            "header": msgspec.to_builtins(tail.header),
            "path": recorded.name,
            "files": len(tail.files),
            "size": tail.size,
            "indexed": tail.read_up_to,
            "complete": recorded.complete,
            "http": index.ledger.http,
            "lost": index.ledger.lost,
            "connections": connections,
            "partial": partial,
            "earliest": told[0].conn if told else 0,
            "total": len(index.lanes),
            "fitting": len(fitting),
            "loops": [_loop(loop) for loop in loops],
            "marks": index.marks,
            "logs": len(index.logs),
            "notes": notes,
        }

    def _fitting(self, recorded: Recorded) -> list[ConnectionIndex]:
        index = recorded.index
        choice = Choice(self.path, self.failed)
        if not choice.words:
            return list(index.lanes.values())
        known = [index.connection(conn) for conn in index.lanes]
        return [index.lanes[each.conn] for each in choice.fitting(known, (), index.ledger.last_at)]


def _loop(loop: Loop) -> Answer:
    """A loop, of whose connections only the last are named; ``begins`` is the first of all."""
    more = {"gap": loop.median_gap, "lifetime": loop.median_lifetime, "first": loop.first, "begins": loop.conns[0]}
    return {**loop.summary(), **more, "conns": loop.conns[-MOST:]}


class Ticks(RecordingQuery):
    """What happened when, from ``from`` up to ``to``, for a drawing ``px`` wide; ``conns`` are numbers with commas."""

    from_: float = field(name="from", default=0.0)
    to: float | None = None
    px: int = 1000
    conns: str = ""

    def answer(self, recorded: Recorded) -> Answer:
        index = recorded.index
        end = math.nextafter(index.ledger.last_at, math.inf) if self.to is None else self.to
        start, px = self.from_, max(1, min(self.px, 8192))
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            return {"lanes": {}, "logs": [], "actions": {}}
        lanes = self._lanes(recorded)
        spread = _spread(list(index.logs.within(start, end)))
        return {
            "lanes": {str(lane.conn): ticks(recorded, lane, start, end, px, TICKS) for lane in lanes},
            "logs": [_log(at, recorded.event(place)) for at, place in spread],
            "actions": {str(lane.conn): acted for lane in lanes if (acted := actions(recorded, lane, start, end))},
        }

    def _lanes(self, recorded: Recorded) -> list[ConnectionIndex]:
        lanes = recorded.index.lanes
        return [lanes[conn] for conn in numbers(self.conns, "conns")[:LANES] if conn in lanes]


def ticks(recorded: Recorded, lane: ConnectionIndex, start: float, end: float, px: int, most: int) -> Answer:
    """What happened on a connection from ``start`` up to ``end``: each tick, or if there are more than ``most``, how
    many in each of ``px`` equal parts."""
    tracks = lane.tracks
    if sum(track.count(start, end) for track in tracks.values()) > most:
        bins = {f"{CLASSES[byte >> 1]}-{byte & 1}": track.bins(start, end, px) for byte, track in tracks.items()}
        return {"bins": {name: found for name, found in bins.items() if found}}
    entries = recorded.index.entries(lane)
    found = [
        (at, byte & 1, CLASSES[byte >> 1], entries.number(own))
        for byte, track in tracks.items()
        for at, own in track.within(start, end)
    ]
    found.sort(key=lambda tick: (tick[0], tick[3]))
    return {"ticks": found}


def actions(
    recorded: Recorded, lane: ConnectionIndex, start: float, end: float
) -> list[tuple[float, str, str, int | None]]:
    """What filters did on a connection in that time."""
    return [_action(at, recorded.event(lane.places[own])) for at, own in _spread(list(lane.actions.within(start, end)))]


def _spread(found: list[tuple[float, int]]) -> list[tuple[float, int]]:
    if len(found) <= LABELS:
        return found
    return [found[number * len(found) // LABELS] for number in range(LABELS)]


def _log(at: float, event: AnyEvent) -> tuple[float, str, str, int]:
    source, text = getattr(event, "source", ""), getattr(event, "text", "")
    return at, printable(source, 80), printable(headline(text), 300), event.conn


def _action(at: float, event: AnyEvent) -> tuple[float, str, str, int | None]:
    return at, getattr(event, "filter", "")[:FILTER_SHOWN], getattr(event, "action", ""), getattr(event, "n", None)
