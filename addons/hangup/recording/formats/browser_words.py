"""What Chromium says of a WebSocket that failed, as in its console: who is to blame for what, as far as it tells.

The words are Chromium's own (net/websockets and third_party/blink/renderer/modules/websockets). What is not recognised
is handed on as it is.
"""

from __future__ import annotations

import re

from msgspec import Struct

from hangup.humanize import printable
from hangup.recording.events import Side
from hangup.unreachable import LATE, NO_HOST, NO_NETWORK, NO_ROUTE, REFUSED

_STATUS = re.compile(r"Unexpected response code: (\d{3})\b")
_NET = re.compile(r"net::ERR_[A-Z0-9_]+")
_GIVEN_UP = re.compile(r"closed before the connection (?:is|was) established", re.I)
_UNANSWERED = re.compile(r"handshake timed out", re.I)

_REASONS = (
    ("REFUSED", REFUSED),
    ("NAME_NOT_RESOLVED", NO_HOST),
    ("NAME_RESOLUTION", NO_HOST),
    ("TIMED_OUT", LATE),
    ("ADDRESS_UNREACHABLE", NO_ROUTE),
    ("INTERNET_DISCONNECTED", NO_NETWORK),
    ("CERT_", "its certificate was not accepted"),
    ("SSL_", "it does not speak TLS as the browser does"),
)
_BROWSERS_OWN = ("UNSAFE_PORT", "BLOCKED_BY", "DISALLOWED")
_CUT = ("CONNECTION_RESET", "CONNECTION_CLOSED", "CONNECTION_ABORTED", "EMPTY_RESPONSE", "SOCKET_NOT_CONNECTED")


class Failure(Struct, frozen=True):
    """What a browser's words tell. ``status`` is what the server answered the handshake, ``error`` why there was no
    answer to it that the browser took; ``sentence`` is how an open connection ended, and ``by`` by which side."""

    status: int | None = None
    error: str = ""
    sentence: str = ""
    by: Side | None = None


def failure(words: str) -> Failure:
    """What is told by the ``words`` that a browser has for a connection that failed."""
    said = printable(words, 300)
    if found := _STATUS.search(words):
        return Failure(status=int(found[1]), sentence=f"the browser said: {said}")
    code = _NET.search(words)
    if code is None:
        # All else is what the browser itself objects to: to the answer, to a frame, to a page that has gone.
        if _GIVEN_UP.search(words):
            return Failure(error=f"the client closed it before it was open: {said}", sentence=said, by="client")
        if _UNANSWERED.search(words):
            return Failure(error=f"{LATE} ({said})", sentence=said)
        if "handshake" in words.lower():
            return Failure(error=f"the client did not accept the answer: {said}", sentence=said, by="client")
        return Failure(error=said, sentence=f"the client failed the connection: {said}", by="client")
    name = code[0].removeprefix("net::ERR_")
    sentence = f"the connection failed; the browser does not say on which side: {said}"
    if name.startswith(_BROWSERS_OWN):
        return Failure(error=f"the client did not connect: {said}", sentence=said, by="client")
    if name in _CUT:
        return Failure(error=f"the connection was cut before the handshake was answered: {said}", sentence=sentence)
    plain = next((plain for part, plain in _REASONS if part in name), "")
    return Failure(error=f"{plain} ({said})" if plain else said, sentence=sentence)
