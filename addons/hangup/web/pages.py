"""The page: its files, and what it asks of the recording.

Everything that it shows of traffic comes from the recording's file, read by :class:`~hangup.web.worker.Worker` in a
process of its own. The files in ``page/`` are sent as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tornado import web

from hangup.errors import ControlError
from hangup.web.queries import QUERIES
from hangup.web.server import HEADERS, JsonHandler, Route, Secured
from hangup.web.worker import Worker
from hangup.wire.url import Target

FOLDER = Path(__file__).parent / "page"
"""Where the page's files are."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ts": "text/plain; charset=utf-8",  # declarations, for the type checker
    "": "text/plain; charset=utf-8",  # licences
}
"""The files that are sent, by suffix."""

LONGEST = 200
"""Characters of a file's name; what is much longer no system can even look for."""

FILE = r"page/((?:\w[\w.-]*/)*\w[\w.-]*)"
_SOURCE = re.compile(r"wss?://[A-Za-z0-9.-]+(?::\d{1,5})?")


class PageFile(Secured):
    """A file of the page. ``connect`` are the addresses besides its own that the document may open WebSockets to."""

    def initialize(self, connect: str = "") -> None:
        """tornado: a request for this route."""
        self._connect = connect

    def get(self, name: str = "index.html") -> None:
        """Sends it."""
        path = FOLDER / name
        kind = TYPES.get(path.suffix)
        if kind is None or len(name) > LONGEST or not path.is_file():
            raise web.HTTPError(404)
        self.set_header("Content-Type", kind)
        if self._connect:
            policy = HEADERS["Content-Security-Policy"]
            self.set_header(
                "Content-Security-Policy", policy.replace("connect-src 'self'", f"connect-src 'self' {self._connect}")
            )
        self.finish(path.read_bytes())


class QueryHandler(JsonHandler):
    """A query of :mod:`hangup.web.queries`."""

    def initialize(self, worker: Worker, query: str) -> None:
        """tornado: a request for this route."""
        self._worker = worker
        self._query = query

    async def get(self) -> None:
        """Passes it on, and the answer back."""
        given = {name: self.get_query_argument(name, "") or "" for name in self.request.query_arguments}
        try:
            status, body = await self._worker.ask(self._query, given)
        except ControlError as error:
            self.fail(503, str(error))
            return
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(body)


def sources(listen: str, target: Target | None) -> list[str]:
    """Where Test Connection goes: the proxy's own addresses (``listen`` is ``HOST:PORT``), and the target's."""
    found = []
    host, _, port = listen.rpartition(":")
    if host:
        local = host in ("127.0.0.1", "0.0.0.0", "[::]", "[::1]")
        found = [f"ws://{name}:{port}" for name in (["127.0.0.1", "localhost"] if local else [host])]
    if target is not None:
        found.append(f"{'wss' if target.secure else 'ws'}://{target.authority}")
    return found


def routes(worker: Worker, connect: Iterable[str] = ()) -> list[Route]:
    """The page and its queries. ``connect`` are ``ws://HOST:PORT``; what the policy's grammar has no place for (an
    address of IPv6) is left out."""
    allowed = dict.fromkeys(source for source in connect if _SOURCE.fullmatch(source))
    document: dict[str, Any] = {"connect": " ".join(allowed)}
    return [
        ("", PageFile, document),
        (FILE, PageFile, {}),
        *((f"api/{name}", QueryHandler, {"worker": worker, "query": name}) for name in QUERIES),
    ]
