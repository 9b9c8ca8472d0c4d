"""Netlogs as Chrome writes them, cut down to what matters: for tests of what is read from them."""

from __future__ import annotations

import base64
import json
from typing import Any

NAMES = (
    "REQUEST_ALIVE URL_REQUEST_START_JOB HTTP_STREAM_REQUEST_BOUND_TO_JOB SOCKET_POOL_BOUND_TO_SOCKET TCP_CONNECT "
    "SOCKET_IN_USE SOCKET_BYTES_SENT SOCKET_BYTES_RECEIVED SOCKET_READ_ERROR SSL_CONNECT SSL_SOCKET_BYTES_SENT "
    "SSL_SOCKET_BYTES_RECEIVED HTTP_TRANSACTION_SEND_REQUEST_HEADERS HTTP_TRANSACTION_READ_RESPONSE_HEADERS "
    "WEBSOCKET_SENT_FRAME_HEADER WEBSOCKET_RECV_FRAME_HEADER WEBSOCKET_UPGRADE_FAILURE WEBSOCKET_INVALID_FRAME"
).split()
REQUEST, JOB, SOCKET = 10, 11, 12
OFFSET = 1795381680000
ANSWER = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Netlog:
    """A netlog of one WebSocket; ``raw`` is whether it was taken with the sockets' bytes, ``tls`` whether over TLS."""

    def __init__(self, *, raw: bool = True, tls: bool = False, url: str = "ws://h.test:8000/ws?a=1") -> None:
        self.raw, self.tls, self.url = raw, tls, url
        self.now = 1000
        self.events: list[dict[str, Any]] = []

    def add(self, source: int, name: str, phase: int = 0, **params: Any) -> None:
        """An event."""
        self.events.append(
            {
                "time": str(self.now),
                "type": NAMES.index(name) + 1,
                "source": {"id": source, "type": 1},
                "phase": phase,
                "params": params,
            }
        )

    def data(self, name: str, data: bytes) -> None:
        """Bytes on the socket; over TLS those that are not plain as well."""
        for kind, sent in [("SSL_", data), ("", b"\x17" + data)] if self.tls else [("", data)]:
            told = {"bytes": base64.b64encode(sent).decode()} if self.raw else {}
            self.add(SOCKET, f"{kind}SOCKET_BYTES_{name}", byte_count=len(sent), **told)

    def frame(self, sent: bool, opcode: int, data: bytes) -> None:
        """A frame, as the request's own events tell it and on the socket."""
        name = "WEBSOCKET_SENT_FRAME_HEADER" if sent else "WEBSOCKET_RECV_FRAME_HEADER"
        self.add(REQUEST, name, final=True, masked=sent, opcode=opcode, payload_length=len(data))
        mask = b"\x80" if sent else b"\x00"
        head = bytes([0x80 | opcode, mask[0] | len(data)]) + (bytes(4) if sent else b"")
        self.data("SENT" if sent else "RECEIVED", head + data)

    def ask(self) -> None:
        """The socket, and the request on it."""
        headers = ["Host: h.test:8000", "Upgrade: websocket", "Connection: Upgrade"]
        self.add(REQUEST, "REQUEST_ALIVE", 1, url=self.url)
        self.add(SOCKET, "TCP_CONNECT", 2, local_address="10.0.0.2:5000", remote_address="10.0.0.1:8000")
        if self.tls:
            self.add(SOCKET, "SSL_CONNECT", 2)
        self.add(JOB, "SOCKET_POOL_BOUND_TO_SOCKET", source_dependency={"id": SOCKET, "type": 9})
        self.add(REQUEST, "HTTP_STREAM_REQUEST_BOUND_TO_JOB", source_dependency={"id": JOB, "type": 17})
        self.add(REQUEST, "URL_REQUEST_START_JOB", 1, url=self.url)
        self.add(SOCKET, "SOCKET_IN_USE", 1)
        self.add(REQUEST, "HTTP_TRANSACTION_SEND_REQUEST_HEADERS", headers=headers)
        self.data("SENT", "\r\n".join(["GET /ws?a=1 HTTP/1.1", *headers, "", ""]).encode())
        self.now += 20

    def answer(self, text: str = ANSWER) -> None:
        """The response's head."""
        self.data("RECEIVED", text.encode())
        lines = text.strip().split("\r\n")
        self.add(REQUEST, "HTTP_TRANSACTION_READ_RESPONSE_HEADERS", headers=lines)
        if " 101 " in lines[0]:
            self.add(REQUEST, "URL_REQUEST_START_JOB", 2)

    def dump(self) -> bytes:
        """The file, one event a line."""
        constants = {
            "clientInfo": {"name": "Chromium", "version": "156"},
            "logEventTypes": {name: number for number, name in enumerate(NAMES, 1)},
            "netError": {"ERR_CONNECTION_RESET": -101, "ERR_CONNECTION_REFUSED": -102},
            "timeTickOffset": OFFSET,
        }
        lines = ",\n".join(json.dumps(event) for event in self.events)
        return f'{{"constants":{json.dumps(constants)},\n"events": [\n{lines}]}}\n'.encode()
