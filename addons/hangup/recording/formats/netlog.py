"""Chrome's netlog in (``chrome://net-export``, ``--log-net-log``): the WebSockets among its events.

A netlog is one JSON object: ``constants`` give the names of the numbers, ``events`` are ``{time, type, phase, source,
params}``, one a line. A WebSocket's request is a source of its own, on which the headers and the head of every frame
are told, control frames included; its stream job leads to its socket, on which the end is told: no bytes more (a FIN of
the server), a read error (a RST), or the browser's own leaving. What the frames said is there only in logs that were
taken with raw bytes; then the bytes go through the same readers as what the proxy sees.

Times are in milliseconds. A log whose end is missing, as of a browser that was killed, is read as far as it goes.
"""

from __future__ import annotations

import base64
import mmap
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from hangup.errors import ForeignRecording
from hangup.humanize import printable, size
from hangup.recording.events import FORMAT, AnyEvent, Fact, Frame, Handshake, Header, Request, Response, Side
from hangup.recording.formats.browser_words import failure
from hangup.recording.formats.byte_streams import Chunk, Conversation
from hangup.recording.formats.har_fields import UNREADABLE, as_number, as_text, split_url
from hangup.recording.formats.imported import FARTHEST, SKIPS_KEPT, UNKNOWN_KEY, Imported, MakeEvents, Script, iso
from hangup.recording.formats.json_elements import elements
from hangup.wire.frames import OPCODE_NAMES
from hangup.wire.http_head import parse_response
from hangup.wire.inflation_budget import InflationBudget

LIMIT = 2 << 30
"""The largest netlog that is read, in bytes."""

CONNECTIONS = 100_000
"""So many connections are read."""

EVENTS = 4_000_000
"""So many events of WebSockets are kept."""

BEGIN = 1
"""The phase of an event that begins something; 2 ends it, and 0 is neither, where ``constants`` do not say else."""

LACKS: tuple[Fact, ...] = ("framing", "payloads")
"""What a log without raw bytes has no place for."""


class _Source(Struct):
    id: int


class _Event(Struct):
    """An event of the log, its parameters unread."""

    time: Any
    type: int
    source: _Source
    phase: int = 0
    params: Raw = Raw(b"null")


class _Log(Struct):
    constants: Raw
    events: Raw


class _Request:
    """A WebSocket's request, with the events of it and of its socket."""

    def __init__(self, id: int, url: str) -> None:
        self.id = id
        self.url = url
        self.events: list[tuple[float, str, int, dict[str, Any]]] = []
        """Time in seconds (from the log's own zero), name, phase and parameters, in order."""
        self.whole = True
        """Whether all bytes of the socket are in the log."""
        self.bytes = False
        self.framed = False
        """Whether there is the head of a frame."""

    @property
    def told(self) -> bool:
        """Whether all that went over the socket is in the log."""
        return self.whole and self.bytes


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_log = msgspec.json.Decoder(_Log).decode
_params = msgspec.json.Decoder(dict[str, Any]).decode

_BYTES: dict[str, Side] = {
    "SOCKET_BYTES_SENT": "client",
    "SSL_SOCKET_BYTES_SENT": "client",
    "SOCKET_BYTES_RECEIVED": "server",
    "SSL_SOCKET_BYTES_RECEIVED": "server",
}
_HEADS: dict[str, Side] = {"WEBSOCKET_SENT_FRAME_HEADER": "client", "WEBSOCKET_RECV_FRAME_HEADER": "server"}


def read(data: mmap.mmap | bytes, name: str, path: Path | None) -> Imported:
    """The WebSockets of a netlog. Raises :class:`~hangup.errors.ForeignRecording` when there are none."""
    if len(data) > LIMIT:
        raise ForeignRecording(f"{name} is a netlog of {size(len(data))}: no more than {size(LIMIT)} can be read")
    log, torn = _decode(data, name)
    constants = _constants(log.constants)
    names = {number: event for event, number in _numbers(constants, "logEventTypes").items()}
    requests, skipped = _requests(log.events, names)
    if not requests:
        raise ForeignRecording(f"{name} is a netlog of Chrome's without any WebSocket")
    offset = constants.get("timeTickOffset")
    offset = as_number(offset) / 1000
    dated = 0 < offset < FARTHEST
    times = [events[0][0] for request in requests if (events := request.events)]
    zero = min(times, default=0.0)
    header = Header(hangup=FORMAT, started=iso(offset + zero) if dated else "", mode="import", target=_target(requests))
    client = constants.get("clientInfo")
    who = f"{as_text(client.get('name'))} {as_text(client.get('version'))}" if isinstance(client, dict) else ""
    header.source = f"netlog ({printable(who.strip() or 'unknown', 80)})"
    header.lacks = [*LACKS] if any(request.framed and not request.told for request in requests) else []
    header.note = "" if dated else "the file does not say when this was"
    errors = {number: error for error, number in _numbers(constants, "netError").items()}
    connections: list[MakeEvents] = [
        partial(_events, conn, request, zero, errors) for conn, request in enumerate(requests, 1)
    ]
    skips = [(number, "not an event") for number in skipped[:SKIPS_KEPT]]
    imported = Imported(name, path, header, connections, skips, len(skipped))
    imported.torn = torn
    return imported


def _decode(data: mmap.mmap | bytes, name: str) -> tuple[_Log, bool]:
    """The log, and whether its end was missing."""
    view: Any = data if data[:3] != b"\xef\xbb\xbf" else memoryview(data)[3:]
    try:
        return _decode_log(view), False
    except UNREADABLE:
        # The events stand one a line: what is whole of a log that breaks off ends with a comma and a new line.
        end = data.rfind(b"},\n")
        try:
            return _decode_log(bytes(view[: end + 1]) + b"]}"), True
        except UNREADABLE as error:
            why = printable(str(error), 160)
            raise ForeignRecording(f"{name} is a netlog of Chrome's that cannot be read: {why}") from None


def _constants(raw: Raw) -> dict[str, Any]:
    try:
        return _params(raw)
    except UNREADABLE:
        return {}


def _numbers(constants: Mapping[str, Any], which: str) -> dict[str, int]:
    table = constants.get(which)
    pairs = table.items() if isinstance(table, dict) else ()
    return {name: number for name, number in pairs if isinstance(number, int)}


def _requests(array: Raw, names: dict[int, str]) -> tuple[list[_Request], list[int]]:
    """The WebSockets' requests with what belongs to them, in the order in which they began; and the places of what is
    no event."""
    found: dict[int, _Request] = {}
    jobs: dict[int, int] = {}
    sockets: dict[int, int] = {}
    skipped: list[int] = []
    # First which sources matter: a socket is bound to a job before the job is to its request, and begins before that.
    for event, name, params in _walk(array, names, skipped, _LEADING):
        source = event.source.id
        if name in ("REQUEST_ALIVE", "URL_REQUEST_START_JOB"):
            url = as_text(params.get("url"))
            if url[:5].lower().startswith(("ws:", "wss:")) and len(found) < CONNECTIONS:
                found.setdefault(source, _Request(source, url))
            continue
        other = params.get("source_dependency")
        target = as_number(other.get("id")) if isinstance(other, dict) else 0
        if name == "HTTP_STREAM_REQUEST_BOUND_TO_JOB" and source in found:
            jobs.setdefault(target, source)
        elif name == "SOCKET_POOL_BOUND_TO_SOCKET":
            sockets[target] = source
    owners = {source: source for source in found}
    owners |= {socket: jobs[job] for socket, job in sockets.items() if job in jobs}
    kept = 0
    for event, name, params in _walk(array, names, [], None, owners):
        request = found[owners[event.source.id]]
        if kept >= EVENTS:
            break
        kept += 1
        if name in _BYTES and event.source.id in sockets:
            raw = params.get("bytes")
            request.bytes = request.bytes or isinstance(raw, str)
            request.whole = request.whole and (isinstance(raw, str) or not as_number(params.get("byte_count")))
        request.framed = request.framed or name in _HEADS
        request.events.append((_seconds(event.time), name, event.phase, params))
    return list(found.values()), skipped


_LEADING = frozenset(
    ("REQUEST_ALIVE", "URL_REQUEST_START_JOB", "HTTP_STREAM_REQUEST_BOUND_TO_JOB", "SOCKET_POOL_BOUND_TO_SOCKET")
)


def _walk(
    array: Raw, names: dict[int, str], skipped: list[int], wanted: frozenset[str] | None, sources: Any = None
) -> Iterator[tuple[_Event, str, dict[str, Any]]]:
    for number, raw in enumerate(elements(array), 1):
        try:
            event = _decode_event(raw)
        except UNREADABLE:
            skipped.append(number)
            continue
        name = names.get(event.type, "")
        if (wanted is not None and name not in wanted) or (sources is not None and event.source.id not in sources):
            continue
        try:
            params = _params(event.params)
        except UNREADABLE:
            params = {}
        yield event, name, params


def _seconds(time: Any) -> float:
    """The log writes its milliseconds as text."""
    try:
        seconds = float(time) / 1000
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if 0 <= seconds < FARTHEST else 0.0


def _events(
    conn: int, request: _Request, zero: float, errors: dict[int, str], inflation: InflationBudget
) -> Iterator[AnyEvent]:
    script = Script(conn)
    client, server = _addresses(request)
    if request.told:
        chunks = list(_chunks(request))
        yield from Conversation(script, zero, client, server or split_url(request.url)[1], inflation).events(chunks)
        return
    yield from _heads(script, request, zero, errors, client, server)


def _addresses(request: _Request) -> tuple[str, str]:
    for _, name, _, params in request.events:
        if name == "TCP_CONNECT" and params.get("remote_address"):
            return as_text(params.get("local_address")), as_text(params["remote_address"])
    return "", ""


def _chunks(request: _Request) -> Iterator[Chunk]:
    """What both sides did on the socket. Over TLS its plain bytes are told, and those on the wire as well."""
    names = {name for _, name, _, _ in request.events}
    tls = "SSL_SOCKET_BYTES_SENT" in names or "SSL_CONNECT" in names
    over = False
    words = ""
    for at, name, phase, params in request.events:
        if name == "WEBSOCKET_UPGRADE_FAILURE" or name == "WEBSOCKET_INVALID_FRAME":
            words = as_text(params.get("message") or params.get("internal_reason"))
        elif name in _BYTES:
            empty = not as_number(params.get("byte_count"))
            if empty and name.endswith("RECEIVED") and not over:
                over = True
                yield Chunk(at, "server", "fin")
            elif not empty and (name.startswith("SSL_") or not tls):
                yield Chunk(at, _BYTES[name], "data", _decoded(params.get("bytes")))
        elif (how := _gone(name, phase, params)) is not None:
            side, what = how
            if what == "gone" and over:
                continue  # what is left of a connection that the other side ended
            over = True
            yield Chunk(at, side, what, words.encode(errors="replace") if what == "gone" else b"")


def _gone(name: str, phase: int, params: dict[str, Any]) -> tuple[Side, Any] | None:
    """Who ended a socket by an event of it, and how."""
    if name in ("SOCKET_READ_ERROR", "SOCKET_WRITE_ERROR"):
        return "server", "rst" if as_number(params.get("net_error")) in (-101, -100) else "gone"
    return ("client", "gone") if name == "SOCKET_IN_USE" and phase != BEGIN else None


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _heads(
    script: Script, request: _Request, zero: float, errors: dict[int, str], client: str, server: str
) -> Iterator[AnyEvent]:
    """The events of a log without bytes: the frames' heads, and no more of them."""
    target, host = split_url(request.url)
    asked = request.events[0][0]
    shake = Handshake(at=0.0, conn=script.conn, client=client, server=server or host, request=Request(target=target))
    open_ = over = told = False
    for at, name, phase, params in request.events:
        now = at - zero
        if name == "HTTP_TRANSACTION_SEND_REQUEST_HEADERS":
            asked = at
            shake.request.headers = _headers(params.get("headers"))
        elif told:
            return
        elif open_:
            if name in _HEADS:
                yield _frame(script, now, _HEADS[name], params)
            elif name == "WEBSOCKET_INVALID_FRAME":
                yield script.note(failure(as_text(params.get("internal_reason"))).sentence, now, ending=True)
            elif name == "SOCKET_BYTES_RECEIVED" and not as_number(params.get("byte_count")) and not over:
                over = True
                yield script.end(now, "server", "fin")
            elif (how := _gone(name, phase, params)) is not None and not over:
                over = True
                if how[1] == "rst":
                    yield script.end(now, how[0], "rst")
                else:
                    yield script.ended(f"the {how[0]} closed the connection; it is not known how", now, by=how[0])
        elif name == "HTTP_TRANSACTION_READ_RESPONSE_HEADERS":
            shake.response = _response(params.get("headers"))
        elif name in ("WEBSOCKET_UPGRADE_FAILURE", "URL_REQUEST_START_JOB") and (phase != BEGIN):
            told, open_ = _settle(shake, params, errors)
            shake.at, shake.waited = script.time(now), round(max(at - asked, 0.0), 6)
            yield shake
    if not (told or open_):
        shake.at = script.time(asked - zero)
        yield shake
        yield script.note("the netlog does not say how the handshake ended", ending=True)


def _settle(shake: Handshake, params: dict[str, Any], errors: dict[int, str]) -> tuple[bool, bool]:
    """What became of a handshake: whether it failed, and whether it is open."""
    number = as_number(params.get("net_error"))
    words = as_text(params.get("message")) or (f"net::{errors.get(number, number)}" if number else "")
    if not words:
        if shake.response is None:
            shake.response = Response(status=101)
        return shake.response.status != 101, shake.response.status == 101
    failed = failure(words)
    if failed.status and shake.response is None:
        shake.response = Response(status=failed.status)
    elif not failed.status:
        shake.response, shake.error = None, failed.error
    return True, False


def _headers(lines: Any) -> list[tuple[str, str]]:
    pairs = [as_text(line).partition(":") for line in (lines if isinstance(lines, list) else ())]
    return [(name, value.strip()) for name, colon, value in pairs if colon and name]


def _response(lines: Any) -> Response | None:
    first = as_text(lines[0]) if isinstance(lines, list) and lines else ""
    head = parse_response(first.encode(errors="replace"))
    if head is None:
        return None
    return Response(status=head.status, reason=head.reason, version=head.version, headers=_headers(lines[1:]))


def _frame(script: Script, at: float, side: Side, params: dict[str, Any]) -> Frame:
    """A frame of which only the head is known."""
    script.n += 1
    rsv = sum(bit for bit, name in ((4, "reserved1"), (2, "reserved2"), (1, "reserved3")) if params.get(name) is True)
    return Frame(
        at=script.time(at),
        conn=script.conn,
        n=script.n,
        side=side,
        opcode=OPCODE_NAMES[as_number(params.get("opcode")) & 15],
        fin=params.get("final") is not False,
        rsv=rsv,
        mask=UNKNOWN_KEY.hex() if params.get("masked") is True else None,
        length=max(as_number(params.get("payload_length")), 0),
    )


def _target(requests: list[_Request]) -> str:
    origins = {"/".join(request.url.split("/", 3)[:3]) for request in requests}
    return origins.pop() if len(origins) == 1 else ""
