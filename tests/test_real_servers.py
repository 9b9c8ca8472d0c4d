"""Real servers behind the proxy, compression on: the wire is untouched, the recording tells what was said."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hangup.recording.events import Side
from harness import DEADLINE, node
from harness.echo import STACKS
from harness.messages import CLOSE, MESSAGES, PAYLOADS
from harness.programs import Program
from harness.proxies import HangupProxy
from harness.reading import Connection, connections
from harness.tap import Tap, Wire

pytestmark = pytest.mark.real
SIDES: tuple[Side, ...] = ("client", "server")


class Result:
    """Two connections through tap, proxy and tap: the server closed the first one, the client the second."""

    def __init__(self, stack: str, server: Program) -> None:
        with server:
            port = int(server.wait_for(r"listening on (\d+)")[1])
            with Tap(("127.0.0.1", port)) as behind, HangupProxy(behind.url) as proxy, Tap(proxy.address) as before:
                self.converse(before.url)
                paths = ("/server-closes?x=1", "/client-closes")
                self.before: dict[str, Wire] = {path: before.wire(path) for path in paths}
                self.behind: dict[str, Wire] = {path: behind.wire(path) for path in paths}
                proxy.stop()
                self.recorded: dict[str, Connection] = connections(proxy.events())

    def converse(self, url: str) -> None:
        self.echoes = []
        with connect(f"{url}/server-closes?x=1", max_size=None, open_timeout=DEADLINE, close_timeout=DEADLINE) as ws:
            self.extensions = ws.response.headers.get("Sec-WebSocket-Extensions", "") if ws.response else ""
            for message in MESSAGES:
                ws.send(message)
                self.echoes.append(ws.recv(DEADLINE))
            self.ponged = ws.ping("are you there?").wait(DEADLINE)
            ws.send(CLOSE)
            try:
                ws.recv(DEADLINE)
            except ConnectionClosed as closed:
                self.closed = closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)
        with connect(f"{url}/client-closes", max_size=None, open_timeout=DEADLINE, close_timeout=DEADLINE) as ws:
            ws.send("hello")
            ws.recv(DEADLINE)
            ws.close(4002, "enough")


def start(stack: str) -> Program:
    if stack == "node ws":
        return node.program("echo_server.mjs")
    return Program([sys.executable, "-m", "harness.echo", stack])


@pytest.fixture(scope="module", params=[*STACKS, "node ws"])
def result(request: pytest.FixtureRequest) -> Iterator[Result]:
    yield Result(request.param, start(request.param))


def test_the_application_notices_nothing(result: Result) -> None:
    assert [e.encode() if isinstance(e, str) else e for e in result.echoes] == PAYLOADS
    assert result.ponged
    assert result.closed == (4001, "bye")
    assert "permessage-deflate" in result.extensions


def test_the_wire_is_untouched(result: Result) -> None:
    for path, wire in result.before.items():
        for side in SIDES:
            assert wire.sent(side)
            assert result.behind[path].sent(side) == wire.sent(side)
            assert result.recorded[path].sent(side) == wire.sent(side)


def test_headers_pass_but_for_the_host(result: Result) -> None:
    for path, wire in result.before.items():
        sent, got = wire.head("client"), result.behind[path].head("client")
        assert got.words == sent.words
        assert [h for h in got.headers if h[0].lower() != "host"] == [h for h in sent.headers if h[0].lower() != "host"]
        assert wire.head("server").raw == result.behind[path].head("server").raw
        recorded = result.recorded[path].handshake
        assert recorded.request.headers == got.headers
        assert recorded.response is not None
        assert recorded.response.headers == wire.head("server").headers


def test_messages_are_recorded_as_the_application_sent_them(result: Result) -> None:
    first = result.recorded["/server-closes?x=1"]
    assert list(first.messages("client")) == [*PAYLOADS, CLOSE.encode()]
    assert list(first.messages("server")) == PAYLOADS
    for side in SIDES:
        assert first.problems(side) == set()
    pongs = [f.payload for f in first.frames("server") if f.opcode == "pong"]
    assert b"are you there?" in pongs


def test_closes_are_recorded(result: Result) -> None:
    for path, side, code, reason in (
        ("/server-closes?x=1", "server", 4001, "bye"),
        ("/client-closes", "client", 4002, "enough"),
    ):
        connection = result.recorded[path]
        first = next(e for e in connection.events if getattr(e, "opcode", "") == "close")
        assert (first.side, first.code, first.reason) == (side, code, reason)  # type: ignore[union-attr]
        assert {end for end, _ in connection.ends} == {"client", "server"}
