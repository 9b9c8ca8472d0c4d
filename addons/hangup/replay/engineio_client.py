"""Engine.IO (which carries Socket.IO) begins with HTTP: a session opened by polling is then upgraded to a WebSocket.

The polling is not in a recording of WebSockets, but the WebSocket's address has the id of the session that it made,
which a new server does not know. So a replay has to poll once, too. With Engine.IO 4 the client also asks over HTTP
to be connected to its namespace, unless it does so on the WebSocket.

Engine.IO 4 protocol: https://socket.io/docs/v4/engine-io-protocol/
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from msgspec import Struct

from hangup.errors import BackendError
from hangup.humanize import printable
from hangup.net.http_fetch import Fetched, fetch
from hangup.recording.events import Request
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.replayable.survey import query_of
from hangup.wire.url import Target

SEPARATOR = "\x1e"
_ONLY_WEBSOCKET = frozenset(("connection", "upgrade", "content-length", "host"))


PING, PONG = b"2", b"3"
"""Engine.IO 4's heartbeat, which the server begins."""

LATE = 1.0
"""Seconds within which a client that answers has answered."""


def answers_pings(transcript: Transcript) -> bool:
    """Whether the recorded client is of Engine.IO 4 and answers its server's pings, as any does unless that is what is
    wrong with it: then its replay does so too, also to pings that the recorded one never got, and whatever becomes of
    its other messages. Else the connection would end by a timeout that is the replay's own doing."""
    if query_of(transcript.survey.request.target).get("EIO") != "4":
        return False
    asked: float | None = None
    for step in transcript.steps():
        if type(step) is Hear and step.data == PING:
            if asked is not None:
                return False
            asked = step.at
        elif type(step) is Send and step.message == PONG:
            asked = None
    return asked is None or transcript.survey.over - asked <= LATE


class EngineIOSession(Struct):
    """A new session: its id, cookies to send with it, and the packets that came on opening it."""

    sid: str
    cookies: str
    packets: list[str]


class _Opened(Struct):
    sid: str


def with_session(request: Request, session: EngineIOSession) -> Request:
    """The request for the new session."""
    target = re.sub(r"([?&]sid=)[^&#]*", lambda found: found[1] + quote(session.sid, safe=""), request.target)
    headers = [pair for pair in request.headers if not session.cookies or pair[0].lower() != "cookie"]
    if session.cookies:
        headers.append(("Cookie", session.cookies))
    return Request(method=request.method, target=target, version=request.version, headers=headers)


async def open_session(
    request: Request, target: Target, host: str, *, context: ssl.SSLContext | None, timeout: float, join: bool
) -> EngineIOSession:
    """Opens a session by polling, as the client of this (upgrading) request must have; with ``join`` it also asks to
    be connected to the main namespace. Raises :class:`BackendError` when the server gives no session."""
    path = re.sub(r"transport=websocket", "transport=polling", request.target)
    path = re.sub(r"([?&])sid=[^&#]*&?", r"\1", path).rstrip("?&")
    headers = [("Host", host)]
    for name, value in request.headers:
        low = name.lower()
        if low not in _ONLY_WEBSOCKET and not low.startswith("sec-websocket"):
            headers.append((name, value))
    first = await fetch(target, "GET", path, headers, context=context, timeout=timeout)
    packets = _packets(first)
    if first.status != 200 or not packets or not packets[0].startswith("0{"):
        said = printable(first.body[:200].decode(errors="replace"), 120)
        raise BackendError(f"{target.origin}: no Engine.IO session by polling: HTTP {first.status} {said}".rstrip())
    try:
        sid = msgspec.json.decode(packets[0][1:].encode(), type=_Opened).sid
    except msgspec.MsgspecError:
        raise BackendError(f"{target.origin}: no Engine.IO session by polling: {printable(packets[0], 120)}") from None
    cookies = _cookies(request, first)
    session = EngineIOSession(sid, cookies, packets)
    if join and query_of(request.target).get("EIO") != "3":
        headers = [pair for pair in headers if not cookies or pair[0].lower() != "cookie"]
        headers += [("Cookie", cookies)] if cookies else []
        poll = f"{path}&sid={quote(sid, safe='')}"
        post = [*headers, ("Content-Type", "text/plain;charset=UTF-8")]
        await fetch(target, "POST", poll, post, b"40", context=context, timeout=timeout)
        answer = await fetch(target, "GET", poll, headers, context=context, timeout=timeout)
        session.packets += _packets(answer)
    return session


def _packets(fetched: Fetched) -> list[str]:
    """The packets of a payload: Engine.IO 4 separates them, Engine.IO 3 says the length of each."""
    text = fetched.body.decode(errors="replace")
    if not re.match(r"\d+:", text):
        return text.split(SEPARATOR)
    packets = []
    while found := re.match(r"(\d{1,9}):", text):
        end = found.end() + int(found[1])
        packets.append(text[found.end() : end])
        text = text[end:]
    return packets


def _cookies(request: Request, fetched: Fetched) -> str:
    """The recorded cookies and those that the server has set."""
    cookies: dict[str, str] = {}
    given: Sequence[str] = [v for name, v in request.headers if name.lower() == "cookie"]
    new = [v.partition(";")[0] for name, v in fetched.headers if name.lower() == "set-cookie"]
    if not new:
        return ""
    for pair in [*(part for line in given for part in line.split(";")), *new]:
        key, _, value = pair.strip().partition("=")
        cookies[key] = value
    return "; ".join(f"{key}={value}" for key, value in cookies.items())
