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
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct, field

from hangup.errors import ForeignRecording
from hangup.recording.events import FORMAT, AnyEvent, Handshake, Header, Request, Response, Side
from hangup.recording.formats.imported import Imported, Script, close_payload, epoch, iso
from hangup.recording.units import plural, printable, size

LIMIT = 256 << 20
"""The largest HAR that is read, in bytes. It is one JSON document and cannot be read in pieces."""

DAY = 86400.0

# Lone surrogates are legal in JavaScript's strings and in what it makes of them, but not in UTF-8.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


class _Log(Struct):
    entries: list[Raw]
    creator: Any = None
    browser: Any = None


class _Har(Struct):
    log: _Log


class _Request(Struct):
    method: Any = "GET"
    url: Any = ""
    httpVersion: Any = ""
    headers: Any = None


class _Content(Struct):
    text: Raw = Raw(b"null")
    attached: Any = field(name="_file", default=None)


class _Response(Struct):
    status: Any = 0
    statusText: Any = ""
    httpVersion: Any = ""
    headers: Any = None
    content: _Content | None = None
    failure: Any = field(name="_failureText", default=None)
    error: Any = field(name="_error", default=None)


class _Entry(Struct):
    startedDateTime: Any = None
    request: _Request | None = None
    response: _Response | None = None
    timings: Any = None
    resource: Any = field(name="_resourceType", default=None)
    messages: list[Raw] | None = field(name="_webSocketMessages", default=None)
    close: Any = field(name="_webSocketClose", default=None)
    end: Any = field(name="_webSocketEnd", default=None)


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
        raise ForeignRecording(
            f"{name} is a HAR of {size(len(data))}: only {size(LIMIT)} can be read, as it is one JSON document"
        )
    try:
        log = _decode(data).log
    except _UNREADABLE as error:
        raise ForeignRecording(f"{name} is not a whole HAR file: {printable(str(error), 160)}") from None
    entries, skips, http = _web_sockets(log.entries)
    if not entries:
        rest = f" ({plural(http, 'HTTP request')})" if http else ""
        raise ForeignRecording(f"{name} is a HAR file without any WebSocket{rest}")
    starts = [_started(entry) for entry in entries]
    zero = min((start for start in starts if start), default=0.0)
    header = Header(hangup=FORMAT, started=iso(zero), target=_target(entries), mode="import")
    header.source = f"har ({printable(_creator(log), 80)})"
    connections: list[Callable[[], Iterator[AnyEvent]]] = [
        partial(_events, conn, entry, start, zero, path)
        for conn, (entry, start) in enumerate(zip(entries, starts, strict=True), 1)
    ]
    return Imported(name, path, header, connections, skips)


def _decode(data: mmap.mmap | bytes) -> _Har:
    view: Any = data if data[:3] != b"\xef\xbb\xbf" else data[3:]
    try:
        return _har.decode(view)
    except _UNREADABLE:
        mended = _SURROGATES.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), view)
        if len(mended) == len(view) and mended == view[:]:
            raise
        return _har.decode(mended)


def _web_sockets(raws: list[Raw]) -> tuple[list[_Entry], list[tuple[int, str]], int]:
    entries: list[_Entry] = []
    skips: list[tuple[int, str]] = []
    http = 0
    for number, raw in enumerate(raws, 1):
        try:
            entry = _entry.decode(raw)
        except _UNREADABLE as error:
            skips.append((number, printable(str(error), 160)))
            continue
        if entry.request is not None and _is_web_socket(entry, entry.request):
            entries.append(entry)
        else:
            http += 1
    return entries, skips, http


def _is_web_socket(entry: _Entry, request: _Request) -> bool:
    if entry.messages is not None or entry.resource == "websocket":
        return True
    if isinstance(request.url, str) and request.url[:4].lower().startswith(("ws:", "wss:")):
        return True
    return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in _headers(request.headers))


def _events(conn: int, entry: _Entry, start: float, zero: float, path: Path | None) -> Iterator[AnyEvent]:
    assert entry.request is not None
    script = Script(conn)
    opened = max(start - zero, 0.0)
    waited = _milliseconds(entry.timings, "wait")
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
        side: Side = "client" if first.type == "send" else "server"
        opcode = _opcode(first.opcode)
        at = None if moment is None else moment + shift - zero
        yield script.frame(at, side, opcode, _payload(opcode, first.data))
        first = next(messages, None)
    yield from _closing(script, entry, zero, shift)


def _handshake(entry: _Entry, request: _Request, at: float, conn: int, waited: float) -> Handshake:
    url = request.url if isinstance(request.url, str) else ""
    target, server = _split(url)
    response = entry.response
    status = _number(response.status) if response is not None else 0
    answer = None
    error = ""
    if response is not None and status:
        answer = Response(
            status=status,
            reason=_text(response.statusText),
            version=_version(response.httpVersion),
            headers=_headers(response.headers),
        )
        if status != 101 and response.content is not None:
            answer.text = _text(_any(response.content.text))[:4096]
    else:
        given = [] if response is None else [response.failure, response.error]
        error = next((_text(said) for said in given if said), "the HAR has no response")
    return Handshake(
        at=at,
        conn=conn,
        server=server,
        request=Request(
            method=_text(request.method) or "GET",
            target=target,
            version=_version(request.httpVersion),
            headers=_headers(request.headers),
        ),
        response=answer,
        waited=round(waited, 6),
        error=error,
    )


def _messages(entry: _Entry, path: Path | None) -> Iterator[_Message]:
    raws: Iterable[Any] = entry.messages or ()
    attached = entry.response.content.attached if entry.response and entry.response.content else None
    if not entry.messages and isinstance(attached, str) and path is not None:
        raws = _attached(path.parent / Path(attached).name)
    for raw in raws:
        try:
            yield _message.decode(raw)
        except _UNREADABLE:
            continue


def _attached(path: Path) -> Iterator[bytes]:
    """Playwright's file of messages; only ever a name in the HAR's own folder."""
    try:
        with open(path, "rb") as file:
            while line := file.readline(LIMIT):
                yield line
    except OSError:
        return


def _closing(script: Script, entry: _Entry, zero: float, shift: float) -> Iterator[AnyEvent]:
    close = entry.close if isinstance(entry.close, dict) else {}
    end = entry.end if isinstance(entry.end, dict) else {}
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
    elif entry.close is not None:
        yield script.note("ended without a close frame; by which side, the HAR does not say", at)
    elif how != "none" and (_number(entry.response.status) if entry.response else 0) in (101, 200):
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
    """Seconds, from seconds or milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e17:
        return None
    seconds = float(value)
    return seconds / 1000 if seconds > 1e11 else seconds


def _milliseconds(timings: Any, key: str) -> float:
    value = timings.get(key) if isinstance(timings, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(value / 1000, 0.0), DAY)


def _started(entry: _Entry) -> float:
    """When an entry began, in seconds since 1970; 0 when it does not say so."""
    start = epoch(entry.startedDateTime)
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


def _target(entries: list[_Entry]) -> str:
    """Where all went, when they went to one place."""
    origins = set()
    for entry in entries:
        url = entry.request.url if entry.request is not None and isinstance(entry.request.url, str) else ""
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        origins.add(f"{scheme}://{parts.netloc.rpartition('@')[2]}")
    return origins.pop() if len(origins) == 1 else ""


def _creator(log: _Log) -> str:
    for who in (log.creator, log.browser):
        if isinstance(who, dict) and who.get("name"):
            return f"{_text(who['name'])} {_text(who.get('version'))}".strip()
    return "unknown"


def _version(value: Any) -> str:
    text = _text(value)
    return text.upper() if text[:5].upper() == "HTTP/" else "HTTP/1.1"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _any(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
