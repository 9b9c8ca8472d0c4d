"""The view of one connection: its handshake, what happened on it, and a search."""

from __future__ import annotations

import time

import msgspec
from msgspec import field

from hangup.errors import FilterError
from hangup.filters.patterns import TooLong
from hangup.recording.events import FilterEvent, Frame, Handshake, Part, decode
from hangup.web import wording
from hangup.web.index import HEARTBEAT, OTHER, PROBLEM, ConnectionIndex
from hangup.web.query import Answer, OfConnection, QueryError, describe, lane_of, numbers
from hangup.web.recorded import Recorded
from hangup.web.wanted import SEARCH, Wanted, kind_text

ENTRIES = 1000
"""So many in one answer."""

LISTED = 200
"""So many that are named one by one."""

ACTED = 256
"""So many of a connection's filter actions after those on what is listed are looked at: a frame that is held may be
acted on again later."""

MATCHES = 10_000


class ConnectionQuery(OfConnection):
    """The handshake, how it ended, and how many entries there are."""

    def answer(self, recorded: Recorded) -> Answer:
        lane = self.lane(recorded)
        recorded.loops()
        connection = recorded.index.connection(self.conn)
        return {
            **describe(recorded, lane),
            "server": connection.server,
            "handshake": self._handshake(recorded, lane),
            "ending": connection.ending.summary(),
            "entries": len(recorded.index.entries(lane)),
        }

    @staticmethod
    def _handshake(recorded: Recorded, lane: ConnectionIndex) -> Answer | None:
        event = recorded.event(lane.places[lane.handshake]) if lane.handshake is not None else None
        if not isinstance(event, Handshake):
            return None
        return {**msgspec.to_builtins(event), "checks": wording.checks(event)}


class EntriesQuery(OfConnection):
    """What happened on a connection: ``count`` entries from number ``from`` on, or those in ``list``."""

    from_: int = field(name="from", default=0)
    count: int = 200
    list: str = ""

    def answer(self, recorded: Recorded) -> Answer:
        lane = self.lane(recorded)
        entries = recorded.index.entries(lane)
        if self.list:
            wanted = numbers(self.list, "list")[:LISTED]
            found = [each for number in wanted if number >= 0 for each in entries.places(number, 1)]
        else:
            found = list(entries.places(max(0, self.from_), max(0, min(self.count, ENTRIES))))
        acted = actions(recorded, lane, [own for _, _, own in found if own is not None])
        listed = []
        for number, place, own in found:
            made = wording.entry(number, recorded.event(place), None if own is None else lane.classes[own])
            if own is not None and made["kind"] == "frame" and (events := acted.get(made["n"])):
                made["acted"] = list(dict.fromkeys(event.filter for event in events))
            listed.append(made)
        return {"total": len(entries), "entries": listed}


def actions(recorded: Recorded, lane: ConnectionIndex, own: list[int]) -> dict[int, list[FilterEvent]]:
    """What filters did to these events of a connection, by the number of the frame."""
    if not own or not len(lane.actions):
        return {}
    wanted = {lane.frames[each] for each in own} - {0}
    found: dict[int, list[FilterEvent]] = {}
    for each in lane.actions.near(min(own), max(own), ACTED):
        if lane.frames[each] in wanted:
            event = recorded.event(lane.places[each])
            if isinstance(event, FilterEvent):
                found.setdefault(lane.frames[each], []).append(event)
    return found


class EntryQuery(OfConnection):
    """All of one entry: number ``i``, or frame ``n``."""

    i: int | None = None
    n: int | None = None

    def answer(self, recorded: Recorded) -> Answer:
        lane = self.lane(recorded)
        entries = recorded.index.entries(lane)
        number = self.i
        if number is None:
            own = lane.frame(self.n or 0)
            if own is None:
                raise QueryError(f"connection {self.conn} has no frame {self.n}", 404)
            number = entries.number(own)
        found = next(entries.places(number, 1), None) if number >= 0 else None
        if found is None:
            raise QueryError(f"connection {self.conn} has no entry {number}", 404)
        _, place, mine = found
        event = recorded.event(place)
        if mine is None:
            return wording.whole(number, event)
        parts = joined(recorded, lane, mine, event) if isinstance(event, Frame) and event.parts else None
        answer = wording.whole(number, event, lane.classes[mine], parts)
        answer["message_kind"] = kind_text(event)
        answer["acted"] = [
            {"filter": each.filter, "action": each.action, "note": each.note, "text": wording.words(each)}
            for each in actions(recorded, lane, [mine]).get(lane.frames[mine], ())
            if each is not event
        ]
        return answer


def joined(recorded: Recorded, lane: ConnectionIndex, own: int, event: Frame) -> bytes:
    """The payload that stands in the ``part`` events before a large frame, as much of it as is shown."""
    found: list[int] = []
    each = own - 1
    while each >= 0 and len(found) < event.parts:
        if lane.frames[each] == event.n and lane.classes[each] == OTHER:
            found.append(each)
        each -= 1
    payload = b""
    for each in reversed(found):
        part = recorded.event(lane.places[each])
        if isinstance(part, Part):
            payload += part.payload
        if len(payload) > wording.CONTENT_LIMIT:
            break
    return payload


class FindQuery(Wanted, kw_only=True):
    """A connection's entries that fit all that is given, from number ``from`` on; as far as a slice of time reaches."""

    conn: int
    from_: int = field(name="from", default=0)

    def answer(self, recorded: Recorded) -> Answer:
        lane = lane_of(recorded, self.conn)
        total = len(recorded.index.entries(lane))
        try:
            return self._search(recorded, lane)
        except (FilterError, TooLong) as error:
            return {"matches": [], "next": None, "upto": total, "error": self.problem(error)}

    def _search(self, recorded: Recorded, lane: ConnectionIndex) -> Answer:
        fits, may = self.fits(), self.screen().may
        tail = recorded.tail
        entries = recorded.index.entries(lane)
        total = len(entries)
        matches: list[int] = []
        until = time.monotonic() + SEARCH
        for number, place, own in entries.places(max(0, self.from_), total):
            if self._may(lane, own) and may(line := tail.line(place)) and fits(decode(line)):
                matches.append(number)
            if number & 63 == 63 and (time.monotonic() >= until or len(matches) >= MATCHES):
                return {"matches": matches, "next": number + 1, "upto": number + 1}
        return {"matches": matches, "next": None, "upto": total}

    def _may(self, lane: ConnectionIndex, own: int | None) -> bool:
        """What can be told without reading the event: most do not fit, and are not read."""
        if own is None:
            return not (self.side or self.path or self.kind or self.problems) and self.opcode in ("", "log")
        byte = lane.classes[own]
        tick = byte < OTHER
        if self.problems and byte >> 1 != PROBLEM and tick:
            return False
        if self.opcode == "heartbeat" and byte >> 1 != HEARTBEAT:
            return False
        return not (self.side and tick) or (byte & 1) == (self.side == "server")
