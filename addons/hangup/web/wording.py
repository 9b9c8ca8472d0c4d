"""Events as the page lists them: what each is in a few words, and what there is to see when it is opened."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from hangup.humanize import plural, printable, size
from hangup.recording.backend_log import last_line
from hangup.recording.endings import Step, What
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    Log,
    Note,
    Part,
    Raw,
)
from hangup.web.index import HEARTBEAT
from hangup.wire.handshake import review
from hangup.wire.inflation_budget import LEFT_COMPRESSED
from hangup.wire.problems import explain

PREVIEW = 200
"""Characters that a list shows of a message."""

CONTENT_LIMIT = 256 << 10
"""Bytes of one message that are shown."""

Json = dict[str, Any]


def entry(number: int, event: AnyEvent, byte: int | None = None) -> Json:
    """A line of the list: entry ``number`` of its connection, ``byte`` its class in the index."""
    found: Json = {"i": number, "at": event.at, "kind": kind(event)}
    for name in ("n", "side", "opcode", "code", "reason", "problems"):
        value = getattr(event, name, None)
        if value is not None and value != () and value != []:
            found[name] = value
    if isinstance(event, Frame):
        found["length"] = event.size
        found["preview"] = preview(event)
        if byte is not None and byte >> 1 == HEARTBEAT:
            found["heartbeat"] = True
    else:
        found["text"] = words(event)
    return found


def kind(event: AnyEvent) -> str:
    """Its tag in a recording."""
    return str(type(event).__struct_config__.tag)


def preview(event: Frame) -> str:
    """The beginning of what a frame says, on one line: text, or bytes in hex."""
    text, data = event.message, event.message_base64
    if text is None and data is None:
        text, data = event.text, event.base64
    if event.opcode == "close":
        return printable(event.reason or "", PREVIEW)
    if event.left_compressed:
        return LEFT_COMPRESSED
    if text is not None:
        return printable(text[: PREVIEW + 1], PREVIEW)
    return (data or b"")[: PREVIEW // 4].hex(" ")


def words(event: AnyEvent) -> str:
    """An event that is no frame, on one line."""
    match event:
        case Handshake():
            return _handshake(event)
        case End():
            return Step(event.at, event.side, event.how, by=event.by, note=event.note).text
        case Raw():
            what: What = "half-frame" if "half-frame" in event.problems else "not-a-frame"
            count = event.cut if event.cut is not None else len(event.payload)
            return f"{Step(event.at, event.side, what).text}: {size(count)}"
        case FilterEvent():
            return _filter(event)
        case Part():
            count = event.length if event.length is not None else len(event.payload)
            return f"a part of {event.side} frame {event.n}: {size(count)}"
        case Log():
            lines = event.text.splitlines() or [""]
            more = f" (and {plural(len(lines) - 1, 'more line')})" if len(lines) > 1 else ""
            return f"{printable(headline(event.text), 2 * PREVIEW)}{more}"
        case Note():
            return printable(event.text, 2 * PREVIEW)
    return ""


def headline(text: str) -> str:
    """The line of a log entry that says most: of a traceback the exception, else the first."""
    if "Traceback (most recent call last)" in text:
        return last_line(text)
    return text.partition("\n")[0]


def _handshake(event: Handshake) -> str:
    asked = printable(f"{event.request.method} {event.request.target}", 2 * PREVIEW)
    if event.response is None:
        return f"{asked}: no answer, {printable(event.error, PREVIEW)}"
    return f"{asked}: {event.response.status} {printable(event.response.reason, 80)}".rstrip()


def _filter(event: FilterEvent) -> str:
    what = printable(event.action, 20)
    if event.n is not None:
        what += f" {event.side or ''} frame {event.n}"
    elif event.side is not None:
        what += f" as the {event.side}"
    text = f"{what} by {printable(event.filter, PREVIEW)}"
    if event.note:
        text += f" ({printable(event.note, PREVIEW)})"
    return f"{text}, sent: {size(len(event.wire))}" if event.wire is not None else text


def whole(number: int, event: AnyEvent, byte: int | None = None, parts: bytes | None = None) -> Json:
    """All of an event; its message, or ``parts`` joined, up to :data:`CONTENT_LIMIT`."""
    found: Json = {**msgspec.to_builtins(event), **entry(number, event, byte)}
    for name in ("text", "base64", "message", "message_base64"):
        if isinstance(event, Frame | Part | Raw):
            found.pop(name, None)
    found["problems"] = [{"name": name, "text": explain(name)} for name in found.get("problems", ())]
    if isinstance(event, Handshake):
        found["checks"] = checks(event)
        found["problems"] = []
    elif isinstance(event, Frame | Part | Raw):
        found |= content(event, parts)
    elif isinstance(event, Log):
        found["text"] = event.text[:CONTENT_LIMIT]
        found["truncated"] = len(event.text) > CONTENT_LIMIT
    if isinstance(event, Raw):
        found["words"] = words(event)
    return found


def content(event: Frame | Part | Raw, parts: bytes | None = None) -> Json:
    """``text`` or ``base64`` of what an event says, ``size`` in bytes, and whether there is more than is shown."""
    text, data = event.text, event.base64
    known: int | None = None
    if isinstance(event, Frame):
        known = event.length
        if event.message is not None or event.message_base64 is not None:
            text, data, known = event.message, event.message_base64, None
            parts = None
    if parts is not None:
        try:
            text, data = parts.decode(), None
        except UnicodeDecodeError as error:
            # Cut in the middle of a character, it is text all the same.
            cut = error.start > len(parts) - 4
            text, data = (parts[: error.start].decode(), None) if cut else (None, parts)
    if text is not None:
        there = len(text.encode())
        shown = text.encode()[:CONTENT_LIMIT].decode(errors="ignore") if there > CONTENT_LIMIT else text
        found: Json = {"text": shown}
    else:
        data = data or b""
        there = len(data)
        found = {"base64": base64.b64encode(data[:CONTENT_LIMIT]).decode()} if data else {"text": ""}
    known = there if known is None else known
    return {**found, "size": known, "truncated": there > CONTENT_LIMIT or known > there}


def checks(event: Handshake) -> list[Json]:
    """What was looked at in a handshake as the server saw it, each in words."""
    request, response = event.request, event.response
    status, headers = (None, []) if response is None else (response.status, response.headers)
    made = review(request.headers, status, headers, request.method, request.version)
    return [{"name": check.name, "ok": check.ok, "text": check.text} for check in made]
