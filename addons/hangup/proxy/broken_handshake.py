"""A handshake that ends as no HTTP exchange does: passed on as it is, where mitmproxy would make a 502 of it.

A server may answer an upgrade with a FIN, a RST, half an answer or something else than HTTP, and a client may end its
side while it waits. mitmproxy's HTTP/1 connections call each of these a protocol error. We tell the stream so first
(:class:`BrokenHandshake`), which has it recorded, and then hand both legs over to a driver that passes on bytes and
endings unread. For a client that is gone no server is connected to any longer. A ``100 Continue`` (or another 1xx)
before the answer is passed on as well.

What is replaced in mitmproxy: two states of its HTTP/1 connections, their ``send``, and the stream's
``handle_protocol_error``; all of them for a WebSocket's handshake only. A contract test checks them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http
from mitmproxy import flow as mitmproxy_flow
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpStream, SendHttp, _http1
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook

from hangup.humanize import printable
from hangup.net.endpoint import how_lost, reset
from hangup.proxy import connecting
from hangup.proxy.driver import ProxyDriver
from hangup.recording.events import WENT_AWAY, How, Side
from hangup.session import Out

Commands = layer.CommandGenerator[None]
Attach = Callable[[Context, http.HTTPFlow, Side, "How | None"], ProxyDriver | None]
"""Makes the driver of a handshake that a side broke; None if there is nothing left to drive."""

PATIENCE = 5.0
"""Seconds that it may still take to reach the server for a client that has ended its side: it may have gone, or go on
reading. How long it waits for one that is reached is the server's affair."""

HEAD_LIMIT = 1 << 18
"""Bytes of an answer's head; what has no end by then is passed on unread."""

SHOWN = 60
"""Bytes shown of an answer that is none."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[ \r\n]")

_stock_read_headers = _http1.Http1Client.read_headers
_stock_wait = _http1.Http1Server.wait
_stock_server_send = _http1.Http1Server.send
_stock_client_send = _http1.Http1Client.send
_stock_handle_protocol_error = HttpStream.handle_protocol_error
_attach: Attach = lambda context, flow, side, how: None  # noqa: E731


class BrokenHandshake(ResponseProtocolError):
    """The handshake is broken, by ``side``; ``how`` its connection has ended, if it has."""

    side: Side
    how: How | None
    gave_up: bool
    """On its account no server is connected to any more."""

    def __init__(self, stream_id: int, message: str, side: Side, how: How | None) -> None:
        super().__init__(stream_id, message, ResponseProtocolError.code)  # 502; mitmproxy 12 has no default
        self.side = side
        self.how = how
        self.gave_up = False


@dataclass
class TakeOver(HttpEvent):
    """From now on what comes is passed on unread; what has come is, too."""

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id


class Unread:
    """In a session's place where there are no frames: nothing is read, and the endings go to ``end``."""

    def __init__(self, conn: int, end: Callable[[Side, How, str, str], None]) -> None:
        self.conn = conn
        self.ended: dict[Side, How] = {}
        self._end = end

    def plain(self, side: Side) -> bool:
        """All bytes pass."""
        return True

    def observe(self, side: Side, data: bytes, at: float) -> None:
        """Nothing is read."""

    def end(self, side: Side, how: How, at: float, *, by: str = "", note: str = "") -> Out:
        """As :meth:`hangup.session.Session.end`."""
        if self.ended.get(side) in ("rst", "error", "timeout", how):
            return Out()
        self.ended[side] = how
        self._end(side, how, by, note)
        return Out(ends=() if by else ((side, how),))

    def refresh(self, at: float) -> Out:
        """No filter is asked."""
        return Out()

    def deadline(self) -> float | None:
        """Nothing is held."""
        return None


_broken_flows: WeakKeyDictionary[http.HTTPFlow, BrokenHandshake] = WeakKeyDictionary()


def of(flow: http.HTTPFlow) -> BrokenHandshake | None:
    """How its handshake was broken, if it was. Not in the flow's metadata, which mitmproxy writes into its files."""
    return _broken_flows.get(flow)


def asks_for_websocket(request: http.Request | None) -> bool:
    """Whether a request is a WebSocket's handshake."""
    return request is not None and "websocket" in request.headers.get("Upgrade", "").lower()


# The connection to the server, while it has not answered.


def _read_headers(self: _http1.Http1Client, event: events.ConnectionEvent) -> Commands:
    if not asks_for_websocket(self.request):
        yield from _stock_read_headers(self, event)
        return
    if isinstance(event, events.DataReceived):
        while (end := _HEAD_END.search(bytes(self.buf))) and _INTERIM.match(bytes(self.buf)):
            yield commands.SendData(self.context.client, bytes(self.buf.maybe_extract_at_most(end.end()) or b""))
        if not self.buf:
            return
        if not _is_answer(self, bytes(self.buf)):
            what = "is not HTTP" if len(self.buf) <= HEAD_LIMIT else f"has a head of more than {HEAD_LIMIT} bytes"
            yield from _broken(self, "server", None, f"the server's answer {what}: `{_shown(self.buf)}`")
            return
        yield from _stock_read_headers(self, event)
        return
    how = _how(self)
    verb, what = ("reset", "RST") if how == "rst" else ("closed", "FIN")
    if self.buf:
        text = f"the server {verb} the connection in the middle of its answer ({what} after `{_shown(self.buf)}`)"
    else:
        text = f"the server {verb} the connection instead of answering ({what})"
    if how != "fin" and self.buf:
        yield commands.SendData(self.context.client, bytes(self.buf))
    yield from _broken(self, "server", how, text)


def _is_answer(self: _http1.Http1Client, data: bytes) -> bool:
    """Whether it may become a response's head, or is one that can be read."""
    if not data.startswith(b"HTTP/"[: len(data)]):
        return False
    end = _HEAD_END.search(data)
    if end is None:
        return len(data) <= HEAD_LIMIT
    try:
        response = http1.read_response_head(re.split(rb"\r?\n", data[: end.start()]))
        assert self.request is not None
        http1.expected_http_body_size(self.request, response)
    except ValueError:
        return False
    return True


def _shown(buffer: Any) -> str:
    return printable(bytes(buffer)[: SHOWN + 1].decode(errors="replace"), SHOWN)


# The connection to the client, while it waits.


def _wait(self: _http1.Http1Server, event: events.Event) -> Commands:
    if not asks_for_websocket(self.request) or not isinstance(event, events.ConnectionClosed):
        yield from _stock_wait(self, event)
        return
    how = _how(self)
    self._finished = True  # type: ignore[attr-defined]
    what = "RST" if how == "rst" else "FIN"
    broken = _break(self, "client", how, f"{WENT_AWAY} ({what})")
    if connecting.under_way(self.context.layers):
        asyncio.get_running_loop().call_later(PATIENCE if how == "fin" else 0, _lose_patience, self, broken)
    yield ReceiveHttp(broken)


def _lose_patience(self: _http1.Http1Server, broken: BrokenHandshake) -> None:
    """The client has ended its side, and waits for a connection to the server, if it still does."""
    handler = _handler(self)
    if handler is not None and connecting.under_way(self.context.layers):
        broken.gave_up = True
        connecting.give_up(handler, self.conn)


def _how(self: _http1.Http1Connection) -> How:
    """How the connection of whose end mitmproxy was just told has ended."""
    io = _transports(self).get(self.conn)
    reader = io.reader if io is not None else None
    return how_lost(reader.exception() if isinstance(reader, asyncio.StreamReader) else None)


def _handler(self: _http1.Http1Connection) -> Any:
    """mitmproxy's, of the client's connection and all that belongs to it; None once it is over."""
    return ctx.master.addons.get("proxyserver").connections.get(self.context.client.id)


def _transports(self: _http1.Http1Connection) -> dict[Any, Any]:
    handler = _handler(self)
    return {} if handler is None else handler.transports


def _broken(self: _http1.Http1Connection, side: Side, how: How | None, message: str) -> Commands:
    yield ReceiveHttp(_break(self, side, how, message))


def _break(self: _http1.Http1Connection, side: Side, how: How | None, message: str) -> BrokenHandshake:
    assert self.stream_id is not None
    self.state = _nothing
    if how not in (None, "fin"):  # at once: mitmproxy closes all that belongs to a connection that is gone
        for conn, io in _transports(self).items():
            if conn is not self.conn and isinstance(io.writer, asyncio.StreamWriter):
                reset(cast(asyncio.Transport, io.writer.transport))
    return BrokenHandshake(self.stream_id, message, side, how)


def _nothing(event: events.Event) -> Commands:
    """What comes until the driver has taken over stays in the connection's buffer."""
    yield from ()


def _server_send(self: _http1.Http1Server, event: HttpEvent) -> Commands:
    if isinstance(event, TakeOver):
        yield from _take_over(self)
        return
    yield from _stock_server_send(self, event)
    if isinstance(event, ResponseEndOfMessage) and getattr(self, "_finished", False) and self.request is None:
        yield commands.CloseConnection(self.conn)  # no other request will come


def _client_send(self: _http1.Http1Client, event: HttpEvent) -> Commands:
    if isinstance(event, TakeOver):
        yield from _take_over(self)
    else:
        yield from _stock_client_send(self, event)


def _take_over(self: _http1.Http1Connection) -> Commands:
    self.state = self.passthrough
    if self.buf:
        data = bytes(self.buf.maybe_extract_at_most(len(self.buf)) or b"")
        yield from self.state(events.DataReceived(self.conn, data))


# The stream between them.


def _handle_protocol_error(self: HttpStream, event: Any) -> Commands:
    if not isinstance(event, BrokenHandshake):
        # What came while the stream waited for its connection is still to be told to it.
        waiting = (each for each in self._paused_event_queue if isinstance(each, BrokenHandshake) and each.gave_up)
        if (broken := next(waiting, None)) is None:
            yield from _stock_handle_protocol_error(self, event)
            return
        event = broken
    if self.flow.response is not None or self.state_errored in (self.client_state, self.server_state):
        return  # it is answered, or has failed; where the answer is a 101, the WebSocket's layer is told
    self.flow.error = mitmproxy_flow.Error(event.message)
    _broken_flows[self.flow] = event
    self.client_state = self.server_state = self.state_errored
    yield HttpErrorHook(self.flow)
    self.flow.live = False
    driver = _attach(self.context, self.flow, event.side, event.how)
    if driver is None:
        yield commands.CloseConnection(self.context.client)
        return
    self._handle_event = partial(_pass, self, driver)
    yield commands.Log(f"no longer a valid handshake: {event.message}")
    yield SendHttp(TakeOver(self.stream_id), self.context.server)
    yield SendHttp(TakeOver(self.stream_id), self.context.client)
    if event.how is not None:
        driver.leg(event.side).closed_in_layer()


def _pass(self: HttpStream, driver: ProxyDriver, event: events.Event) -> Commands:
    """The stream's events, once the driver has both legs: what was in flight to mitmproxy's layers."""
    if isinstance(event, RequestData):
        driver.deliver(driver.client, event.data)
    elif isinstance(event, ResponseData):
        driver.deliver(driver.server, event.data)
    elif isinstance(event, RequestEndOfMessage):
        driver.client.closed_in_layer()
    elif isinstance(event, ResponseEndOfMessage):
        driver.server.closed_in_layer()
    elif isinstance(event, BrokenHandshake):
        driver.leg(event.side).closed_in_layer()
    yield from ()


def install(attach: Attach) -> None:
    """Puts all of it in place."""
    global _attach
    _attach = attach
    _http1.Http1Client.read_headers = _read_headers  # type: ignore[method-assign]
    _http1.Http1Client.send = _client_send  # type: ignore[method-assign]
    _http1.Http1Server.wait = _wait  # type: ignore[method-assign,assignment]
    _http1.Http1Server.send = _server_send  # type: ignore[method-assign]
    HttpStream.handle_protocol_error = _handle_protocol_error  # type: ignore[method-assign]


def uninstall() -> None:
    """Puts mitmproxy's own back."""
    _http1.Http1Client.read_headers = _stock_read_headers  # type: ignore[method-assign]
    _http1.Http1Client.send = _stock_client_send  # type: ignore[method-assign]
    _http1.Http1Server.wait = _stock_wait  # type: ignore[method-assign]
    _http1.Http1Server.send = _stock_server_send  # type: ignore[method-assign]
    HttpStream.handle_protocol_error = _stock_handle_protocol_error  # type: ignore[method-assign]
