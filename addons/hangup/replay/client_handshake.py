"""The recorded client's handshake with another server: its headers, a fresh key, and what the filters make of both."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from random import Random
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from hangup.filters.chain import Chain
from hangup.humanize import duration, printable_bytes
from hangup.net.connect import reason
from hangup.recording.events import WENT_AWAY, Handshake, Request, Response
from hangup.replay.endpoint import ReplayEndpoint, dial
from hangup.replay.receive_buffer import ReceiveBuffer
from hangup.wire import handshake
from hangup.wire.http_head import parse_response, request_head, split_head
from hangup.wire.url import Target, host_header

HEAD_LIMIT = 1 << 16
BODY_LIMIT = 4096
BODY_WAIT = 1.0
"""Seconds to wait for the body of a refusal; what has come by then is recorded."""


class ClientHandshake(Struct, kw_only=True):
    """A handshake that was answered, or not. ``event`` is its line in a recording.

    ``endpoint`` is the open connection, None without a 101; ``buffer`` has what came right after the 101. ``given`` is
    the response as the client saw it.
    """

    event: Handshake
    endpoint: ReplayEndpoint | None = None
    given: Response | None = None
    buffer: ReceiveBuffer | None = None

    @property
    def ok(self) -> bool:
        """Whether the client was told 101."""
        return self.given is not None and self.given.status == 101


def request_for(recorded: Request, target: Target, headers: Sequence[tuple[str, str]], random: Random) -> Request:
    """The recorded request for another target: its Host, a fresh key, and ``headers`` in the place of those of the
    same name; an empty value removes one. ``target`` says what is asked for (:meth:`Target.request_target`)."""
    overrides = {name.lower() for name, _ in headers}
    kept: list[tuple[str, str]] = []
    given = [(name, value) for name, value in headers if value]
    for name, value in recorded.headers:
        low = name.lower()
        if low in overrides:
            # In the place of the first of its name, as order can matter.
            kept += [pair for pair in given if pair[0].lower() == low]
            given = [pair for pair in given if pair[0].lower() != low]
        elif low == "host":
            kept.append((name, host_header(target)))
        elif low == "sec-websocket-key" and handshake.key_is_valid(value):
            kept.append((name, handshake.key_from(random.randbytes(16))))
        elif not low.startswith(":"):  # HTTP/2's own
            kept.append((name, value))
    names = {name.lower() for name, _ in kept} | overrides
    if "upgrade" not in {name.lower() for name, _ in recorded.headers}:  # an extended CONNECT, or not all is known
        required = (
            ("Host", host_header(target)),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", handshake.key_from(random.randbytes(16))),
        )
        kept += [(name, value) for name, value in required if name.lower() not in names]
    method = "GET" if recorded.method == "CONNECT" else recorded.method
    return Request(method=method, target=escaped(target.request_target(recorded.target)), headers=[*kept, *given])


def escaped(path: str) -> str:
    """A request target without characters that would break the request's first line."""
    path = path if path.startswith("/") else "/" + path
    return quote(path, safe="%/?:@!$&'()*+,;=~[]|{}\\^`\"<>#", errors="surrogateescape")


async def open_websocket(
    target: Target,
    request: Request,
    *,
    conn: int,
    now: Callable[[], float],
    context: ssl.SSLContext | None,
    timeout: float,
    chain: Chain,
    gives_up: float | None = None,
) -> ClientHandshake:
    """Asks, and gives what was answered. Only a failure to connect raises, :class:`BackendError`; the answer's
    absence is in ``event.error``. ``gives_up`` is after how many seconds the played client itself waits no longer.
    When cancelled nothing is left open."""
    asked_at = now()
    asked = request
    event = Handshake(at=asked_at, conn=conn, server=target.authority, request=request)
    verdict = chain.request(request, asked_at)
    if verdict is not None:
        if verdict.wait > 0:
            await asyncio.sleep(verdict.wait)
        if verdict.changed:
            event.original = asked
            event.request = request = verdict.item.request
        if verdict.refused is not None:
            event.response, event.by, event.at = verdict.refused, verdict.done[-1].by, now()
            return ClientHandshake(event=event, given=verdict.refused)
    endpoint = await dial(target, context, timeout=timeout)
    event.client, event.server = endpoint.sockname, endpoint.peername
    opened = ClientHandshake(event=event, endpoint=endpoint)
    try:
        response = await _exchange(endpoint, opened, timeout, gives_up)
        event.at = now()
        event.waited = round(event.at - asked_at, 6)
        if response is not None:
            event.response = opened.given = response
            checks = handshake.review(request.headers, response.status, response.headers, request.method)
            event.problems = handshake.problems(checks)
            verdict = chain.response(response, request, asked, event.at)
            if verdict is not None:
                if verdict.wait > 0:
                    await asyncio.sleep(verdict.wait)
                if verdict.changed:
                    event.returned = opened.given = verdict.item.response
        if not opened.ok:
            opened.endpoint = None
            endpoint.close()
            await endpoint.gone()
    except BaseException:
        endpoint.reset()
        raise
    return opened


async def _exchange(
    endpoint: ReplayEndpoint, opened: ClientHandshake, timeout: float, gives_up: float | None
) -> Response | None:
    buffer = ReceiveBuffer(endpoint)
    request = opened.event.request
    endpoint.send(request_head(request.method, request.target, request.headers))
    try:
        async with asyncio.timeout(timeout if gives_up is None else gives_up):
            while True:
                if (parts := split_head(buffer.data)) is not None:
                    head = parse_response(parts[0])
                    if head is None:
                        break
                    buffer.data = parts[1]
                    if 100 <= head.status < 200 and head.status != 101:  # an interim answer: the real one follows
                        continue
                    response = Response(
                        status=head.status, reason=head.reason, version=head.version, headers=head.headers
                    )
                    if head.status != 101:
                        return replace(response, text=await _body(response, buffer))
                    opened.buffer = buffer
                    return response
                data = buffer.data
                if not data.startswith(b"HTTP/"[: len(data)]) or len(data) > HEAD_LIMIT:
                    break
                if buffer.ended is not None:
                    middle = f" in the middle of its answer ({printable_bytes(data)})" if data else " without an answer"
                    how = "reset" if buffer.ended == "rst" else "closed"
                    opened.event.error = f"the server {how} the connection{middle}"
                    return None
                await buffer.wait()
    except TimeoutError:
        opened.event.error = WENT_AWAY if gives_up is not None else f"no answer within {duration(timeout)}"
        return None
    except OSError as error:
        opened.event.error = reason(error)
        return None
    opened.event.error = f"the answer is not HTTP: {printable_bytes(buffer.data)}"
    return None


async def _body(response: Response, buffer: ReceiveBuffer) -> str:
    """The beginning of a refusal's body: it often says why."""
    lengths = handshake.get_all(response.headers, "Content-Length")
    length = int(lengths[0]) if lengths and re.fullmatch(r"\d{1,18}", lengths[0]) else BODY_LIMIT
    chunked = "chunked" in (item.lower() for item in handshake.get_all(response.headers, "Transfer-Encoding"))
    try:
        async with asyncio.timeout(BODY_WAIT):
            while len(buffer.data) < min(length, BODY_LIMIT) and buffer.ended is None:
                if chunked and buffer.data.endswith(b"0\r\n\r\n"):
                    break
                await buffer.wait()
    except TimeoutError:
        pass
    if handshake.get_all(response.headers, "Content-Encoding"):
        return ""
    body = buffer.data
    if chunked:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", size) else BODY_LIMIT
    return body[: min(length, BODY_LIMIT)].decode(errors="replace")
