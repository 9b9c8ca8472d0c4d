"""Filters in the running proxy: on sockets, at start and at run time, in handshakes and in what becomes of ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hangup.proxy.run import ProxySettings, RunningProxy
from hangup.recording import reader
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Handshake
from hangup.recording.rebuild import sent_by, sent_to
from hangup.wire.url import parse_target
from harness import DEADLINE, frames
from harness.frames import MASK, PING, TEXT
from harness.peers import Peer, RawServer, dial, open_websocket, request_head
from harness.proxies import HangupProxy, Mitmdump, hangup

FILTERS = {
    "/changed": ["drop-heartbeat side=client", "rewrite side=server contains=old to=new"],
    "/handshake": ["path /api/ws", "set-header X-New 1", "strip-extensions", "set-header X-Told 2 in=response"],
    "/refused": ["refuse 503 reason=Busy text='come back later' first=1"],
    "/held-open": ["hold-open side=server"],
    "/cut-fin": ["close from=server how=fin side=client text=die"],
    "/cut-rst": ["close from=server how=rst side=client text=die"],
    "/closed": ["close from=server code=4001 reason=bye at=0s"],
    "/delayed": ["delay 300ms side=server text=slow"],
    "/silent": ["keepalive side=client every=200ms"],
    "/again": ["slow-reconnect 400ms"],
    "/much-later": ["slow-reconnect 1h"],
}
"""What is filtered under which path, all in one proxy."""


class Running:
    """The proxy, the server behind it, and the recording of one path."""

    def __init__(self, proxy: HangupProxy, server: RawServer) -> None:
        self.proxy = proxy
        self.server = server

    def open(self, target: str, **options: Any) -> tuple[Peer, Peer]:
        """A WebSocket through the proxy: its client, and its server."""
        client = open_websocket(self.proxy.address, target, **options)
        return client, self.server.accept()

    @staticmethod
    def leave(client: Peer, backend: Peer) -> None:
        """The client closes, and then the server."""
        client.close()
        backend.wait_end()
        backend.close()

    def recorded(self, target: str) -> list[AnyEvent]:
        """The events of the only connection that asked for ``target``, once both its ends are there."""
        until = time.monotonic() + DEADLINE
        while True:
            events = self.proxy.events()
            for handshake in events:
                if isinstance(handshake, Handshake) and (handshake.original or handshake.request).target == target:
                    mine = [e for e in events if e.conn == handshake.conn]
                    if {e.side for e in mine if isinstance(e, End)} == {"client", "server"}:
                        return mine
            assert time.monotonic() < until, f"{target} does not end"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    options = [f"{text} path={path}*" for path, texts in FILTERS.items() for text in texts]
    words = [word for option in options for word in ("--filter", option)]
    with RawServer() as server, HangupProxy(server.url, *words) as proxy:
        yield Running(proxy, server)


def text(payload: str, mask: bytes | None = None) -> bytes:
    return frames.frame(TEXT, payload.encode(), mask=mask)


def test_messages_are_dropped_and_rewritten_and_both_legs_can_be_rebuilt(running: Running) -> None:
    client, backend = running.open("/changed")
    client.send(text("ping", MASK) + text("hello", MASK))
    backend.expect(text("hello", MASK))
    backend.send(text("old news") + text("news"))
    client.expect(text("new") + text("news"))
    running.leave(client, backend)
    events = running.recorded("/changed")
    conn = events[0].conn
    assert b"".join(sent_to(events, conn, "server")) == text("hello", MASK)
    assert b"".join(sent_by(events, conn, "client")) == text("ping", MASK) + text("hello", MASK)
    assert b"".join(sent_to(events, conn, "client")) == text("new") + text("news")
    assert [(e.action, e.n) for e in events if isinstance(e, FilterEvent)] == [("drop", 1), ("replace", 3)]


def test_the_recording_begins_with_the_filters(running: Running) -> None:
    filters = reader.read(running.proxy.recording).header.filters
    assert filters[:2] == [f"{text} path=/changed*" for text in FILTERS["/changed"]]


def test_a_handshake_is_changed_and_the_recording_has_both(running: Running) -> None:
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    client, backend = running.open("/handshake?a=1", headers=offer)
    assert backend.head.target == "/api/ws?a=1"
    assert (backend.head.get("x-new"), backend.head.get("sec-websocket-extensions")) == ("1", None)
    assert client.head.get("x-told") == "2"
    running.leave(client, backend)
    handshake = next(e for e in running.recorded("/handshake?a=1") if isinstance(e, Handshake))
    assert handshake.original is not None and handshake.returned is not None and handshake.response is not None
    assert (handshake.original.target, handshake.request.target) == ("/handshake?a=1", "/api/ws?a=1")
    assert ("X-Told", "2") in handshake.returned.headers and ("X-Told", "2") not in handshake.response.headers


def test_a_refused_handshake_never_reaches_the_server(running: Running) -> None:
    before = len(running.server.requests)
    client = open_websocket(running.proxy.address, "/refused", status=503)
    client.expect(b"come back later")
    assert client.head.words[2] == "Busy"
    client.close()
    assert len(running.server.requests) == before
    running.leave(*running.open("/refused?again"))
    second = next(e for e in running.recorded("/refused?again") if isinstance(e, Handshake))
    first = next(e for e in running.proxy.events() if isinstance(e, Handshake) and e.request.target == "/refused")
    assert first.by.startswith("refuse 503") and first.response is not None and first.response.status == 503
    assert second.by == ""


def test_an_end_that_is_held_open(running: Running) -> None:
    client, backend = running.open("/held-open/fin")
    backend.half_close()
    client.send(text("still here", MASK))
    backend.expect(text("still here", MASK))
    assert client.end is None
    client.close()
    assert backend.wait_end().how == "fin"
    ends = [(e.side, e.how, e.by) for e in running.recorded("/held-open/fin") if isinstance(e, End)]
    assert ends == [("server", "fin", ""), ("client", "fin", "")]


def test_a_reset_that_is_held_open(running: Running) -> None:
    client, backend = running.open("/held-open/rst")
    backend.rst()
    until = time.monotonic() + DEADLINE
    while not any(isinstance(e, End) and e.how == "rst" and not e.by for e in running.proxy.events()):
        assert time.monotonic() < until
    client.send(text("to nobody", MASK))
    client.half_close()
    assert client.wait_end().how == "fin"
    ends = [(e.side, e.how) for e in running.recorded("/held-open/rst") if isinstance(e, End)]
    assert ends == [("server", "rst"), ("client", "fin")]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut(running: Running, how: str) -> None:
    client, backend = running.open(f"/cut-{how}")
    client.send(text("die", MASK))
    assert client.wait_end().how == how
    assert backend.wait_end().how == how
    if how == "fin":
        backend.expect(text("die", MASK))
    ends = {(e.side, e.how, e.by) for e in running.recorded(f"/cut-{how}") if isinstance(e, End)}
    by = f"close side=client text=die from=server how={how} path=/cut-{how}*"
    assert ends == {("client", how, by), ("server", how, by)}


def test_a_close_frame_of_the_proxys_own(running: Running) -> None:
    client, backend = running.open("/closed")
    client.expect(frames.close(4001, b"bye"))
    client.send(frames.close(4001, b"bye", mask=MASK))
    backend.expect(frames.close(4001, b"bye", mask=MASK))
    backend.send(frames.close(4001, b"bye"))
    backend.close()
    assert client.wait_end().how == "fin"
    assert client.received == frames.close(4001, b"bye")
    client.close()
    actions = [(e.action, e.side) for e in running.recorded("/closed") if isinstance(e, FilterEvent)]
    assert actions == [("close", "server"), ("drop", "server")]


def test_what_is_delayed_comes_before_the_end_that_followed_it(running: Running) -> None:
    client, backend = running.open("/delayed")
    start = time.monotonic()
    backend.send(text("slow") + text("fast"))
    backend.close()
    client.expect(text("slow") + text("fast"))
    assert time.monotonic() - start >= 0.29
    assert client.wait_end().how == "fin"
    client.close()
    events = running.recorded("/delayed")
    assert b"".join(sent_to(events, events[0].conn, "client")) == text("slow") + text("fast")


def test_a_ping_of_the_proxys_own_in_the_silence(running: Running) -> None:
    client, backend = running.open("/silent")
    (ping, *_) = backend.expect_frames(1)
    assert (ping.opcode, ping.payload) == (PING, b"hangup keepalive 1")
    backend.send(frames.frame(frames.PONG, ping.payload) + text("done"))
    client.expect(text("done"))
    client.close()


def test_the_silence_counts_from_what_was_last_heard(running: Running) -> None:
    client, backend = running.open("/silent?2")
    for _ in range(30):
        client.send(text("I am here", MASK))
        time.sleep(0.02)  # a pace, not a wait
    running.leave(client, backend)
    events = [e for e in running.recorded("/silent?2") if isinstance(e, Handshake | Frame | FilterEvent)]
    assert [e.at for e in events] == sorted(e.at for e in events)
    for before, event in zip(events, events[1:], strict=False):
        if isinstance(event, FilterEvent) and event.action == "inject":  # only where the machine was slow
            assert event.at - before.at >= 0.199


def test_a_client_that_comes_again_waits(running: Running) -> None:
    running.leave(*running.open("/again?1"))
    ended = max(e.at for e in running.recorded("/again?1") if isinstance(e, End))
    running.leave(*running.open("/again?2"))
    handshake = next(e for e in running.recorded("/again?2") if isinstance(e, Handshake))
    assert handshake.at >= ended + 0.399


def test_a_client_that_goes_away_while_it_waits(running: Running) -> None:
    running.leave(*running.open("/much-later"))
    running.recorded("/much-later")
    waiting = dial(running.proxy.address)
    waiting.send(request_head("/much-later", "localhost"))
    waiting.close()
    running.leave(*running.open("/other"))
    running.recorded("/other")


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
        self.proxy = RunningProxy(
            ProxySettings(target=parse_target(target), port=0, record=record), on_ready=lambda proxy: self._started()
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
    events = list(reader.read(file))
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
