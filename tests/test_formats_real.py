"""Files of other programs, made by them or read by them: Chromium through Playwright, and mitmproxy."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conversing import HEADER, Talk
from hangup.cli import cli
from hangup.proxy.flows import FlowWriter
from hangup.recording import events as ev
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, Frame, Handshake
from hangup.recording.formats import open_recording
from hangup.recording.formats.writing import writer
from hangup.recording.ledger import Ledger
from harness.browser import chromium

pytestmark = pytest.mark.real

TALK = """async url => {
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    const next = () => new Promise(resolve => { socket.onmessage = event => resolve(event.data) })
    await new Promise(resolve => { socket.onopen = resolve })
    for (const said of ['hé \\u{1f600}', new Uint8Array([1, 2, 255]), 'x'.repeat(70000), '{"token":"s3cr3t-s3cr3t"}']) {
        const answer = next()
        socket.send(said)
        await answer
    }
    const closed = new Promise(resolve => { socket.onclose = event => resolve([event.code, event.reason]) })
    socket.send('bye')
    return await closed
}"""
SAID = ["hé \U0001f600".encode(), b"\x01\x02\xff", b"x" * 70000, b'{"token":"s3cr3t-s3cr3t"}']


@contextmanager
def echo() -> Iterator[int]:
    """A real server: it gives out an empty page, echoes, and closes when it is told ``bye``. Yields its port."""
    from websockets.datastructures import Headers
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection, serve

    def page(connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/chat"):
            return None
        return Response(200, "OK", Headers({"Content-Type": "text/html"}), b"<p>page")

    def handler(connection: ServerConnection) -> None:
        try:
            for message in connection:
                if message == "bye":
                    connection.close(4001, "over")
                else:
                    connection.send(message)
        except ConnectionClosed:
            pass

    with serve(handler, "127.0.0.1", 0, process_request=page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("content", ["embed", "attach"])
def test_a_har_that_playwright_recorded_in_chromium(tmp_path: Path, content: str) -> None:
    path = tmp_path / "page.har"
    with echo() as port, chromium() as page:
        assert page.context.browser is not None
        context = page.context.browser.new_context(record_har_path=path, record_har_content=content)  # type: ignore[arg-type]
        recorded = context.new_page()
        recorded.goto(f"http://127.0.0.1:{port}/")
        before = time.time()
        assert recorded.evaluate(TALK, f"ws://127.0.0.1:{port}/chat?token=abc") == [4001, "over"]
        after = time.time()
        context.close()
    recording = open_recording(path)
    assert recording.header.source.startswith("har (Playwright")
    events = list(recording)
    (handshake,) = [event for event in events if isinstance(event, Handshake)]
    assert handshake.request.target == "/chat?token=abc" and handshake.response is not None
    assert handshake.response.status == 101 and handshake.server == f"127.0.0.1:{port}"
    frames = [event for event in events if isinstance(event, Frame)]
    echoed = [each for said in SAID for each in (("client", said), ("server", said))]
    assert [(frame.side, frame.payload) for frame in frames] == [*echoed, ("client", b"bye")]
    assert [frame.opcode for frame in frames[:4]] == ["text", "text", "binary", "binary"]
    started = _epoch(recording.header)
    assert all(before - 1 <= started + frame.at <= after + 1 for frame in frames)
    _shown_and_converted(path, tmp_path / "page.jsonl")


def _epoch(header: ev.Header) -> float:
    from datetime import datetime

    return datetime.fromisoformat(header.started).timestamp()


def _shown_and_converted(path: Path, target: Path) -> None:
    shown = CliRunner().invoke(cli, ["show", str(path), "--json"], catch_exceptions=False)
    (connection,) = json.loads(shown.stdout)["connections"]
    assert connection["frames"] == {"client": 5, "server": 4} and connection["status"] == 101
    done = CliRunner().invoke(cli, ["convert", str(path), str(target)], catch_exceptions=False)
    assert done.exit_code == 0 and b"s3cr3t" not in target.read_bytes()
    assert len(list(open_recording(target))) == len(list(open_recording(path)))


ENDINGS = """async ([base, closed]) => {
    const outcome = (path, protocols) => new Promise(resolve => {
        const socket = new WebSocket(base + path, protocols)
        socket.onopen = () => socket.send(path)
        socket.onclose = event => resolve([path, event.code, Date.now() / 1000])
    })
    const down = new Promise(resolve => {
        const socket = new WebSocket(closed)
        socket.onclose = event => resolve(["down", event.code, Date.now() / 1000])
    })
    const found = [await down]
    for (const way of ["close", "fin", "rst", "junk"]) found.push(await outcome(`/chat/${way}`))
    found.push(await outcome("/refused"))
    found.push(await outcome("/chat/close?unspoken", ["v1"]))
    return found
}"""


@contextmanager
def ends() -> Iterator[tuple[int, int]]:
    """A real server that ends connections in the way that their path says. Yields its port, and one where nobody is."""
    from websockets.datastructures import Headers
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection, serve

    def page(connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/chat"):
            return None
        status = 403 if request.path == "/refused" else 200
        return Response(status, "So", Headers({"Content-Type": "text/html"}), b"<p>page")

    def handler(connection: ServerConnection) -> None:
        connection.recv()
        way = connection.request.path.rpartition("/")[2] if connection.request is not None else ""
        if way == "close":
            connection.close(4001, "over")
        elif way == "junk":
            connection.socket.sendall(b"\xf1\x02hi")
            connection.socket.recv(1)
        elif way in ("fin", "rst"):
            if way == "rst":
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.socket.close() if way == "rst" else connection.socket.shutdown(socket.SHUT_RDWR)

    with serve(handler, "127.0.0.1", 0, process_request=page) as server, socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and nobody listens
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1], unheard.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


def test_what_playwright_and_chromium_tell_of_endings(tmp_path: Path) -> None:
    """One run, told by Playwright's HAR and trace, and by Chromium's netlog, with the sockets' bytes and without."""
    for mode in ("Everything", "IncludeSensitive"):
        netlog = tmp_path / f"{mode}.json"
        options = [f"--log-net-log={netlog}", f"--net-log-capture-mode={mode}"]
        with ends() as (port, nobody), chromium(*options) as page:
            assert page.context.browser is not None
            har = tmp_path / f"{mode}.har.zip"
            context = page.context.browser.new_context(record_har_path=har)
            context.tracing.start(snapshots=True)
            recorded = context.new_page()
            recorded.goto(f"http://127.0.0.1:{port}/")
            outcomes = recorded.evaluate(ENDINGS, [f"ws://127.0.0.1:{port}", f"ws://127.0.0.1:{nobody}/down"])
            assert [code for _, code, _ in outcomes] == [1006, 4001, 1006, 1006, 1006, 1006, 1006]
            context.tracing.stop(path=tmp_path / "trace.zip")
            context.close()
        truth = {path.partition("?")[0]: at for path, _, at in outcomes[1:5]}
        for path in (har, tmp_path / "trace.zip"):
            found = _accounts(path)
            refused = [(each.path, each.status) for each in found.values() if each.refused]
            assert ("/refused", 403) in refused and ("/down", None) in refused and len(refused) == 3
            assert "connection refused" in next(each.error for each in found.values() if each.path == "/down")
            opened = [each for each in found.values() if each.opened is not None]
            assert [each.path for each in opened] == ["/chat/close", "/chat/fin", "/chat/rst", "/chat/junk"]
            assert all(each.ended is None and each.untold for each in opened)
            assert "Invalid frame header" in opened[-1].untold
        recording = open_recording(netlog)
        assert recording.header.source.startswith("netlog (") and recording.header.tells("payloads") is (
            mode == "Everything"
        )
        found = _accounts(netlog)
        told = {each.path: each for each in found.values() if each.target.count("?") == 0}
        code = 4001 if mode == "Everything" else None
        assert [(told[p].ending.by, told[p].ending.how, told[p].ending.code) for p in truth] == [
            ("server", "close", code),
            ("server", "fin", None),
            ("server", "rst", None),
            ("client", "close", 1002 if mode == "Everything" else None),
        ]
        for path, at in truth.items():
            ended = told[path].ended
            assert ended is not None and abs(_epoch(recording.header) + ended - at) < 0.25, "a busy page may be late"
        assert told["/refused"].status == 403 and "connection refused" in told["/down"].error


def _accounts(path: Path) -> dict[int, Connection]:
    ledger = Ledger()
    for event in open_recording(path):
        ledger.feed(event)
    return ledger.connections


def example() -> list[AnyEvent]:
    talk = Talk()
    talk.open(1, target="/ws?a=1", headers=[("Origin", "http://h"), ("X", "1"), ("X", "2")], compressed=True)
    talk.wait(1500)
    talk.say(1, "client", "text", "hé".encode(), packed=True)
    talk.say(1, "server", "binary", b"\x00\xff")
    talk.wait(1500)
    talk.close(1, "server", 4001, "over")
    talk.open(2, target="/no", status=403)
    return talk.stop()


def written(name: str) -> bytes:
    out = io.BytesIO()
    made = FlowWriter(out, HEADER) if name == "mitmproxy" else writer(name, out, HEADER)
    for event in example():
        made.write(event)
    made.finish()
    made.close()
    return out.getvalue()


@pytest.mark.parametrize("name", ["har", "playwright", "mitmproxy"])
def test_mitmproxy_reads_what_we_write(name: str) -> None:
    from mitmproxy.io import FlowReader

    flows: list[Any] = list(FlowReader(io.BytesIO(written(name))).stream())
    assert [flow.request.path for flow in flows] == ["/ws?a=1", "/no"]
    assert [flow.response.status_code for flow in flows] == [101, 403]
    assert flows[0].request.host == "127.0.0.1" and flows[0].request.port == 8000
    assert flows[0].request.headers.get_all("X") == ["1", "2"]
    assert flows[0].request.timestamp_start == pytest.approx(1795381680.123456, abs=1e-5)


def test_mitmproxy_and_mitmweb_show_the_messages() -> None:
    from mitmproxy import flow as mitmproxy_flow
    from mitmproxy.io import FlowReader
    from mitmproxy.tools.web.app import flow_to_json

    flow: Any
    flow, refused = FlowReader(io.BytesIO(written("mitmproxy"))).stream()
    messages = [(m.from_client, m.is_text, m.content) for m in flow.websocket.messages]
    assert messages == [(True, True, "hé".encode()), (False, False, b"\x00\xff")]
    assert flow.websocket.messages[0].timestamp == pytest.approx(1795381680.124956, abs=1e-5)
    ending = flow.websocket.closed_by_client, flow.websocket.close_code, flow.websocket.close_reason
    assert ending == (False, 4001, "over")
    assert isinstance(refused, mitmproxy_flow.Flow) and getattr(refused, "websocket", None) is None
    assert flow_to_json(flow)["websocket"]["messages_meta"]["count"] == 2


def test_we_read_what_mitmproxy_writes(tmp_path: Path) -> None:
    from mitmproxy.addons.savehar import SaveHar
    from mitmproxy.io import FlowWriter as TheirWriter
    from mitmproxy.test import tflow

    flow = tflow.twebsocketflow()
    with open(tmp_path / "a.flow", "wb") as out:
        for each in (tflow.tflow(), flow):
            TheirWriter(out).add(each)
    (tmp_path / "a.har").write_text(json.dumps(SaveHar().make_har([tflow.tflow(), flow])))
    for name in ("a.flow", "a.har"):
        events = list(open_recording(tmp_path / name))
        assert isinstance(events[0], Handshake) and events[0].request.target == "/ws"
        frames = [event for event in events if isinstance(event, Frame) and event.opcode != "close"]
        assert [(f.side, f.opcode, f.payload) for f in frames] == [
            ("client", "binary", b"hello binary"),
            ("client", "text", b"hello text"),
            ("server", "text", b"it's me"),
        ]
