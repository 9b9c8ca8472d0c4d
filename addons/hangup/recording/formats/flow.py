"""mitmproxy's flow files in, without mitmproxy: its flows with a WebSocket, in the format since mitmproxy 7.

A flow keeps messages, not frames, and no pings or pongs. Of the ending it keeps the code and whether the client
closed; 1006 stands for any ending of TCP, a FIN as well as a RST.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hangup.errors import ForeignRecording
from hangup.humanize import plural
from hangup.recording.events import FORMAT, AnyEvent, Handshake, Header, Request, Response, Side
from hangup.recording.formats import tnetstring
from hangup.recording.formats.har_fields import DAY
from hangup.recording.formats.imported import SKIPS_KEPT, Imported, MakeEvents, Script, close_payload, iso
from hangup.recording.formats.tnetstring import Broken, Item
from hangup.wire.inflation_budget import InflationBudget

OLDEST = 12
"""The first version of mitmproxy's format in which a WebSocket belongs to its handshake's flow."""

MESSAGE_LIMIT = 256 << 20
"""The largest message that is read, in bytes."""

FIELD_LIMIT = 1 << 20
"""Headers and other fields larger than this (bytes) make a flow unreadable."""

CONNECTIONS = 100_000
"""So many connections of a file are read."""

BY = "mitmproxy"

Buffer = mmap.mmap | bytes
Fields = dict[str, Item]


class _Flow:
    """One flow: where its parts lie in the file. Nothing is read before it is asked for, and nothing is kept."""

    def __init__(self, data: Buffer, whole: Item) -> None:
        self.data = data
        self._parts = tnetstring.members(data, whole)
        self._websocket = self._members(self._parts.get("websocket"))

    def get(self, part: str, name: str) -> Any:
        """A field of a part, for instance the ``path`` of the ``request``; None when it is not there or not sound."""
        try:
            members = self._websocket if part == "websocket" else self._members(self._parts.get(part))
            return tnetstring.value(self.data, members.get(name), FIELD_LIMIT)
        except Broken:
            return None

    def _members(self, part: Item | None) -> Fields:
        return tnetstring.members(self.data, part) if part is not None and part.tag == b"}" else {}

    @property
    def version(self) -> Any:
        """The version of the format that it was written in."""
        return tnetstring.value(self.data, self._parts.get("version"), FIELD_LIMIT)

    @property
    def messages(self) -> Item | None:
        """Its list of messages."""
        return self._websocket.get("messages")

    @property
    def is_web_socket(self) -> bool:
        """Whether it became a WebSocket, or was refused."""
        if self.messages is not None:
            return True
        headers = _headers(self.get("request", "headers"))
        return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in headers)

    @property
    def started(self) -> float | None:
        """When the request was sent, in seconds since 1970; None when it does not say so."""
        for part in ("request", "client_conn", "response"):
            if (at := _moment(self.get(part, "timestamp_start"))) is not None:
                return at
        return None

    @property
    def origin(self) -> str:
        """Where it went."""
        scheme = "wss" if self.get("request", "scheme") == b"https" else "ws"
        return f"{scheme}://{_text(self.get('request', 'host'))}:{_int(self.get('request', 'port'))}"


def read(data: Buffer, name: str, path: Path | None) -> Imported:
    """The WebSockets of a flow file. Raises :class:`~hangup.errors.ForeignRecording` when there are none.

    Half a flow at the end, as a kill leaves it, is told (``torn``) and left out.
    """
    places: list[Item] = []
    origins: set[str] = set()
    skips: list[tuple[int, str]] = []
    skipped = http = number = at = 0
    zero = math.inf
    torn = False
    while at < len(data) and not torn:
        number += 1
        why = ""
        try:
            whole = tnetstring.item(data, at, len(data))
            at = whole.after
        except Broken as error:
            if number == 1:
                raise ForeignRecording(f"{name} is not a whole mitmproxy flow file: {error}") from None
            torn, why = True, str(error)
        else:
            try:
                flow = _Flow(data, whole)
                version = flow.version
                if not isinstance(version, int) or version < OLDEST:
                    raise ForeignRecording(f"{name} was written by mitmproxy 6 or older: save it with a newer one")
                if not flow.is_web_socket:
                    http += 1
                elif len(places) == CONNECTIONS:
                    why = f"there are more than {CONNECTIONS} connections"
                else:
                    began = flow.started
                    zero = zero if began is None else min(zero, began)
                    origins.update([flow.origin] if len(origins) < 2 else [])
                    places.append(whole)
            except Broken as error:
                why = str(error)
        if why:
            skipped += 1
            skips += [(number, why)] if len(skips) < SKIPS_KEPT else []
    if not places:
        rest = f" ({plural(http, 'other flow')})" if http else ""
        why = f": {skips[0][1]}" if skips and not http else ""
        raise ForeignRecording(f"{name} is a mitmproxy flow file without any WebSocket{rest}{why}")
    target = origins.pop() if len(origins) == 1 else ""
    dated = math.isfinite(zero)
    zero = zero if dated else 0.0
    header = Header(hangup=FORMAT, started=iso(zero) if dated else "", mode="import", source=BY, target=target)
    header.lacks = ["manner", "pings", "framing"]
    connections: list[MakeEvents] = [
        partial(_events, conn, data, place, zero) for conn, place in enumerate(places, 1)
    ]
    recording = Imported(name, path, header, connections, skips, skipped)
    recording.torn = torn
    return recording


def _events(conn: int, data: Buffer, place: Item, zero: float, _: InflationBudget) -> Iterator[AnyEvent]:
    flow = _Flow(data, place)
    script = Script(conn)
    get = flow.get
    began = flow.started
    started = zero if began is None else began
    status = get("response", "status_code")
    answered = _moment(get("response", "timestamp_start")) or started
    answer = None
    if isinstance(status, int):
        answer = Response(
            status=status,
            reason=_text(get("response", "reason")),
            version=_text(get("response", "http_version")),
            headers=_headers(get("response", "headers")),
        )
    yield Handshake(
        at=script.time(answered - zero),
        conn=conn,
        client=_address(get("client_conn", "peername")),
        server=_address(get("server_conn", "address")),
        request=Request(
            method=_text(get("request", "method")) or "GET",
            target=_text(get("request", "path")) or "/",
            version=_text(get("request", "http_version")) or "HTTP/1.1",
            headers=_headers(get("request", "headers")),
        ),
        response=answer,
        waited=round(max(answered - started, 0.0), 6),
        error="" if answer else _text(get("error", "msg")) or "the flow has no response",
    )
    yield from _messages(script, flow, zero)
    ended = _moment(get("websocket", "timestamp_end"))
    by_client = get("websocket", "closed_by_client")
    if by_client is None:
        return
    side: Side = "client" if by_client else "server"
    at = None if ended is None else ended - zero
    code = get("websocket", "close_code")
    if code == 1006 or not isinstance(code, int):
        yield script.end(at, side, "error", "mitmproxy does not distinguish a FIN from a RST")
    else:
        yield script.frame(at, side, 8, close_payload(code, _text(get("websocket", "close_reason"))))


def _messages(script: Script, flow: _Flow, zero: float) -> Iterator[AnyEvent]:
    if flow.messages is None or flow.messages.tag != b"]":
        return
    parts = tnetstring.children(flow.data, flow.messages)
    while True:
        try:
            if (part := next(parts, None)) is None:
                return
            message = tnetstring.value(flow.data, part, MESSAGE_LIMIT)
        except Broken as error:
            # After a part that is no netstring nothing more comes.
            yield script.note(f"something was left out of the messages: {error}")
            continue
        if not isinstance(message, list) or len(message) < 4 or not isinstance(message[2], bytes | str):
            continue
        opcode, from_client, content, moment = message[:4]
        dropped, injected = (*message[4:6], False, False)[:2]
        payload = content if isinstance(content, bytes) else content.encode()
        side: Side = "client" if from_client else "server"
        opcode = 1 if opcode == 1 else 2
        at = _moment(moment)
        at = None if at is None else at - zero
        if injected is True:
            yield script.injected(at, side, opcode, payload, BY)
            continue
        yield script.frame(at, side, opcode, payload)
        if dropped is True:
            yield script.dropped(BY, side)


def _moment(value: Any) -> float | None:
    """Seconds since 1970; 0 is what stands where nobody knew the time."""
    return float(value) if isinstance(value, int | float) and DAY < value < 1e11 else None


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    """mitmproxy keeps headers as bytes, of which only ASCII is certain."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _headers(value: Any) -> list[tuple[str, str]]:
    pairs = value if isinstance(value, list) else []
    return [(_text(pair[0]), _text(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2]


def _address(value: Any) -> str:
    host = _text(value[0]) if isinstance(value, list) and len(value) > 1 else ""
    if not host:
        return ""
    return f"[{host}]:{value[1]}" if ":" in host else f"{host}:{value[1]}"
