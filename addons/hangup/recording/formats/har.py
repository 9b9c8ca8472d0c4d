"""HAR in: Chrome and Firefox DevTools, Playwright, HTTP Toolkit, Proxyman, mitmproxy and whoever follows them.

HAR 1.2 knows no WebSocket. All write the same extension: an entry has ``_webSocketMessages``, a list of ``{type:
"send"|"receive", time, opcode, data}``, with text as it is and anything else in base64. They differ in this:

- ``time`` is in seconds since 1970, but in milliseconds in Playwright's (1.61 and later), where -1 says unknown;
  now and then it counts from the browser's start instead, and the entry is dated one second before 1970.
- DevTools have the browser's words on a failed connection as a message of type ``error`` with opcode -1, Playwright as
  ``response._failureText`` beside a status of -1, others as ``response._error``.
- DevTools tell the end: ``time`` is the entry's duration, and ``timings.receive`` is more than 0 only when it is over.
- Playwright's ``content: "attach"`` puts the messages into a file of JSON lines beside the HAR (``content._file``).
- HTTP Toolkit adds ``_webSocketClose``: ``{code, reason, timestamp}``, or ``"aborted"``; not which side closed.
  Ours says that too, in ``_webSocketEnd``: ``{by, how, timestamp}``.

Hardly anybody keeps pings and pongs, nobody fragments, masks or the headers' order. None of that is made up here:
``Header.lacks`` says so.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hangup.errors import ForeignRecording
from hangup.humanize import plural, printable, size
from hangup.recording import untold
from hangup.recording.events import FORMAT, Fact, Header
from hangup.recording.formats import har_events
from hangup.recording.formats.har_events import Attached, Found, Reading
from hangup.recording.formats.har_fields import (
    DAY,
    UNREADABLE,
    Entry,
    Har,
    Log,
    as_moment,
    as_text,
    as_wait,
    decode_entry,
    decode_har,
    is_web_socket,
    value_of,
)
from hangup.recording.formats.imported import SKIPS_KEPT, Imported, MakeEvents, epoch, iso
from hangup.recording.formats.json_elements import elements

LIMIT = 2 << 30
"""The largest HAR that is read, in bytes. It is looked through from one end to the other before anything is known."""

REPAIRED = 256 << 20
"""The largest HAR (bytes) that is read when it has lone surrogates, as it must be mended in memory."""

CONNECTIONS = 100_000
"""So many connections of a HAR are read."""

LINE_LIMIT = 256 << 20
"""Longer lines (bytes) of a file of messages are cut."""

# Lone surrogates are legal in JavaScript's strings and in what it makes of them, but not in UTF-8.
_SURROGATES = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_CONTROL = re.compile(rb'"opcode"\s*:\s*(?:9|10)\b')

DEVTOOLS = "WebInspector"
"""How Chrome's DevTools, and those of all browsers made of it, call themselves."""

_ALWAYS: tuple[Fact, ...] = ("closer", "manner", "framing", "headers")
LACKS: dict[str, tuple[Fact, ...]] = {
    DEVTOOLS: _ALWAYS,
    "hangup": ("framing",),
    "HTTP Toolkit": ("closer", "framing"),
    "mitmproxy": ("endings", "closer", "manner", "framing"),
}
"""By the first words of a HAR's creator what it has no place for; pings apart, of which the file itself tells."""


def read(
    data: mmap.mmap | bytes, name: str, path: Path | None, attached: Attached | None = None, known: bool = True
) -> Imported:
    """The WebSockets of a HAR, as a recording. Raises :class:`~hangup.errors.ForeignRecording` when there are none, and
    calls it a HAR only when it is ``known`` to be one, or proves to be.

    ``attached`` opens the messages' own files; by default they are looked for beside ``path``, if that is known.
    """
    if len(data) > LIMIT:
        raise ForeignRecording(f"{name} is a HAR of {size(len(data))}: no more than {size(LIMIT)} can be read")
    try:
        log = _decode(data).log
    except msgspec.ValidationError:
        raise ForeignRecording(f"{name} is JSON, but neither a hangup recording nor a HAR") from None
    except UNREADABLE as error:
        if not known:
            raise ForeignRecording(f"{name} begins as JSON, but is neither a hangup recording nor a HAR") from None
        raise ForeignRecording(f"{name} is not a whole HAR file: {printable(str(error), 160)}") from None
    if attached is None and path is not None:
        attached = partial(_beside, path)
    recording = of_entries(elements(log.entries), _creator(log), name, path, attached)
    given = value_of(log.lacks)  # of an import that hangup wrote as a HAR
    lacks = recording.header.lacks
    lacks += [fact for fact in (given if isinstance(given, list) else ()) if fact in untold.WORDS and fact not in lacks]
    return recording


def of_entries(
    raws: Iterable[memoryview | bytes],
    creator: str,
    name: str,
    path: Path | None,
    attached: Attached | None,
    kind: str = "a HAR file",
) -> Imported:
    """The WebSockets among a HAR's entries; raises :class:`~hangup.errors.ForeignRecording` when there are none."""
    scan = _Scan()
    for number, raw in enumerate(raws, 1):
        scan.entry(number, raw)
    if not scan.found:
        rest = f" ({plural(scan.http, 'HTTP request')})" if scan.http else ""
        raise ForeignRecording(f"{name} is {kind} without any WebSocket{rest}")
    zero, note = scan.date()
    header = Header(hangup=FORMAT, started=iso(zero) if zero else "", target=scan.target, mode="import", note=note)
    header.source = f"har ({printable(creator, 80)})"
    lacks = next((lacks for who, lacks in LACKS.items() if creator.startswith(who)), ("endings", *_ALWAYS))
    header.lacks = [*lacks] if scan.pings else ["pings", *lacks]
    reading = Reading(zero, creator.startswith(DEVTOOLS), attached)
    # The order in which they began is not always the file's.
    ordered = sorted(scan.found, key=lambda found: found.start if found.start is not None else zero)
    connections: list[MakeEvents] = [
        partial(har_events.events, conn, found, reading) for conn, found in enumerate(ordered, 1)
    ]
    return Imported(name, path, header, connections, scan.skips, scan.skipped)


def _decode(data: mmap.mmap | bytes) -> Har:
    view: Any = data if data[:3] != b"\xef\xbb\xbf" else memoryview(data)[3:]
    try:
        return decode_har(view)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        if len(data) > REPAIRED:
            raise
        mended = _SURROGATES.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), view)
        return decode_har(mended)


class _Scan:
    """A first walk over the entries: which are WebSockets, and when they began."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.skips: list[tuple[int, str]] = []
        self.skipped = 0
        self.http = 0
        self.pings = False
        self._origins: set[str] = set()
        self._latest: float | None = None
        """When the latest entry began that has a date."""
        self._undated: list[tuple[Found, float | None, float | None]] = []
        """Those without one, each with its first time on a clock of its own and the latest date before it."""

    def entry(self, number: int, raw: memoryview | bytes) -> None:
        """Takes the next entry."""
        try:
            entry = decode_entry(raw)
        except UNREADABLE as error:
            self._skip(number, printable(str(error), 160))
            return
        start = epoch(value_of(entry.startedDateTime))
        start = start if start is not None and DAY < start < 1e11 else None
        self._latest = start if start is not None else self._latest
        if entry.request is None or not is_web_socket(entry, entry.request):
            self.http += 1
            return
        if len(self.found) == CONNECTIONS:
            self._skip(number, f"there are more than {CONNECTIONS} connections")
            return
        found = Found(raw, start)
        self.found.append(found)
        self._clock(entry, found)
        self._origin(as_text(value_of(entry.request.url)))
        self.pings = self.pings or _CONTROL.search(entry.messages) is not None

    def _clock(self, entry: Entry, found: Found) -> None:
        """How the times of an entry's messages are to be understood."""
        first = next(har_events.messages(entry, None), None)
        words_at = None if first is not None else har_events.browsers_words(entry, found.raw)[1]
        moment = as_moment(first.time if first is not None else words_at)
        if found.start is None:
            if moment is not None and moment > DAY * 365:
                found.start = moment
            else:
                self._undated.append((found, moment, self._latest))
        elif moment is not None and abs(moment - found.start) > DAY:
            # A clock of its own: only the differences say something.
            found.shift = found.start + as_wait(value_of(entry.timings)) - moment

    def date(self) -> tuple[float, str]:
        """When the recording begins, in seconds since 1970 (0 when nothing tells), and what is to be said of that.
        Entries without a date are put where the file has them: after the one before them."""
        dated = [found.start for found in self.found if found.start is not None]
        anchor = next((latest for _, _, latest in self._undated if latest is not None), None)
        if anchor is None:
            anchor = min(dated, default=self._latest or 0.0)
        earliest = min((moment for _, moment, _ in self._undated if moment is not None), default=0.0)
        for found, moment, _ in self._undated:
            found.shift = anchor - earliest
            found.start = None if moment is None else moment + found.shift
            dated.append(anchor if found.start is None else found.start)
        zero = min(dated, default=0.0)
        if not self._undated:
            return zero, ""
        if not zero:
            return zero, "the file does not say when this was"
        count = plural(len(self._undated), "connection")
        return zero, f"the file does not say on which day and at what time {count} began: placed after the one before"

    def _origin(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        if len(self._origins) < 2:
            self._origins.add(f"{scheme}://{parts.netloc.rpartition('@')[2]}")

    @property
    def target(self) -> str:
        """Where all went, when they went to one place."""
        return next(iter(self._origins)) if len(self._origins) == 1 else ""

    def _skip(self, number: int, why: str) -> None:
        self.skipped += 1
        self.skips += [(number, why)] if len(self.skips) < SKIPS_KEPT else []


def _beside(path: Path, name: str) -> Iterator[bytes]:
    """Playwright's file of messages; only ever a name in the HAR's own folder."""
    try:
        with open(path.parent / name, "rb") as file:
            while line := file.readline(LINE_LIMIT):
                yield line
    except (OSError, ValueError):
        return


def _creator(log: Log) -> str:
    for who in (value_of(log.creator), value_of(log.browser)):
        if isinstance(who, dict) and who.get("name"):
            return f"{as_text(who['name'])} {as_text(who.get('version'))}".strip()
    return "unknown"
