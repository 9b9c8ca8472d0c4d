"""A recording without its secrets: each is replaced by a placeholder, ``[redacted-1]``, the same for equal secrets.

A secret can be spread over fragments, hidden in a compressed message, or behind a masking key. So a message is
looked at whole: its frames wait, and whatever comes after them waits too, until its last one is there. Then

- a message without a secret stays as it was, bit for bit;
- an uncompressed one is rewritten, each fragment keeping its part;
- a compressed one is sent uncompressed, as RFC 7692 allows for any message; and so are all later ones of that side,
  because they may refer back to what is no longer there;
- one that cannot be looked at whole (too large, cut, broken) loses its payload and keeps its length.

From a redacted recording the bytes on the wire can no longer be rebuilt exactly, and its header says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hangup.recording.assembling import Message, Messages
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    Header,
    Log,
    Note,
    Part,
    Raw,
    Side,
)
from hangup.recording.redaction.payloads import (
    Carrier,
    half_payload,
    head_of,
    mended,
    unpacked,
    with_payload,
    without_payload,
)
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.replacing import replaced
from hangup.recording.redaction.single_events import (
    control_frame,
    filter_event,
    handshake,
    message_frame,
    with_message,
)

HOLD_LIMIT = 16 << 20
"""Messages larger than this (bytes) cannot be looked at, and no more than this is held at a time."""

HOLD_EVENTS = 50_000
"""No more events than this are held at a time."""

NOTE = "redacted: placeholders stand for what looked like secrets, so the bytes on the wire are no longer exact"

Key = tuple[int, Side]


class _Slot(Struct):
    """A place in the queue: an event (None when nothing is left of it), whether it may go, and its weight in bytes."""

    event: AnyEvent | None
    ready: bool = True
    weight: int = 0


class _Held(Struct):
    """The frames, parts or raw bytes of one message, while it is not complete."""

    slots: list[_Slot] = []
    packed: bool = False
    given_up: bool = False

    @property
    def events(self) -> list[Carrier]:
        """What is held."""
        return [slot.event for slot in self.slots if isinstance(slot.event, Frame | Part | Raw)]

    def release(self, events: Sequence[AnyEvent | None]) -> None:
        """Lets ``events`` go in the place of what is held."""
        for slot, event in zip(self.slots, events, strict=True):
            slot.event, slot.ready = event, True


class Redactor:
    """Hides secrets in recordings. ``patterns`` are further regular expressions for them.

    :meth:`learn` may be called first with the same events: then a secret is also hidden where it stands before
    its name gives it away. ``unchecked`` counts the messages whose payload had to be left out.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.vault = Vault(patterns)
        self.unchecked = 0
        self._queue: deque[_Slot] = deque()
        self._size = 0
        self._open: dict[Key, _Held] = {}
        self._plain: set[Key] = set()
        self._messages = Messages(HOLD_LIMIT)

    @property
    def hidden(self) -> int:
        """In how many places a secret was hidden."""
        return self.vault.hidden

    def learn(self, events: Iterable[AnyEvent], header: Header | None = None) -> None:
        """Meets all secrets, without hiding them yet."""
        self.vault.learning = True
        if header is not None:
            self.header(header)
        for _ in self.events(events):
            pass
        self.vault.learning = False
        self.forget_counts()

    def forget_counts(self) -> None:
        """Begins to count anew what was hidden or left out; the secrets stay known."""
        self.vault.hidden = self.vault.left_out = self.unchecked = 0

    def header(self, header: Header) -> Header:
        """A redacted recording's header."""
        text = self.vault.text
        hidden = replace(
            header,
            target=text(header.target, url=True),
            filters=[text(each) for each in header.filters],
            source=text(header.source),
        )
        if NOTE not in header.note:
            legend = f" ({self.vault.legend})" if self.vault.legend else ""
            hidden.note = "; ".join(filter(None, [text(header.note), NOTE + legend]))
        return hidden

    def events(self, events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
        """The events without their secrets, in the same order."""
        self._start()
        queue = self._queue
        for event in events:
            if not queue and type(event) is Frame and _is_simple(event) and (event.conn, event.side) not in self._open:
                yield message_frame(self.vault, event)
                continue
            slot = self._take(event)
            if slot.ready and not queue:
                if slot.event is not None:
                    yield slot.event
                continue
            slot.weight = _weight(event)
            self._size += slot.weight
            queue.append(slot)
            if self._size > HOLD_LIMIT or len(queue) > HOLD_EVENTS:
                self._give_up()
            while queue and queue[0].ready:
                slot = queue.popleft()
                self._size -= slot.weight
                if slot.event is not None:
                    yield slot.event
        for key in list(self._open):
            self._settle(key, None)
        yield from (slot.event for slot in queue if slot.event is not None)
        self._start()

    def _start(self) -> None:
        self._queue.clear()
        self._size = 0
        self._open.clear()
        self._plain.clear()
        self._messages = Messages(HOLD_LIMIT)

    def _take(self, event: AnyEvent) -> _Slot:
        if isinstance(event, Frame):
            return self._frame(event)
        if isinstance(event, Part):
            return self._part(event)
        if isinstance(event, Raw):
            return self._raw(event)
        text = self.vault.text
        if isinstance(event, Handshake):
            self._messages.feed(event)
            event = handshake(self.vault, event)
        elif isinstance(event, End):
            key = event.conn, event.side
            self._settle(key, None)
            self._plain.discard(key)
            self._messages.feed(event)
            event = replace(event, by=text(event.by), note=text(event.note))
        elif isinstance(event, FilterEvent):
            event = filter_event(self.vault, event)
        elif isinstance(event, Log):
            event = replace(event, text=text(event.text))
        elif isinstance(event, Note):
            event = replace(event, text=text(event.text), reason=text(event.reason))
        return _Slot(event)

    # Messages

    def _frame(self, event: Frame) -> _Slot:
        opcode = event.opcode
        key = event.conn, event.side
        data = opcode == "text" or opcode == "binary"
        if _is_simple(event) and key not in self._open:
            return _Slot(message_frame(self.vault, event))
        if not data and opcode != "continuation":
            if event.parts:
                self._settle(key, None)
            return _Slot(control_frame(self.vault, event))
        if data and not event.parts and key in self._open:
            self._settle(key, None)  # a message begins within another: that one is over
        held = self._open.setdefault(key, _Held())
        held.packed = held.packed or bool(event.rsv & 4)
        message = self._messages.feed(event)
        slot = _Slot(event, False)
        held.slots.append(slot)
        if event.fin:
            self._settle(key, message)
        elif held.given_up:
            self._blank(held)
        return slot

    def _part(self, event: Part) -> _Slot:
        key = event.conn, event.side
        head = head_of(event)
        if head is not None and head[0] & 15 and key in self._open:
            self._settle(key, None)
        self._messages.feed(event)
        held = self._open.setdefault(key, _Held())
        if head is not None and head[0] & 0x40:
            held.packed = True
        slot = _Slot(event, False)
        held.slots.append(slot)
        if held.given_up:
            self._blank(held)
        return slot

    def _settle(self, key: Key, message: Message | None) -> None:
        """A message is complete (or its side ended within it): what it says decides what is left of it."""
        held = self._open.pop(key, None)
        if held is None:
            return
        if held.given_up:
            self._blank(held)
            return
        if held.packed:
            self._settle_packed(key, held, message)
            return
        # A large frame's payload is in its parts.
        carriers = [event for event in held.events if not (isinstance(event, Frame) and event.parts)]
        found = self.vault.payload(b"".join(event.payload for event in carriers))
        changed: list[Carrier] = []
        at = 0
        for event in held.events:
            if found and not (isinstance(event, Frame) and event.parts):
                payload = event.payload
                event = with_payload(event, replaced(payload, at, found))
                at += len(payload)
            if isinstance(event, Frame) and (event.message is not None or event.message_base64 is not None):
                event = with_message(self.vault, event)
            changed.append(event)
        held.release(mended(changed) if found else changed)

    def _settle_packed(self, key: Key, held: _Held, message: Message | None) -> None:
        if message is None or message.data is None:
            self._plain.add(key)
            self._blank(held)
            return
        found = self.vault.payload(message.data)
        if not found and key not in self._plain:
            held.release(held.events)
            return
        self._plain.add(key)
        held.release(unpacked(held.events, replaced(message.data, 0, found)))

    def _give_up(self) -> None:
        """Too much is held: the message that everything waits for goes without its payload."""
        front = self._queue[0]
        for key, held in self._open.items():
            if any(slot is front for slot in held.slots):
                held.given_up = True
                if held.packed:
                    self._plain.add(key)
                self.unchecked += 1
                self._blank(held)
                return

    def _blank(self, held: _Held) -> None:
        self.unchecked += not held.given_up
        held.release([without_payload(event) for event in held.events])
        held.slots.clear()

    def _raw(self, event: Raw) -> _Slot:
        key = event.conn, event.side
        if "half-frame" not in event.problems:
            held = self._open.get(key)
            if held is None or not all(isinstance(slot.event, Raw) for slot in held.slots):
                self._settle(key, None)
                held = self._open[key] = _Held()
            slot = _Slot(event, False)
            held.slots.append(slot)
            if held.given_up:
                self._blank(held)
            return slot
        payload, first = half_payload(event.payload)
        within = key in self._open
        self._settle(key, None)
        # What is half there and compressed, or the rest of something, cannot be judged.
        opaque = first & 0x40 or not first & 15 or within
        if payload and (opaque or event.cut is not None or self.vault.payload(payload)):
            return _Slot(without_payload(event))
        return _Slot(event)


def _is_simple(event: Frame) -> bool:
    """Whether a frame is a message by itself, as nearly all are."""
    return event.fin and not event.rsv and not event.parts and (event.opcode == "text" or event.opcode == "binary")


def _weight(event: AnyEvent) -> int:
    return len(event.payload) + 200 if isinstance(event, Frame | Part | Raw) else 500
