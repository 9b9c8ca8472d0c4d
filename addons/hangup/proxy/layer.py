"""Our layer in the place of mitmproxy's ``WebsocketLayer``, and how it gets there.

mitmproxy's HTTP layer looks the class up in ``mitmproxy.proxy.layers.websocket`` when a 101 has passed.
:func:`install` replaces that one name, and one method beside it: ``Http1Connection.make_pipe`` strips line breaks
from the first bytes after the handshake, which may be a frame's. Both are checked by a contract test.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from mitmproxy import ctx, http, version
from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import tls as tls_layers
from mitmproxy.proxy.layers import websocket as stock
from mitmproxy.proxy.layers.http import HttpLayer, _http1
from mitmproxy.proxy.tunnel import TunnelLayer
from OpenSSL import SSL

from hangup.errors import HangupError
from hangup.proxy import broken_handshake, connecting, refusal
from hangup.proxy.driver import ProxyDriver, Wiring
from hangup.recording.events import How, Side

SUPPORTED = ((11, 0, 2), (13,))
"""Versions of mitmproxy from the first up to, and without, the second."""

_stock_layer = stock.WebsocketLayer
_stock_make_pipe = _http1.Http1Connection.make_pipe


class Drivers(Protocol):
    """Who makes the drivers: our addon."""

    def begin(self, flow: http.HTTPFlow, handler: Any) -> ProxyDriver:
        """The driver of a WebSocket whose 101 has just passed."""

    def begin_broken(self, flow: http.HTTPFlow, handler: Any) -> ProxyDriver:
        """The driver of a handshake that was broken."""

    def end_broken(self, flow: http.HTTPFlow, side: Side, how: How | None) -> None:
        """A handshake was broken, and there is nothing to drive."""


_addon: Drivers | None = None


class WebSocketLayer(layer.Layer):
    """Hands an established WebSocket over to a :class:`~hangup.proxy.driver.ProxyDriver`."""

    def __init__(self, context: Context, flow: http.HTTPFlow) -> None:
        super().__init__(context)
        self.flow = flow
        self.driver: ProxyDriver | None = None

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield stock.WebsocketStartHook(self.flow)
            self._start()
        elif isinstance(event, events.ConnectionEvent):
            assert self.driver is not None
            leg = self.driver.client if event.connection is self.context.client else self.driver.server
            if isinstance(event, events.DataReceived):
                self.driver.deliver(leg, event.data)
            elif isinstance(event, events.ConnectionClosed):
                leg.closed_in_layer()
        elif isinstance(event, broken_handshake.BrokenHandshake):  # after all it was answered first
            assert self.driver is not None
            self.driver.leg(event.side).closed_in_layer()
        elif isinstance(event, stock.WebSocketMessageInjected):
            yield commands.Log("hangup forwards what was sent, and nothing else: message not injected.")

    def _start(self) -> None:
        assert _addon is not None
        handler = _handler(self.context)
        self.driver = _addon.begin(self.flow, handler)
        client, server = _wiring(self.context, self.context.client), _wiring(self.context, self.context.server)
        assert client is not None and server is not None
        self.driver.attach(client, server)


def _attach_broken(context: Context, flow: http.HTTPFlow, side: Side, how: How | None) -> ProxyDriver | None:
    """The driver of a handshake that was broken, if its server was reached and it is one of ours."""
    if _addon is None or "hangup_conn" not in flow.metadata:
        return None
    client, server = _wiring(context, context.client), _wiring(context, context.server)
    if client is None or server is None or how not in (None, "fin"):
        _addon.end_broken(flow, side, how)
        return None
    driver = _addon.begin_broken(flow, _handler(context))
    driver.attach(client, server)
    return driver


def _handler(context: Context) -> Any:
    return _proxyserver().connections[context.client.id]


def _wiring(context: Context, conn: Connection) -> Wiring | None:
    """What a leg is made of, or None if it is not connected."""
    outer, stack = _tls_stack(context, conn)
    io = _handler(context).transports.get(outer)
    return None if io is None or io.writer is None else (outer, io.reader, io.writer, stack)


def _proxyserver() -> Any:
    return ctx.master.addons.get("proxyserver")


def _tls_stack(context: Context, conn: Connection) -> tuple[Connection, list[SSL.Connection]]:
    """The connection whose socket carries ``conn`` (an upstream proxy's, maybe), and the TLS around it."""
    stack: list[SSL.Connection] = []
    layers = _layers(context, conn)
    while True:
        outer = conn
        for lay in layers:
            if not isinstance(lay, TunnelLayer) or lay.conn is not conn:
                continue
            if isinstance(lay, tls_layers.TLSLayer):
                if lay.tls is not None and lay.tls not in stack:
                    stack.insert(0, lay.tls)
            elif lay.tunnel_connection is not conn:
                outer = lay.tunnel_connection
        if outer is conn:
            return conn, stack
        conn = outer


def _layers(context: Context, conn: Connection) -> list[layer.Layer]:
    """The layers below ours; the HTTP layer keeps those of a connection that it opened itself in a context apart."""
    layers = list(context.layers)
    for lay in context.layers:
        if isinstance(lay, HttpLayer):
            opened = lay.connections.get(conn)
            while isinstance(opened, TunnelLayer):
                layers.append(opened)
                opened = opened.child_layer
    return layers


def _make_pipe(self: _http1.Http1Connection) -> layer.CommandGenerator[None]:
    if self.response is None or self.response.status_code != 101:
        yield from _stock_make_pipe(self)
        return
    self.state = self.passthrough
    if self.buf:
        data = bytes(self.buf.maybe_extract_at_most(len(self.buf)) or b"")
        yield from self.state(events.DataReceived(self.conn, data))


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in version.VERSION.split(".")[:3] if part.isdigit())


def check_version() -> None:
    """Raises :class:`HangupError` under a mitmproxy that we do not know."""
    low, high = SUPPORTED
    if not low <= _version() < high:
        raise HangupError(f"mitmproxy {version.VERSION} is not supported: hangup needs 11.0.2 or later, and below 13")


def install(addon: Drivers) -> None:
    """Puts our layer in place; raises :class:`HangupError` under a mitmproxy that we do not know."""
    global _addon
    check_version()
    _addon = addon
    stock.WebsocketLayer = WebSocketLayer  # type: ignore[misc,assignment]
    _http1.Http1Connection.make_pipe = _make_pipe  # type: ignore[method-assign]
    connecting.install()
    broken_handshake.install(_attach_broken)
    refusal.install()


def uninstall() -> None:
    """Puts mitmproxy's own layer back."""
    global _addon
    _addon = None
    stock.WebsocketLayer = _stock_layer  # type: ignore[misc]
    _http1.Http1Connection.make_pipe = _stock_make_pipe  # type: ignore[method-assign]
    connecting.uninstall()
    broken_handshake.uninstall()
    refusal.uninstall()


def finish_flow(flow: http.HTTPFlow, code: int | None, reason: str | None, by_client: bool | None) -> None:
    """Fills in what mitmproxy's own tools show of a WebSocket that has ended."""
    if flow.websocket is not None:
        flow.websocket.timestamp_end = time.time()
        flow.websocket.close_code = code
        flow.websocket.close_reason = reason
        flow.websocket.closed_by_client = by_client
    flow.live = False
