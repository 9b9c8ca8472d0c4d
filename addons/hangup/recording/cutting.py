"""Payloads cut to ``--max-payload``, so that recordings stay small; length and hash remain."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hangup.recording.events import End, Event, Frame, Part, Raw, Side

if TYPE_CHECKING:
    from hashlib import _Hash


class Cutter:
    """Cuts the payload of every frame to ``limit`` bytes, the parts of a large frame taken together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parted: dict[tuple[int, Side], tuple[_Hash, int]] = {}

    def cut(self, event: Event) -> Event:
        """The event, or a copy with less payload. The event itself is never changed."""
        kind = type(event)
        if kind is Frame:
            return self._frame(event)  # type: ignore[arg-type]
        if kind is Part:
            return self._part(event)  # type: ignore[arg-type]
        if kind is Raw:
            return self._raw(event)  # type: ignore[arg-type]
        if kind is End:
            self._parted.pop((event.conn, event.side), None)  # type: ignore[attr-defined]
        return event

    def _frame(self, event: Frame) -> Frame:
        limit = self.limit
        message = event.message_base64 if event.message is None else event.message.encode()
        if message is not None and len(message) > limit:
            event = replace(event, message=None, message_base64=None, message_length=len(message))
        if event.parts:
            digest, seen = self._parted.pop((event.conn, event.side), (None, 0))
            if digest is not None and seen > limit:
                return replace(event, sha256=digest.hexdigest())
            return event
        payload = event.payload
        if len(payload) <= limit:
            return event
        text, data = _prefix(event.text, payload, limit)
        return replace(event, text=text, base64=data, length=len(payload), sha256=sha256(payload).hexdigest())

    def _part(self, event: Part) -> Part:
        key = (event.conn, event.side)
        if event.head is not None or key not in self._parted:
            self._parted[key] = (sha256(), 0)
        digest, seen = self._parted[key]
        payload = event.payload
        digest.update(payload)
        self._parted[key] = (digest, seen + len(payload))
        room = max(self.limit - seen, 0)
        if len(payload) <= room:
            return event
        text, data = _prefix(event.text, payload, room)
        return replace(event, text=text, base64=data, length=len(payload))

    def _raw(self, event: Raw) -> Raw:
        self._parted.pop((event.conn, event.side), None)
        payload = event.payload
        if len(payload) <= self.limit:
            return event
        text, data = _prefix(event.text, payload, self.limit)
        return replace(event, text=text, base64=data, cut=len(payload), sha256=sha256(payload).hexdigest())


def _prefix(text: str | None, payload: bytes, limit: int) -> tuple[str | None, bytes | None]:
    """The first bytes of a payload; of text, at most so many that no character is torn."""
    if text is not None:
        return payload[:limit].decode(errors="ignore") or None, None
    return None, payload[:limit] or None
