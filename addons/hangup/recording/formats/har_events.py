"""One WebSocket of a HAR as the events of a recording: its handshake, its messages, and what is told of its end."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from hangup.humanize import printable
from hangup.recording.events import BODY_KEPT, AnyEvent, Handshake, Request, Response, Side
from hangup.recording.formats.browser_words import Failure, failure
from hangup.recording.formats.har_fields import (
    UNREADABLE,
    Entry,
    EntryMessage,
    EntryRequest,
    as_duration,
    as_headers,
    as_moment,
    as_number,
    as_text,
    as_version,
    as_wait,
    decode_entry,
    decode_message,
    is_given,
    split_url,
    value_of,
)
from hangup.recording.formats.imported import Script, close_payload
from hangup.recording.formats.json_elements import elements
from hangup.wire.inflation_budget import InflationBudget

Attached = Callable[[str], Iterator[bytes]]
"""Gives the lines of a file that stands beside the HAR, by its name."""

_MAYBE_WORDS = re.compile(rb'"error"|"opcode"\s*:\s*-')


class Found(Struct):
    """A WebSocket of a HAR: its entry, unread; when it began, and what is added to its messages' times to make them
    seconds since 1970."""

    raw: memoryview | bytes
    start: float | None
    shift: float = 0.0


class Reading(Struct, frozen=True):
    """What all entries of a HAR share: where its times count from (seconds since 1970), and what its writer is known
    to mean. ``closes`` is whether ``timings.receive`` is the time for which the end came after the last message."""

    zero: float
    closes: bool
    attached: Attached | None


def events(conn: int, found: Found, reading: Reading, _: InflationBudget) -> Iterator[AnyEvent]:
    """The events of one entry; nothing in it is compressed."""
    entry = decode_entry(found.raw)
    assert entry.request is not None
    script = Script(conn)
    zero, shift = reading.zero, found.shift
    opened = max((zero if found.start is None else found.start) - zero, 0.0)
    waited = as_wait(value_of(entry.timings))
    words, words_at = browsers_words(entry, found.raw)
    said = messages(entry, reading.attached)
    first = next(said, None)
    moment = as_moment(first.time if first is not None else words_at)
    if moment is not None:
        waited = min(waited, max(moment + shift - zero - opened, 0.0))
    elif words_at is None and found.start is None:
        waited = 0.0
    shake = handshake(entry, entry.request, script.time(opened + waited), conn, waited, words, first is not None)
    yield shake
    if shake.response is None and not shake.error:
        yield script.note("the HAR does not say how the handshake ended", ending=True)
        return
    if first is not None and not _status(entry):
        yield script.note("the HAR has no response; there are messages, so it was 101")
    while first is not None:
        moment = as_moment(first.time)
        side: Side = "client" if as_text(first.type).lower().startswith(("sen", "out")) else "server"
        opcode = _opcode(first.opcode)
        at = None if moment is None else moment + shift - zero
        yield script.frame(at, side, opcode, payload(opcode, first.data))
        first = next(said, None)
    if shake.response is not None and shake.response.status in (101, 200):
        at = None if (moment := as_moment(words_at)) is None else moment + shift - zero
        yield from closing(script, entry, found, reading, words, at)


def browsers_words(entry: Entry, raw: memoryview | bytes) -> tuple[str, Any]:
    """What a browser said of a connection that failed, and when (as it stands there)."""
    if is_given(entry.messages) and _MAYBE_WORDS.search(raw):
        for each in _decoded(elements(entry.messages)):
            if _is_words(each):
                return as_text(each.data), each.time
    response = entry.response
    given = [] if response is None else [value_of(response.failure), value_of(response.error)]
    return next((as_text(said) for said in given if said), ""), None


def handshake(
    entry: Entry, request: EntryRequest, at: float, conn: int, waited: float, words: str, talked: bool
) -> Handshake:
    """The handshake, with the answer as far as it is told: by a status, by the browser's words, or by messages, which
    there can only be after a 101. Neither response nor error when nothing tells it."""
    target, server = split_url(as_text(value_of(request.url)))
    response, status = entry.response, _status(entry)
    answer = None
    failed = failure(words) if words and not status and not talked else Failure()
    if response is not None and status:
        answer = Response(
            status=status,
            reason=as_text(value_of(response.statusText)),
            version=as_version(value_of(response.httpVersion)),
            headers=as_headers(value_of(response.headers)),
        )
        if status != 101 and response.content is not None:
            text = as_text(value_of(response.content.text))
            answer.text, answer.cut = text[:BODY_KEPT], len(text) > BODY_KEPT
    elif failed.status:
        answer = Response(status=failed.status)
    elif talked:
        answer = Response(status=101)
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
        error="" if answer is not None else failed.error,
    )


def messages(entry: Entry, attached: Attached | None) -> Iterator[EntryMessage]:
    """The messages of an entry, without what is not one."""
    raws: Iterator[Any] = elements(entry.messages)
    if not is_given(entry.messages) and attached is not None and entry.response and entry.response.content:
        if name := PurePosixPath(as_text(value_of(entry.response.content.attached))).name:
            raws = attached(name)
    return (each for each in _decoded(raws) if not _is_words(each))


def _decoded(raws: Iterator[Any]) -> Iterator[EntryMessage]:
    for raw in raws:
        try:
            yield decode_message(raw)
        except UNREADABLE:
            continue


def _is_words(message: EntryMessage) -> bool:
    """Whether it is what the browser said of the connection, and no frame."""
    if as_text(message.type).lower() == "error":
        return True
    return isinstance(message.opcode, int | float) and message.opcode < 0


def _status(entry: Entry) -> int:
    """The status that the server answered; 0 when the file has none (which Playwright writes as -1)."""
    status = as_number(value_of(entry.response.status)) if entry.response is not None else 0
    return status if 100 <= status <= 999 else 0


def closing(
    script: Script, entry: Entry, found: Found, reading: Reading, words: str, words_at: float | None
) -> Iterator[AnyEvent]:
    """What is told of the end of a connection that was open."""
    zero = reading.zero
    given = value_of(entry.close)
    close = given if isinstance(given, dict) else {}
    end = value_of(entry.end)
    end = end if isinstance(end, dict) else {}
    moment = as_moment(end.get("timestamp", close.get("timestamp")))
    at = None if moment is None else moment + found.shift - zero
    code = as_number(close.get("code")) or None
    reason = as_text(close.get("reason"))
    by, how = end.get("by"), end.get("how")
    lasted = as_duration(value_of(entry.time))
    over = _over(entry, lasted) if reading.closes and found.start is not None else None
    if over is not None and lasted is not None and found.start is not None and at is None:
        at = found.start + lasted - zero if over else None
    if (by == "client" or by == "server") and how in ("close", "fin", "rst", "timeout", "error"):
        if how == "close":
            yield script.frame(at, by, 8, close_payload(code, reason))
        else:
            yield script.end(at, by, how)
    elif words:
        failed, when = failure(words), at if words_at is None else words_at
        if when is None:
            yield script.note(failed.sentence, ending=True)
        else:
            yield script.ended(failed.sentence, when, by=failed.by)
    elif close:
        said = f" and the reason {printable(reason, 123)!r}" if reason else ""
        told = f"closed with code {code or 1005}{said}; the HAR does not say by which side"
        if at is None:
            yield script.note(told, ending=True)
        else:
            yield script.ended(told, at, code=code or 1005, reason=reason)
    elif given is not None and given is not False:
        told = "ended without a close frame; the HAR does not say by which side"
        yield script.note(told, ending=True) if at is None else script.ended(told, at)
    elif how == "none" or over is False:
        return  # it is still open
    elif at is not None and (by == "client" or by == "server"):
        yield script.ended(f"ended by the {by}; the HAR does not say how", at, by=by)
    elif at is not None:
        yield script.ended("ended; the HAR does not say by which side or how", at)
    else:
        yield script.note("the HAR does not say whether and how it ended", ending=True)


def _over(entry: Entry, lasted: float | None) -> bool | None:
    """Whether DevTools saw it end: only then is there a time between the last message and the end."""
    timings = value_of(entry.timings)
    receive = as_duration(timings.get("receive")) if isinstance(timings, dict) else None
    return None if receive is None or lasted is None else receive > 0


def payload(opcode: int, data: Any) -> bytes:
    """The bytes of a message: text as it is, anything else from base64."""
    if not isinstance(data, str):
        return b"" if data is None else msgspec.json.encode(data)
    if opcode != 1:
        # Where somebody wrote binary data as it is, each character is a byte.
        try:
            return base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            if all(char < "\u0100" for char in data):
                return data.encode("latin-1")
    return data.encode(errors="replace")


def _opcode(value: Any) -> int:
    number = as_number(value)
    return number if 0 <= number <= 15 else 2
