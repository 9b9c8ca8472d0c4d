"""What the writers of message-only formats (HAR, mitmproxy's flows) share: messages by connection, and what is lost."""

from __future__ import annotations

from typing import BinaryIO, Protocol

from hangup.recording.assembling import Message, Messages
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Handshake, Header, Log, Note, Part, Raw
from hangup.recording.formats.imported import UNKNOWN_KEY, microseconds, moment
from hangup.recording.formats.losses import Losses
from hangup.recording.formats.spool import Spool
from hangup.recording.ledger import Ledger


class Writer(Protocol):
    """Writes a recording in some format: all events in order, then :meth:`finish`.

    ``losses`` says afterwards what the format had no place for.
    """

    losses: Losses

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""

    def finish(self) -> None:
        """Completes the file; it is left open."""

    def close(self) -> None:
        """Frees what was held, whether or not the file was completed."""


class MessageWriter:
    """Sorts messages by connection into a spool. A subclass says how each is written."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self.out = out
        self.header = header
        self.started = microseconds(header)
        """Microseconds since 1970."""
        self.losses = Losses()
        self.spool = Spool()
        self.ledger = Ledger()
        self._messages = Messages()
        self._closed: set[int] = set()

    def opening(self, event: Handshake) -> None:
        """Called with the handshake of each connection, before its messages."""
        raise NotImplementedError

    def message(self, message: Message, data: bytes) -> bytes:
        """What to append to the connection's messages."""
        raise NotImplementedError

    def entry(self, connection: Connection) -> None:
        """Writes one connection to ``out``."""
        raise NotImplementedError

    def micros(self, at: float) -> int:
        """A time in microseconds since 1970."""
        return moment(self.started, at)

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self.ledger.feed(event)
        if isinstance(event, Handshake):
            if event.rewritten or event.returned is not None:
                self.losses.fact("what filters changed in handshakes")
            self.opening(event)
        self._lose(event)
        message = self._messages.feed(event)
        if message is None:
            return
        self._lose_of(message)
        if message.data is not None:
            self.spool.append(message.conn, self.message(message, message.data))

    def finish(self) -> None:
        """Writes all connections in their order."""
        for number in sorted(self.ledger.connections):
            self.entry(self.ledger.connections[number])

    def close(self) -> None:
        """Removes the temporary file."""
        self.spool.close()

    def _lose(self, event: AnyEvent) -> None:
        losses = self.losses
        if isinstance(event, Frame):
            if event.opcode == "ping" or event.opcode == "pong":
                losses.count(event.opcode)
            elif event.opcode == "close":
                if event.conn in self._closed:
                    losses.count("second close frame")
                self._closed.add(event.conn)
            elif event.opcode not in ("text", "binary", "continuation"):
                losses.count("frame with a reserved opcode")
            if event.mask is not None and event.mask != UNKNOWN_KEY.hex():
                losses.fact("masking keys")
            if event.problems:
                losses.count("frame's fault")
        elif isinstance(event, Raw):
            losses.fact("bytes that are not a complete frame")
        elif isinstance(event, FilterEvent):
            losses.count("filter event")
        elif isinstance(event, Log):
            losses.count("log line")
        elif isinstance(event, Note):
            losses.count("note")
        elif isinstance(event, End):
            losses.fact("how TCP ended")
            if self._messages.under_way(event.conn, event.side):
                losses.count("unfinished message")
        elif isinstance(event, Part):
            pass

    def _lose_of(self, message: Message) -> None:
        if message.left:
            self.losses.count("left-compressed message")
        elif message.data is None:
            self.losses.count("message that is not complete in the recording")
        if message.fragments > 1:
            self.losses.fact("fragment boundaries")
        if message.compressed:
            self.losses.fact("compression")
