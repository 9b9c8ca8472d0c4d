"""mitmproxy's flow files out: one flow for each connection, with its messages, for mitmweb and its kin.

What a flow is made of is mitmproxy's affair, so mitmproxy makes it; only the messages, of which there may be any
number, are put in from the spool instead of from memory. Reading needs no mitmproxy and stands in
:mod:`hangup.recording.formats.flow`.
"""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from mitmproxy import connection as mitmproxy_connection
from mitmproxy import flow as mitmproxy_flow
from mitmproxy import http, websocket
from mitmproxy.io import tnetstring

from hangup.recording import events
from hangup.recording.assembling import Message
from hangup.recording.connections import Connection
from hangup.recording.events import Handshake, Header, Request
from hangup.recording.formats.har_writer import address
from hangup.recording.formats.message_writer import MessageWriter
from hangup.wire.url import PORTS


class FlowWriter(MessageWriter):
    """Writes flows to ``out`` when all events have come."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        super().__init__(out, header)
        self._opened: set[int] = set()

    def opening(self, event: Handshake) -> None:
        """Keeps the handshake."""
        if event.conn not in self._opened:
            self._opened.add(event.conn)
            self.spool.append(_handshake_key(event.conn), events.encode(event))

    def message(self, message: Message, data: bytes) -> bytes:
        """A message's state, as mitmproxy has it."""
        if message.conn not in self._opened:
            self.opening(Handshake(at=message.at, conn=message.conn, request=Request()))
            self.losses.count("handshake that is not in the recording")
        opcode = 1 if message.opcode == "text" else 2
        at = self.micros(message.at) / 1e6
        return tnetstring.dumps((opcode, message.side == "client", data, at, False, False))

    def entry(self, connection: Connection) -> None:
        """Writes one flow."""
        conn = connection.conn
        if conn not in self._opened:
            return
        handshake = events.decode(b"".join(self.spool.read(_handshake_key(conn))))
        assert isinstance(handshake, Handshake)
        flow = self._flow(handshake)
        if connection.opened is not None or self.spool.length(conn):
            flow.websocket = self._websocket(connection)
        state = cast(dict[str, Any], flow.get_state())
        if flow.websocket is None:
            self.out.write(tnetstring.dumps(state))
            return
        length = self.spool.length(conn)
        before, after = _around(state["websocket"], "messages")
        before += b"%d:" % length
        after = b"]" + after
        outer_before, outer_after = _around(state, "websocket")
        head = outer_before + b"%d:" % (len(before) + length + len(after)) + before
        tail = after + b"}" + outer_after
        self.out.write(b"%d:" % (len(head) + length + len(tail)) + head)
        for piece in self.spool.read(conn):
            self.out.write(piece)
        self.out.write(tail + b"}")

    def _flow(self, event: Handshake) -> http.HTTPFlow:
        asked = self.micros(event.at - event.waited) / 1e6
        answered = self.micros(event.at) / 1e6
        url = address(event, self.header)
        scheme = "https" if url.startswith("wss") else "http"
        host, port = _split(event.server, PORTS["wss" if scheme == "https" else "ws"])
        client = mitmproxy_connection.Client(peername=_split(event.client, 0), sockname=("", 0), timestamp_start=asked)
        server = mitmproxy_connection.Server(address=(host, port))
        server.timestamp_start = asked
        flow = http.HTTPFlow(client, server)
        flow.timestamp_created = asked
        request, response = event.request, event.response
        flow.request = http.Request(
            host=host,
            port=port,
            method=request.method.encode(),
            scheme=scheme.encode(),
            authority=b"",
            path=request.target.encode(),
            http_version=request.version.encode(),
            headers=_headers(request.headers),
            content=b"",
            trailers=None,
            timestamp_start=asked,
            timestamp_end=asked,
        )
        if response is not None:
            flow.response = http.Response(
                http_version=response.version.encode(),
                status_code=response.status,
                reason=response.reason.encode(),
                headers=_headers(response.headers),
                content=response.text.encode(),
                trailers=None,
                timestamp_start=answered,
                timestamp_end=answered,
            )
        else:
            flow.error = mitmproxy_flow.Error(event.error or "no response", answered)
        return flow

    def _websocket(self, connection: Connection) -> websocket.WebSocketData:
        data = websocket.WebSocketData()
        ending = connection.ending
        if ending.how == "none" or ending.at is None:
            return data
        data.closed_by_client = ending.by == "client"
        data.timestamp_end = self.micros(ending.at) / 1e6
        data.close_reason = ending.reason or ""
        if ending.how == "close":
            data.close_code = 1005 if ending.code is None else ending.code
        else:
            data.close_code = 1006
        return data


def _handshake_key(conn: int) -> int:
    # Messages are spooled by the connection's own number.
    return ~conn << 64


def _around(state: dict[str, Any], key: str) -> tuple[bytes, bytes]:
    """What a dictionary's netstring holds before and after the value of ``key``."""
    keys = list(state)
    at = keys.index(key)

    def members(names: list[str]) -> bytes:
        return b"".join(tnetstring.dumps(name) + tnetstring.dumps(state[name]) for name in names)

    return members(keys[:at]) + tnetstring.dumps(key), members(keys[at + 1 :])


def _headers(headers: list[tuple[str, str]]) -> http.Headers:
    return http.Headers([(name.encode(), value.encode()) for name, value in headers])


def _split(text: str, default: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        return text, default
    return host.removeprefix("[").removesuffix("]"), int(port)
