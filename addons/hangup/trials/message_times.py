"""When either side spoke in a trial: a sink that listens, and passes everything on."""

from __future__ import annotations

from hangup.experiment.failure import Failure, close_code
from hangup.experiment.last_words import PROMPT, Words, words_of
from hangup.experiment.timers import Pulse
from hangup.messages.kind import kind_of
from hangup.recording.assembling import Message, Messages
from hangup.recording.connections import Connection
from hangup.recording.events import INSTEAD, Event, FilterEvent, Frame, Handshake, Part, Side
from hangup.replay.event_sink import EventSink
from hangup.session import Session
from hangup.wire.frames import OPCODE_NUMBERS, FrameReader
from hangup.wire.frames import Frame as WireFrame

CONTROL = 8


class MessageTimesSink:
    """One connection's sink. What a filter keeps back was not said, and what it says for a side was. With
    ``last_words`` the server's last message is kept."""

    takes_lines = False

    def __init__(self, sink: EventSink, last_words: bool = False) -> None:
        self.ledger = sink.ledger
        self.sessions: dict[int, Session] = sink.sessions
        self.now = sink.now
        self._sink = sink
        self._said: dict[Side, dict[int, tuple[float, int]]] = {"client": {}, "server": {}}
        self._kinds: dict[int, str] = {}
        self._extra = 0
        self._messages = Messages() if last_words else None
        self._last: Message | None = None

    def emit(self, event: Event) -> None:
        """Takes an event."""
        self._sink.emit(event)
        if self._messages is not None and isinstance(event, Frame | Part | Handshake):
            message = self._messages.feed(event)
            self._last = message if message is not None and message.side == "server" else self._last
        if isinstance(event, Frame):
            opcode = OPCODE_NUMBERS.get(event.opcode, 0)
            self._said[event.side][event.n] = (event.at, opcode)
            if event.side == "client" and opcode < CONTROL:
                self._kinds[event.n] = kind_of(opcode, event.message_bytes).text
        elif isinstance(event, FilterEvent) and event.side is not None:
            if event.action in INSTEAD and event.n is not None and event.wire is None:
                self._said[event.side].pop(event.n, None)
            elif event.action == "inject" and event.wire:
                self._extra -= 1
                opcode = event.wire[0] & 15
                self._said[event.side][self._extra] = (event.at, opcode)
                if event.side == "client" and opcode < CONTROL:
                    self._kinds[self._extra] = _kind_on_wire(event.wire)

    def emit_lines(self, lines: bytes) -> None:
        """Never called, as ``takes_lines`` says."""
        raise NotImplementedError

    def last_words(self, connection: Connection) -> Words:
        """The words of the server's last message, where that was kept and came right before the end."""
        over, last = connection.end, self._last
        if over is None or last is None or last.data is None or over - last.at > PROMPT:
            return frozenset()
        return words_of(last.data)

    def pulse(self, connection: Connection, failure: Failure) -> Pulse | None:
        """That of a trial which is over; None where it did not open, or ended in another manner than the failure."""
        opened, ended = connection.opened, connection.ended
        how, ending = connection.manner, connection.ending
        if opened is None or how == "refused":
            return None
        if how is not None and (
            failure.by not in ("", ending.by)
            or failure.how not in ("", how)
            or (failure.code is not None and close_code(connection) != failure.code)
        ):
            return None
        over = ended if ended is not None else connection.last_seen
        if how is None and ending.at is not None:
            over = ending.at
        client, server = self._moments("client", opened), self._moments("server", opened)
        kinds = tuple(self._kinds.get(n, "") for n in client)
        return Pulse(over - opened, how is not None, tuple(client.values()), tuple(server.values()), kinds)

    def _moments(self, side: Side, opened: float) -> dict[int, tuple[float, bool]]:
        close = OPCODE_NUMBERS["close"]
        return {
            n: (round(at - opened, 6), opcode < CONTROL)
            for n, (at, opcode) in self._said[side].items()
            if opcode != close and at >= opened
        }


def _kind_on_wire(wire: bytes) -> str:
    """The kind of an injected message that is not compressed; empty for another."""
    items = FrameReader("client", rsv_data=4).feed(wire)
    first = items[0] if items else None
    return kind_of(first.opcode, first.payload).text if isinstance(first, WireFrame) and not first.rsv else ""
