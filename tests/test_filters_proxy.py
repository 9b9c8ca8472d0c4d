"""Filters in the running proxy: on sockets, at start and at run time, in handshakes and in what becomes of ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hangup.proxy.run import Proxy, Settings
from hangup.recording import journal
from hangup.recording.events import End, FilterEvent, Frame, Handshake
from hangup.recording.rebuild import sent_by, sent_to
from hangup.wire.url import parse_target
from harness import DEADLINE, frames
from harness.frames import MASK, PING, TEXT
from harness.peers import Answer, Peer, RawServer, dial, open_websocket, request_head
from harness.proxies import HangupProxy, Mitmdump, hangup


@contextmanager
def through(*filters: str, answer: Answer | None = None) -> Iterator[tuple[HangupProxy, RawServer]]:
    """A proxy with these filters in front of a server."""
    options = [word for text in filters for word in ("--filter", text)]
    with RawServer(answer=answer or Answer()) as server, HangupProxy(server.url, *options) as proxy:
        yield proxy, server


def pair(proxy: HangupProxy, server: RawServer, target: str = "/ws") -> tuple[Peer, Peer]:
    """A WebSocket through the proxy: its client, and its server."""
    client = open_websocket(proxy.address, target)
    return client, server.accept()


def text(payload: str, mask: bytes | None = None) -> bytes:
    return frames.frame(TEXT, payload.encode(), mask=mask)


def test_messages_are_dropped_and_rewritten_and_both_legs_can_be_rebuilt() -> None:
    with through("drop-heartbeat side=client", "rewrite side=server contains=old to=new") as (proxy, server):
        client, backend = pair(proxy, server)
        client.send(text("ping", MASK) + text("hello", MASK))
        backend.expect(text("hello", MASK))
        backend.send(text("old news") + text("news"))
        client.expect(text("new") + text("news"))
        proxy.stop()
        events = proxy.events()
        filters = journal.read(proxy.recording).header.filters
    assert filters == ["drop-heartbeat side=client", "rewrite side=server contains=old to=new"]
    assert b"".join(sent_to(events, 1, "server")) == text("hello", MASK)
    assert b"".join(sent_by(events, 1, "client")) == text("ping", MASK) + text("hello", MASK)
    assert b"".join(sent_to(events, 1, "client")) == text("new") + text("news")
    assert [(e.action, e.n) for e in events if isinstance(e, FilterEvent)] == [("drop", 1), ("replace", 3)]


def test_a_handshake_is_changed_and_the_recording_has_both() -> None:
    filters = ("path /api/ws", "set-header X-New 1", "strip-extensions", "set-header X-Told 2 in=response")
    with through(*filters) as (proxy, server):
        client = open_websocket(proxy.address, "/ws?a=1", headers=[("Sec-WebSocket-Extensions", "permessage-deflate")])
        backend = server.accept()
        assert backend.head.target == "/api/ws?a=1"
        assert (backend.head.get("x-new"), backend.head.get("sec-websocket-extensions")) == ("1", None)
        assert client.head.get("x-told") == "2"
        proxy.stop()
        (handshake,) = [e for e in proxy.events() if isinstance(e, Handshake)]
    assert handshake.original is not None and handshake.returned is not None and handshake.response is not None
    assert (handshake.original.target, handshake.request.target) == ("/ws?a=1", "/api/ws?a=1")
    assert ("X-Told", "2") in handshake.returned.headers and ("X-Told", "2") not in handshake.response.headers


def test_a_refused_handshake_never_reaches_the_server() -> None:
    with through("refuse 503 reason=Busy text='come back later' first=1") as (proxy, server):
        client = open_websocket(proxy.address, "/ws", status=503)
        client.expect(b"come back later")
        assert client.head.words[2] == "Busy"
        pair(proxy, server)
        assert len(server.requests) == 1
        proxy.stop()
        first, second = [e for e in proxy.events() if isinstance(e, Handshake)]
    assert first.by.startswith("refuse 503") and first.response is not None and first.response.status == 503
    assert second.by == ""


def test_an_end_that_is_held_open() -> None:
    with through("hold-open side=server") as (proxy, server):
        client, backend = pair(proxy, server)
        backend.half_close()
        client.send(text("still here", MASK))
        backend.expect(text("still here", MASK))
        assert client.end is None
        client.close()
        assert backend.wait_end().how == "fin"
        proxy.stop()
        ends = [(e.side, e.how, e.by) for e in proxy.events() if isinstance(e, End)]
    assert ends == [("server", "fin", ""), ("client", "fin", "")]


def test_a_reset_that_is_held_open() -> None:
    with through("hold-open side=server") as (proxy, server):
        client, backend = pair(proxy, server)
        backend.rst()
        proxy.wait_for("server")
        client.send(text("to nobody", MASK))
        client.half_close()
        assert client.wait_end().how == "fin"
        proxy.stop()
        ends = [(e.side, e.how) for e in proxy.events() if isinstance(e, End)]
    assert ends == [("server", "rst"), ("client", "fin")]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut(how: str) -> None:
    with through(f"close from=server how={how} side=client text=die") as (proxy, server):
        client, backend = pair(proxy, server)
        client.send(text("die", MASK))
        assert client.wait_end().how == how
        assert backend.wait_end().how == how
        backend.expect(text("die", MASK)) if how == "fin" else None
        proxy.stop()
        ends = {(e.side, e.how, e.by) for e in proxy.events() if isinstance(e, End)}
    by = f"close side=client text=die from=server how={how}"
    assert ends == {("client", how, by), ("server", how, by)}


def test_a_close_frame_of_the_proxys_own() -> None:
    with through("close from=server code=4001 reason=bye at=0s") as (proxy, server):
        client, backend = pair(proxy, server)
        client.expect(frames.close(4001, b"bye"))
        client.send(frames.close(4001, b"bye", mask=MASK))
        backend.expect(frames.close(4001, b"bye", mask=MASK))
        backend.send(frames.close(4001, b"bye"))
        backend.close()
        assert client.wait_end().how == "fin"
        assert client.received == frames.close(4001, b"bye")
        proxy.stop()
        connection = proxy.show()["connections"][0]
    assert connection["ending"]["by"] == "proxy"


def test_what_is_delayed_comes_before_the_end_that_followed_it() -> None:
    with through("delay 300ms side=server text=slow") as (proxy, server):
        client, backend = pair(proxy, server)
        start = time.monotonic()
        backend.send(text("slow") + text("fast"))
        backend.close()
        client.expect(text("slow") + text("fast"))
        assert time.monotonic() - start >= 0.3
        assert client.wait_end().how == "fin"
        proxy.stop()
        events = proxy.events()
    assert b"".join(sent_to(events, 1, "client")) == text("slow") + text("fast")


def test_a_ping_of_the_proxys_own_in_the_silence() -> None:
    with through("keepalive side=client every=200ms") as (proxy, server):
        client, backend = pair(proxy, server)
        (ping, *_) = backend.expect_frames(1)
        assert (ping.opcode, ping.payload) == (PING, b"hangup keepalive 1")
        backend.send(frames.frame(frames.PONG, ping.payload) + text("done"))
        client.expect(text("done"))
        proxy.stop()


def test_a_client_that_comes_again_waits() -> None:
    with through("slow-reconnect 400ms") as (proxy, server):
        client, backend = pair(proxy, server)
        client.close()
        backend.wait_end()
        proxy.wait_for("#1 .*client")
        start = time.monotonic()
        pair(proxy, server)
        assert time.monotonic() - start >= 0.3
        proxy.stop()


def test_a_client_that_goes_away_while_it_waits() -> None:
    with through("slow-reconnect 1h") as (proxy, server):
        pair(proxy, server)[0].close()
        proxy.wait_for("#1 .*client")
        waiting = dial(proxy.address)
        waiting.send(request_head("/ws", "localhost"))
        waiting.close()
        again = open_websocket(proxy.address, "/other")
        server.accept("/other")
        again.close()
        proxy.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter", "drop-hartbeat"], "did you mean drop-heartbeat?"),
        (["--filter", "drop side=clint"], "side=clint: it must be client or server"),
    ],
)
def test_a_wrong_filter_is_told_in_one_line(words: list[str], said: str) -> None:
    done = hangup("proxy", "ws://127.0.0.1:1", "--listen", "127.0.0.1:0", *words, check=False)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_the_filters_are_an_option_of_mitmproxys_own_programs(tmp_path: Path) -> None:
    addon = hangup("addon").stdout.strip()
    with RawServer() as server:
        recording = tmp_path / "run.jsonl"
        options = ["-s", addon, "--mode", f"reverse:{server.url.replace('ws', 'http', 1)}"]
        with Mitmdump(*options, "--set", f"hangup_record={recording}", "--set", "hangup_filters=drop text=x") as proxy:
            client = open_websocket(proxy.address, "/ws")
            backend = server.accept()
            client.send(text("x", MASK) + text("y", MASK))
            backend.expect(text("y", MASK))


class InThread:
    """The proxy in a thread of this process, for what is done to it while it runs."""

    def __init__(self, target: str, record: Path) -> None:
        self.ready = threading.Event()
        self.proxy = Proxy(
            Settings(target=parse_target(target), port=0, record=record), on_ready=lambda proxy: self._started()
        )
        self.thread = threading.Thread(target=self.proxy.run)

    def _started(self) -> None:
        import asyncio

        self.loop = asyncio.get_running_loop()
        self.address = self.proxy.address
        self.ready.set()

    def __enter__(self) -> InThread:
        self.thread.start()
        assert self.ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.proxy.stop)
        self.thread.join(DEADLINE)

    def call(self, function: Any) -> None:
        """Runs it in the proxy's loop, and waits."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (function(), done.set()))
        assert done.wait(DEADLINE)


def test_a_change_reaches_open_connections_and_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    with RawServer() as server, InThread(server.url, file) as running:
        client = open_websocket(running.address, "/ws")
        backend = server.accept()
        master = running.proxy._master
        assert master is not None
        client.send(text("x1", MASK))
        backend.take(text("x1", MASK))
        # As mitmproxy's console does it: `:set hangup_filters=…`
        running.call(lambda: master.options.set("hangup_filters=drop regex=^x"))
        client.send(text("x2", MASK) + text("y", MASK))
        backend.take(text("y", MASK))
        running.call(lambda: running.proxy.addon.filtering.filters.add("inject from=server send=hi at=0s", 0.0))
        client.take(text("hi"))
        running.call(lambda: running.proxy.addon.filtering.filters.clear())
        client.send(text("x3", MASK))
        backend.take(text("x3", MASK))
        client.close()
        backend.wait_end()
    events = list(journal.read(file))
    changes = [(e.action, e.filter) for e in events if isinstance(e, FilterEvent) and not e.conn]
    assert changes == [
        ("add", "drop regex=^x"),
        ("add", "inject from=server send=hi at=0s"),
        ("remove", "drop regex=^x"),
        ("remove", "inject from=server send=hi at=0s"),
    ]
    assert [e.text for e in events if isinstance(e, Frame) and e.side == "client"][:4] == ["x1", "x2", "y", "x3"]
    assert b"".join(sent_to(events, 1, "server")) == text("x1", MASK) + text("y", MASK) + text("x3", MASK)


def test_a_wrong_option_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    from mitmproxy.exceptions import OptionsError

    with RawServer() as server, InThread(server.url, tmp_path / "run.jsonl") as running:
        raised: list[str] = []

        def change() -> None:
            assert running.proxy._master is not None
            try:
                running.proxy._master.options.set("hangup_filters=drop side=nobody")
            except OptionsError as error:
                raised.append(str(error))

        running.call(change)
        assert "side=nobody: it must be client or server" in raised[0]
        assert len(running.proxy.addon.filtering.filters) == 0
