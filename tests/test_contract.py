"""What we rely on in mitmproxy and asyncio beyond their documented interfaces. An upgrade that moves it fails here."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from mitmproxy import version
from mitmproxy.proxy import server
from mitmproxy.proxy.layers import http, websocket
from mitmproxy.proxy.layers import tls as tls_layers
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.tunnel import TunnelLayer

from hangup.errors import HangupError
from hangup.proxy import layer


def test_the_http_layer_looks_the_websocket_layer_up_when_it_is_needed() -> None:
    assert "websocket.WebsocketLayer(self.context, self.flow)" in inspect.getsource(http.HttpStream.flow_done)
    assert list(inspect.signature(websocket.WebsocketLayer).parameters) == ["context", "flow"]


def test_bytes_after_the_handshake_pass_through_make_pipe() -> None:
    assert "self.make_pipe()" in inspect.getsource(_http1.Http1Connection.mark_done)
    assert 'lstrip(b"\\r\\n")' in inspect.getsource(layer._stock_make_pipe)


def test_installing_and_removing() -> None:
    stock, pipe = websocket.WebsocketLayer, _http1.Http1Connection.make_pipe
    layer.install(object())  # type: ignore[arg-type]
    assert websocket.WebsocketLayer is layer.WebSocketLayer
    assert _http1.Http1Connection.make_pipe is layer._make_pipe
    layer.uninstall()
    assert websocket.WebsocketLayer is stock and _http1.Http1Connection.make_pipe is pipe


def test_a_broken_handshake_comes_by_these_ways() -> None:
    """What :mod:`hangup.proxy.broken_handshake` replaces, and what it expects of it."""
    client, server, stream = _http1.Http1Client, _http1.Http1Server, http.HttpStream
    before = client.read_headers, client.send, server.wait, server.send, stream.handle_protocol_error
    assert "self.state = self.read_headers" in inspect.getsource(_http1.Http1Connection.start)
    assert "self.state = self.wait" in inspect.getsource(server.mark_done)
    assert "yield from self.send(event)" in inspect.getsource(_http1.Http1Connection._handle_event)
    assert "self.handle_protocol_error(event)" in inspect.getsource(stream._handle_event)
    for function in before:
        assert list(inspect.signature(function).parameters) == ["self", "event"]
    layer.install(object())  # type: ignore[arg-type]
    after = client.read_headers, client.send, server.wait, server.send, stream.handle_protocol_error
    assert not set(before) & set(after)
    layer.uninstall()
    again = client.read_headers, client.send, server.wait, server.send, stream.handle_protocol_error
    assert again == before


def test_how_a_connection_is_opened() -> None:
    """What :mod:`hangup.proxy.connecting` replaces, and why."""
    handler = server.ConnectionHandler
    stock = handler.open_connection
    source = inspect.getsource(stock)
    assert "assert command.connection.peername" in source and "except (OSError, asyncio.CancelledError)" in source
    assert "self.open_connection(command)" in inspect.getsource(handler.server_event)
    assert "waiting_for_establishment" in http.HttpLayer.__annotations__
    layer.install(object())  # type: ignore[arg-type]
    assert handler.open_connection is not stock
    layer.uninstall()
    assert handler.open_connection is stock


def test_how_bodies_are_streamed() -> None:
    """What :mod:`hangup.proxy.refusal` replaces, and what it goes by."""
    stream = http.HttpStream
    stock = stream.state_consume_request_body
    assert "self.client_state = self.state_consume_request_body" in inspect.getsource(
        stream.state_wait_for_request_headers
    )
    assert "chunks = self.flow.response.stream(event.data)" in inspect.getsource(stream.state_stream_response_body)
    layer.install(object())  # type: ignore[arg-type]
    assert stream.state_consume_request_body is not stock
    layer.uninstall()
    assert stream.state_consume_request_body is stock


def test_an_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "VERSION", "13.0.0")
    with pytest.raises(HangupError, match="13.0.0 is not supported"):
        layer.install(object())  # type: ignore[arg-type]


def test_the_connection_handler() -> None:
    handler = server.ConnectionHandler
    assert list(inspect.signature(handler.close_connection).parameters) == [
        "self",
        "connection",
        "half_close",
    ]
    assert {"reader", "writer", "handler"} <= set(server.ConnectionIO.__dataclass_fields__)
    assert hasattr(server.TimeoutWatchdog, "disarm")
    assert "self.last_activity + self.timeout < time.time()" in inspect.getsource(server.TimeoutWatchdog.watch)
    assert issubclass(tls_layers.TLSLayer, TunnelLayer) and "tls" in tls_layers.TLSLayer.__annotations__


def test_a_stream_reader_shows_whether_somebody_waits_on_an_empty_buffer() -> None:
    async def check() -> None:
        reader = asyncio.StreamReader()
        assert reader._waiter is None and reader._buffer == b""  # type: ignore[attr-defined]
        task = asyncio.create_task(reader.read(10))
        await asyncio.sleep(0)
        waiter = reader._waiter  # type: ignore[attr-defined]
        assert waiter is not None and not waiter.done()
        reader.feed_data(b"x")
        assert waiter.done()
        assert await task == b"x"

    asyncio.run(check())
