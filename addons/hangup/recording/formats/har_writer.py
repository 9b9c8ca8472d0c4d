"""HAR out: what Chrome's and Firefox's DevTools, HTTP Toolkit and mitmproxy read, or, in milliseconds, Playwright."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hangup import __version__
from hangup.recording.assembling import Message
from hangup.recording.connections import Connection
from hangup.recording.events import Handshake, Header, Request, Response
from hangup.recording.formats.imported import FARTHEST, iso
from hangup.recording.formats.message_writer import MessageWriter

_encode = msgspec.json.encode


class HarWriter(MessageWriter):
    """One entry for each connection, in order. ``milliseconds`` writes times as Playwright does."""

    def __init__(self, out: BinaryIO, header: Header, *, milliseconds: bool = False) -> None:
        super().__init__(out, header)
        self._unit = 1e3 if milliseconds else 1e6
        self._heads: dict[int, int] = {}
        self._entries = 0

    def opening(self, event: Handshake) -> None:
        """Puts the entry's beginning before its messages."""
        if event.conn not in self._heads:
            head = _encode(self._head(event))[:-1] + b',"_webSocketMessages":['
            self._heads[event.conn] = len(head)
            self.spool.append(event.conn, head)

    def message(self, message: Message, data: bytes) -> bytes:
        """A message, and a comma when it is not the first."""
        if message.conn not in self._heads:
            self.opening(Handshake(at=message.at, conn=message.conn, request=Request()))
            self.losses.count("handshake that is not in the recording")
        text = data.decode(errors="replace") if message.opcode == "text" else base64.b64encode(data).decode()
        item = {
            "type": "send" if message.side == "client" else "receive",
            "time": self._time(message.at),
            "opcode": 1 if message.opcode == "text" else 2,
            "data": text,
        }
        first = self.spool.length(message.conn) == self._heads[message.conn]
        return _encode(item) if first else b"," + _encode(item)

    def finish(self) -> None:
        """Writes the document."""
        log: dict[str, Any] = {"version": "1.2", "creator": {"name": "hangup", "version": __version__}, "pages": []}
        if self.header.note:
            log["comment"] = self.header.note
        if self.header.lacks:
            log["_lacks"] = self.header.lacks
        self.out.write(b'{"log":' + _encode(log)[:-1] + b',"entries":[\n')
        super().finish()
        self.out.write(b"\n]}}\n")

    def entry(self, connection: Connection) -> None:
        """Writes one entry."""
        if connection.conn not in self._heads:
            return
        self.out.write(b",\n" if self._entries else b"")
        self._entries += 1
        for piece in self.spool.read(connection.conn):
            self.out.write(piece)
        ending = connection.ending
        opened = connection.asked or 0.0
        ended = connection.ended if connection.ended is not None else connection.last_seen
        tail: dict[str, Any] = {"time": max(round((ended - opened) * 1000, 3), 0.0)}
        if not connection.refused:
            when = self._time(ended)
            if ending.how == "close":
                close = {"code": ending.code if ending.code is not None else 1005, "reason": ending.reason or ""}
                tail["_webSocketClose"] = {**close, "timestamp": when}
            elif ending.how != "none":
                tail["_webSocketClose"] = "aborted"
            if ending.how != "none" or not connection.untold:
                tail["_webSocketEnd"] = {"by": ending.by, "how": ending.how, "timestamp": when}
        self.out.write(b"]," + _encode(tail)[1:])

    def _time(self, at: float) -> float:
        return self.micros(at) / self._unit

    def _head(self, event: Handshake) -> dict[str, Any]:
        request, response = event.request, event.response
        url = address(event, self.header)
        waited = round(min(max(event.waited, 0.0), FARTHEST) * 1000, 3)
        head: dict[str, Any] = {
            "startedDateTime": iso(self.micros(event.at - event.waited) / 1e6),
            "request": {
                "method": request.method,
                "url": url,
                "httpVersion": request.version,
                "cookies": [],
                "headers": _pairs(request.headers),
                "queryString": _pairs(_query(url)),
                "headersSize": -1,
                "bodySize": 0,
            },
            "response": _response(response, event.error),
            "cache": {},
            "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": waited, "receive": 0},
            "connection": str(event.conn),
            "_resourceType": "websocket",
        }
        host = event.server.rpartition(":")[0].strip("[]")
        if _is_address(host):
            head["serverIPAddress"] = host
        return head


def _response(response: Response | None, error: str) -> dict[str, Any]:
    """A response; when there was none, the form that all agree on has status 0."""
    given = response or Response(status=0)
    content: dict[str, Any] = {"size": len(given.text.encode()), "mimeType": "x-unknown"}
    if given.text:
        content["text"] = given.text
    form: dict[str, Any] = {
        "status": given.status,
        "statusText": given.reason,
        "httpVersion": given.version,
        "cookies": [],
        "headers": _pairs(given.headers),
        "content": content,
        "redirectURL": next((v for name, v in given.headers if name.lower() == "location"), ""),
        "headersSize": -1,
        "bodySize": -1,
    }
    if response is None:
        form["_error"] = error or "no response"
    return form


def address(event: Handshake, header: Header) -> str:
    """The URL of a handshake: its scheme is the recording's, its host the request's."""
    target = event.request.target
    secure = header.target.startswith(("wss:", "https:")) or event.server.endswith(":443")
    scheme = "wss" if secure else "ws"
    if "://" in target[:8]:  # as it is sent to a proxy
        return scheme + target[target.index("://") :]
    host = next((value for name, value in event.request.headers if name.lower() == "host"), "") or event.server
    return f"{scheme}://{host or 'unknown'}{target if target.startswith('/') else '/' + target}"


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return []


def _pairs(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
