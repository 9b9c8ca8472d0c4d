"""Real clients in front of the proxy, compression on; and what a page in a browser is told of an ending."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from harness import DEADLINE, frames, node
from harness.browser import chromium
from harness.messages import CLOSE, MESSAGES, PAYLOADS
from harness.peers import Peer, RawServer, Side
from harness.programs import Program
from harness.proxies import HangupProxy
from harness.reading import Connection, connections
from harness.tap import Tap, Wire

pytestmark = pytest.mark.real
SIDES: tuple[Side, ...] = ("client", "server")


@dataclass
class Said:
    """What a client was told: each echo, whether its ping was answered (None: it cannot ping), and the close."""

    echoes: list[bytes]
    ponged: bool | None
    close: tuple[int, str]


def with_websockets(url: str) -> Said:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    echoes: list[bytes] = []
    with connect(url, max_size=None, open_timeout=DEADLINE, close_timeout=DEADLINE) as ws:
        for message in MESSAGES:
            ws.send(message)
            echo = ws.recv(DEADLINE)
            echoes.append(echo.encode() if isinstance(echo, str) else echo)
        ponged = ws.ping("are you there?").wait(DEADLINE)
        ws.send(CLOSE)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE)
    assert closed.value.rcvd is not None
    return Said(echoes, ponged, (closed.value.rcvd.code, closed.value.rcvd.reason))


async def converse_with_aiohttp(url: str) -> Said:
    from aiohttp import ClientSession, WSMsgType

    echoes: list[bytes] = []
    async with ClientSession() as session, session.ws_connect(url, compress=15, max_msg_size=0, autoping=False) as ws:
        assert ws.compress
        for message, payload in zip(MESSAGES, PAYLOADS, strict=True):
            await (ws.send_bytes(payload) if isinstance(message, bytes) else ws.send_str(payload.decode()))
            echo = await ws.receive(DEADLINE)
            echoes.append(echo.data.encode() if echo.type is WSMsgType.TEXT else echo.data)
        await ws.ping(b"are you there?")
        pong = await ws.receive(DEADLINE)
        await ws.send_str(CLOSE)
        closed = await ws.receive(DEADLINE)
        return Said(echoes, bool(pong.type is WSMsgType.PONG), (closed.data, closed.extra))


def with_aiohttp(url: str) -> Said:
    # In a thread of its own: Playwright, whose event loop may run in this one, would not let it.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, converse_with_aiohttp(url)).result()  # type: ignore[arg-type]


def with_node(url: str) -> Said:
    with node.program("echo_client.mjs", url) as program:
        program.wait()
        told = json.loads(program.output)
    assert "permessage-deflate" in told["extensions"]
    return Said([b64decode(data) for _, data in told["echoes"]], told["pong"] != "", (told["code"], told["reason"]))


IN_A_PAGE = """async ([url, messages, close]) => {
  const ws = new WebSocket(url), echoes = [];
  ws.binaryType = "arraybuffer";
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const next = () => {
    const message = messages[echoes.length];
    if (message === undefined) ws.send(close);
    else ws.send(message.text ? new TextDecoder().decode(bytes(message.data)) : bytes(message.data));
  };
  ws.onopen = next;
  ws.onmessage = ({ data }) => {
    const echo = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
    let text = "";
    for (let n = 0; n < echo.length; n += 8192) text += String.fromCharCode(...echo.subarray(n, n + 8192));
    echoes.push(btoa(text));
    next();
  };
  const { code, reason } = await new Promise((closed) => (ws.onclose = closed));
  return { echoes, code, reason, extensions: ws.extensions };
}"""


def with_chromium(url: str) -> Said:
    from base64 import b64encode

    messages = [
        {"text": not isinstance(message, bytes), "data": b64encode(payload).decode()}
        for message, payload in zip(MESSAGES, PAYLOADS, strict=True)
    ]
    with chromium() as page:
        # The page itself comes through the proxy too, as a dev server's would.
        page.goto(url.replace("ws://", "http://").rpartition("/")[0] + "/")
        assert page.title() == "echo"
        told = page.evaluate(IN_A_PAGE, [url, messages, CLOSE])
    assert told["extensions"] == "permessage-deflate"
    return Said([b64decode(echo) for echo in told["echoes"]], None, (told["code"], told["reason"]))


CLIENTS: dict[str, Callable[[str], Said]] = {
    "websockets": with_websockets,
    "aiohttp": with_aiohttp,
    "node-ws": with_node,
    "chromium": with_chromium,
}


@dataclass
class Result:
    """What a client was told, what went over the wire before and behind the proxy, and what was recorded."""

    said: Said
    before: Wire
    behind: Wire
    recorded: Connection


class Bench:
    """An echo server, a proxy between two taps, and one conversation of each client."""

    def __init__(self, server: Program) -> None:
        self.results: dict[str, Result | BaseException] = {}
        taken: dict[str, tuple[Said, Wire, Wire]] = {}
        with server:
            port = int(server.wait_for(r"listening on (\d+)")[1])
            with Tap(("127.0.0.1", port)) as behind, HangupProxy(behind.url) as proxy, Tap(proxy.address) as before:
                for name, client in CLIENTS.items():
                    try:
                        said = client(f"{before.url}/{name}")
                        taken[name] = said, before.wire(f"/{name}"), behind.wire(f"/{name}")
                    except (Exception, pytest.skip.Exception) as error:
                        self.results[name] = error
                self.output = proxy.stop()
                recorded = connections(proxy.events())
        for name, (said, first, second) in taken.items():
            self.results[name] = Result(said, first, second, recorded[f"/{name}"])

    def __getitem__(self, name: str) -> Result:
        result = self.results[name]
        if isinstance(result, BaseException):
            raise result
        return result


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(Program([sys.executable, "-m", "harness.echo", "aiohttp"]))


@pytest.mark.parametrize("client", CLIENTS)
def test_conversation(bench: Bench, client: str) -> None:
    result = bench[client]
    assert result.said.echoes == PAYLOADS
    assert result.said.ponged in (True, None)
    assert result.said.close == (4001, "bye")


@pytest.mark.parametrize("client", CLIENTS)
def test_wire_and_recording(bench: Bench, client: str) -> None:
    result = bench[client]
    for side in SIDES:
        assert result.before.sent(side)
        assert result.behind.sent(side) == result.before.sent(side)
        assert result.recorded.sent(side) == result.before.sent(side)
        assert result.recorded.problems(side) == set()
    assert list(result.recorded.messages("client")) == [*PAYLOADS, CLOSE.encode()]
    assert list(result.recorded.messages("server")) == PAYLOADS
    response = result.recorded.handshake.response
    assert response is not None
    assert "permessage-deflate" in dict(response.headers)["Sec-WebSocket-Extensions"]


# What a page is told of an ending: the same as without a proxy.

ENDINGS: dict[str, tuple[Callable[[Peer], None], dict[str, Any]]] = {
    "fin": (lambda peer: peer.close(), {"code": 1006, "reason": "", "clean": False}),
    "rst": (lambda peer: peer.rst(), {"code": 1006, "reason": "", "clean": False}),
    "close": (
        lambda peer: (peer.send(frames.close(4001, b"bye")), peer.expect_frames(1), peer.close())[-1],
        {"code": 4001, "reason": "bye", "clean": True},
    ),
    "close-without-code": (
        lambda peer: (peer.send(frames.close()), peer.expect_frames(1), peer.close())[-1],
        {"code": 1005, "reason": "", "clean": True},
    ),
    "rsv": (
        lambda peer: peer.send(frames.frame(frames.TEXT, b"x", rsv=2)),
        {"code": 1006, "reason": "", "clean": False},
    ),
}

WATCH = """(url) => new Promise((told) => {
  const ws = new WebSocket(url);
  ws.onclose = ({ code, reason, wasClean }) => told({ code, reason, clean: wasClean });
})"""


@pytest.fixture(scope="module")
def told() -> Iterator[dict[tuple[str, str], dict[str, Any]]]:
    """What the page was told, by route and ending."""
    found: dict[tuple[str, str], dict[str, Any]] = {}

    def script(peer: Peer) -> None:
        ENDINGS[peer.head.target.strip("/")][0](peer)

    with chromium() as page, RawServer(script=script) as server, HangupProxy(server.url) as proxy:
        for route, url in (("direct", server.url), ("proxied", proxy.url)):
            for name in ENDINGS:
                found[route, name] = page.evaluate(WATCH, f"{url}/{name}")
        proxy.stop()
    yield found


@pytest.mark.parametrize("name", ENDINGS)
def test_what_a_page_is_told(told: dict[tuple[str, str], dict[str, Any]], name: str) -> None:
    assert told["direct", name] == ENDINGS[name][1]
    assert told["proxied", name] == told["direct", name]
