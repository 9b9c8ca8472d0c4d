"""Events that can be judged by themselves, without their secrets: no message goes on beyond them."""

from __future__ import annotations

from msgspec.structs import replace

from hangup.recording.events import FilterEvent, Frame, Handshake, Request, Response, Side
from hangup.recording.redaction.payloads import with_payload
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.replacing import replaced
from hangup.wire import frames
from hangup.wire.frames import FrameReader
from hangup.wire.messages import parse_close


def message_frame(vault: Vault, event: Frame) -> Frame:
    """A frame that is a whole uncompressed message."""
    if event.text is not None and event.base64 is None and event.opcode == "text":
        found = bool(vault.spans(event.text))
    else:
        found = event.base64 is not None or event.text is not None
    if found:
        payload = event.payload
        if places := vault.payload(payload):
            event = with_payload(event, replaced(payload, 0, places))
    if event.message is None and event.message_base64 is None:
        return event
    return with_message(vault, event)


def control_frame(vault: Vault, event: Frame) -> Frame:
    """A ping, pong or CLOSE; its payload stays as short as it must be (RFC 6455 5.5)."""
    payload = event.payload
    skip = 2 if event.opcode == "close" else 0
    found = vault.payload(payload[skip:])
    if found:
        event = with_payload(event, (payload[:skip] + replaced(payload[skip:], 0, found))[:125])
    if event.opcode == "close":
        code, reason, _ = parse_close(event.payload)
        if event.length is None and (event.code, event.reason) != (code, reason):
            event = replace(event, code=code, reason=reason)
        elif event.reason:
            event = replace(event, reason=vault.text(event.reason))
    return event


def with_message(vault: Vault, event: Frame) -> Frame:
    """The frame with its message redacted, and its own payload as it is."""
    message, raw = event.message, event.message_base64
    if message is not None:
        message = vault.text(message)
    if raw is not None and (found := vault.payload(raw)):
        raw = replaced(raw, 0, found)
    return replace(event, message=message, message_base64=raw)


def handshake(vault: Vault, event: Handshake) -> Handshake:
    """A handshake: request line, headers and body of both, also as they were before filters."""
    text = vault.text
    return replace(
        event,
        request=request(vault, event.request),
        response=_response(vault, event.response),
        original=None if event.original is None else request(vault, event.original),
        returned=_response(vault, event.returned),
        error=text(event.error),
        by=text(event.by),
        problems=[text(problem) for problem in event.problems],
    )


def filter_event(vault: Vault, event: FilterEvent) -> FilterEvent:
    """What a filter did, with what it sent; that is left out when it cannot be judged."""
    text = vault.text
    note, wire = text(event.note), event.wire
    if wire:
        wire = _wire(vault, wire, event.side or "server")
        if wire is None:
            wire, note = b"", "; ".join(filter(None, [note, "what was sent is left out: it may hold a secret"]))
    return replace(event, filter=text(event.filter), note=note, wire=wire)


def request(vault: Vault, asked: Request) -> Request:
    """What a client asked for, without its secrets."""
    target = vault.text(asked.target, url=True)
    headers = [(name, vault.header(name, value)) for name, value in asked.headers]
    return replace(asked, target=target, headers=headers)


def _response(vault: Vault, response: Response | None) -> Response | None:
    if response is None:
        return None
    text = vault.text
    headers = [(name, vault.header(name, value)) for name, value in response.headers]
    return replace(response, reason=text(response.reason), headers=headers, text=text(response.text))


def _wire(vault: Vault, wire: bytes, side: Side) -> bytes | None:
    """Frames as bytes, without secrets; None when they cannot be judged."""
    result = b""
    reader = FrameReader(side, rsv_any=True)
    for item in [*reader.feed(wire), reader.finish()]:
        if item is None:
            continue
        if not isinstance(item, frames.Frame) or item.rsv or not item.fin or item.opcode == frames.CONTINUATION:
            return None
        skip = 2 if item.opcode == frames.CLOSE else 0
        if found := vault.payload(item.payload[skip:]):
            item.payload = item.payload[:skip] + replaced(item.payload[skip:], 0, found)
            item.head = None
        result += frames.serialize(item)
    return result
