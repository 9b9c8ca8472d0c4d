"""What an HTTP status means when it answers a WebSocket handshake, in words.

A page's script never sees the status (``onclose`` says 1006), so this is where it is explained. What
frameworks answer was measured: uvicorn 0.54, hypercorn 0.18, daphne 4.2, aiohttp 3.14, tornado 6.6, npm
ws 8.23, websockets 17.4.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

_TEXTS: dict[int, str] = {
    200: "an ordinary page, not a WebSocket: the path is served as plain HTTP (often a front-end's "
    "index.html), or a proxy on the way removed the Upgrade header",
    400: "the request was not recognised as a handshake. Usual causes: a proxy on the way removed the Upgrade or "
    "Connection header, a wrong Sec-WebSocket-Key or version, a path that npm ws does not serve, and with "
    "Socket.IO a wrong EIO version or a session that another worker holds",
    401: "log in first. Browsers cannot set Authorization on a WebSocket: use a cookie, the query or a first "
    "message",
    403: "refused. uvicorn answers this way for an unknown path (even one slash too many), for a path "
    "parameter that fails validation, and for close() before accept(), whatever its code; Tornado, "
    "Channels, Rails and development servers for an Origin or Host that they do not know",
    404: "nothing at this path. Or uvicorn has no WebSocket library: its log then says 'No supported "
    "WebSocket library detected'",
    405: "the path exists, but not for GET",
    407: "a proxy on the way asks for credentials",
    408: "the server waited too long for the request",
    421: "this server does not serve that host",
    426: "the server wants an upgrade that it did not find: a proxy on the way removed the Upgrade "
    "header, or the server speaks another version",
    429: "too many connections or requests: slow down",
    431: "the request's headers are too large: too many cookies, or a long token",
    500: "the handler failed before it accepted, or returned without accepting; Channels does this "
    "when no route matches the path. The backend's log has the traceback",
    501: "the server does not do this",
    502: "a proxy on the way could not reach the backend, or the backend dropped the connection "
    "without an answer",
    503: "overloaded, or not ready yet",
    504: "a proxy on the way waited too long for the backend: the handler did not accept in time",
}

_BY_SERVER: dict[tuple[str, int], str] = {
    (
        "uvicorn",
        403,
    ): "uvicorn answers this way when no WebSocket route matches the path (even one slash too many), when a "
    "path parameter fails validation, and for close() before accept(), whatever its code",
    (
        "uvicorn",
        404,
    ): "uvicorn serves this path as plain HTTP only, because it has no WebSocket library: its log "
    "then says 'No supported WebSocket library detected'",
    ("uvicorn", 500): "the handler raised, or returned, before accept(): the traceback is in uvicorn's log",
    ("daphne", 500): "no Channels route matches the path, or the consumer raised before accept()",
}


def explain_status(status: int | None, get_all: Callable[[str], list[str]] = lambda name: []) -> str:
    """One line about ``status`` (None: no answer came). ``get_all(name)`` gives the answer's headers."""
    if status is None:
        return "no answer"
    if status == 101:
        return "101 Switching Protocols"
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    if status in (301, 302, 303, 307, 308):
        return f"{title}: {_redirect(get_all('Location'))}"
    servers = (name.partition("/")[0].lower() for name in get_all("Server"))
    precise = next((_BY_SERVER[name, status] for name in servers if (name, status) in _BY_SERVER), None)
    text = precise or _TEXTS.get(status)
    if status == 426 and (versions := get_all("Sec-WebSocket-Version")):
        text = f"{text}: Sec-WebSocket-Version {', '.join(versions)}"
    return f"{title}: {text or 'not a 101, so no WebSocket'}"


def _redirect(location: list[str]) -> str:
    where = f" to {location[0]}" if location else ""
    why = "often a slash at the end of the path, or http to https"
    return (
        f"a redirect{where}, which browsers do not follow for a WebSocket ({why}): use the final address"
    )
