"""A client that waits while the server is being connected to: it is told of every end, and nothing of it stays."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing

import psutil
import pytest

from hangup.recording.events import AnyEvent, End, Handshake
from harness import until
from harness.certificates import authority
from harness.peers import Peer, dial, request_head
from harness.proxies import HANGUP, HangupProxy

RESET = """
import select
from asyncio.selector_events import BaseSelectorEventLoop as Loop
connect = Loop.sock_connect
async def connect_and_wait(self, sock, address):
    await connect(self, sock, address)
    print("connected", flush=True)
    select.select([sock], [], [], 30)
Loop.sock_connect = connect_and_wait
"""
"""A server resets a connection after it is there, and before asyncio asks for its name: with bad luck that is so."""

SILENT = """
import asyncio
from asyncio.selector_events import BaseSelectorEventLoop as Loop
async def connect(self, sock, address):
    print("connecting", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("given up", flush=True)
Loop.sock_connect = connect
"""
"""A server from which nothing comes back."""

IMPATIENT = "import hangup.proxy.broken_handshake as it; it.PATIENCE = 0.3\n"

REMEMBERED = """
from hangup.proxy.filtering import Filtering
forget = Filtering.forget
def forget_and_tell(self, conn):
    forget(self, conn)
    print(f"forgotten: {conn}, remembered: {len(self._shaken)}", flush=True)
Filtering.forget = forget_and_tell
"""


def proxy_with(code: str, target: str, *arguments: str) -> HangupProxy:
    """``hangup proxy``, this run before it."""
    return HangupProxy(target, *arguments, command=[*HANGUP[:-1], code + HANGUP[-1]])


def asking(proxy: HangupProxy, target: str = "/x") -> Peer:
    client = dial(proxy.address)
    client.send(request_head(target, "localhost"))
    return client


def told(events: Sequence[AnyEvent]) -> tuple[str, list[tuple[str, str]]]:
    """The handshake's error, and the ends after it."""
    (handshake,) = [each for each in events if isinstance(each, Handshake)]
    return handshake.error, [(each.side, each.how) for each in events if isinstance(each, End)]


def nothing_is_left(proxy: HangupProxy) -> None:
    """All but what it listens on is closed."""
    process = psutil.Process(proxy.pid)
    until(lambda: not any(each.raddr for each in process.net_connections()))


def test_a_server_that_resets_it_at_once() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with closing(listener), proxy_with(RESET, f"ws://127.0.0.1:{listener.getsockname()[1]}") as proxy:
        client = asking(proxy)
        proxy.wait_for("^connected$")
        listener.close()  # resets what nobody has accepted
        assert client.wait_end().how == "rst"
        assert not client.received
        nothing_is_left(proxy)
        proxy.stop()
        error, ends = told(proxy.events())
        assert error == "the server reset the connection instead of answering (RST)" and ends == [("server", "rst")]


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_a_client_that_goes_while_it_is_connected_to(how: str) -> None:
    code = SILENT if how == "rst" else IMPATIENT + SILENT
    with proxy_with(code, "ws://127.0.0.1:1") as proxy:
        client = asking(proxy)
        proxy.wait_for("^connecting$")
        if how == "rst":
            client.rst()
        else:
            client.half_close()
        proxy.wait_for("^given up$")
        if how == "fin":
            assert client.wait_end().how == "fin"
            assert not client.received
        nothing_is_left(proxy)
        proxy.stop()
        assert told(proxy.events()) == (f"the client went away before the answer ({how.upper()})", [("client", how)])


def test_a_client_that_goes_while_tls_is_agreed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        target = f"wss://127.0.0.1:{listener.getsockname()[1]}"
        with proxy_with(IMPATIENT, target, "--ca", str(authority().ca)) as proxy:
            client = asking(proxy)
            with closing(listener.accept()[0]) as server:
                server.settimeout(30)
                assert server.recv(1) == b"\x16"  # its hello, which is not answered
                client.half_close()
                assert client.wait_end().how == "fin"
                while server.recv(1 << 16):
                    pass
            nothing_is_left(proxy)
            proxy.stop()
            assert told(proxy.events()) == ("the client went away before the answer (FIN)", [("client", "fin")])


def test_a_client_that_half_closes_is_still_connected() -> None:
    """Within a few seconds, and it gets its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        with HangupProxy(f"ws://127.0.0.1:{listener.getsockname()[1]}") as proxy:
            client = asking(proxy)
            client.half_close()
            with closing(listener.accept()[0]) as server:
                server.settimeout(30)
                while server.recv(1 << 16):
                    pass
                server.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            assert client.take(b"\r\n\r\n").startswith(b"HTTP/1.1 403 ")
            assert client.wait_end().how == "fin"


def test_nothing_is_remembered_of_a_broken_handshake() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    with closing(listener), proxy_with(REMEMBERED, f"ws://127.0.0.1:{listener.getsockname()[1]}") as proxy:
        for _ in range(5):
            client = asking(proxy)
            with closing(listener.accept()[0]) as server:
                server.settimeout(30)
                assert server.recv(1 << 16)
                client.rst()
                with pytest.raises(ConnectionResetError):
                    server.recv(1 << 16)
        nothing_is_left(proxy)
        assert "forgotten: 5, remembered: 0" in proxy.stop()
