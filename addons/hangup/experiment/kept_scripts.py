"""What is kept of a recording's connections while it is gone over once: the scripts of those that may be studied, and
what the others tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from msgspec.structs import replace

from hangup.experiment.answers import Reply, replies
from hangup.experiment.last_words import PROMPT, Words, words_of
from hangup.experiment.message_trials import name_within
from hangup.experiment.trial import ClientFrame, OtherConnection
from hangup.messages.kind import Discriminators
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent
from hangup.recording.ledger import Ledger
from hangup.replayable.client_script import Hear, ScriptReader, Send
from hangup.wire.frames import OPCODE_NUMBERS

LATELY = 10.0
"""Seconds before a connection in which others count as having been there."""

HARMLESS_KEPT = 60
"""Harmless messages of each kind that are kept of other connections."""

SAID_KEPT, ENDED_KEPT = 24, 12
"""So many of a server's last messages are kept, of so many connections that ended."""

OTHERS_KEPT = 4
"""Connections that were there beside the one that is studied."""

ALIKE_KEPT = 3
"""So many connections that ended in the same way are kept: what they said before their last messages did no harm."""

LIVED_KEPT = 6
LIVED_MESSAGES = 64
"""So many connections that did not fail are kept, and of each so many first messages."""

SCRIPTS_KEPT = 64
"""Connections whose scripts are kept while the recording is read; one that is chosen of the others is read again."""


class KeptScripts:
    """The scripts of those connections that may be the one to study (the open ones, and the last of each way to end),
    and of some that ended as it did. ``only`` is that one, where somebody has said which."""

    def __init__(self, only: int | None) -> None:
        self.only = only
        self.readers: dict[int, ScriptReader] = {}
        self._ended: dict[tuple[object, ...], list[int]] = {}
        self._over: set[int] = set()
        self._said: dict[int, list[Hear]] = {}
        """The last messages of the server's on connections that ended lately."""

    def feed(self, events: Iterable[AnyEvent], ledger: Ledger) -> None:
        """Takes events, of which the ledger knows already."""
        for event in events:
            conn = event.conn
            if conn <= 0 or (self.only is not None and conn != self.only):
                continue
            reader = self.readers.get(conn)
            if reader is None:
                if conn in self._over:
                    continue
                reader = self.readers[conn] = ScriptReader(conn)
            reader.feed(event)
        for conn in [conn for conn in self.readers if conn not in self._over]:
            connection = ledger.connections[conn]
            if connection.ended is None:
                continue
            self._over.add(conn)
            heard = [s for s in self.readers[conn].last_steps() if isinstance(s, Hear) and s.data is not None]
            self._said[conn] = [s for s in heard if s.opcode in ("text", "binary")][-SAID_KEPT:]
            while len(self._said) > ENDED_KEPT:
                self._said.pop(next(iter(self._said)))
            ending = connection.ending
            way = connection.route, ending.by, connection.manner, ending.code, connection.status
            alike = self._ended.setdefault(way, [])
            alike.append(conn)
            if len(alike) > ALIKE_KEPT:
                # Of those before the last one, what stayed open for the longest time tells the most.
                least = min(alike[:-1], key=lambda conn: ledger.connections[conn].lifetime or 0.0)
                alike.remove(least)
                self.readers.pop(least, None)
        while len(self.readers) > SCRIPTS_KEPT:
            self.readers.pop(next(iter(self.readers)))

    def others(self, chosen: Connection, connections: Sequence[Connection]) -> tuple[OtherConnection, ...]:
        """Those that were there shortly before the end of the chosen one, and what their clients had said by then."""
        over = chosen.ended if chosen.ended is not None else chosen.last_seen
        found: list[tuple[float, OtherConnection]] = []
        earlier = {conn for alike in self._ended.values() for conn in alike[:-1]}
        for c in connections:
            gone = inf if c.ended is None else c.ended
            if c.conn == chosen.conn or c.kind != "app" or c.opened is None or c.opened >= over:
                continue
            reader = self.readers.get(c.conn)
            if reader is None or c.conn in earlier or gone < over - LATELY:
                continue
            said = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.at <= over]
            frames = [ClientFrame(s.n or 0, s.opcode, s.message or b"", s.at - c.opened) for s in said]
            left = gone <= over and c.ending.by == "client"
            did = max([c.opened, *(s.at for s in said), *([gone] if gone <= over else [])])
            found.append((over - did, OtherConnection(c.conn, c.path, tuple(with_kinds(frames)), left)))
        found.sort(key=lambda each: each[0])
        return tuple(other for _, other in found[:OTHERS_KEPT])

    def ended_with(self, connections: Sequence[Connection]) -> Iterable[list[Words]]:
        """The words of the server's messages on each of these, of which the last came right before its end; none of
        one on which none did."""
        for c in connections:
            if c.conn in self._said and c.end is not None:
                said = [s for s in self._said[c.conn] if s.at <= c.end]
                late = said and c.end - said[-1].at <= PROMPT
                yield [words_of(s.data or b"") for s in said] if late else []

    def replies(self, connections: Sequence[Connection], asked: Sequence[ClientFrame]) -> tuple[Reply, ...]:
        """How the server's messages were answered on these connections."""
        readers = [self.readers[c.conn] for c in connections if c.conn in self.readers][-LIVED_KEPT:]
        return replies([reader.last_steps() for reader in readers], [(f.opcode, f.payload) for f in asked])

    def lived(
        self, connections: Sequence[Connection], own: Sequence[ClientFrame]
    ) -> tuple[tuple[ClientFrame, ...], ...]:
        """What was said on these connections, the latest first; kinds are told together with those of ``own``."""
        learned = Discriminators()
        for frame in own:
            learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
        found: list[list[ClientFrame]] = []
        for connection in reversed(connections):
            reader = self.readers.get(connection.conn)
            if reader is None or len(found) >= LIVED_KEPT:
                continue
            steps = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.message is not None]
            frames = [ClientFrame(s.n or 0, s.opcode, s.message or b"", s.at) for s in steps[:LIVED_MESSAGES]]
            found.append(frames)
            for frame in frames:
                learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
        kind = learned.kind
        return tuple(
            tuple(replace(f, kind=kind(OPCODE_NUMBERS.get(f.opcode, 1), f.payload).text) for f in frames)
            for frames in found
        )

    def harmless(
        self, chosen: int, connections: Sequence[Connection], failed: set[int], frames: Sequence[ClientFrame]
    ) -> dict[str, tuple[bytes, ...]]:
        """Messages of other connections after which they stayed open, by kind, the latest first. ``failed`` are the
        numbers of those that may have ended as the one that is studied, which said ``frames``."""
        found: dict[str, dict[bytes, None]] = {}
        learned = Discriminators()
        said = []
        for connection in connections:
            reader = self.readers.get(connection.conn)
            if reader is None or connection.conn == chosen:
                continue
            sent = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.message is not None]
            said += sent[:-1] if connection.conn in failed else sent  # the last one may be what ended it
        for step in said:
            learned.feed(OPCODE_NUMBERS.get(step.opcode, 1), step.message or b"")
        for frame in frames:
            learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
        # What tells kinds apart may be another thing among more messages: those of the frames are called as they are.
        kinds = {learned.kind(OPCODE_NUMBERS.get(f.opcode, 1), f.payload).text: f.kind for f in frames}
        names = {name for kind in kinds.values() if (name := name_within(kind))}
        for step in reversed(said):
            kind = learned.kind(OPCODE_NUMBERS.get(step.opcode, 1), step.message or b"").text
            kind = kinds.get(kind, kind)
            known = kind in kinds.values() or name_within(kind) in names
            if known and len(found.setdefault(kind, {})) < HARMLESS_KEPT:
                found[kind][step.message or b""] = None
        return {kind: tuple(payloads) for kind, payloads in found.items()}


def with_kinds(frames: list[ClientFrame]) -> list[ClientFrame]:
    """The same messages of one side, each with its kind, as the messages together tell it."""
    learned = Discriminators()
    for frame in frames:
        learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
    return [replace(f, kind=learned.kind(OPCODE_NUMBERS.get(f.opcode, 1), f.payload).text) for f in frames]
