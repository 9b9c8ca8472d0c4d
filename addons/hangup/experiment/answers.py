"""How the clients of a recording answer their server's heartbeats: learned from those that they did answer."""

from __future__ import annotations

from collections.abc import Iterable

from hangup.messages.answers import Answered, template
from hangup.messages.heartbeats import Beat, recognise
from hangup.recording.events import AnyEvent, Frame
from hangup.wire.frames import OPCODE_NUMBERS

SOON = 1.0
"""Seconds from a ping to what is taken for its answer."""

ENOUGH = 32
"""Pairs that are learned from."""

LONGEST = 512
"""Bytes; a longer message is no heartbeat."""


class Answers:
    """Learns from events how clients answer their server's heartbeats."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, Beat, bytes]] = {}
        self._pairs: dict[str, list[tuple[bytes, bytes]]] = {}

    def feed(self, events: Iterable[AnyEvent]) -> None:
        """Takes events, in order."""
        for event in events:
            if isinstance(event, Frame) and event.opcode in ("text", "binary", "continuation"):
                self._frame(event)

    def _frame(self, event: Frame) -> None:
        if event.size > LONGEST or not event.fin:
            return
        data = _message(event)
        beat = recognise(OPCODE_NUMBERS.get(event.opcode, 1), data)
        if beat is None:
            return
        if event.side == "server":
            if beat.kind == "ping":
                self._waiting[event.conn] = event.at, beat, data
            return
        asked = self._waiting.pop(event.conn, None)
        if asked is None or event.at - asked[0] > SOON:
            return
        pairs = self._pairs.setdefault(asked[1].form, [])
        if (beat.kind == "pong" or beat == asked[1]) and len(pairs) < ENOUGH:
            pairs.append((asked[2], data))

    @property
    def found(self) -> tuple[Answered, ...]:
        """What was learned, for each form of ping."""
        made = ((form, template(pairs)) for form, pairs in self._pairs.items())
        return tuple(Answered(form, answer) for form, answer in made if answer is not None)


def _message(event: Frame) -> bytes:
    if event.message is not None:
        return event.message.encode()
    return event.message_base64 if event.message_base64 is not None else event.payload
