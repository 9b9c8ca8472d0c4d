"""Every way in: mitmproxy's modes, TLS and IPv6 on either side, plain HTTP, and the addon in the stock programs."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from mitmproxy.io import FlowReader

from hangup.cli import cli
from hangup.errors import UsageError
from hangup.recording import reader
from hangup.recording.events import Stop
from harness import DEADLINE, frames, namespaces
from harness.certificates import authority, trusting_anyone
from harness.frames import BINARY, MASK, PING, TEXT
from harness.peers import Address, Head, How, Peer, RawServer, dial, open_websocket, request_head
from harness.programs import Program
from harness.proxies import HANGUP, MITMDUMP, HangupProxy, Mitmdump, hangup, home
from harness.reading import Connection, connections

FROM_CLIENT = frames.frame(TEXT, b"hello", mask=MASK) + frames.frame(0x3, b"odd", mask=MASK)
FROM_SERVER = frames.frame(PING, b"beat") + frames.frame(BINARY, b"x" * 70000)


def converse(client: Peer, server: Peer, ending: How = "rst") -> None:
    """Bytes that stock mitmproxy would not pass, each way, and an ending that it would hide."""
    client.send(FROM_CLIENT)
    server.expect(FROM_CLIENT)
    server.send(FROM_SERVER)
    client.expect(FROM_SERVER)
    server.rst() if ending == "rst" else server.close()
    assert client.wait_end().how == ending
    client.close()


def check(recorded: Connection, ending: How = "rst") -> None:
    """The conversation is in the recording, every byte."""
    assert recorded.sent("client") == FROM_CLIENT
    assert recorded.sent("server") == FROM_SERVER
    assert recorded.problems("client") == {"reserved-opcode"}
    assert recorded.ends[0] == ("server", ending)


# TLS, IPv6 and HTTP --------------------------------------------------------------------------------------------


def test_ipv6() -> None:
    try:
        server = RawServer(host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server, HangupProxy(server.url, listen="[::1]:0") as proxy:
        assert proxy.host == "::1"
        client = open_websocket(proxy.address, "/six", host="[::1]:80")
        converse(client, server.accept("/six"))
        proxy.stop()
        check(connections(proxy.events())["/six"])


def test_certificates_of_both_sides() -> None:
    """The backend's is checked against --ca, and clients are shown --cert."""
    with RawServer(tls=authority().server()) as server:
        url = f"wss://localhost:{server.port}"
        with HangupProxy(url, "--ca", str(authority().ca), "--cert", str(authority().pem)) as proxy:
            client = open_websocket(proxy.address, "/safe", tls=authority().client())
            upstream = server.accept("/safe")
            assert upstream.head.get("host") == f"localhost:{server.port}"
            converse(client, upstream)
            proxy.stop()
            check(connections(proxy.events())["/safe"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["wss://localhost:1", "--listen", "0", "--ca", __file__], "contains no readable certificates"),
        (["ws://localhost:9876", "--listen", "127.0.0.1:9876"], "ws://localhost:9876 is where hangup itself"),
        (["ws://[::1]:9876/ws", "--listen", "0.0.0.0:9876"], "ws://[::1]:9876 is where hangup itself"),
    ],
)
def test_what_could_never_work_is_said_at_once(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["proxy", *arguments, "--no-web"])
    assert isinstance(done.exception, UsageError) and says in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_certificate_that_nobody_vouches_for() -> None:
    with RawServer(tls=authority().server()) as server, HangupProxy(f"wss://localhost:{server.port}") as proxy:
        client = open_websocket(proxy.address, "/unsafe", status=502)
        client.close()
        proxy.stop()
        ending = proxy.show()["connections"][0]["ending"]
    assert "certificate" in ending["sentence"].lower()
    assert server.requests == []


def test_mitmproxys_own_authority_towards_clients() -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        client = open_websocket(proxy.address, "/", tls=ssl.create_default_context(cafile=proxy.authority))
        converse(client, server.accept("/"))
        proxy.stop()
        check(connections(proxy.events())["/"])


def test_plain_http_passes_and_is_counted() -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        client = dial(proxy.address)
        for path in ("/health", "/app.js?v=1"):
            client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            client.take(b"plain HTTP")
        client.close()
        proxy.stop()
        events = proxy.events()
    assert [r.target for r in server.requests] == ["/health", "/app.js?v=1"]
    assert connections(events) == {}
    assert isinstance(events[-1], Stop) and events[-1].http == 2


def test_headers_pass_as_they_are() -> None:
    """Order, case and repetition stay; the Host becomes the backend's, as in a direct connection; the Origin stays."""
    headers = [
        ("X-odd-CASE", "1"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Origin", "http://localhost:5173"),
        ("Sec-WebSocket-Protocol", "chat, superchat"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("x-Empty", ""),
    ]
    with RawServer() as server, HangupProxy(server.url) as proxy:
        client = open_websocket(proxy.address, "/a%20b/../c//?q=%2F&r=a+b", headers=headers)
        upstream = server.accept()
        assert upstream.head.target == "/a%20b/../c//?q=%2F&r=a+b"
        assert upstream.head.headers[-len(headers) :] == headers
        assert upstream.head.get("host") == f"127.0.0.1:{server.port}"
        client.close()
        upstream.wait_end()


# mitmproxy's modes ---------------------------------------------------------------------------------------------


def by_connect(proxy: Address, server: Address) -> Peer:
    """A client that asks for a tunnel, as a browser with a proxy does for ``ws://``."""
    peer = dial(proxy)
    peer.send(f"CONNECT {server[0]}:{server[1]} HTTP/1.1\r\nHost: {server[0]}:{server[1]}\r\n\r\n".encode())
    assert Head.parse(peer.take(b"\r\n\r\n")).status == 200
    return peer


def by_socks(proxy: Address, server: Address) -> Peer:
    """A client that speaks SOCKS5 (RFC 1928), by address."""
    peer = dial(proxy)
    peer.send(b"\x05\x01\x00")
    assert peer.take(2) == b"\x05\x00"
    peer.send(b"\x05\x01\x00\x01" + socket.inet_aton(server[0]) + struct.pack("!H", server[1]))
    assert peer.take(10)[:2] == b"\x05\x00"
    return peer


WAYS: dict[str, tuple[str, Callable[[Address, Address], Peer], bool]] = {
    "regular, CONNECT": ("regular", by_connect, False),
    "regular, CONNECT with TLS within": ("regular", by_connect, True),
    "socks5": ("socks5", by_socks, False),
    "socks5 with TLS within": ("socks5", by_socks, True),
}


@pytest.mark.parametrize("way", WAYS)
def test_modes(way: str) -> None:
    mode, tunnel, tls = WAYS[way]
    with RawServer(tls=authority().server() if tls else None) as server:
        with HangupProxy("", "--mode", mode, *(["--insecure"] if tls else [])) as proxy:
            through = tunnel(proxy.address, server.address)
            client = open_websocket(through, f"/{mode}", tls=trusting_anyone() if tls else None)
            converse(client, server.accept(f"/{mode}"))
            proxy.stop()
            check(connections(proxy.events())[f"/{mode}"])


def test_regular_mode_with_an_absolute_target() -> None:
    with RawServer() as server, HangupProxy("", "--mode", "regular") as proxy:
        host = f"{server.host}:{server.port}"
        client = open_websocket(proxy.address, f"http://{host}/absolute", host=host)
        converse(client, server.accept("/absolute"))
        proxy.stop()
        check(connections(proxy.events())["/absolute"])


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_upstream_mode(tls: bool) -> None:
    """Through a second proxy, a stock mitmproxy that only tunnels."""
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(tls=authority().server() if tls else None))
        stock = stack.enter_context(Mitmdump("--mode", "regular", "--ignore-hosts", ".*"))
        mode = f"upstream:http://127.0.0.1:{stock.port}"
        proxy = stack.enter_context(HangupProxy("", "--mode", mode, "--insecure"))
        through = by_connect(proxy.address, server.address)
        client = open_websocket(through, "/upstream", tls=trusting_anyone() if tls else None)
        # The stock proxy would make a FIN of a RST.
        converse(client, server.accept("/upstream"), "fin")
        proxy.stop()
        check(connections(proxy.events())["/upstream"], "fin")
        stock.stop()
        assert str(server.port) in stock.output


def test_transparent_mode() -> None:
    """Packets are redirected to the proxy; neither side knows of it."""
    if why := namespaces.problem():
        pytest.skip(why)
    with namespaces.cable() as (outside, inside):
        listener = inside.run(lambda: socket.create_server((inside.address, 0)))
        address = listener.getsockname()
        command = inside.command(*HANGUP)
        with (
            RawServer(listener=listener) as server,
            HangupProxy("", "--mode", "transparent", listen="0.0.0.0:0", command=command) as proxy,
        ):
            namespaces.redirect(inside, server.port, proxy.port)
            sock = outside.run(lambda: socket.create_connection(address, 10))
            client = open_websocket(Peer(sock, "client"), "/transparent", host=f"{server.host}:{server.port}")
            converse(client, server.accept("/transparent"))
            proxy.stop()
            recorded = connections(proxy.events())["/transparent"]
    check(recorded)
    assert recorded.handshake.client.startswith(outside.address)


# The addon in the stock programs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def addon() -> Iterator[str]:
    """What ``mitmdump -s`` is given."""
    path = hangup("addon").stdout.strip()
    assert Path(path).is_file()
    yield path


CALL = """
import os
import socket
from mitmproxy import ctx

def running():
    port = ctx.master.addons.get("proxyserver").listen_addrs()[0][1]
    with socket.create_connection(("127.0.0.1", int(os.environ["CALL"]))) as sock:
        sock.sendall(str(port).encode())
"""
"""An addon that calls the test to tell where the program listens: on a terminal it cannot be read."""


@pytest.mark.parametrize("program", ["mitmdump", "mitmproxy", "mitmweb"])
def test_addon_in(program: str, addon: str, tmp_path: Path) -> None:
    recording, call = tmp_path / "run.jsonl", tmp_path / "call.py"
    call.write_text(CALL)
    with RawServer() as server, socket.create_server(("127.0.0.1", 0)) as listener:
        words = ["-s", addon, "-s", str(call), "--mode", f"reverse:http://127.0.0.1:{server.port}"]
        words += ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"hangup_record={recording}"]
        if program == "mitmweb":
            words += ["--no-web-open-browser", "--web-port", "0"]
        command = [sys.executable, "-c", f"from mitmproxy.tools.main import {program}; {program}()", *words]
        environment = {"HOME": str(home()), "CALL": str(listener.getsockname()[1]), "TERM": "xterm"}
        with Program(command, environment=environment, terminal=program == "mitmproxy") as stock:
            listener.settimeout(DEADLINE)
            with listener.accept()[0] as told:
                port = int(told.recv(100))
            client = open_websocket(("127.0.0.1", port), "/stock")
            converse(client, server.accept("/stock"))
            stock.stop()
    check(connections(reader.read(recording))["/stock"])


def test_addon_without_a_recording(addon: str, tmp_path: Path) -> None:
    """Where recording cannot begin, the program ends with the reason, as it does on any error while it starts."""
    taken = tmp_path / "taken.txt"
    taken.write_text("somebody's\n")
    words = ["-s", addon, "--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"hangup_record={taken}"]
    with Program([*MITMDUMP, *words], environment={"HOME": str(home())}) as stock:
        assert stock.wait() == 1 and f"{taken} exists already" in stock.output
    assert taken.read_text() == "somebody's\n"


LISTENER = """
from mitmproxy import http

def websocket_start(flow: http.HTTPFlow):
    print("start", flow.request.path, flush=True)

def websocket_message(flow: http.HTTPFlow):
    message = flow.websocket.messages[-1]
    print("message", message.from_client, message.content, flush=True)

def websocket_end(flow: http.HTTPFlow):
    print("end", flow.websocket.closed_by_client, flow.websocket.close_code, flush=True)
"""


@pytest.mark.parametrize("hooks", [False, True], ids=["without hooks", "with hooks"])
def test_other_peoples_addons(addon: str, tmp_path: Path, hooks: bool) -> None:
    """Start and end are told always, messages when they are asked for."""
    listener = tmp_path / "listener.py"
    listener.write_text(LISTENER)
    with RawServer() as server:
        with Mitmdump(
            *["-s", addon, "-s", str(listener), "--mode", f"reverse:http://127.0.0.1:{server.port}"],
            *["--set", f"hangup_record={tmp_path / 'run.jsonl'}", "--set", f"hangup_hooks={str(hooks).lower()}"],
        ) as stock:
            client = open_websocket(stock.address, "/hooks")
            upstream = server.accept("/hooks")
            client.send(frames.frame(TEXT, b"hel", fin=False, mask=MASK) + frames.frame(0, b"lo", mask=MASK))
            upstream.expect_frames(2)
            upstream.send(frames.close(4001))
            client.expect_frames(1)
            client.send(frames.close(4001, mask=MASK))
            upstream.expect_frames(3)
            upstream.close()
            client.wait_end()
            client.close()
            stock.wait_for(r"^end False 4001$")
            stock.stop()
            told = [line for line in stock.output.splitlines() if line.startswith(("start ", "message ", "end "))]
    messages = ["message True b'hello'"] if hooks else []
    assert told == ["start /hooks", *messages, "end False 4001"]


def test_mitmproxys_own_files(addon: str, tmp_path: Path) -> None:
    """Of handshakes that were refused or broken, too: what is kept of them is nothing that cannot be written."""
    saved = tmp_path / "flows"
    with RawServer(answer=None) as server:
        options = ["-s", addon, "--mode", f"reverse:http://127.0.0.1:{server.port}", "-w", str(saved)]
        with Mitmdump(*options, "--set", f"hangup_record={tmp_path / 'run.jsonl'}") as stock:
            refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
            for target, answer in (("/refused", refusal), ("/broken", b"")):
                client = dial(stock.address)
                client.send(request_head(target, "localhost"))
                upstream = server.accept(target)
                upstream.send(answer)
                client.expect(len(answer))
                upstream.close()
                if not answer:
                    client.wait_end()
                client.close()
            stock.stop()
            said = stock.output + stock.errors
            assert "Traceback" not in said and "unserializable" not in said, said
    with saved.open("rb") as file:
        flows = list(FlowReader(file).stream())
    assert [flow.request.path for flow in flows] == ["/refused", "/broken"]
    assert (flows[0].response.status_code, flows[1].response) == (403, None)
