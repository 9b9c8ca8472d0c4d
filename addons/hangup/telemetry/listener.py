"""Where a running proxy is scraped and asked how it is: ``/metrics`` and ``/healthz``, for programs only.

On loopback, the ``Host`` of a request must be a name of loopback: any page in a browser can send requests there, by DNS
rebinding under a name of its own, and would read the answer. No answer has a header that lets other pages read it.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import logging
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from tornado.netutil import bind_sockets

from hangup.errors import ListenError
from hangup.recorder.recorder import Recorder
from hangup.telemetry.exposition import Exposition
from hangup.telemetry.observer import Observer
from hangup.wire.url import is_loopback, parse_listen

logger = logging.getLogger(__name__)

PATHS = "/metrics, /healthz"

HEAD_LIMIT = 1 << 14
REQUEST_LIMIT = 1 << 16
"""Bytes of a request's head, and of all that comes before it is answered."""

IDLE = 120.0
"""Seconds that a connection may take to ask."""


def bind(address: str) -> list[socket.socket]:
    """Sockets that listen there (``HOST:PORT``). Raises :class:`UsageError` and :class:`ListenError`."""
    host, port = parse_listen(address)
    try:
        return bind_sockets(port, "127.0.0.1" if host == "localhost" else host)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is taken by another program" if taken else f"cannot be listened on: {error.strerror or error}"
        raise ListenError(f"--metrics: {host}:{port} {why}") from None


class Answer(NamedTuple):
    """What is answered: HTTP status, Content-Type and body."""

    status: int
    kind: str
    body: bytes


class Listener:
    """Answers on ``sockets`` (from :func:`bind`) within a running event loop, until :meth:`close`."""

    def __init__(self, sockets: Sequence[socket.socket], observer: Observer) -> None:
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/metrics"
        self.connections: set[_Connection] = set()
        self._local = is_loopback(host)
        self._observer = observer
        self._exposition = Exposition(observer)
        self._serving = asyncio.get_running_loop().create_task(self._serve(sockets))

    async def _serve(self, sockets: Sequence[socket.socket]) -> list[asyncio.Server]:
        loop = asyncio.get_running_loop()
        return [await loop.create_server(lambda: _Connection(self), sock=each) for each in sockets]

    async def close(self) -> None:
        """Ends it and its connections."""
        for server in await self._serving:
            server.close()
        for connection in list(self.connections):
            connection.close()

    async def answer(self, request: Any) -> Answer:
        """What is said to a request, of h11's."""
        headers = {name: value.decode("latin-1") for name, value in request.headers}
        host = headers.get(b"host", "").lower()
        if self._local and not is_loopback(_without_port(host)):
            return _line(403, "wrong Host header: this listens on loopback only")
        if request.method not in (b"GET", b"HEAD"):
            return _line(405, "only GET is answered")
        path = request.target.partition(b"?")[0]
        if path == b"/metrics":
            body, kind = await self._exposition.answer(headers.get(b"accept", ""))
            return Answer(200, kind, body)
        if path == b"/healthz":
            body = msgspec.json.encode(health(self._observer.recorder, self._observer)) + b"\n"
            return Answer(200, "application/json", body)
        return _line(404, f"there is nothing here but {PATHS}")


class _Connection(asyncio.Protocol):
    """One connection of a scraper. A web server would do all of this, in several times the processor time: ten scrapes
    a second are to cost the proxy next to nothing."""

    def __init__(self, listener: Listener) -> None:
        import h11

        self._listener = listener
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._request: Any = None
        self._reply: asyncio.Task[None] | None = None
        self._got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it is accepted."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._listener.connections.add(self)
        self._patience = self._loop.call_later(IDLE, self.close)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: it is over."""
        self._listener.connections.discard(self)
        self._patience.cancel()

    def data_received(self, data: bytes) -> None:
        """asyncio: something has come; nothing more will, until it has been answered."""
        self._got += len(data)
        if self._got > REQUEST_LIMIT:
            self.close()
            return
        self._http.receive_data(data)
        self._read()

    def close(self) -> None:
        """Ends it."""
        self._transport.close()

    def _read(self) -> None:
        import h11

        try:
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Request):
                    self._request = event
                elif isinstance(event, h11.EndOfMessage):
                    self._transport.pause_reading()
                    self._patience.cancel()
                    self._reply = self._loop.create_task(self._answer())
                    return
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    self.close()
                    return
        except h11.RemoteProtocolError as error:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._send(_line(error.error_status_hint, "this is no request"))
            self.close()

    async def _answer(self) -> None:
        import h11

        try:
            said = await self._listener.answer(self._request)
        except Exception as error:  # the proxy goes on, whatever is wrong with a scrape
            logger.error("a request for metrics failed: %r", error)
            said = _line(500, "internal error")
        if self._transport.is_closing():
            return
        self._send(said)
        if self._http.our_state is not h11.DONE:
            self.close()
            return
        self._http.start_next_cycle()
        self._got = 0
        self._patience = self._loop.call_later(IDLE, self.close)
        self._transport.resume_reading()
        self._read()

    def _send(self, said: Answer) -> None:
        import h11

        headers = [
            ("Content-Type", said.kind),
            ("Content-Length", str(len(said.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        send = self._http.send
        head = send(h11.Response(status_code=said.status, headers=headers, reason=http.client.responses[said.status]))
        body = b"" if self._request is not None and self._request.method == b"HEAD" else send(h11.Data(data=said.body))
        self._transport.write(b"".join([head or b"", body or b"", send(h11.EndOfMessage()) or b""]))


def _without_port(host: str) -> str:
    """The name or address in a ``Host`` header."""
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    return name


def _line(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def health(recorder: Recorder, observer: Observer) -> dict[str, object]:
    """How it is. Whoever answers this passes traffic on, too. That goes on where the recording cannot be written, so
    no answer asks for a restart: that would end every connection."""
    outage = recorder.journal.outage
    return {
        "status": "ok",
        "recording": f"cannot be written: {outage}" if outage else "ok",
        "lost": recorder.lost,
        "open": observer.totals.open().total(),
    }
