"""The web server of a running proxy, on its event loop: the control API, and what is routed in beside it.

Everything is below ``/hangup/``, for browsers at the page's home within it. :class:`Application` asks
:class:`~hangup.web.access.Access` before any handler is made, WebSockets and wrong paths included, so that no handler
can forget to. An answer of the API is JSON; a refusal or
an error is ``{"error": "one line"}``, and the body of a ``POST`` is JSON too::

    GET  api/status                 what runs, and how much it has seen
    GET  api/connections?after=N    sums of connections N+1 to N+1000
    GET  api/recording              the file's path and size
    GET  api/filters                {"filters": [{"id", "name", "filter", "on", "hits"}]}
    POST api/filters/add            {"filter": TEXT, "on": true}
    POST api/filters/on             {"filter": TEXT, NAME or ID}; likewise off and remove
    POST api/filters/clear          {}
    POST api/link                   {"link": a URL that lets a browser in once}, of the proxy's own user

What is changed by a browser, with its cookie, may not contain a ``script``. Beside these there are the page and what it
asks of the recording (:mod:`hangup.web.pages`), downloads, and the live socket.
"""

from __future__ import annotations

import errno
import http.client
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import msgspec
from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from hangup.errors import ControlError, HangupError, ListenError, UsageError
from hangup.net.accepting import Exhaustion, PatientSocket
from hangup.net.peer_user import is_foreign
from hangup.web.access import BASE, Access, Refusal
from hangup.web.control import MOST, Action, FilterRequest, ProxyControl
from hangup.wire.url import is_loopback

T = TypeVar("T")

BODY_LIMIT = 1 << 16
"""Bytes that a request's body may have."""

SKIPPED = 1 << 20
"""Bytes of the body of a refused request that are waited for before it is answered."""

FIRST_PORT = 9001
PORTS_TRIED = 100

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Route = tuple[str, type[web.RequestHandler], dict[str, Any]]
"""A regular expression for what follows ``/hangup/``, a handler, and the arguments of its ``initialize``."""


def bind(host: str, port: int | None, avoid: int = 0) -> list[socket.socket]:
    """Sockets that listen on ``host``; without a port, on the first free one from 9001 (but for ``avoid``).

    Raises :class:`UsageError` for a host that is not loopback, :class:`ListenError` for a port that is taken.
    """
    name = "127.0.0.1" if host == "localhost" else host
    if not is_loopback(name):
        raise UsageError(f"--web listens on loopback only (127.0.0.1 or ::1), not on {host}")
    ports = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
    for each in ports:
        if port is None and each == avoid:
            continue
        try:
            return bind_sockets(each, name)
        except OSError as error:
            if port is not None or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                problem = "is taken by another program" if error.errno == errno.EADDRINUSE else error.strerror
                raise ListenError(
                    f"{host}:{each} {problem} (choose another with --web HOST:PORT, or --no-web)"
                ) from None
    return bind_sockets(0, name)


class Server:
    """The server, within a running event loop, from now until :meth:`close`; ``sockets`` are from :func:`bind`.

    ``routes`` are added to the API's, which there is only with a ``control``. Handlers find ``access`` and ``control``
    in ``self.settings``. ``exhaustion`` is told when no connection can be accepted.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        access: Access,
        control: ProxyControl | None = None,
        routes: Sequence[Route] = (),
        exhaustion: Exhaustion | None = None,
    ) -> None:
        self.access = access
        self.control = control
        self.routes: list[Route] = [*ENTRANCE, *(API if control is not None else ()), *routes]
        rules = [(BASE + path, handler, arguments) for path, handler, arguments in self.routes]
        application = Application(
            [("/", _Home, {}), *rules],
            default_handler_class=_Unknown,
            log_function=lambda handler: None,
            websocket_max_message_size=BODY_LIMIT,
            access=access,
            control=control,
        )
        self._server = HTTPServer(
            application, max_body_size=BODY_LIMIT, max_header_size=1 << 15, idle_connection_timeout=60, body_timeout=10
        )
        self._server.add_sockets([PatientSocket.of(each, exhaustion) for each in sockets])

    async def close(self) -> None:
        """Ends it and its connections."""
        self._server.stop()
        await self._server.close_all_connections()


class Application(web.Application):
    """Lets nothing through to a handler that :class:`Access` refuses, or whose body is too large or no JSON."""

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
        """tornado: a request's head has been read, and nothing of its body."""
        access: Access = self.settings["access"]
        refusal = access.refuse(request.method or "", request.path, request.headers) or _body_refusal(request.headers)
        request.path = access.route(request.path)
        if refusal is not None:
            return _Refused(request, refusal)
        return super().find_handler(request, **kwargs)


def _body_refusal(headers: httputil.HTTPHeaders) -> Refusal | None:
    if "Transfer-Encoding" in headers:
        return Refusal(411, "a body needs its Content-Length")
    length = headers.get("Content-Length", "0")
    if length.isdecimal() and int(length[:20]) > BODY_LIMIT:
        return Refusal(413, f"a body has at most {BODY_LIMIT} bytes")
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if length != "0" and kind != "application/json":
        return Refusal(415, "a body must be application/json")
    return None


class _Refused(httputil.HTTPMessageDelegate):
    """Answers once the body has passed by, unread: to close earlier would reset the connection, and the client might
    never learn why. For a body that is much too large, at once."""

    def __init__(self, request: httputil.HTTPServerRequest, refusal: Refusal) -> None:
        self.request = request
        self.refusal = refusal
        self._answered = False

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        """tornado: here is the head."""
        connection: Any = self.request.connection
        connection.set_max_body_size(SKIPPED)
        length = headers.get("Content-Length", "0")
        if length.isdecimal() and int(length[:20]) > SKIPPED:
            connection.set_max_body_size(1 << 62)  # the connection is closed before that
            self.finish()

    def finish(self) -> None:
        """tornado: all has been read."""
        if self._answered:
            return
        self._answered = True
        status, kind = self.refusal.status, "application/json"
        body = msgspec.json.encode({"error": self.refusal.error})
        if status == 401 and self.request.path == BASE and "text/html" in self.request.headers.get("Accept", ""):
            kind, body = "text/html; charset=utf-8", f"{_HEAD}<p>{_SHUT}".encode()
        headers = httputil.HTTPHeaders({**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))})
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        connection = self.request.connection
        assert connection is not None
        reason = http.client.responses.get(status, "Refused")
        start = httputil.ResponseStartLine("HTTP/1.1", status, reason)
        connection.write_headers(start, headers, b"" if self.request.method == "HEAD" else body)
        connection.finish()


class Secured(web.RequestHandler):
    """A handler whose every answer has :data:`HEADERS`."""

    @property
    def access(self) -> Access:
        """Who may."""
        access: Access = self.settings["access"]
        return access

    @property
    def control(self) -> ProxyControl:
        """The running proxy."""
        control: ProxyControl = self.settings["control"]
        return control

    def set_default_headers(self) -> None:
        """tornado: a response begins."""
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)


    def log_exception(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """tornado: a handler raised. A request that was wrong is told to who sent it, not to the terminal."""
        if not (isinstance(error, web.HTTPError) and error.status_code < 500):
            super().log_exception(kind, error, trace)


class JsonHandler(Secured):
    """JSON in and out, errors included."""

    @property
    def has_token(self) -> bool:
        """Whether a program asks, with the token, and no browser."""
        return "Authorization" in self.request.headers  # a wrong one would not have come here

    def give(self, value: Any) -> None:
        """Answers with this, as JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(value))

    def fail(self, status: int, error: str) -> None:
        """Answers with an error."""
        self.set_status(status)
        self.give({"error": error})

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """tornado: a handler raised."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        text = error.log_message % error.args if isinstance(error, web.HTTPError) and error.log_message else None
        self.fail(status_code, text or http.client.responses.get(status_code, "error").lower())

    def body(self, kind: type[T]) -> T:
        """The request's body, as one of these."""
        try:
            return msgspec.json.decode(self.request.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise web.HTTPError(400, f"the body is not valid: {error}") from None

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        text = self.get_query_argument(name, "") or str(default)
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise web.HTTPError(400, f"{name} must be a number")
        return int(text)


class _Home(Secured):
    def get(self) -> None:
        self.redirect(BASE)


class _Unknown(JsonHandler):
    def prepare(self) -> None:
        self.fail(404, "there is nothing here")


class _Status(JsonHandler):
    def get(self) -> None:
        self.give(self.control.status())


class _Connections(JsonHandler):
    def get(self) -> None:
        self.give({"connections": self.control.connections(self.number("after", 0), self.number("limit", MOST))})


class _Recording(JsonHandler):
    def get(self) -> None:
        self.give(self.control.recording())


class _Filters(JsonHandler):
    def get(self) -> None:
        self.give({"filters": self.control.describe()})


class _FilterChange(JsonHandler):
    def post(self, action: str) -> None:
        try:
            change = msgspec.json.decode(self.request.body, type=FilterRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.fail(400, f'the body must be like {{"filter": "drop-heartbeat"}}: {error}')
            return
        try:
            changed = self.control.change(cast(Action, action), change, trusted=self.has_token)
        except ControlError as error:
            self.fail(503, str(error))
        except HangupError as error:
            self.fail(400, str(error))
        else:
            self.give({"changed": changed, "filters": self.control.describe()})


class _Link(JsonHandler):
    def post(self) -> None:
        self.give({"link": self.access.link()})


_HEAD = '<!doctype html><title>hangup</title><link rel="icon" href="data:,">'
"""Without an icon the browser would ask for one where nobody gets in."""

_SHUT = "Open this page with the link that hangup printed. The link works once, for one browser."
_USED = (
    "A link works only once, and this one has been used. "
    'The browser that used it finds the page <a href=".">here</a>; <code>hangup open --live</code> '
    "makes one for another browser, <code>hangup open RECORDING</code> shows what is recorded."
)

_FOREIGN = "This link works only for the user who runs hangup."


class _Open(Secured):
    """The one-time link: a cookie for its key, then on to the page.

    By an answer of its own and not by a redirect: a browser that came from another site's link would not send the
    cookie on along a redirect, as it is SameSite=Strict.
    """

    def get(self) -> None:
        key = self.get_query_argument("key", "") or ""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        if self.access.leads_in(key) and self._is_foreign():
            self.set_status(403)
            self.finish(f"{_HEAD}<p>{_FOREIGN}")
            return
        cookie = self.access.redeem(key)
        if cookie is not None:
            self.set_header("Set-Cookie", cookie)
        elif not self.access.knows(self.request.headers.get("Cookie", "")):
            self.set_status(401)
            self.finish(f"{_HEAD}<p>{_USED}")
            return
        self.finish(f'{_HEAD}<meta http-equiv="refresh" content="0; url={self.access.home}">')

    def _is_foreign(self) -> bool:
        """Whether another user of this machine has come, who may have read the link in the list of its programs."""
        connection: Any = self.request.connection
        stream = connection.stream
        with suppress(OSError, AttributeError):  # it is gone already
            return is_foreign(stream.socket.getpeername()[:2], stream.socket.getsockname()[:2])
        return True


ENTRANCE: list[Route] = [("open", _Open, {})]
API: list[Route] = [
    ("api/status", _Status, {}),
    ("api/connections", _Connections, {}),
    ("api/recording", _Recording, {}),
    ("api/filters", _Filters, {}),
    ("api/filters/(add|on|off|remove|clear)", _FilterChange, {}),
    ("api/link", _Link, {}),
]
