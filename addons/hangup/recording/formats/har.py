"""HAR in: Chrome and Firefox DevTools, Playwright, HTTP Toolkit, mitmproxy and whoever follows them.

HAR 1.2 knows no WebSocket. All write the same extension: an entry has ``_webSocketMessages``, a list of ``{type:
"send"|"receive", time, opcode, data}``, with text as it is and anything else in base64. They differ in this:

- ``time`` is in seconds since 1970, but in milliseconds in Playwright's (1.61 and later), where -1 says unknown;
  now and then it counts from the browser's start instead.
- Playwright's ``content: "attach"`` puts the messages into a file of JSON lines beside the HAR (``content._file``).
- HTTP Toolkit adds ``_webSocketClose``: ``{code, reason, timestamp}``, or ``"aborted"``; not which side closed.
  Ours says that too, in ``_webSocketEnd``: ``{by, how, timestamp}``.

Nobody keeps pings, pongs, fragments, masks or the headers' order. None of that is made up here.
"""

from __future__ import annotations

import base64
import binascii
import math
import mmap
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct, field

from hangup.errors import ForeignRecording
from hangup.recording.events import FORMAT, AnyEvent, Handshake, Header, Request, Response, Side
from hangup.recording.formats.imported import SKIPS_KEPT, Imported, Script, close_payload, epoch, iso
from hangup.recording.formats.json_elements import elements
from hangup.recording.units import plural, printable, size

LIMIT = 2 << 30
"""The largest HAR that is read, in bytes. It is looked through from one end to the other before anything is known."""

MENDED = 256 << 20
"""The largest HAR (bytes) that is read when it has lone surrogates, as it must be mended in memory."""

CONNECTIONS = 100_000
"""So many connections of a HAR are read."""

FIELD = 1 << 20
"""Headers and other fields larger than this (bytes) are left out."""

DAY = 86400.0

# Lone surrogates are legal in JavaScript's strings and in what it makes of them, but not in UTF-8.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


_NULL = Raw(b"null")


class _Log(Struct):
    entries: Raw
    creator: Raw = _NULL
    browser: Raw = _NULL


class _Har(Struct):
    log: _Log


class _Request(Struct):
    method: Raw = _NULL
    url: Raw = _NULL
    httpVersion: Raw = _NULL
    headers: Raw = _NULL


class _Content(Struct):
    text: Raw = _NULL
    attached: Raw = field(name="_file", default=_NULL)


class _Response(Struct):
    status: Raw = _NULL
    statusText: Raw = _NULL
    httpVersion: Raw = _NULL
    headers: Raw = _NULL
    content: _Content | None = None
    failure: Raw = field(name="_failureText", default=_NULL)
    error: Raw = field(name="_error", default=_NULL)


class _Entry(Struct):
    """What is wanted of an entry, unread as long as it is not needed, as it may be anything."""

    startedDateTime: Raw = _NULL
    request: _Request | None = None
    response: _Response | None = None
    timings: Raw = _NULL
    resource: Raw = field(name="_resourceType", default=_NULL)
    messages: Raw = field(name="_webSocketMessages", default=_NULL)
    close: Raw = field(name="_webSocketClose", default=_NULL)
    end: Raw = field(name="_webSocketEnd", default=_NULL)


class _Message(Struct):
    type: Any = None
    time: Any = None
    opcode: Any = 1
    data: Any = None


_har = msgspec.json.Decoder(_Har)
_entry = msgspec.json.Decoder(_Entry)
_message = msgspec.json.Decoder(_Message)


def read(data: mmap.mmap | bytes, name: str, path: Path | None) -> Imported:
    """The WebSockets of a HAR, as a recording. Raises :class:`~hangup.errors.ForeignRecording` when there are none.

    ``path`` is where the messages' own files are looked for, None when they cannot be.
    """
    if len(data) > LIMIT:
        raise ForeignRecording(f"{name} is a HAR of {size(len(data))}: no more than {size(LIMIT)} can be read")
    try:
        log = _decode(data, name).log
    except _UNREADABLE as error:
        raise ForeignRecording(f"{name} is not a whole HAR file: {printable(str(error), 160)}") from None
    entries, skips, skipped, http = _web_sockets(log.entries)
    if not entries:
        rest = f" ({plural(http, 'HTTP request')})" if http else ""
        raise ForeignRecording(f"{name} is a HAR file without any WebSocket{rest}")
    zero = min((start for _, start in entries if start), default=0.0)
    header = Header(hangup=FORMAT, started=iso(zero), target=_target(entries), mode="import")
    header.source = f"har ({printable(_creator(log), 80)})"
    connections: list[Callable[[], Iterator[AnyEvent]]] = [
        partial(_events, conn, raw, start, zero, path) for conn, (raw, start) in enumerate(entries, 1)
    ]
    return Imported(name, path, header, connections, skips, skipped)


def _decode(data: mmap.mmap | bytes, name: str) -> _Har:
    view: Any = data if data[:3] != b"\xef\xbb\xbf" else memoryview(data)[3:]
    try:
        return _har.decode(view)
    except msgspec.ValidationError:
        raise
    except _UNREADABLE:
        if len(data) > MENDED:
            raise
        mended = _SURROGATES.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), view)
        return _har.decode(mended)


def _web_sockets(array: Raw) -> tuple[list[tuple[memoryview, float]], list[tuple[int, str]], int, int]:
    """The entries that are WebSockets, with the time at which each began; what cannot be understood, and how much of
    that there is; and how many others there are."""
    entries: list[tuple[memoryview, float]] = []
    skips: list[tuple[int, str]] = []
    skipped = http = 0
    for number, raw in enumerate(elements(array), 1):
        why = ""
        try:
            entry = _entry.decode(raw)
        except _UNREADABLE as error:
            why = printable(str(error), 160)
        else:
            if entry.request is None or not _is_web_socket(entry, entry.request):
                http += 1
                continue
            if len(entries) == CONNECTIONS:
                why = f"there are more than {CONNECTIONS} connections"
            else:
                entries.append((raw, _started(entry)))
        if why:
            skipped += 1
            skips += [(number, why)] if len(skips) < SKIPS_KEPT else []
    return entries, skips, skipped, http


def _is_web_socket(entry: _Entry, request: _Request) -> bool:
    if _is_given(entry.messages) or _value(entry.resource) == "websocket":
        return True
    if _text(_value(request.url))[:4].lower().startswith(("ws:", "wss:")):
        return True
    headers = _headers(_value(request.headers))
    return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in headers)


def _events(conn: int, raw: memoryview, start: float, zero: float, path: Path | None) -> Iterator[AnyEvent]:
    entry = _entry.decode(raw)
    assert entry.request is not None
    script = Script(conn)
    opened = max(start - zero, 0.0)
    waited = _milliseconds(_value(entry.timings), "wait")
    messages = _messages(entry, path)
    first = next(messages, None)
    shift = 0.0
    if first is not None and (moment := _moment(first.time)) is not None:
        # A clock of its own: only the differences say something.
        if start and abs(moment - start) > DAY:
            shift = start + waited - moment
        if not start:
            shift = zero - moment
        waited = min(waited, max(moment + shift - zero - opened, 0.0))
    yield _handshake(entry, entry.request, script.time(opened + waited), conn, waited)
    while first is not None:
        moment = _moment(first.time)
        side: Side = "client" if _text(first.type).lower().startswith(("sen", "out")) else "server"
        opcode = _opcode(first.opcode)
        at = None if moment is None else moment + shift - zero
        yield script.frame(at, side, opcode, _payload(opcode, first.data))
        first = next(messages, None)
    yield from _closing(script, entry, zero, shift)


def _handshake(entry: _Entry, request: _Request, at: float, conn: int, waited: float) -> Handshake:
    target, server = _split(_text(_value(request.url)))
    response = entry.response
    status = _number(_value(response.status)) if response is not None else 0
    answer = None
    error = ""
    if response is not None and status:
        answer = Response(
            status=status,
            reason=_text(_value(response.statusText)),
            version=_version(_value(response.httpVersion)),
            headers=_headers(_value(response.headers)),
        )
        if status != 101 and response.content is not None:
            answer.text = _text(_value(response.content.text))[:4096]
    else:
        given = [] if response is None else [_value(response.failure), _value(response.error)]
        error = next((_text(said) for said in given if said), "the HAR has no response")
    return Handshake(
        at=at,
        conn=conn,
        server=server,
        request=Request(
            method=_text(_value(request.method)) or "GET",
            target=target,
            version=_version(_value(request.httpVersion)),
            headers=_headers(_value(request.headers)),
        ),
        response=answer,
        waited=round(waited, 6),
        error=error,
    )


def _messages(entry: _Entry, path: Path | None) -> Iterator[_Message]:
    raws: Iterator[Any] = elements(entry.messages)
    if not _is_given(entry.messages) and path is not None and entry.response and entry.response.content:
        attached = _text(_value(entry.response.content.attached))
        if name := Path(attached).name:
            raws = _attached(path.parent / name)
    for raw in raws:
        try:
            yield _message.decode(raw)
        except _UNREADABLE:
            continue


def _attached(path: Path) -> Iterator[bytes]:
    """Playwright's file of messages; only ever a name in the HAR's own folder."""
    try:
        with open(path, "rb") as file:
            while line := file.readline(MENDED):
                yield line
    except OSError:
        return


def _closing(script: Script, entry: _Entry, zero: float, shift: float) -> Iterator[AnyEvent]:
    given = _value(entry.close)
    close = given if isinstance(given, dict) else {}
    end = _value(entry.end)
    end = end if isinstance(end, dict) else {}
    moment = _moment(end.get("timestamp", close.get("timestamp")))
    at = None if moment is None else moment + shift - zero
    code = _number(close.get("code")) or None
    reason = _text(close.get("reason"))
    by, how = end.get("by"), end.get("how")
    if by == "client" or by == "server":
        if how == "close":
            yield script.frame(at, by, 8, close_payload(code, reason))
        elif how == "fin" or how == "rst" or how == "timeout" or how == "error":
            yield script.end(at, by, how)
    elif close:
        said = f" and the reason {printable(reason, 123)!r}" if reason else ""
        yield script.note(f"closed with code {code or 1005}{said}; by which side, the HAR does not say", at)
    elif given is not None:
        yield script.note("ended without a close frame; by which side, the HAR does not say", at)
    elif how != "none" and (_number(_value(entry.response.status)) if entry.response else 0) in (101, 200):
        yield script.note("the HAR does not say whether and how it ended")


def _payload(opcode: int, data: Any) -> bytes:
    if not isinstance(data, str):
        return b"" if data is None else msgspec.json.encode(data)
    if opcode != 1:
        # Anything but text is base64; where somebody wrote it as it is, each character is a byte.
        try:
            return base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            if all(char < "\u0100" for char in data):
                return data.encode("latin-1")
    return data.encode(errors="replace")


def _opcode(value: Any) -> int:
    number = _number(value)
    return number if 0 <= number <= 15 else 2


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _moment(value: Any) -> float | None:
    """Seconds, from seconds, milliseconds or microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e17:
        return None
    seconds = float(value)
    return seconds / 1e6 if seconds > 1e14 else seconds / 1000 if seconds > 1e11 else seconds


def _milliseconds(timings: Any, key: str) -> float:
    value = timings.get(key) if isinstance(timings, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(value / 1000, 0.0), DAY)


def _started(entry: _Entry) -> float:
    """When an entry began, in seconds since 1970; 0 when it does not say so."""
    start = epoch(_value(entry.startedDateTime))
    if start is None or not 0 < start < 1e11:
        for message in _messages(entry, None):
            moment = _moment(message.time)
            return moment if moment is not None and moment > DAY else 0.0
        return 0.0
    return start


def _headers(value: Any) -> list[tuple[str, str]]:
    """Name and value; HTTP/2's pseudo-headers (``:path``) are left out, as the request line has them."""
    pairs: list[tuple[str, str]] = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            pair = _text(item.get("name")), _text(item.get("value"))
        elif isinstance(item, list) and len(item) >= 2:
            pair = _text(item[0]), _text(item[1])
        else:
            continue
        if pair[0] and not pair[0].startswith(":"):
            pairs.append(pair)
    return pairs


def _split(url: str) -> tuple[str, str]:
    """A request's target and the server's ``host:port``."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme in ("wss", "https") else 80)
    except ValueError:
        return url or "/", ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    return target, f"{f'[{host}]' if ':' in host else host}:{port}" if host else ""


def _target(entries: list[tuple[memoryview, float]]) -> str:
    """Where all went, when they went to one place."""
    origins = set()
    for raw, _ in entries:
        request = _entry.decode(raw).request
        try:
            parts = urlsplit(_text(_value(request.url)) if request is not None else "")
        except ValueError:
            continue
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        origins.add(f"{scheme}://{parts.netloc.rpartition('@')[2]}")
    return origins.pop() if len(origins) == 1 else ""


def _creator(log: _Log) -> str:
    for who in (_value(log.creator), _value(log.browser)):
        if isinstance(who, dict) and who.get("name"):
            return f"{_text(who['name'])} {_text(who.get('version'))}".strip()
    return "unknown"


def _version(value: Any) -> str:
    text = _text(value)
    return text.upper() if text[:5].upper() == "HTTP/" else "HTTP/1.1"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _is_given(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:4]) != b"null"


def _value(raw: Raw) -> Any:
    """A field's value; None when it is too large to be what it should be."""
    try:
        return msgspec.json.decode(raw) if len(memoryview(raw)) <= FIELD else None
    except _UNREADABLE:
        return None
