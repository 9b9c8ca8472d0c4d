"""Who ended it: the other side sees what it would have seen without us, and the recording blames the right one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hangup.recording.events import End, Frame, Raw
from harness import frames
from harness.comparison import CASES, markdown, measure, path, play_all
from harness.endings import SIDES, Ending, Played
from harness.frames import MASK, TEXT
from harness.peers import Answer, RawServer, Side, dial, open_websocket, request_head
from harness.proxies import IMPATIENCE, IMPATIENT_HANGUP, HangupProxy
from harness.reading import connections

IDS = [path(*case).strip("/").replace("/", "-by-") for case in CASES]


class Table:
    """Every ending, played directly and through the proxy."""

    def __init__(self) -> None:
        with RawServer() as server:
            self.direct = dict(zip(CASES, play_all(server.address, server), strict=True))
            with HangupProxy(server.url) as proxy:
                self.proxied = dict(zip(CASES, play_all(proxy.address, server), strict=True))
                proxy.stop()
                self.said = {c["path"]: c["ending"] for c in proxy.show()["connections"]}
                self.recorded = connections(proxy.events())


@pytest.fixture(scope="module")
def table() -> Table:
    return Table()


@pytest.mark.parametrize(("ending", "side"), CASES, ids=IDS)
def test_what_each_side_sees(table: Table, ending: Ending, side: Side) -> None:
    direct = table.direct[ending, side]
    assert (direct.seen, direct.failure) == (ending.seen, "")
    assert table.proxied[ending, side] == direct


@pytest.mark.parametrize(("ending", "side"), CASES, ids=IDS)
def test_what_is_said_of_it(table: Table, ending: Ending, side: Side) -> None:
    said: dict[str, Any] = table.said[path(ending, side)]
    if ending.name == "both" and said["by"] != side:
        # Which of two that cross is first is the network's choice; then it was the other's, with its own code.
        assert (said["by"], said["code"], said["reason"]) == (other(side), 4002, "yours")
    else:
        assert (said["by"], said["how"]) == (side, ending.how)
        assert said["code"] == ending.code
        assert (said["reason"] or None) == (ending.reason or None)
    sentence: str = said["sentence"]
    assert said["by"] in sentence
    if ending.how == "close":
        assert ending.code is None or str(ending.code) in sentence
    else:
        assert ending.how.upper() in sentence
        assert "1006" in sentence
    if ending.name == "both":
        assert "4001" in sentence and "4002" in sentence


@pytest.mark.parametrize("side", SIDES)
def test_the_events_of_an_ending(table: Table, side: Side) -> None:
    for ending, ender in CASES:
        if ender != side:
            continue
        events = table.recorded[path(ending, side)].events
        first = next(e for e in events if isinstance(e, End))
        assert first.by == ""
        if ending.how != "close":
            assert (first.side, first.how) == (side, ending.how)
        if ending.name == "both":
            closes = {(e.side, e.code, e.reason) for e in events if isinstance(e, Frame) and e.opcode == "close"}
            assert closes == {(side, 4001, "mine"), (other(side), 4002, "yours")}
        if ending.name == "crash":
            assert [(e.side, e.problems) for e in events if isinstance(e, Raw)] == [(side, ("half-frame",))]


def other(side: Side) -> Side:
    return "client" if side == "server" else "server"


@pytest.mark.experiment
@pytest.mark.slow
def test_comparison_with_stock() -> None:
    """The table in the README: stock mitmproxy hides the endings that hangup passes on."""
    rows = measure()
    for (ending, side), row in zip(CASES, rows, strict=False):
        assert row.hangup == row.direct
        assert side in row.hangup_says
        if ending.how != "close":
            assert row.stock.seen == "CLOSE 1000, FIN"
    silence, down = rows[len(CASES) :]
    assert silence.hangup == silence.direct == Played("nothing", "nothing")
    assert "FIN" in silence.stock.seen
    assert (down.direct.seen, down.hangup.seen) == ("connection refused", "HTTP 502")
    assert "refused" in down.hangup_says
    assert markdown(rows).count("the same") >= len(CASES)


# Silence ---------------------------------------------------------------------------------------------------

STOPPABLE = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")


@pytest.mark.parametrize("late", [False, pytest.param(True, marks=STOPPABLE)])
def test_silence_ends_nothing(late: bool) -> None:
    """A plain HTTP connection, silent since later, is closed by mitmproxy's watchdog; the WebSocket is not. Also where
    the proxy had no processor when the watchdog was due: it sleeps since before the handshake, and then looks how long
    nothing has come since that."""
    with RawServer() as server, HangupProxy(server.url, command=IMPATIENT_HANGUP) as proxy:
        client = open_websocket(proxy.address, "/silent")
        upstream = server.accept("/silent")
        if late:
            proxy.process.send_signal(signal.SIGSTOP)
            time.sleep(IMPATIENCE + 0.5)  # what is waited for is that time passes
            proxy.process.send_signal(signal.SIGCONT)
        control = dial(proxy.address)
        control.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        control.take(b"plain HTTP")
        control.wait_end()
        assert client.end is None and upstream.end is None
        client.send(frames.frame(TEXT, b"still here", mask=MASK))
        upstream.expect_frames(1)
        upstream.send(frames.frame(TEXT, b"so am I"))
        client.expect_frames(1)
        upstream.close()
        client.wait_end()
        client.close()
        proxy.stop()
        (silent,) = proxy.show()["connections"]
    assert (silent["ending"]["by"], silent["ending"]["how"]) == ("server", "fin")
    assert silent["lifetime"] > IMPATIENCE


# Endings before there was a connection ----------------------------------------------------------------------


def test_backend_down_and_back() -> None:
    with RawServer() as gone:
        port = gone.port
    with HangupProxy(f"ws://127.0.0.1:{port}") as proxy:
        client = dial(proxy.address)
        client.send(request_head("/down", "localhost"))
        client.take(b"HTTP/1.1 502")
        client.close()
        with RawServer(port=port) as back:
            client = open_websocket(proxy.address, "/up")
            server = back.accept("/up")
            client.send(frames.frame(TEXT, b"hello", mask=MASK))
            server.expect_frames(1)
            server.close()
            client.wait_end()
            client.close()
        proxy.stop()
        down, up = proxy.show()["connections"]
    assert (down["path"], down["ending"]["by"], down["ending"]["how"]) == ("/down", "server", "none")
    assert "could not be reached" in down["ending"]["sentence"]
    assert (up["path"], up["status"], up["ending"]["by"], up["ending"]["how"]) == ("/up", 101, "server", "fin")


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[RawServer, HangupProxy]]:
    """A server that refuses by HTTP, and a proxy in front of it."""
    with RawServer(answer=Answer(403, greeting=b"who are you?")) as server, HangupProxy(server.url) as proxy:
        yield server, proxy


def test_handshake_refused(refusing: tuple[RawServer, HangupProxy]) -> None:
    server, proxy = refusing
    client = open_websocket(proxy.address, "/refused", status=403)
    client.expect(b"who are you?")
    client.close()
    proxy.stop()
    (refused,) = proxy.show()["connections"]
    assert (refused["status"], refused["opened"], refused["ending"]["by"]) == (403, None, "server")
    assert "403" in refused["ending"]["sentence"]


def test_gone_before_the_answer() -> None:
    """Each side hangs up after the request and before the answer."""
    with RawServer(answer=None) as server, HangupProxy(server.url) as proxy:
        client = dial(proxy.address)
        client.send(request_head("/client-leaves", "localhost"))
        server.accept("/client-leaves")
        client.close()
        client = dial(proxy.address)
        client.send(request_head("/server-leaves", "localhost"))
        server.accept("/server-leaves").close()
        assert client.wait_end().how == "fin" and not client.received
        client.close()
        printed = proxy.stop()
        by = {c["path"]: c["ending"]["by"] for c in proxy.show()["connections"]}
    assert printed.count("the client went away before the answer") == 1
    assert by == {"/client-leaves": "client", "/server-leaves": "server"}
