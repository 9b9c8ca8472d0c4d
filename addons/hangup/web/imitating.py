"""What a test must say to be like one of the application's own connections: its opening, and its heartbeat."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from hangup.recording.events import Frame
from hangup.web.index import DATA, HEARTBEAT
from hangup.web.query import Answer, OfConnection
from hangup.web.recorded import Recorded
from hangup.web.wanted import message_of
from hangup.wire.frames import TEXT

MESSAGES = 5
"""So many messages are taken over, at most."""

LONGEST = 4096
"""Bytes of the longest message that is taken over."""

OPENING = 2.0
"""Seconds after which a message is not taken for a part of the opening."""


class ImitateQuery(OfConnection):
    """How connection ``conn`` begins: ``path``, ``protocols``, the client's first ``messages``, and its heartbeat:
    ``beat`` as it is said, None for none, and ``every`` so many seconds. Binary is said as ``hex:…``."""

    def answer(self, recorded: Recorded) -> Answer:
        lane = self.lane(recorded)
        connection = recorded.index.connection(self.conn)
        opened = connection.opened if connection.opened is not None else connection.first_seen
        beats = lane.tracks.get(2 * HEARTBEAT)
        first = beats.at[0] if beats else float("inf")
        said = lane.tracks.get(2 * DATA)
        opening = [own for at, own in said.within(opened, min(first, opened + OPENING))] if said else []
        messages = [self._message(recorded, lane.places[own]) for own in opening[:MESSAGES]]
        every = None
        if beats:
            gaps = [after - before for before, after in pairwise(beats.at)]
            every = median(gaps) if gaps else first - opened
        return {
            "conn": self.conn,
            "path": connection.target or connection.path,
            "protocols": connection.subprotocol or "",
            "messages": [message for message in messages if message is not None],
            "beat": self._message(recorded, lane.places[beats.what[0]]) if beats else None,
            "every": every if every is None else max(0.05, round(every, 2)),
        }

    @staticmethod
    def _message(recorded: Recorded, place: int) -> str | None:
        """A message as Test Connection writes it: None where a line has no place for it."""
        event = recorded.event(place)
        said = message_of(event) if isinstance(event, Frame) else None
        if said is None or len(said[1]) > LONGEST:
            return None
        opcode, data = said
        text = data.decode(errors="replace")
        if opcode != TEXT:
            return f"hex:{data.hex()}"
        return None if "\n" in text or text.startswith("hex:") else text
