"""The bytes of a connection, rebuilt exactly from its recording.

What a side sent is all in its ``frame``, ``part`` and ``raw`` events, in file order; what was sent on towards
a side is the same but for what ``filter`` events say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hangup.errors import RecordingError
from hangup.recording.events import INSTEAD, AnyEvent, FilterEvent, Frame, Note, Part, Raw, Side
from hangup.wire.frames import OPCODE_NUMBERS, header
from hangup.wire.masking import mask


def sent_by(events: Iterable[AnyEvent], conn: int, side: Side) -> Iterator[bytes]:
    """What ``side`` of a connection sent after the handshake, in pieces.

    Raises :class:`~hangup.errors.RecordingError` where bytes are missing (``--max-payload``, a full disk) or
    where an event contradicts itself.
    """
    wire = Wire()
    for event in events:
        if isinstance(event, Frame | Part | Raw):
            if event.conn == conn and event.side == side:
                yield from wire.bytes(event)
        elif isinstance(event, Note):
            _check_lost(event, conn)


def sent_to(events: Iterable[AnyEvent], conn: int, side: Side) -> Iterator[bytes]:
    """What was sent on towards ``side``: the other side's bytes, as filters left them.

    Goes over ``events`` twice.

    Raises as :func:`sent_by` does.
    """
    if isinstance(events, Iterator):
        events = list(events)
    other: Side = "server" if side == "client" else "client"
    acted = {
        event.n
        for event in events
        if isinstance(event, FilterEvent) and event.conn == conn and event.side == other and event.action in INSTEAD
    }
    wire = Wire()
    for event in events:
        if isinstance(event, Frame | Part | Raw | FilterEvent):
            if event.conn != conn or event.side != other:
                continue
            if isinstance(event, FilterEvent):
                if event.wire:
                    yield event.wire
            elif not event.kept if isinstance(event, Raw) else event.n not in acted:
                yield from wire.bytes(event)
        elif isinstance(event, Note):
            _check_lost(event, conn)


def header_bytes(frame: Frame) -> bytes:
    """The header of a frame as it was on the wire."""
    if frame.head is not None:
        return _hex(frame, "head", frame.head)
    opcode = OPCODE_NUMBERS.get(frame.opcode)
    if opcode is None or not 0 <= frame.rsv <= 7:
        raise RecordingError(f"{_name(frame)} has no such opcode or RSV bits: {frame.opcode!r}, {frame.rsv}")
    if not 0 <= frame.size < 1 << 64:
        raise RecordingError(f"{_name(frame)} has an impossible length: {frame.size}")
    return header(frame.fin, frame.rsv, opcode, _key(frame) or None, frame.size)


class Wire:
    """Turns one direction's events back into bytes, one after the other, as it knows where in a masking key a frame's
    parts are."""

    def __init__(self) -> None:
        self._key = b""
        self._offset = 0

    def bytes(self, event: Frame | Part | Raw) -> Iterator[bytes]:
        """The bytes of the next event; raises :class:`~hangup.errors.RecordingError` when some are missing or odd."""
        if isinstance(event, Raw):
            if event.cut is not None:
                raise _missing(event, event.cut)
            yield event.payload
            return
        if isinstance(event, Part):
            if event.head is not None:
                head = _hex(event, "head", event.head)
                if len(head) < 2:
                    raise RecordingError(f"{_name(event)} has half a header: {event.head!r}")
                self._key = head[-4:] if head[1] & 0x80 else b""
                self._offset = 0
                yield head
        elif event.parts:  # its header and payload were in the parts
            if event.sha256 is not None:
                raise _missing(event, event.size)
            return
        else:
            head = header_bytes(event)
            self._key = _key(event)
            self._offset = 0
            yield head
        payload = event.payload
        if event.length is not None and event.length != len(payload):
            raise _missing(event, event.length)
        yield mask(self._key, payload, self._offset) if self._key else payload
        self._offset += len(payload)


def _key(frame: Frame) -> bytes:
    if frame.mask is None:
        return b""
    key = _hex(frame, "mask", frame.mask)
    if len(key) != 4:
        raise RecordingError(f"{_name(frame)} has a masking key of {len(key)} bytes")
    return key


def _hex(event: Frame | Part, field: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RecordingError(f"{_name(event)} has a {field} that is not hexadecimal: {text[:40]!r}") from None


def _name(event: Frame | Part | Raw) -> str:
    which = f"frame {event.n}" if not isinstance(event, Raw) else f"raw event at {event.at:g} s"
    return f"connection {event.conn} {which}"


def _missing(event: Frame | Part | Raw, length: int) -> RecordingError:
    return RecordingError(
        f"{_name(event)} cannot be rebuilt: only the first of its {length} bytes were recorded (--max-payload)"
    )


def _check_lost(note: Note, conn: int) -> None:
    if note.lost and note.conn in (0, conn):
        raise RecordingError(
            f"the bytes of connection {conn} cannot be rebuilt: {note.lost} events were lost at {note.at:g} s"
        )
