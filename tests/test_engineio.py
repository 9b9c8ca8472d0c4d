"""The HTTP with which an Engine.IO session begins: asked for by the player, answered by the server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conversing import Talk
from hangup.errors import BackendError
from hangup.recording.events import Request
from hangup.replay.engineio_client import EngineIOSession, open_session, with_session
from hangup.wire.url import Target
from harness.peers import dial
from serving import served

UPGRADE = Request(
    target="/socket.io/?EIO=4&transport=websocket&sid=old-1",
    headers=[
        ("Host", "h"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Cookie", "a=1"),
        ("Origin", "http://o"),
    ],
)


@contextmanager
def http(answer: Callable[[str], bytes]) -> Iterator[tuple[Target, list[str]]]:
    """An HTTP server: ``answer(request)`` is the whole response; the requests are kept."""
    seen: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(30)
                data = b""
                while b"\r\n\r\n" not in data or (b"Content-Length: 2" in data and not data.endswith(b"40")):
                    data += peer.recv(65536)
                seen.append(data.decode())
                peer.sendall(answer(seen[-1]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Target(False, "127.0.0.1", listener.getsockname()[1]), seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def response(body: str, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def opened(target: Target, request: Request = UPGRADE, *, join: bool = True) -> EngineIOSession:
    return asyncio.run(open_session(request, target, "the.host", context=None, timeout=20, join=join))


def test_a_session_is_opened_and_joined() -> None:
    def answer(request: str) -> bytes:
        if request.startswith("POST"):
            return response("ok")
        if "sid=" in request:
            return response('40{"sid":"s"}\x1e42["session",{"token":"t"}]')
        return response('0{"sid":"new+1","upgrades":["websocket"]}', "Set-Cookie: io=abc; Path=/")

    with http(answer) as (target, seen):
        session = opened(target)
    assert session.sid == "new+1" and session.cookies == "a=1; io=abc"
    assert session.packets[1:] == ['40{"sid":"s"}', '42["session",{"token":"t"}]']
    first, post, poll = seen
    assert first.startswith("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: the.host\r\n")
    assert "Upgrade:" not in first and "Origin: http://o" in first and "Cookie: a=1\r\n" in first
    assert post.startswith("POST /socket.io/?EIO=4&transport=polling&sid=new%2B1 ") and post.endswith("\r\n\r\n40")
    assert "Cookie: a=1; io=abc\r\n" in poll
    request = with_session(UPGRADE, session)
    assert request.target == "/socket.io/?EIO=4&transport=websocket&sid=new%2B1"
    assert ("Cookie", "a=1; io=abc") in request.headers and ("Cookie", "a=1") not in request.headers


def test_the_older_protocol_says_lengths_and_joins_by_itself() -> None:
    old = Request(target="/socket.io/?EIO=3&transport=websocket&sid=x")
    packet = '0{"sid":"abc","upgrades":["websocket"]}'
    with http(lambda _: response(f"{len(packet)}:{packet}2:40")) as (target, seen):
        session = opened(target, old)
    assert session.packets == [packet, "40"]
    assert len(seen) == 1


def test_who_joins_on_the_websocket_does_not_join_twice() -> None:
    with http(lambda _: response('0{"sid":"abc"}')) as (target, seen):
        assert opened(target, join=False).sid == "abc"
    assert len(seen) == 1


def test_chunked_answers() -> None:
    body = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n0{"sid":\r\n6\r\n"abc"}\r\n0\r\n\r\n'
    with http(lambda _: body.encode()) as (target, _):
        assert opened(target, join=False).sid == "abc"


@pytest.mark.parametrize(
    "answer", [response("no", status="404 Not Found"), response("0{}"), response("hello"), b"nonsense", b""]
)
def test_no_session(answer: bytes) -> None:
    with http(lambda _: answer) as (target, _), pytest.raises(BackendError, match="no Engine.IO session|not HTTP"):
        opened(target)


# Serving.


def upgraded() -> Talk:
    talk = Talk()
    talk.open(1, target="/socket.io/?EIO=4&transport=websocket&sid=old-1")
    talk.say(1, "client", "text", b"2probe")
    talk.say(1, "server", "text", b"3probe")
    talk.say(1, "client", "text", b"5")
    talk.wait(1000)
    talk.stop()
    return talk


def ask(address: tuple[str, int], request: str, body: str = "") -> tuple[int, str]:
    peer = dial(address)
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    peer.send(f"{request} HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\n{length}\r\n{body}".encode())
    head = peer.take(b"\r\n\r\n").decode()
    assert "Access-Control-Allow-Origin: http://o" in head
    peer.wait_end()
    text = peer.received.decode()
    peer.close()
    return int(head.split()[1]), text


def test_polling_is_answered_until_the_upgrade() -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    with served(upgraded().events) as server:
        status, text = ask(server.address, f"GET {path}")
        assert status == 200 and text.startswith('0{"sid": "') and '"upgrades": ["websocket"]' in text
        sid = text.split('"')[3]
        assert ask(server.address, f"POST {path}&sid={sid}", "40") == (200, "ok")
        status, text = ask(server.address, f"GET {path}&sid={sid}")
        assert status == 200 and text.startswith('40{"sid": "')
        assert ask(server.address, f"GET {path}&sid=unknown")[0] == 400
        assert ask(server.address, f"OPTIONS {path}") == (204, "")


def test_a_recording_without_polling_has_none() -> None:
    talk = Talk()
    talk.open(1, target="/socket.io/?EIO=4&transport=websocket")
    talk.say(1, "server", "text", b'0{"sid":"x","pingInterval":25000}')
    talk.stop()
    with served(talk.events) as server:
        status, text = ask(server.address, "GET /socket.io/?EIO=4&transport=polling")
        assert status == 400 and "Transport unknown" in text
