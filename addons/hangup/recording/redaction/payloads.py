"""Events whose payload is replaced, left out, or put in uncompressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from hangup.recording.events import AnyEvent, Frame, Part, Raw, payload_fields
from hangup.wire.frames import OPCODE_NUMBERS, header
from hangup.wire.masking import mask

Carrier = Frame | Part | Raw
"""What carries bytes of a side."""

AnyCarrier = TypeVar("AnyCarrier", Frame, Part, Raw, Carrier)

def with_payload(event: AnyCarrier, payload: bytes) -> AnyCarrier:
    """The event with another payload, and a canonical header for it."""
    text, data = payload_fields(payload)
    if isinstance(event, Raw):
        return replace(event, text=text, base64=data, sha256=None)
    if isinstance(event, Part):
        return replace(event, text=text, base64=data)
    cut = event.length is not None and event.length != len(event.payload)
    frame = replace(event, text=text, base64=data, sha256=None)
    if not cut:
        frame.length = None
        frame.head = None
        frame.problems = _canonical(event)
    return frame


def without_payload(event: AnyCarrier) -> AnyCarrier:
    """The event as if its payload had been cut, all of it."""
    if isinstance(event, Raw):
        return replace(event, text=None, base64=None, sha256=None, cut=event.cut or len(event.payload) or None)
    if isinstance(event, Part):
        return replace(event, text=None, base64=None, length=event.length or len(event.payload) or None)
    length = event.message_length
    if event.message is not None:
        length = len(event.message.encode())
    elif event.message_base64 is not None:
        length = len(event.message_base64)
    return replace(
        event,
        text=None,
        base64=None,
        length=event.size or None,
        sha256=None,
        message=None,
        message_base64=None,
        message_length=length,
    )


def unpacked(events: Sequence[Carrier], data: bytes) -> list[AnyEvent | None]:
    """A compressed message's frames with the message in them uncompressed: all of it in the first, while the others
    stay as empty fragments. Parts of large frames are gone."""
    text, raw = payload_fields(data)
    single = sum(isinstance(event, Frame) for event in events) == 1
    result: list[AnyEvent | None] = []
    first = True
    for event in events:
        if not isinstance(event, Frame):
            result.append(None)
            continue
        frame = replace(
            event,
            rsv=event.rsv & ~4,
            text=text if first else None,
            base64=raw if first else None,
            head=None,
            length=None,
            sha256=None,
            parts=0,
            problems=_canonical(event),
            message=None,
            message_base64=None,
            message_length=None,
        )
        if frame.fin and not single:
            frame.message, frame.message_base64 = ("" if not data else text), raw
        result.append(frame)
        first = False
    return result


def mended(events: Sequence[Carrier]) -> list[AnyEvent]:
    """Gives a large frame whose parts were changed its new length, and a header that says so."""
    result: list[AnyEvent] = list(events)
    first: int | None = None
    total = 0
    for i, event in enumerate(events):
        if isinstance(event, Part):
            first = i if first is None else first
            total += len(event.payload)
        elif isinstance(event, Frame) and event.parts and first is not None:
            if event.sha256 is None:
                head = header(event.fin, event.rsv & 7, OPCODE_NUMBERS.get(event.opcode, 0), _key(event), total)
                result[first] = replace(events[first], head=head.hex())
                result[i] = replace(event, length=total)
            else:
                result[i] = replace(event, sha256=None)
            first, total = None, 0
    return result


def _key(event: Frame) -> bytes | None:
    try:
        key = bytes.fromhex(event.mask or "")
    except ValueError:
        return None
    return key if len(key) == 4 else None


def head_of(event: Part) -> bytes | None:
    """The first two bytes of the header that a part carries."""
    try:
        return bytes.fromhex(event.head)[:2] or None if event.head is not None else None
    except ValueError:
        return None


def half_payload(data: bytes) -> tuple[bytes, int]:
    """What there is of a half frame's payload, unmasked, and the frame's first byte."""
    if len(data) < 2:
        return b"", data[0] if data else 1
    length = data[1] & 0x7F
    start = 2 + (2 if length == 126 else 8 if length == 127 else 0)
    if not data[1] & 0x80:
        return data[start:], data[0]
    key = data[start : start + 4]
    return (mask(key, data[start + 4 :]) if len(key) == 4 else b""), data[0]


def _canonical(event: Frame) -> tuple[str, ...]:
    return tuple(problem for problem in event.problems if problem != "length-not-minimal")
