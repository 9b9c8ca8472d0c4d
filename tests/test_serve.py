"""A recorded server played to raw clients: handshake, greeting, answers, heartbeats, the end."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from conversing import EXTENSION, Talk, conversations
from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Event
from hangup.recording.ledger import Ledger
from hangup.recording.rebuild import sent_by
from harness import frames
from harness.peers import Peer, dial, open_websocket, request_head
from harness.proxies import hangup
from recorded import write
from serving import served

ASK = {"type": "ask", "id": "q-1001"}


def frame(message: Any) -> bytes:
    """A client's text frame."""
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return frames.frame(frames.TEXT, data, mask=frames.MASK)


def said(peer: Peer, count: int) -> list[Any]:
    """What the server said."""
    return [_load(f.payload) for f in peer.expect_frames(count)]


def _load(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def talk(end: str = "fin", *, target: str = "/ws", after: int = 1000) -> Talk:
    """A greeting, an answer with the client's id, and an end upon ``boom``."""
    made = Talk()
    made.open(1, target=target)
    made.wait(1000)
    made.say(1, "server", "text", b'{"type":"welcome"}')
    made.wait(100_000)
    made.say(1, "client", "text", b'{"type":"ask","id":"q-1001"}')
    made.wait(1000)
    made.say(1, "server", "text", b'{"type":"reply","id":"q-1001"}')
    made.wait(100_000)
    made.say(1, "client", "text", b"boom")
    made.wait(after)
    if end == "close":
        made.close(1, "server", 1011, "oops")
        made.close(1, "client", 1011)
    elif end == "half":
        made.raw(1, "server", b"\x81\x05he")
        made.end(1, "server", "fin")
    elif end == "client":
        made.close(1, "client", 1000)
        made.close(1, "server", 1000)
    else:
        made.end(1, "server", end)  # type: ignore[arg-type]
    return made


# The session, as it was.


@pytest.mark.parametrize("end", ["fin", "rst", "close", "half"])
def test_the_recorded_session(end: str) -> None:
    with served(talk(end).events) as server:
        client = open_websocket(server.address, "/ws")
        assert said(client, 1) == [{"type": "welcome"}]
        client.send(frame(ASK))
        assert said(client, 2)[1] == {"type": "reply", "id": "q-1001"}
        client.send(frame(b"boom"))
        if end == "close":
            assert client.expect_frames(3)[2].payload == (1011).to_bytes(2, "big") + b"oops"
            client.send(frames.close(1011, mask=frames.MASK))
        elif end == "half":
            client.expect(b"".join(sent_by(talk(end).events, 1, "server")))
        assert client.wait_end().how == ("rst" if end == "rst" else "fin")
        client.close()
        connection = server.connection(1)
    assert connection.ending.by == "server" and connection.ending.how == {"half": "fin"}.get(end, end)


def test_the_ids_of_this_client_come_back() -> None:
    with served(talk().events) as server:
        client = open_websocket(server.address, "/ws")
        client.send(frame({"type": "ask", "id": "other-77"}))
        assert said(client, 2)[1] == {"type": "reply", "id": "other-77"}
        client.close()


def test_without_correlation_the_recorded_ones_do() -> None:
    with served(talk().events, "--no-correlate") as server:
        client = open_websocket(server.address, "/ws")
        client.send(frame({"type": "ask", "id": "other-77"}))
        assert said(client, 2)[1] == {"type": "reply", "id": "q-1001"}
        client.close()


def test_two_questions_at_once_each_with_its_id() -> None:
    made = Talk()
    made.open(1)
    for n in (1, 2):
        made.say(1, "client", "text", b'{"type":"ask","id":"q-100%d"}' % n)
    for n in (2, 1):
        made.wait(10_000)
        made.say(1, "server", "text", b'{"type":"reply","id":"q-100%d"}' % n)
    made.wait(1_000_000)
    made.stop()
    with served(made.events) as server:
        client = open_websocket(server.address, "/ws")
        client.send(frame({"type": "ask", "id": "x-901"}) + frame({"type": "ask", "id": "x-902"}))
        assert {m["id"] for m in said(client, 2)} == {"x-901", "x-902"}
        client.close()


def test_the_clients_id_in_the_path_comes_back_in_the_greeting() -> None:
    made = Talk()
    made.open(1, target="/ws/client-17")
    made.say(1, "server", "text", b'{"type":"welcome","client":"client-17"}')
    made.stop()
    with served(made.events) as server:
        client = open_websocket(server.address, "/ws/client-99")
        assert said(client, 1) == [{"type": "welcome", "client": "client-99"}]
        client.close()


def test_what_was_never_said_is_not_answered_and_told() -> None:
    with served(talk().events) as server:
        client = open_websocket(server.address, "/ws")
        said(client, 1)
        client.send(frame({"type": "unheard-of"}) + frame(ASK))
        assert said(client, 2)[1]["type"] == "reply"
        client.close()
        server.connection(1)
        server.program.wait_for("nothing in the recording answers the client's text message")
    assert any(isinstance(e, ev.Note) and "unheard-of" in e.text for e in server.events())


def test_a_heartbeat_that_goes_on_is_answered_like_the_last_one() -> None:
    made = Talk()
    made.open(1)
    for n in range(4):
        made.wait(1_000_000)
        made.say(1, "client", "text", b'{"type":"ping","n":%d}' % n)
        made.say(1, "server", "text", b'{"type":"pong","n":%d}' % n)
    made.wait(1000)
    made.stop()
    with served(made.events) as server:
        client = open_websocket(server.address, "/ws")
        for n in range(9):
            client.send(frame({"type": "ping", "n": n}))
            assert said(client, n + 1)[-1] == {"type": "pong", "n": n}
        client.close()


def test_pings_are_answered_as_the_recorded_server_did() -> None:
    for answers in (True, False):
        made = Talk()
        made.open(1)
        made.frame(1, "client", 9, b"a")
        if answers:
            made.frame(1, "server", 10, b"a")
        made.wait(1_000_000)
        made.say(1, "client", "text", b'{"type":"ask"}')
        made.say(1, "server", "text", b'{"type":"reply"}')
        made.stop()
        with served(made.events) as server:
            client = open_websocket(server.address, "/ws")
            client.send(frames.frame(frames.PING, b"x", mask=frames.MASK) + frame({"type": "ask"}))
            got = [f.payload for f in client.expect_frames(2 if answers else 1)]
            assert got == ([b"x"] if answers else []) + [b'{"type":"reply"}']
            client.close()


def test_the_servers_own_pings_and_how_long_the_answers_take() -> None:
    made = Talk()
    made.open(1)
    made.wait(100_000)
    made.frame(1, "server", 9, b"p1")
    made.wait(100_000)
    made.frame(1, "server", 9, b"p2")
    made.say(1, "client", "text", b'{"type":"ask"}')
    made.wait(200_000)
    made.say(1, "server", "text", b'{"type":"reply"}')
    made.stop()
    with served(made.events) as server:
        began = time.monotonic()
        client = open_websocket(server.address, "/ws")
        client.expect_frames(1)
        assert time.monotonic() - began >= 0.099
        asked = time.monotonic()
        client.send(frame({"type": "ask"}))
        while b"reply" not in client.received:
            client.expect(len(client.received) + 1)
        assert time.monotonic() - asked >= 0.199
        # Beyond the recording the pings go on: every 100 ms.
        assert [f.opcode for f in client.expect_frames(8)].count(frames.PING) >= 6
        client.close()


@pytest.mark.parametrize("how", [["--stay-open"], []])
def test_staying_open(how: list[str]) -> None:
    with served(talk("close").events, *how) as server:
        client = open_websocket(server.address, "/ws")
        client.send(frame(ASK) + frame(b"boom") + frame(ASK))
        if how:
            got = said(client, 3)
            assert [m["type"] for m in got] == ["welcome", "reply", "reply"]
            client.send(frames.close(1000, mask=frames.MASK))
            assert client.expect_frames(4)[3].opcode == frames.CLOSE
            client.wait_end()
            client.close()
            assert server.connection(1).ending.by == "client"
        else:
            while b"oops" not in client.received:
                client.expect(len(client.received) + 1)
            client.close()


def test_an_end_by_the_clock() -> None:
    made = Talk()
    made.open(1)
    made.say(1, "client", "text", b'{"type":"hello"}')
    made.wait(600_000)
    made.close(1, "server", 4408, "too late")
    with served(made.events) as server:
        began = time.monotonic()
        client = open_websocket(server.address, "/ws")
        assert client.expect_frames(1)[0].payload[:2] == (4408).to_bytes(2, "big")
        assert time.monotonic() - began >= 0.59
        client.close()
    with served(made.events, "--speed", "max") as server:
        client = open_websocket(server.address, "/ws")
        assert client.expect_frames(1)[0].opcode == frames.CLOSE
        client.close()


def test_when_the_client_ends_it() -> None:
    with served(talk("client").events) as server:
        client = open_websocket(server.address, "/ws")
        said(client, 1)
        client.send(frames.close(1001, b"bye", mask=frames.MASK))
        assert client.expect_frames(2)[1].payload == (1001).to_bytes(2, "big") + b"bye"
        client.wait_end()
        client.close()
        second = open_websocket(server.address, "/ws")
        said(second, 1)
        second.rst()
        assert [server.connection(n).ending.by for n in (1, 2)] == ["client", "client"]
        assert server.connection(2).ending.how == "rst"


# Handshakes.


def test_one_connection_after_the_other_then_the_last_again() -> None:
    made = Talk()
    for conn, greeting in ((1, b"one"), (2, b"two"), (3, b"three")):
        made.open(conn, target="/other" if conn == 2 else "/ws")
        made.say(conn, "server", "text", greeting)
    made.stop()
    with served(made.events) as server:
        got = []
        for target in ("/ws", "/ws", "/ws", "/other", "/unknown"):
            client = open_websocket(server.address, target)
            got.append(client.expect_frames(1)[0].payload)
            client.close()
        assert got == [b"one", b"three", b"three", b"two", b"one"]
    with served(made.events, "--conn", "2") as server:
        client = open_websocket(server.address, "/ws")
        assert client.expect_frames(1)[0].payload == b"two"
        client.close()


def handshake(request: list[tuple[str, str]], response: list[tuple[str, str]], status: int = 101) -> list[AnyEvent]:
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    accept = [("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")] if status == 101 else []
    if any(name.lower() == "sec-websocket-accept" for name, _ in response):
        accept = []
    return [
        ev.Handshake(
            at=0.01,
            conn=1,
            request=ev.Request(target="/ws", headers=[("Host", "h"), *upgrade, ("Sec-WebSocket-Key", key), *request]),
            response=ev.Response(
                status=status,
                reason="No" if status != 101 else "",
                headers=[*(upgrade if status == 101 else []), *accept, *response],
                text="because" if status != 101 else "",
            ),
        ),
        ev.Stop(at=1.0),
    ]


@pytest.mark.parametrize(
    ("recorded", "chosen", "offered", "expected"),
    [
        ("graphql-transport-ws", "graphql-transport-ws", "graphql-transport-ws", "graphql-transport-ws"),
        ("bearer, token-1", "token-1", "bearer, token-2", "token-2"),
        ("a", "b", "a", "b"),  # it was wrong, and so it is
        ("a", "a", None, None),
        ("a", None, "a", None),
    ],
)
def test_subprotocols(recorded: str, chosen: str | None, offered: str | None, expected: str | None) -> None:
    name = "Sec-WebSocket-Protocol"
    events = handshake([(name, recorded)], [(name, chosen)] if chosen else [])
    with served(events) as server:
        client = open_websocket(server.address, "/ws", headers=[(name, offered)] if offered else [])
        assert client.head.get(name) == expected
        client.close()


def test_a_wrong_accept_key_stays_wrong() -> None:
    with served(handshake([], [("Sec-WebSocket-Accept", "wrong")])) as server:
        peer = dial(server.address)
        peer.send(request_head("/ws", "h"))
        assert b"Sec-WebSocket-Accept: wrong\r\n" in peer.take(b"\r\n\r\n")
        peer.close()


def test_a_refusal() -> None:
    with served(handshake([], [("X-Why", "x"), ("Content-Length", "7")], 403)) as server:
        client = open_websocket(server.address, "/ws", status=403)
        assert client.head.words[2] == "No" and client.head.get("x-why") == "x"
        assert client.expect(b"because")
        client.wait_end()
        client.close()
        assert server.connection(1).status == 403


def test_plain_http_is_told_what_this_is() -> None:
    with served(talk().events) as server:
        peer = dial(server.address)
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        head = peer.take(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 426 ") and b"Upgrade: websocket" in head
        assert peer.wait_end().how == "fin"
        peer.close()
        for nonsense in (b"hello\r\n\r\n", b"\x16\x03\x01" + b"\x00" * 40 + b"\r\n\r\n", b"GET"):
            peer = dial(server.address)
            peer.send(nonsense)
            peer.half_close()
            peer.wait_end()
            peer.close()


@pytest.mark.parametrize(
    ("offer", "negotiated"),
    [
        (EXTENSION.partition("=")[0], True),
        ("permessage-deflate", False),  # no window may be asked of a client that did not offer one
        (None, False),
    ],
)
def test_compression(offer: str | None, negotiated: bool) -> None:
    made = Talk()
    made.open(1, compressed=True)
    for _ in range(3):
        made.say(1, "server", "text", b'{"type":"news","text":"hello hello hello"}', packed=True)
        made.wait(1000)
    made.stop()
    headers = [("Sec-WebSocket-Extensions", offer)] if offer else []
    with served(made.events) as server:
        client = open_websocket(server.address, "/ws", headers=headers)
        got = client.expect_frames(3)
        assert (client.head.get("sec-websocket-extensions") is not None) is negotiated
        if negotiated:
            assert client.received == b"".join(sent_by(made.events, 1, "server"))
        else:
            assert [f.payload for f in got] == [b'{"type":"news","text":"hello hello hello"}'] * 3
            assert not any(f.rsv for f in got)
        client.close()


# Any session.


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversations(conns=1))
def test_a_client_that_does_the_same_is_told_the_same(made: Talk) -> None:
    events = [e for e in made.events if not (isinstance(e, ev.Frame) and e.opcode == "ping" and e.side == "client")]
    shake = next((e for e in events if isinstance(e, ev.Handshake)), None)
    if shake is None or shake.response is None or shake.response.status != 101:
        return
    expected = b"".join(sent_by(events, 1, "server"))
    from_client = b"".join(sent_by(events, 1, "client"))
    client_ends = any(isinstance(e, ev.End) and e.side == "client" for e in events)
    headers = [(n, v) for n, v in shake.request.headers if n == "Sec-WebSocket-Extensions"]
    with served(events, "--speed", "max") as server:
        client = open_websocket(server.address, shake.request.target, headers=headers)
        client.send(from_client)
        if not client_ends:
            client.expect(len(expected))
        elif any(isinstance(e, ev.Frame) and e.opcode == "close" and e.side == "client" for e in events):
            client.wait_end()
        client.close()
        server.connection(1)
    got = client.received
    if not client_ends:
        assert sorted(got[: len(expected)]) == sorted(expected)


# The command.


def test_it_is_recorded_as_a_proxy_would_record_it_and_ends_in_order(tmp_path: Path) -> None:
    with served(talk().events) as server:
        client = open_websocket(server.address, "/ws?x=1")
        said(client, 1)
        printed = server.program.stop(signal.SIGINT)
        client.close()
    header = server.header()
    assert header.mode == "serve" and header.source.startswith("serve of ")
    ledger = Ledger()
    for event in server.events():
        ledger.feed(event)
    connection = ledger.connections[1]
    assert connection.ending.by == "proxy" and connection.target == "/ws?x=1" and ledger.stopped
    assert "VITE_WS_BASE=ws://localhost:" in printed and "1 connection served" in printed


def test_what_it_says_of_bad_input(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl", [])
    one = write(tmp_path / "one.jsonl", list[Event](talk().events))
    for arguments, words in (
        ([empty], "has no WebSocket connection"),
        ([tmp_path / "none.jsonl"], "there is no recording"),
        ([one, "--conn", "9"], "has no connection 9"),
        ([one, "--listen", "nonsense"], "not an address"),
        ([one, "--speed", "fast"], "--speed fast"),
        ([one, "--filter", "drop-everything"], "there is no filter"),
    ):
        done = hangup("serve", *arguments, "--record", tmp_path / "out", check=False)
        assert done.returncode in (1, 2) and words in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", list[Event](talk().events))
    with served(talk().events) as server:
        listen = f"127.0.0.1:{server.address[1]}"
        done = hangup("serve", one, "--listen", listen, "--record", tmp_path / "out", check=False)
        assert done.returncode == 1 and "cannot listen" in done.stderr


def test_a_filter_between(tmp_path: Path) -> None:
    with served(talk().events, "--filter", "drop side=server json=$.type==welcome") as server:
        client = open_websocket(server.address, "/ws")
        client.send(frame(ASK))
        assert said(client, 1) == [{"type": "reply", "id": "q-1001"}]
        client.close()
