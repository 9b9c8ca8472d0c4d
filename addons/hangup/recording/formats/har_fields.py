"""What the fields of a HAR hold, whoever wrote it: nothing in it need be of the type that it should be.

An entry is decoded only as far as it is needed: its fields stay as JSON until :func:`value_of` reads one, and the other
functions make of a value what it should be, or what stands for its absence.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct, field

FIELD = 1 << 20
"""Headers and other fields larger than this (bytes) are left out."""

DAY = 86400.0
"""In seconds."""

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoding may raise."""

_NULL = Raw(b"null")


class Log(Struct):
    """What is wanted of the HAR's one object."""

    entries: Raw
    creator: Raw = _NULL
    browser: Raw = _NULL
    lacks: Raw = field(name="_lacks", default=_NULL)


class Har(Struct):
    """A whole HAR."""

    log: Log


class EntryRequest(Struct):
    """What is wanted of an entry's request."""

    method: Raw = _NULL
    url: Raw = _NULL
    httpVersion: Raw = _NULL
    headers: Raw = _NULL


class Content(Struct):
    """A response's body, or the name of the file that it stands in."""

    text: Raw = _NULL
    attached: Raw = field(name="_file", default=_NULL)


class EntryResponse(Struct):
    """What is wanted of an entry's response."""

    status: Raw = _NULL
    statusText: Raw = _NULL
    httpVersion: Raw = _NULL
    headers: Raw = _NULL
    content: Content | None = None
    failure: Raw = field(name="_failureText", default=_NULL)
    error: Raw = field(name="_error", default=_NULL)


class Entry(Struct):
    """What is wanted of an entry, unread as long as it is not needed, as it may be anything."""

    startedDateTime: Raw = _NULL
    time: Raw = _NULL
    request: EntryRequest | None = None
    response: EntryResponse | None = None
    timings: Raw = _NULL
    resource: Raw = field(name="_resourceType", default=_NULL)
    messages: Raw = field(name="_webSocketMessages", default=_NULL)
    close: Raw = field(name="_webSocketClose", default=_NULL)
    end: Raw = field(name="_webSocketEnd", default=_NULL)


class EntryMessage(Struct):
    """One of an entry's messages."""

    type: Any = None
    time: Any = None
    opcode: Any = 1
    data: Any = None


decode_har = msgspec.json.Decoder(Har).decode
decode_entry = msgspec.json.Decoder(Entry).decode
decode_message = msgspec.json.Decoder(EntryMessage).decode


def is_web_socket(entry: Entry, request: EntryRequest) -> bool:
    """Whether an entry is of a WebSocket, by any of the signs that there are."""
    if is_given(entry.messages) or value_of(entry.resource) == "websocket":
        return True
    if as_text(value_of(request.url))[:4].lower().startswith(("ws:", "wss:")):
        return True
    headers = as_headers(value_of(request.headers))
    return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in headers)


def as_number(value: Any) -> int:
    """A whole number, 0 for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def as_moment(value: Any) -> float | None:
    """Seconds, from seconds, milliseconds or microseconds; None for what is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e17:
        return None
    seconds = float(value)
    return seconds / 1e6 if seconds > 1e14 else seconds / 1000 if seconds > 1e11 else seconds


def as_wait(timings: Any) -> float:
    """For how long a response was waited for, in seconds; 0 when the timings do not say so."""
    value = timings.get("wait") if isinstance(timings, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(value / 1000, 0.0), DAY)


def as_duration(value: Any) -> float | None:
    """Seconds, from milliseconds that are none or more; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e13:
        return None
    return value / 1000


def as_headers(value: Any) -> list[tuple[str, str]]:
    """Name and value; HTTP/2's pseudo-headers (``:path``) are left out, as the request line has them."""
    pairs: list[tuple[str, str]] = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            pair = as_text(item.get("name")), as_text(item.get("value"))
        elif isinstance(item, list) and len(item) >= 2:
            pair = as_text(item[0]), as_text(item[1])
        else:
            continue
        if pair[0] and not pair[0].startswith(":"):
            pairs.append(pair)
    return pairs


def split_url(url: str) -> tuple[str, str]:
    """A request's target and the server's ``host:port``."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme in ("wss", "https") else 80)
    except ValueError:
        return url or "/", ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    return target, f"{f'[{host}]' if ':' in host else host}:{port}" if host else ""


def as_version(value: Any) -> str:
    """The version of HTTP, ``HTTP/1.1`` for what is none."""
    text = as_text(value)
    return text.upper() if text[:5].upper() == "HTTP/" else "HTTP/1.1"


def as_text(value: Any) -> str:
    """A value as text, empty for None."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def is_given(raw: Raw) -> bool:
    """Whether a field is there, and is not null."""
    return bytes(memoryview(raw)[:4]) != b"null"


def value_of(raw: Raw) -> Any:
    """A field's value; None when it is too large to be what it should be."""
    try:
        return msgspec.json.decode(raw) if len(memoryview(raw)) <= FIELD else None
    except UNREADABLE:
        return None
