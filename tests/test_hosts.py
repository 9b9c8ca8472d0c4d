"""Host as each side had it: what the client sent, what the server got, and who is told of the difference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hangup.proxy.hosts import names
from harness.certificates import authority
from harness.peers import Answer, Head, RawServer, dial, open_websocket, request_head
from harness.proxies import HangupProxy, hangup


def picky(head: Head) -> Answer:
    """A backend that knows one Host only."""
    own = f"127.0.0.1:{picky.port}"  # type: ignore[attr-defined]
    return Answer() if head.get("host") == own else Answer(403, greeting=b"Invalid Host header")


@contextmanager
def proxied(*arguments: str, answer: object = None) -> Iterator[tuple[RawServer, HangupProxy]]:
    with RawServer(answer=answer or Answer()) as server, HangupProxy(server.url, *arguments) as proxy:  # type: ignore[arg-type]
        yield server, proxy


def got(server: RawServer) -> list[str | None]:
    return [head.get("host") for head in server.requests]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "app.localhost", "LOCALHOST"])
def test_the_proxys_own_address_is_rewritten(name: str) -> None:
    with proxied() as (server, proxy):
        host = f"{name}:{proxy.port}"
        open_websocket(proxy.address, "/own", host=host).close()
        proxy.stop()
        (handshake,) = [event for event in proxy.events() if hasattr(event, "request")]
        assert got(server) == [f"127.0.0.1:{server.port}"]
        assert handshake.original is not None and handshake.client_host == host
        assert not handshake.rewritten
        shown = hangup("show", proxy.recording, "--conn", "1").stdout
        assert f"the client sent Host: {host}" in shown and f"Host: 127.0.0.1:{server.port}" in shown


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "localhost:1", "localhost", "", "a b", "[::1"])
def test_a_foreign_one_is_passed_on(host: str) -> None:
    with proxied() as (server, proxy):
        host = host.format(port=proxy.port)
        open_websocket(proxy.address, "/foreign", host=host).close()
        proxy.stop()
        (handshake,) = [event for event in proxy.events() if hasattr(event, "request")]
        assert got(server) == [host]
        assert handshake.original is None and handshake.client_host == ""


def test_it_can_be_kept() -> None:
    with proxied("--keep-host") as (server, proxy):
        host = f"localhost:{proxy.port}"
        open_websocket(proxy.address, "/kept", host=host).close()
        assert got(server) == [host]


def test_plain_http_alike() -> None:
    with proxied() as (server, proxy):
        for host in (f"localhost:{proxy.port}", "evil.example"):
            client = dial(proxy.address)
            client.send(f"GET / HTTP/1.1\r\nhOst: {host}\r\nConnection: close\r\n\r\n".encode())
            client.wait_end()
            client.close()
        assert got(server) == [f"127.0.0.1:{server.port}", "evil.example"]
        assert [head.headers[0][0] for head in server.requests] == ["hOst", "hOst"]


def test_the_targets_name_is_asked_of_tls_all_the_same() -> None:
    asked = []
    context = authority().server()
    context.sni_callback = lambda sock, name, old: asked.append(name)
    with RawServer(tls=context) as server:
        url = f"wss://localhost:{server.port}"
        with HangupProxy(url, "--ca", str(authority().ca), "--keep-host") as proxy:
            open_websocket(proxy.address, "/tls", host="elsewhere.example").close()
    assert asked == ["localhost"]


def test_a_backends_own_check_holds_and_is_named() -> None:
    with proxied(answer=picky) as (server, proxy):
        picky.port = server.port  # type: ignore[attr-defined]
        open_websocket(proxy.address, "/ws").close()
        client = dial(proxy.address)
        client.send(request_head("/ws", "evil.example"))
        client.take(b"403")
        client.close()
        proxy.stop()
        found = json.loads(hangup("why", proxy.recording, "--conn", "2", "--json", check=False).stdout)
        words = json.dumps(found)
        assert "the server received Host evil.example, which is not its address" in words
        assert f"with Host 127.0.0.1:{server.port} it was accepted" in words


def test_diff_shows_both(tmp_path: object) -> None:
    files = []
    with RawServer() as server:
        for arguments, host in (((), ""), (("--keep-host",), "")):
            with HangupProxy(server.url, *arguments) as proxy:
                peer = open_websocket(proxy.address, "/ws", host=host or f"localhost:{proxy.port}")
                server.accept("/ws")
                peer.close()
                proxy.stop()
                file = tmp_path / f"{len(files)}.jsonl"  # type: ignore[operator]
                file.write_bytes(proxy.recording.read_bytes())
                files.append((file, proxy.port))
        differ = hangup("diff", files[0][0], files[1][0], check=False).stdout
    assert f"127.0.0.1:{server.port} (the client sent localhost:{files[0][1]})" in differ
    assert f"localhost:{files[1][1]}" in differ


def test_whose_name_it_is() -> None:
    assert names("localhost", "10.0.0.5", 80, False) and names("localhost", "10.0.0.5", 443, True)
    assert not names("localhost", "10.0.0.5", 443, False)
    assert names("10.0.0.5:9000", "10.0.0.5", 9000, False)
    assert not names("10.0.0.6:9000", "10.0.0.5", 9000, False)
    assert names("[fe80::1]:9000", "fe80::1%eth0", 9000, False)
    assert not names("localhost.evil.example:9000", "127.0.0.1", 9000, False)
