"""mitmproxy's flow files in, without mitmproxy: its flows with a WebSocket, in the format since mitmproxy 7.

A flow keeps messages, not frames, and no pings or pongs. Of the ending it keeps the code and whether the client
closed; 1006 stands for any ending of TCP, a FIN as well as a RST.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hangup.errors import ForeignRecording
from hangup.recording.events import FORMAT, AnyEvent, Handshake, Header, Request, Response, Side
from hangup.recording.formats import tnetstring
from hangup.recording.formats.imported import Imported, Script, close_payload, iso
from hangup.recording.formats.tnetstring import Broken, Item
from hangup.recording.units import plural

OLDEST = 12
"""The first version of mitmproxy's format in which a WebSocket belongs to its handshake's flow."""

MESSAGE_LIMIT = 256 << 20
"""The largest message that is read, in bytes."""

FIELDS_LIMIT = 16 << 20
"""All else of a flow that is read is smaller than this (bytes)."""

BY = "mitmproxy"

Buffer = mmap.mmap | bytes


class _Flow:
    """One flow: its small fields read, its messages left where they are."""

    def __init__(self, data: Buffer, fields: dict[str, Item]) -> None:
        def get(name: str) -> Any:
            return tnetstring.value(data, fields.get(name), FIELDS_LIMIT)

        self.data = data
        self.request = _dict(get("request"))
        self.response = _dict(get("response"))
        self.client = _dict(get("client_conn"))
        self.server = _dict(get("server_conn"))
        self.error = _dict(get("error"))
        socket = fields.get("websocket")
        parts = tnetstring.members(data, socket) if socket is not None and socket.tag != b"~" else {}
        self.messages = parts.pop("messages", None)
        self.ending = {name: tnetstring.value(data, part, FIELDS_LIMIT) for name, part in parts.items()}

    @property
    def is_web_socket(self) -> bool:
        """Whether it became a WebSocket, or was refused."""
        if self.messages is not None:
            return True
        headers = _headers(self.request.get("headers"))
        return any(name.lower() == "upgrade" and value.lower() == "websocket" for name, value in headers)

    @property
    def started(self) -> float:
        """When the request was sent, in seconds since 1970."""
        for fields in (self.request, self.client, self.response):
            if (at := _seconds(fields.get("timestamp_start"))) is not None:
                return at
        return 0.0


def read(data: Buffer, name: str, path: Path | None) -> Imported:
    """The WebSockets of a flow file. Raises :class:`~hangup.errors.ForeignRecording` when there are none.

    Half a flow at the end, as a kill leaves it, is told (``torn``) and left out.
    """
    flows: list[_Flow] = []
    skips: list[tuple[int, str]] = []
    http = number = at = 0
    torn = False
    while at < len(data):
        number += 1
        try:
            whole = tnetstring.item(data, at, len(data))
        except Broken as error:
            if number == 1:
                raise ForeignRecording(f"{name} is not a whole mitmproxy flow file: {error}") from None
            torn = True
            skips.append((number, str(error)))
            break
        at = whole.after
        try:
            fields = tnetstring.members(data, whole)
            version = tnetstring.value(data, fields.get("version"), FIELDS_LIMIT)
            if not isinstance(version, int) or version < OLDEST:
                raise ForeignRecording(f"{name} was written by mitmproxy 6 or older: save it anew with a later one")
            flow = _Flow(data, fields)
            if flow.is_web_socket:
                flows.append(flow)
            else:
                http += 1
        except Broken as error:
            skips.append((number, str(error)))
    if not flows:
        rest = f" ({plural(http, 'other flow')})" if http else ""
        why = f": {skips[0][1]}" if skips and not http else ""
        raise ForeignRecording(f"{name} is a mitmproxy flow file without any WebSocket{rest}{why}")
    zero = min(flow.started for flow in flows)
    header = Header(hangup=FORMAT, started=iso(zero), mode="import", source=BY, target=_target(flows))
    connections: list[Callable[[], Iterator[AnyEvent]]] = [
        partial(_events, conn, flow, zero) for conn, flow in enumerate(flows, 1)
    ]
    recording = Imported(name, path, header, connections, skips)
    recording.torn = torn
    return recording


def _events(conn: int, flow: _Flow, zero: float) -> Iterator[AnyEvent]:
    script = Script(conn)
    opened = _seconds(flow.response.get("timestamp_start")) or flow.started
    request, response = flow.request, flow.response
    answer = None
    if response:
        answer = Response(
            status=_int(response.get("status_code")),
            reason=_text(response.get("reason")),
            version=_text(response.get("http_version")),
            headers=_headers(response.get("headers")),
        )
    yield Handshake(
        at=script.time(opened - zero),
        conn=conn,
        client=_address(flow.client.get("peername")),
        server=_address(flow.server.get("address")),
        request=Request(
            method=_text(request.get("method")) or "GET",
            target=_text(request.get("path")) or "/",
            version=_text(request.get("http_version")) or "HTTP/1.1",
            headers=_headers(request.get("headers")),
        ),
        response=answer,
        waited=round(max(opened - flow.started, 0.0), 6),
        error="" if answer else _text(flow.error.get("msg")) or "the flow has no response",
    )
    yield from _messages(script, flow, zero)
    ended = _seconds(flow.ending.get("timestamp_end"))
    by_client = flow.ending.get("closed_by_client")
    if by_client is None:
        return
    side: Side = "client" if by_client else "server"
    at = None if ended is None else ended - zero
    code = flow.ending.get("close_code")
    if code == 1006 or not isinstance(code, int):
        yield script.end(at, side, "error", "mitmproxy does not tell a FIN from a RST")
    else:
        yield script.frame(at, side, 8, close_payload(code, _text(flow.ending.get("close_reason"))))


def _messages(script: Script, flow: _Flow, zero: float) -> Iterator[AnyEvent]:
    if flow.messages is None or flow.messages.tag != b"]":
        return
    for part in tnetstring.children(flow.data, flow.messages):
        try:
            message = tnetstring.value(flow.data, part, MESSAGE_LIMIT)
        except Broken as error:
            yield script.note(f"a message was left out: {error}")
            continue
        if not isinstance(message, list) or len(message) < 4 or not isinstance(message[2], bytes | str):
            continue
        opcode, from_client, content, moment = message[:4]
        dropped, injected = (*message[4:6], False, False)[:2]
        payload = content if isinstance(content, bytes) else content.encode()
        side: Side = "client" if from_client else "server"
        opcode = 1 if opcode == 1 else 2
        at = _seconds(moment)
        at = None if at is None else at - zero
        if injected is True:
            yield script.injected(at, side, opcode, payload, BY)
            continue
        yield script.frame(at, side, opcode, payload)
        if dropped is True:
            yield script.dropped(BY, side)


def _target(flows: list[_Flow]) -> str:
    origins = set()
    for flow in flows:
        scheme = "wss" if flow.request.get("scheme") == b"https" else "ws"
        origins.add(f"{scheme}://{_text(flow.request.get('host'))}:{_int(flow.request.get('port'))}")
    return origins.pop() if len(origins) == 1 else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e11 else None


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
