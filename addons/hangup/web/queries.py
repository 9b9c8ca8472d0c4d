"""What the page asks of a recording, and the answers.

Each query is a struct, whose fields are those of the URL's query, and whose ``answer`` is a value for JSON; of what may
take long, a generator that pauses (yields) now and then and returns it. Times are seconds from the recording's start.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import msgspec
from msgspec import Struct, field

from hangup.errors import HangupError
from hangup.recording.events import AnyEvent, Frame, Handshake
from hangup.recording.units import printable
from hangup.web.index import CLASSES, Lane
from hangup.web.recorded import Recorded, browser_code, clean, fate
from hangup.wire.handshake import review

TICKS = 2000
"""A lane with more ticks than this is given in bins."""

PREVIEW = 200
ENTRIES = 1000
LANES = 1000
LABELS = 500
"""So many log lines, and actions of a lane, in one answer; of more, as many spread over all of them."""

TEXT_LIMIT = 256 << 10
"""Bytes of one message that are shown."""

Answer = dict[str, Any]
Slices = Generator[None, None, Answer]


class QueryError(HangupError):
    """A query that cannot be answered; ``status`` is that of HTTP."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Query(Struct, kw_only=True, forbid_unknown_fields=True):
    """A question to a recording."""

    def answer(self, recorded: Recorded) -> Answer | Slices:
        """What the page is told."""
        raise NotImplementedError


def _lane(recorded: Recorded, conn: int) -> Lane:
    lane = recorded.index.lanes.get(conn)
    if lane is None:
        raise QueryError(f"there is no connection {conn} in what was read so far", 404)
    return lane


class Overview(Query):
    """Everything but what happened within connections; of these only what changed after ``since``."""

    since: int = 0

    def answer(self, recorded: Recorded) -> Answer:
        index, tail = recorded.index, recorded.tail
        loops = recorded.loops()
        connections = [
            _connection(recorded, lane) for lane in index.lanes.values() if lane.rev > self.since or not self.since
        ]
        notes = list(index.notes)
        if index.skipped:
            notes.append(f"{index.skipped} lines could not be understood and are left out")
        if tail.torn and not recorded.facts.get("live"):
            notes.append("the file breaks off within its last line (the recorder was killed)")
        if recorded.problem:
            notes.append(recorded.problem)
        return {
            "rev": index.rev,
            "now": index.ledger.last_at,
            "live": bool(recorded.facts.get("live")),
            "readonly": bool(recorded.facts.get("readonly")),
            "header": msgspec.to_builtins(tail.header),
            "path": str(recorded.facts.get("name") or recorded.path),
            "files": len(tail.files),
            "size": tail.size,
            "indexed": tail.read_up_to,
            "complete": index.ledger.stopped,
            "http": index.ledger.http,
            "lost": index.ledger.lost,
            "connections": connections,
            "loops": [
                {**loop.summary(), "gap": loop.median_gap, "lifetime": loop.median_lifetime, "first": loop.first}
                for loop in loops
            ],
            "marks": index.marks,
            "logs": len(index.logs),
            "notes": notes,
        }


def _connection(recorded: Recorded, lane: Lane) -> Answer:
    connection = recorded.index.connection(lane.conn)
    ending = connection.ending
    return {
        "conn": lane.conn,
        "at": connection.first_seen if connection.asked is None else connection.asked,
        "opened": connection.opened,
        "ended": connection.ended,
        "lifetime": connection.lifetime,
        "client": connection.client,
        "path": connection.target or connection.path,
        "status": connection.status,
        "origin": connection.origin or "",
        "subprotocol": connection.subprotocol,
        "kind": recorded.kind(connection),
        "by": None if ending.by == "unknown" else ending.by,
        "how": ending.how,
        "code": ending.code,
        "reason": ending.reason,
        "clean": clean(connection),
        "browser_code": browser_code(connection),
        "class": fate(connection),
        "sentence": ending.sentence,
        "frames": connection.frames,
        "messages": {"client": lane.messages[0], "server": lane.messages[1]},
        "bytes": connection.bytes,
        "heartbeats": lane.heartbeats,
        "problems": sum(connection.problems.values()),
        "checks": len(connection.checks),
        "filtered": connection.actions,
        "loop": lane.loop,
    }


class Ticks(Query):
    """What happened when, from ``from`` up to ``to``, for a drawing ``px`` wide; ``conns`` are numbers with commas."""

    from_: float = field(name="from", default=0.0)
    to: float | None = None
    px: int = 1000
    conns: str | None = None

    def answer(self, recorded: Recorded) -> Answer:
        index = recorded.index
        end = math.nextafter(index.ledger.last_at, math.inf) if self.to is None else self.to
        start, px = self.from_, max(1, min(self.px, 8192))
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            return {"lanes": {}, "logs": [], "actions": {}}
        lanes = self._lanes(recorded)
        spread = _spread(list(index.logs.within(start, end)))
        return {
            "lanes": {str(lane.conn): _ticks(recorded, lane, start, end, px) for lane in lanes},
            "logs": [_log(at, recorded.event(place)) for at, place in spread],
            "actions": {
                str(lane.conn): [_action(at, recorded.event(lane.places[own])) for at, own in acted]
                for lane in lanes
                if (acted := _spread(list(lane.actions.within(start, end))))
            },
        }

    def _lanes(self, recorded: Recorded) -> list[Lane]:
        lanes = recorded.index.lanes
        if self.conns is None:
            return list(lanes.values())[-LANES:]
        try:
            wanted = [int(conn) for conn in self.conns.split(",") if conn]
        except ValueError:
            raise QueryError("conns must be numbers with commas between them") from None
        return [lanes[conn] for conn in wanted[:LANES] if conn in lanes]


def _ticks(recorded: Recorded, lane: Lane, start: float, end: float, px: int) -> Answer:
    tracks = lane.tracks
    if sum(track.count(start, end) for track in tracks.values()) > TICKS:
        bins = {f"{CLASSES[byte >> 1]}-{byte & 1}": track.bins(start, end, px) for byte, track in tracks.items()}
        return {"bins": {name: found for name, found in bins.items() if found}}
    entries = recorded.index.entries(lane)
    ticks = [
        (at, byte & 1, CLASSES[byte >> 1], entries.number(own))
        for byte, track in tracks.items()
        for at, own in track.within(start, end)
    ]
    ticks.sort(key=lambda tick: (tick[0], tick[3]))
    return {"ticks": ticks}


def _spread(found: list[tuple[float, int]]) -> list[tuple[float, int]]:
    if len(found) <= LABELS:
        return found
    return [found[number * len(found) // LABELS] for number in range(LABELS)]


def _log(at: float, event: AnyEvent) -> tuple[float, str, str, int]:
    source, text = getattr(event, "source", ""), getattr(event, "text", "")
    return at, printable(source, 80), printable(text.partition("\n")[0], 300), event.conn


def _action(at: float, event: AnyEvent) -> tuple[float, str, str, int | None]:
    return at, getattr(event, "filter", "")[:PREVIEW], getattr(event, "action", ""), getattr(event, "n", None)


class OfConnection(Query):
    """A query about connection ``conn``."""

    conn: int


class ConnectionQuery(OfConnection):
    """The handshake, how it ended, and how many entries there are."""

    def answer(self, recorded: Recorded) -> Answer:
        lane = _lane(recorded, self.conn)
        connection = recorded.index.connection(self.conn)
        recorded.loops()
        return {
            **_connection(recorded, lane),
            "server": connection.server,
            "handshake": self._handshake(recorded, lane),
            "ending": connection.ending.summary(),
            "entries": len(recorded.index.entries(lane)),
        }

    @staticmethod
    def _handshake(recorded: Recorded, lane: Lane) -> Answer | None:
        if lane.handshake is None:
            return None
        event = recorded.event(lane.places[lane.handshake])
        if not isinstance(event, Handshake):
            return None
        request, response = event.request, event.response
        status, headers = (None, []) if response is None else (response.status, response.headers)
        checks = review(request.headers, status, headers, request.method, request.version)
        return {
            **msgspec.to_builtins(event),
            "checks": [{"name": check.name, "ok": check.ok, "text": check.text} for check in checks],
        }


class EntriesQuery(OfConnection):
    """What happened on a connection: ``count`` entries from number ``from`` on."""

    from_: int = field(name="from", default=0)
    count: int = 200

    def answer(self, recorded: Recorded) -> Answer:
        lane = _lane(recorded, self.conn)
        entries = recorded.index.entries(lane)
        listed = []
        for number, place, _ in entries.places(max(0, self.from_), max(0, min(self.count, ENTRIES))):
            listed.append(_entry(number, recorded.event(place)))
        return {"total": len(entries), "entries": listed}


def _entry(number: int, event: AnyEvent) -> Answer:
    entry: Answer = {"i": number, "at": event.at, "kind": type(event).__struct_config__.tag}
    for name in ("n", "side", "opcode", "code", "reason", "problems"):
        value = getattr(event, name, None)
        if value is not None and value != ():
            entry[name] = value
    if isinstance(event, Frame):
        entry["length"] = event.size
        entry["preview"] = preview(event)
    return entry


def preview(event: Frame) -> str:
    """The beginning of what a frame says, on one line."""
    text, data = event.message, event.message_base64
    if text is None and data is None:
        text, data = event.text, event.base64
    if text is not None:
        return printable(text[: PREVIEW + 1], PREVIEW)
    return (data or b"")[: PREVIEW // 4].hex(" ")


QUERIES: dict[str, type[Query]] = {
    "overview": Overview,
    "ticks": Ticks,
    "connection": ConnectionQuery,
    "entries": EntriesQuery,
}
"""By the name that stands in the URL."""


def ask(recorded: Recorded, name: str, given: dict[str, str]) -> Answer | Slices:
    """The answer to the query ``name``. Raises :class:`QueryError` for one that is wrong."""
    try:
        query = msgspec.convert(given, QUERIES[name], strict=False)
    except msgspec.ValidationError as error:
        raise QueryError(f"{name}: {error}") from None
    return query.answer(recorded)
