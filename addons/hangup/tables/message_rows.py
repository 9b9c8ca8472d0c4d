"""Rows of frames, messages and pings: each message with its kind and, as JSON, what is in it."""

from __future__ import annotations

from typing import Any

import msgspec

from hangup.messages.content import NOTHING, MessageContent
from hangup.messages.json_values import LONGEST, find_documents
from hangup.messages.kind import MessageKind, kind_of
from hangup.messages.reading import read_content
from hangup.recording.assembling import Message, Messages
from hangup.recording.events import End, Frame, Side
from hangup.recording.formats import Recording
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.redactor import HOLD_LIMIT
from hangup.recording.redaction.replacing import replaced
from hangup.recording.round_trips import Pings
from hangup.tables.connection_rows import Add, Clock
from hangup.wire.frames import BINARY, PING, PONG, TEXT

_CONTROL = {"ping": PING, "pong": PONG}


def add_messages(add: Add, source: Recording, head: tuple[str, str, str], vault: Vault | None) -> None:
    """Adds a recording's rows to ``frames``, ``messages`` and ``pings``; the ``vault`` has met its secrets."""
    rows = _Rows(add, head, Clock(source.header.started), vault)
    for batch in source.batches():
        for event in batch:
            if type(event) is Frame:
                rows.frame(event)
            else:
                rows.messages.feed(event)
                if type(event) is End:
                    rows.ended(event.conn)
    rows.finish()


class _Rows:
    def __init__(self, add: Add, head: tuple[str, str, str], clock: Clock, vault: Vault | None) -> None:
        self._add = add
        self._head = head
        self._clock = clock
        self._vault = vault
        self.messages = Messages(HOLD_LIMIT)
        self._pings: dict[int, Pings] = {}

    def frame(self, event: Frame) -> None:
        """Adds a frame, and the message that it completes."""
        reason = event.reason
        if reason and self._vault is not None:
            reason = self._vault.text(reason)
        self._add("frames", (
            *self._head, event.conn, event.n, event.at, self._clock(event.at), event.side, event.opcode, event.fin,
            bool(event.rsv & 4), event.size, event.code, reason, list(event.problems),
        ))  # fmt: skip
        message = self.messages.feed(event)
        if message is not None:
            self._message(message)
        elif (opcode := _CONTROL.get(event.opcode)) is not None:
            payload = event.payload
            self._beat(event, opcode, kind_of(opcode, payload), payload)

    def _message(self, message: Message) -> None:
        opcode = TEXT if message.opcode == "text" else BINARY
        data = message.data
        kind, text, fields = None, None, None
        if data is not None:
            if self._vault is not None:
                data = _hidden(self._vault, opcode, data)
            content = MessageContent(opcode, data)
            kind = read_content(content).kind
            text = content.text if opcode == TEXT else None
            fields = _fields(content, kind)
            self._beat(message, opcode, kind, b"")
        said: tuple[Any, ...] = (None,) * 5
        if kind is not None:
            beat = None if kind.beat is None else kind.beat.kind
            said = kind.text, kind.protocol or None, kind.name or None, kind.field or None, beat
        self._add("messages", (
            *self._head, message.conn, message.n, message.at, self._clock(message.at), message.side, message.opcode,
            *said, message.length, message.fragments, message.compressed, text, fields,
        ))  # fmt: skip

    def _beat(self, event: Frame | Message, opcode: int, kind: MessageKind, payload: bytes) -> None:
        if kind.beat is None:
            return
        pings = self._pings.setdefault(event.conn, Pings())
        pings.take(event.side, opcode, kind, event.at, event.n, payload)
        for (side, level), trips in pings.trips.items():
            for trip in trips.trips:
                self._ping(event.conn, side, level, trip.at, trip.n, trip.took)
            trips.trips.clear()

    def ended(self, conn: int) -> None:
        """Adds the pings of a connection that nobody answered."""
        pings = self._pings.pop(conn, None)
        for (side, level), trips in pings.trips.items() if pings is not None else ():
            for at, n in trips.waiting:
                self._ping(conn, side, level, at, n, None)

    def finish(self) -> None:
        """The same of all that have not ended."""
        for conn in list(self._pings):
            self.ended(conn)

    def _ping(self, conn: int, side: Side, level: str, at: float, n: int, took: float | None) -> None:
        self._add("pings", (*self._head, conn, n, at, self._clock(at), side, level, took))


def _hidden(vault: Vault, opcode: int, data: bytes) -> bytes:
    """A whole message without its secrets."""
    if opcode == TEXT:
        try:
            # Where no secret was met anywhere, there is none here.
            if not vault.secrets or not vault.spans(data.decode()):
                return data
        except UnicodeDecodeError:
            pass
    return replaced(data, 0, vault.payload(data))


def _fields(content: MessageContent, kind: MessageKind) -> str | None:
    """As JSON what a message is, or, within the envelope of a protocol, the object that it carries."""
    value, text = content.value, content.text
    if value is not NOTHING and text and text[0] in "{[" and not kind.protocol and "N" not in text and "I" not in text:
        return text  # it is JSON as it stands: neither NaN nor Infinity is in it
    if value is NOTHING and text and len(text) <= LONGEST:
        documents, _ = find_documents(text)
        value = documents[0].value if documents else NOTHING
    if type(value) is list and kind.protocol:
        value = next((each for each in value if type(each) is dict), value)
    if type(value) not in (dict, list):
        return None
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError, OverflowError):
        return None
