"""The view of one connection: its handshake, what happened on it, and a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from hangup.errors import FilterError
from hangup.filters.json_test import parse_test
from hangup.filters.patterns import TooLong
from hangup.messages.content import load
from hangup.recording.events import AnyEvent, FilterEvent, Frame, Handshake, Log, Note, Part, Raw
from hangup.web import wording
from hangup.web.index import HEARTBEAT, OTHER, PROBLEM, ConnectionIndex
from hangup.web.query import Answer, OfConnection, QueryError, describe, numbers
from hangup.web.recorded import Recorded

ENTRIES = 1000
"""So many in one answer."""

LISTED = 200
"""So many that are named one by one."""

ACTED = 256
"""So many of a connection's filter actions after those on what is listed are looked at: a frame that is held may be
acted on again later."""

SEARCH = 0.2
"""Seconds that a search takes before it answers, and is asked to go on."""

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


class _Item(Struct):
    """What a test on JSON looks at."""

    data: bytes

    @property
    def json(self) -> Any:
        return load(self.data)


class FindQuery(OfConnection):
    """The entries that fit all that is given, from number ``from`` on; as far as a slice of time reaches.

    ``opcode`` may also be ``heartbeat``, or the kind of what is no frame (``log``, ``filter``, ``end``, …); ``text`` is
    looked for in whole messages, in any case of its letters; ``path`` is a test on JSON as filters have it.
    """

    from_: int = field(name="from", default=0)
    side: str = ""
    opcode: str = ""
    text: str = ""
    path: str = ""
    problems: bool = False

    def answer(self, recorded: Recorded) -> Answer:
        lane = self.lane(recorded)
        total = len(recorded.index.entries(lane))
        try:
            return self._search(recorded, lane, self._fits())
        except FilterError as error:
            problem = str(error).removeprefix("json=")
        except TooLong:
            problem = f"{self.path}: this takes far too long to look for"
        return {"matches": [], "next": None, "upto": total, "error": problem}

    def _search(self, recorded: Recorded, lane: ConnectionIndex, fits: Callable[[AnyEvent], bool]) -> Answer:
        entries = recorded.index.entries(lane)
        total = len(entries)
        matches: list[int] = []
        until = time.monotonic() + SEARCH
        for number, place, own in entries.places(max(0, self.from_), total):
            if self._may(lane, own) and fits(recorded.event(place)):
                matches.append(number)
            if number & 63 == 63 and (time.monotonic() >= until or len(matches) >= MATCHES):
                return {"matches": matches, "next": number + 1, "upto": number + 1}
        return {"matches": matches, "next": None, "upto": total}

    def _may(self, lane: ConnectionIndex, own: int | None) -> bool:
        """What can be told without reading the event: most do not fit, and are not read."""
        if own is None:
            return not (self.side or self.path or self.problems) and self.opcode in ("", "log")
        byte = lane.classes[own]
        tick = byte < OTHER
        if self.problems and byte >> 1 != PROBLEM and tick:
            return False
        if self.opcode == "heartbeat" and byte >> 1 != HEARTBEAT:
            return False
        return not (self.side and tick) or (byte & 1) == (self.side == "server")

    def _fits(self) -> Callable[[AnyEvent], bool]:
        path = self.path.strip()
        test = parse_test(path) if path else None
        needle = self.text.lower()
        side, opcode = self.side, self.opcode

        def fits(event: AnyEvent) -> bool:
            if side and getattr(event, "side", None) != side:
                return False
            if opcode and opcode != "heartbeat":
                if opcode != (event.opcode if isinstance(event, Frame) else wording.kind(event)):
                    return False
            if self.problems and not getattr(event, "problems", None):
                return False
            if test is not None and not (isinstance(event, Frame) and test(_Item(_data(event)))):
                return False
            return not needle or any(needle in text.lower() for text in _texts(event))

        return fits


def _data(event: Frame | Part | Raw) -> bytes:
    if isinstance(event, Frame):
        if event.message is not None:
            return event.message.encode()
        if event.message_base64 is not None:
            return event.message_base64
    return event.payload


def _texts(event: AnyEvent) -> Iterator[str]:
    if isinstance(event, Frame):
        if event.opcode == "close":
            yield f"{event.code or ''} {event.reason or ''}"
            return
        text = event.text if event.message is None else event.message
        yield text if text is not None else _data(event).decode(errors="replace")
    elif isinstance(event, Log | Note):
        yield event.text
    elif isinstance(event, Raw | Part):
        yield event.payload.decode(errors="replace")
    elif isinstance(event, Handshake):
        for lines in (event.request.headers, event.response.headers if event.response else []):
            yield from (f"{name}: {value}" for name, value in lines)
        yield wording.words(event)
    else:
        yield wording.words(event)
