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
import mmap
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from hangup.errors import ForeignRecording
from hangup.humanize import plural, printable, size
from hangup.recording.events import FORMAT, AnyEvent, Handshake, Header, Request, Response, Side
from hangup.recording.formats.har_fields import (
    DAY,
    UNREADABLE,
    Entry,
    EntryMessage,
    EntryRequest,
    Har,
    Log,
    as_headers,
    as_moment,
    as_number,
    as_text,
    as_version,
    as_wait,
    decode_entry,
    decode_har,
    decode_message,
    is_given,
    is_web_socket,
    split_url,
    value_of,
)
from hangup.recording.formats.imported import SKIPS_KEPT, Imported, Script, close_payload, epoch, iso
from hangup.recording.formats.json_elements import elements

LIMIT = 2 << 30
"""The largest HAR that is read, in bytes. It is looked through from one end to the other before anything is known."""

MENDED = 256 << 20
"""The largest HAR (bytes) that is read when it has lone surrogates, as it must be mended in memory."""

CONNECTIONS = 100_000
"""So many connections of a HAR are read."""

# Lone surrogates are legal in JavaScript's strings and in what it makes of them, but not in UTF-8.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def read(data: mmap.mmap | bytes, name: str, path: Path | None) -> Imported:
    """The WebSockets of a HAR, as a recording. Raises :class:`~hangup.errors.ForeignRecording` when there are none.

    ``path`` is where the messages' own files are looked for, None when they cannot be.
    """
    if len(data) > LIMIT:
        raise ForeignRecording(f"{name} is a HAR of {size(len(data))}: no more than {size(LIMIT)} can be read")
    try:
        log = _decode(data).log
    except UNREADABLE as error:
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


def _decode(data: mmap.mmap | bytes) -> Har:
    view: Any = data if data[:3] != b"\xef\xbb\xbf" else memoryview(data)[3:]
    try:
        return decode_har(view)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        if len(data) > MENDED:
            raise
        mended = _SURROGATES.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), view)
        return decode_har(mended)


def _web_sockets(array: Raw) -> tuple[list[tuple[memoryview, float]], list[tuple[int, str]], int, int]:
    """The entries that are WebSockets, with the time at which each began; what cannot be understood, and how much of
    that there is; and how many others there are."""
    entries: list[tuple[memoryview, float]] = []
    skips: list[tuple[int, str]] = []
    skipped = http = 0
    for number, raw in enumerate(elements(array), 1):
        why = ""
        try:
            entry = decode_entry(raw)
        except UNREADABLE as error:
            why = printable(str(error), 160)
        else:
            if entry.request is None or not is_web_socket(entry, entry.request):
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


def _events(conn: int, raw: memoryview, start: float, zero: float, path: Path | None) -> Iterator[AnyEvent]:
    entry = decode_entry(raw)
    assert entry.request is not None
    script = Script(conn)
    opened = max(start - zero, 0.0)
    waited = as_wait(value_of(entry.timings))
    messages = _messages(entry, path)
    first = next(messages, None)
    shift = 0.0
    if first is not None and (moment := as_moment(first.time)) is not None:
        # A clock of its own: only the differences say something.
        if start and abs(moment - start) > DAY:
            shift = start + waited - moment
        if not start:
            shift = zero - moment
        waited = min(waited, max(moment + shift - zero - opened, 0.0))
    yield _handshake(entry, entry.request, script.time(opened + waited), conn, waited)
    while first is not None:
        moment = as_moment(first.time)
        side: Side = "client" if as_text(first.type).lower().startswith(("sen", "out")) else "server"
        opcode = _opcode(first.opcode)
        at = None if moment is None else moment + shift - zero
        yield script.frame(at, side, opcode, _payload(opcode, first.data))
        first = next(messages, None)
    yield from _closing(script, entry, zero, shift)


def _handshake(entry: Entry, request: EntryRequest, at: float, conn: int, waited: float) -> Handshake:
    target, server = split_url(as_text(value_of(request.url)))
    response = entry.response
    status = as_number(value_of(response.status)) if response is not None else 0
    answer = None
    error = ""
    if response is not None and status:
        answer = Response(
            status=status,
            reason=as_text(value_of(response.statusText)),
            version=as_version(value_of(response.httpVersion)),
            headers=as_headers(value_of(response.headers)),
        )
        if status != 101 and response.content is not None:
            answer.text = as_text(value_of(response.content.text))[:4096]
    else:
        given = [] if response is None else [value_of(response.failure), value_of(response.error)]
        error = next((as_text(said) for said in given if said), "the HAR has no response")
    return Handshake(
        at=at,
        conn=conn,
        server=server,
        request=Request(
            method=as_text(value_of(request.method)) or "GET",
            target=target,
            version=as_version(value_of(request.httpVersion)),
            headers=as_headers(value_of(request.headers)),
        ),
        response=answer,
        waited=round(waited, 6),
        error=error,
    )


def _messages(entry: Entry, path: Path | None) -> Iterator[EntryMessage]:
    raws: Iterator[Any] = elements(entry.messages)
    if not is_given(entry.messages) and path is not None and entry.response and entry.response.content:
        attached = as_text(value_of(entry.response.content.attached))
        if name := Path(attached).name:
            raws = _attached(path.parent / name)
    for raw in raws:
        try:
            yield decode_message(raw)
        except UNREADABLE:
            continue


def _attached(path: Path) -> Iterator[bytes]:
    """Playwright's file of messages; only ever a name in the HAR's own folder."""
    try:
        with open(path, "rb") as file:
            while line := file.readline(MENDED):
                yield line
    except OSError:
        return


def _closing(script: Script, entry: Entry, zero: float, shift: float) -> Iterator[AnyEvent]:
    given = value_of(entry.close)
    close = given if isinstance(given, dict) else {}
    end = value_of(entry.end)
    end = end if isinstance(end, dict) else {}
    moment = as_moment(end.get("timestamp", close.get("timestamp")))
    at = None if moment is None else moment + shift - zero
    code = as_number(close.get("code")) or None
    reason = as_text(close.get("reason"))
    by, how = end.get("by"), end.get("how")
    if by == "client" or by == "server":
        if how == "close":
            yield script.frame(at, by, 8, close_payload(code, reason))
        elif how == "fin" or how == "rst" or how == "timeout" or how == "error":
            yield script.end(at, by, how)
    elif close:
        said = f" and the reason {printable(reason, 123)!r}" if reason else ""
        told = f"closed with code {code or 1005}{said}; by which side, the HAR does not say"
        yield script.note(told, at, ending=True)
    elif given is not None:
        yield script.note("ended without a close frame; by which side, the HAR does not say", at, ending=True)
    elif how != "none" and (as_number(value_of(entry.response.status)) if entry.response else 0) in (101, 200):
        yield script.note("the HAR does not say whether and how it ended", ending=True)


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
    number = as_number(value)
    return number if 0 <= number <= 15 else 2


def _started(entry: Entry) -> float:
    """When an entry began, in seconds since 1970; 0 when it does not say so."""
    start = epoch(value_of(entry.startedDateTime))
    if start is None or not 0 < start < 1e11:
        for message in _messages(entry, None):
            moment = as_moment(message.time)
            return moment if moment is not None and moment > DAY else 0.0
        return 0.0
    return start


def _target(entries: list[tuple[memoryview, float]]) -> str:
    """Where all went, when they went to one place."""
    origins = set()
    for raw, _ in entries:
        request = decode_entry(raw).request
        try:
            parts = urlsplit(as_text(value_of(request.url)) if request is not None else "")
        except ValueError:
            continue
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        origins.add(f"{scheme}://{parts.netloc.rpartition('@')[2]}")
    return origins.pop() if len(origins) == 1 else ""


def _creator(log: Log) -> str:
    for who in (value_of(log.creator), value_of(log.browser)):
        if isinstance(who, dict) and who.get("name"):
            return f"{as_text(who['name'])} {as_text(who.get('version'))}".strip()
    return "unknown"


