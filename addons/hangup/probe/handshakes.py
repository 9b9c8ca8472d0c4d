"""The handshake alone, as a careful ``curl`` would do it: ask, judge the answer, and leave politely.

The same handshake is done twice, with an ``Origin`` as a browser sends it and without, since many a server
looks at nothing else. No redirect is followed: no browser follows one for a WebSocket.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct, field

from hangup.errors import BackendError
from hangup.humanize import duration, printable_bytes
from hangup.net.connect import connect, hang_up, reason, tls_context
from hangup.probe.open_connection import OpenConnection
from hangup.recording.events import Request, Response
from hangup.wire import deflate, handshake
from hangup.wire.handshake import Check
from hangup.wire.http_head import parse_response, request_head, split_head
from hangup.wire.url import Target, host_header

HEAD_LIMIT = 1 << 16
BODY_LIMIT = 2048
BODY_WAIT = 1.0
"""Seconds to wait for the body of a refusal; what has come by then is shown."""
LINGER = 0.25
"""Seconds to listen after the 101 before we close: a server that hangs up at once is worth a line."""


class ProbeSettings(Struct, kw_only=True):
    """What to ask. ``headers`` take the place of ours of the same name, and an empty value removes one.

    ``origin`` is what is sent in the first of the two handshakes (None: the target's own; empty: no Origin, and
    one handshake only). ``ca`` is a file of trusted certificates (PEM), ``timeout`` the seconds from connecting to the
    end of the answer's head.
    """

    target: Target
    headers: Sequence[tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    origin: str | None = None
    insecure: bool = False
    ca: Path | None = None
    timeout: float = 10.0


class Attempt(Struct, kw_only=True):
    """One handshake. ``error`` says why there is no ``response``; ``waited`` are the seconds from the request to
    either. ``after`` says in words what the server did once the connection was open, before we closed it; with
    ``hung_up`` its last line says how the server ended it at once."""

    origin: str | None
    request: Request
    response: Response | None = None
    error: str = ""
    timed_out: bool = False
    waited: float = 0.0
    tls: str = ""
    checks: list[Check] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    hung_up: bool = False

    @property
    def status(self) -> int | None:
        """The answer's HTTP status, None without an answer."""
        return self.response.status if self.response else None

    @property
    def outcome(self) -> str:
        """The status, in words."""
        return str(self.status) if self.status is not None else "no valid answer"

    def summary(self) -> dict[str, object]:
        """For JSON."""
        request, response = self.request, self.response
        asked = {"method": request.method, "target": request.target, "headers": request.headers}
        answered = response and {
            "status": response.status,
            "reason": response.reason,
            "headers": response.headers,
            "text": response.text,
        }
        return {
            "origin": self.origin,
            "request": asked,
            "response": answered,
            "error": self.error,
            "waited": round(self.waited, 6),
            "tls": self.tls,
            "checks": [check._asdict() for check in self.checks],
            "after": self.after,
            "hung_up": self.hung_up,
        }


class ProbeReport(Struct):
    """The handshake with an Origin (the first of ``attempts``) and without, and ``checks`` on both."""

    attempts: list[Attempt]
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def summary(self, url: str) -> dict[str, object]:
        """For JSON. ``checks`` are those on the first attempt and ``origin``; times in seconds."""
        return {
            "url": url,
            "ok": self.ok,
            "checks": [check._asdict() for check in self.checks],
            "attempts": [attempt.summary() for attempt in self.attempts],
        }


async def probe(settings: ProbeSettings) -> ProbeReport:
    """Does the handshake. Raises :class:`BackendError` when no connection can be made, and
    :class:`UsageError` when the CA file cannot be used."""
    target = settings.target
    context = tls_context(insecure=settings.insecure, ca=settings.ca) if target.secure else None
    given = [value for name, value in settings.headers if name.lower() == "origin"]
    origin = _own_origin(target) if settings.origin is None else settings.origin
    origin = given[-1] if given else origin
    first = await _attempt(settings, context, origin or None, listen=True)
    attempts, checks = [first], list(first.checks)
    if origin and not first.timed_out:
        try:
            second = await _attempt(settings, context, None, listen=False)
        except BackendError as error:
            checks.append(Check("origin", True, f"could not be tried without an Origin: {error}"))
        else:
            attempts.append(second)
            checks.append(_judge_origin(first, second))
    return ProbeReport(attempts, checks)


def _judge_origin(first: Attempt, second: Attempt) -> Check:
    ours, theirs = f"{first.outcome} with Origin {first.origin}", f"{second.outcome} without"
    if first.outcome == second.outcome:
        open_ = first.status == 101
        meaning = "" if open_ else ": the Origin is not the reason"
        return Check("origin", True, f"{ours}, and {theirs}{meaning}")
    if first.status == 101:
        return Check("origin", True, f"{ours}, {theirs}: a client that is not a browser must send one too")
    if second.status == 101:
        return Check("origin", False, f"{ours}, {theirs}: the server refuses pages of this origin")
    return Check("origin", False, f"{ours}, {theirs}: the Origin changes the answer")


# Asking.


def request_for(settings: ProbeSettings, origin: str | None) -> Request:
    """The request, with a fresh random key."""
    target = settings.target
    headers = [
        ("Host", host_header(target)),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", handshake.key_from(secrets.token_bytes(16))),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ]
    if settings.subprotocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(settings.subprotocols)))
    own = [(name, value) for name, value in settings.headers if name.lower() != "origin"]
    replaced = {name.lower() for name, _ in own}
    headers = [(name, value) for name, value in headers if name.lower() not in replaced]
    if origin is not None:
        headers.append(("Origin", origin))
    headers += [(name, value) for name, value in own if value]
    path = target.path if target.path.startswith("/") else "/" + target.path
    return Request(
        method="GET", target=quote(path, safe="%/?:@!$&'()*+,;=~[]|", errors="surrogateescape"), headers=headers
    )


def _own_origin(target: Target) -> str:
    return f"{'https' if target.secure else 'http'}://{host_header(target)}"


async def _attempt(
    settings: ProbeSettings, context: ssl.SSLContext | None, origin: str | None, *, listen: bool
) -> Attempt:
    attempt = Attempt(origin=origin, request=request_for(settings, origin))
    deadline = asyncio.get_running_loop().time() + settings.timeout
    reader, writer = await connect(settings.target, context, timeout=settings.timeout, limit=HEAD_LIMIT)
    try:
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        attempt.tls = (tls.version() or "") if tls else ""
        began = time.perf_counter()
        rest = await _exchange(attempt, reader, writer, deadline, settings)
        attempt.waited = time.perf_counter() - began
        if attempt.response is not None and attempt.status != 101:
            attempt.response.text = await _body(attempt.response, rest, reader)
        attempt.checks = handshake.review(
            attempt.request.headers, attempt.status, attempt.response.headers if attempt.response else []
        )
        if attempt.error:
            attempt.checks = [
                check._replace(text=attempt.error) if check.name == "status" else check for check in attempt.checks
            ]
        if attempt.status == 101:
            assert attempt.response is not None
            extensions = handshake.get_all(attempt.response.headers, "Sec-WebSocket-Extensions")
            visit = OpenConnection(reader, writer, rest, deflate.parse(extensions))
            await visit.leave(LINGER if listen else 0.0)
            attempt.after, attempt.hung_up = visit.said, bool(visit.ended)
    finally:
        await hang_up(writer)
    return attempt


async def _exchange(
    attempt: Attempt,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    deadline: float,
    settings: ProbeSettings,
) -> bytes:
    """Sends the request and reads the answer's head; returns what came after it."""
    data = b""
    try:
        async with asyncio.timeout_at(deadline):
            writer.write(request_head("GET", attempt.request.target, attempt.request.headers))
            while True:
                if (parts := split_head(data)) is not None:
                    head = parse_response(parts[0])
                    if head is None:
                        break
                    data = parts[1]
                    if 100 <= head.status < 200 and head.status != 101:  # an interim answer: the real one follows
                        continue
                    attempt.response = Response(
                        status=head.status, reason=head.reason, version=head.version, headers=head.headers
                    )
                    return data
                if not data.startswith(b"HTTP/"[: len(data)]) or len(data) > HEAD_LIMIT:
                    break
                chunk = await reader.read(HEAD_LIMIT)
                if not chunk:
                    middle = f" in the middle of its answer ({printable_bytes(data)})" if data else ""
                    attempt.error = f"the server closed the connection{middle or ' without an answer'}"
                    return b""
                data += chunk
    except TimeoutError:
        attempt.timed_out = True
        got = f", only {printable_bytes(data)}" if data else ""
        attempt.error = f"no answer within {duration(settings.timeout)}{got}; perhaps the handler has not accepted yet"
        return b""
    except OSError as error:
        reset = "the server reset the connection without an answer"
        attempt.error = reset if isinstance(error, ConnectionError) else reason(error)
        return b""
    attempt.error = _not_http(data)
    return b""


def _not_http(data: bytes) -> str:
    if data[:2] == b"\x15\x03":
        return "the response is a TLS alert, not HTTP: the server speaks TLS, so the URL begins with wss://"
    if len(data) > HEAD_LIMIT:
        return f"the answer's head is longer than {HEAD_LIMIT} bytes"
    return f"the response is not HTTP: {printable_bytes(data)}"


async def _body(response: Response, rest: bytes, reader: asyncio.StreamReader) -> str:
    """The beginning of a refusal's body: it often says why."""
    lengths = handshake.get_all(response.headers, "Content-Length")
    length = int(lengths[0]) if lengths and re.fullmatch(r"\d{1,18}", lengths[0]) else BODY_LIMIT
    try:
        async with asyncio.timeout(BODY_WAIT):
            while len(rest) < min(length, BODY_LIMIT) and (chunk := await reader.read(BODY_LIMIT)):
                rest += chunk
    except (TimeoutError, OSError):
        pass
    if "chunked" in (item.lower() for item in handshake.get_all(response.headers, "Transfer-Encoding")):
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", size) else BODY_LIMIT
    if handshake.get_all(response.headers, "Content-Encoding"):
        return ""
    return rest[: min(length, BODY_LIMIT)].decode(errors="replace").strip()
