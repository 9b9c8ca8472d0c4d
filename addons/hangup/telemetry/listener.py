"""Where a running proxy is scraped and asked how it is: ``/metrics`` and ``/healthz``, for programs only.

On loopback, the ``Host`` of a request must be a name of loopback: any page in a browser can send requests there, by DNS
rebinding under a name of its own, and would read the answer. No answer has a header that lets other pages read it.
"""

from __future__ import annotations

import errno
import http.client
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from hangup.errors import ListenError
from hangup.net.accepting import Exhaustion, PatientSocket
from hangup.recorder.recorder import Recorder
from hangup.telemetry.exposition import Exposition
from hangup.telemetry.observer import Observer
from hangup.wire.url import is_loopback, parse_listen

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


class Listener:
    """Answers on ``sockets`` (from :func:`bind`) within a running event loop, until :meth:`close`."""

    def __init__(
        self, sockets: Sequence[socket.socket], observer: Observer, exhaustion: Exhaustion | None = None
    ) -> None:
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/metrics"
        application = web.Application(
            [
                ("/metrics", _Metrics, {"exposition": Exposition(observer)}),
                ("/healthz", _Health, {"observer": observer}),
            ],
            default_handler_class=_Nothing,
            log_function=lambda handler: None,
            local=is_loopback(host),
        )
        self._server = HTTPServer(application, max_body_size=1 << 12, idle_connection_timeout=120, body_timeout=10)
        self._server.add_sockets([PatientSocket.of(each, exhaustion) for each in sockets])

    async def close(self) -> None:
        """Ends it and its connections."""
        self._server.stop()
        await self._server.close_all_connections()


class _Handler(web.RequestHandler):
    def set_default_headers(self) -> None:
        """tornado: a response begins."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        """tornado: a request has been read."""
        said = self.request.headers.get("Host", "")  # of a request without it, tornado would say 127.0.0.1
        name = httputil.split_host_and_port(said.lower())[0].strip("[]")
        if self.settings["local"] and not is_loopback(name):
            self.say(403, "wrong Host header: this listens on loopback only")

    def say(self, status: int, text: str) -> None:
        """Answers with one line."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text + "\n")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """tornado: a handler raised."""
        self.say(status_code, http.client.responses.get(status_code, "error").lower())


class _Metrics(_Handler):
    def initialize(self, exposition: Exposition) -> None:
        """tornado: with the rule's arguments."""
        self.exposition = exposition

    async def get(self) -> None:
        text, kind = await self.exposition.answer(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", kind)
        self.finish(text)

    head = get


class _Health(_Handler):
    def initialize(self, observer: Observer) -> None:
        """tornado: with the rule's arguments."""
        self.observer = observer

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(health(self.observer.recorder, self.observer)) + b"\n")

    head = get


class _Nothing(_Handler):
    def prepare(self) -> None:
        """tornado: a request has been read."""
        super().prepare()
        if not self._finished:
            self.say(404, f"there is nothing here but {PATHS}")


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
