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
from contextlib import suppress
from typing import NamedTuple

import msgspec
from tornado import httputil
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets

from hangup.errors import ListenError
from hangup.net.accepting import Exhaustion, PatientSocket
from hangup.recorder.recorder import Recorder
from hangup.telemetry.exposition import Exposition
from hangup.telemetry.observer import Observer
from hangup.wire.url import is_loopback, parse_listen

logger = logging.getLogger(__name__)

PATHS = "/metrics, /healthz"


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

    def __init__(
        self, sockets: Sequence[socket.socket], observer: Observer, exhaustion: Exhaustion | None = None
    ) -> None:
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/metrics"
        self._local = is_loopback(host)
        self._observer = observer
        self._exposition = Exposition(observer)
        self._tasks: set[asyncio.Task[None]] = set()
        # Without tornado's handlers, which take twice as long as all that they would do here.
        self._server = HTTPServer(
            self._requested, max_body_size=1 << 12, idle_connection_timeout=120, body_timeout=10
        )
        self._server.add_sockets([PatientSocket.of(each, exhaustion) for each in sockets])

    async def close(self) -> None:
        """Ends it and its connections."""
        self._server.stop()
        await self._server.close_all_connections()

    def _requested(self, request: httputil.HTTPServerRequest) -> None:
        """tornado: a request has been read."""
        task = asyncio.get_running_loop().create_task(self._reply(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, request: httputil.HTTPServerRequest) -> None:
        try:
            status, kind, body = await self._answer(request)
        except Exception as error:  # the proxy goes on, whatever is wrong with a scrape
            logger.error("a request for metrics failed: %r", error)
            status, kind, body = _line(500, "internal error")
        headers = httputil.HTTPHeaders(
            {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )
        connection = request.connection
        assert connection is not None
        start = httputil.ResponseStartLine("HTTP/1.1", status, http.client.responses[status])
        with suppress(StreamClosedError):
            connection.write_headers(start, headers, b"" if request.method == "HEAD" else body)
            connection.finish()

    async def _answer(self, request: httputil.HTTPServerRequest) -> Answer:
        # Of a request without Host, tornado would say 127.0.0.1.
        host = httputil.split_host_and_port(request.headers.get("Host", "").lower())[0].strip("[]")
        if self._local and not is_loopback(host):
            return _line(403, "wrong Host header: this listens on loopback only")
        if request.method not in ("GET", "HEAD"):
            return _line(405, "only GET is answered")
        if request.path == "/metrics":
            body, kind = await self._exposition.answer(request.headers.get("Accept", ""))
            return Answer(200, kind, body)
        if request.path == "/healthz":
            body = msgspec.json.encode(health(self._observer.recorder, self._observer)) + b"\n"
            return Answer(200, "application/json", body)
        return _line(404, f"there is nothing here but {PATHS}")


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
