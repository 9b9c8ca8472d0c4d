"""A dev server's own socket is told from the application's, and never counted in a loop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorded
from hangup.diagnosis.diagnose import diagnose
from hangup.recording import events as ev
from hangup.recording import loops
from hangup.recording.dev_server import Kind, is_webpack, kind_of
from hangup.recording.ledger import Ledger
from hangup.recording.stability import failed_signs
from recorded import end, handshake


def request(target: str = "/ws", *subprotocols: str) -> ev.Request:
    headers = [("Host", "localhost:8000"), *(("sec-websocket-PROTOCOL", line) for line in subprotocols)]
    return ev.Request(target=target, headers=headers)


def ledger(events: list[ev.Event]) -> Ledger:
    found = Ledger()
    for event in events:
        found.feed(event)
    return found


def hmr(count: int, first: int = 1, target: str = "/", start: float = 1.0) -> list[ev.Event]:
    """Vite's socket, thrown out by a backend again and again."""
    events: list[ev.Event] = []
    for conn in range(first, first + count):
        opening = handshake(start + conn, conn, target, status=403)
        opening.request.headers.append(("Sec-WebSocket-Protocol", "vite-hmr"))
        events.append(opening)
    return events


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (request("/ws"), "app"),
        (request("/", "vite-hmr"), "hmr"),
        (request("/base/?token=abc", "vite-ping"), "hmr"),
        (request("/", "chat, vite-hmr"), "hmr"),
        (request("/", "chat", "vite-hmr"), "hmr"),
        (request("/", "vite-hmr-of-mine"), "app"),
        (request("/vite-hmr"), "app"),
        (request("/_next/webpack-hmr"), "hmr"),
        (request("/_next/hmr?id=1"), "hmr"),
        (request("/docs/_next/webpack-hmr"), "hmr"),
        (request("/_next/webpack-hmr/more"), "app"),
        (request("/my_next/hmr"), "app"),
        (request("/ng-cli-ws"), "hmr"),
        (request("/sockjs-node/123/abcdefg/websocket"), "hmr"),
        (request("/sockjs-nodes"), "app"),
        (request("/rsbuild-hmr?token=1"), "hmr"),
        (request("/chat?next=/_next/hmr"), "app"),
    ],
)
def test_by_the_request(asked: ev.Request, kind: Kind) -> None:
    assert kind_of(asked) == kind


@given(st.text(max_size=60), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=3))
def test_any_request_has_a_kind(target: str, headers: list[tuple[str, str]]) -> None:
    assert kind_of(ev.Request(target=target, headers=headers)) in ("app", "hmr")


def frame(payload: str, path: str = "/ws") -> bool:
    return is_webpack(path, recorded.text(1.0, "server", 1, payload))


def test_webpack_by_what_it_says_first() -> None:
    assert frame('{"type":"hot"}') and frame('{"type":"liveReload"}', "/app/ws")
    assert frame('{"type":"hash","data":"0123456789abcdef0123"}')
    assert not frame('{"type":"hot"}', "/socket"), "another path is not webpack's"
    assert not frame('{"type":"hot","temperature":30}') and not frame('{"type":"welcome"}') and not frame("hot")
    assert not frame('{"type":"hash","data":"#1"}')


def test_webpack_in_the_account() -> None:
    said = '{"type":"hot"}'
    opened = [handshake(1.0, 1), recorded.text(1.1, "server", 1, said)]
    assert ledger(opened).connections[1].kind == "hmr"
    later = [handshake(1.0, 1), recorded.text(1.1, "server", 1), recorded.text(1.2, "server", 2, said)]
    assert ledger(later).connections[1].kind == "app", "what an application says later is its own affair"
    client = [handshake(1.0, 1), recorded.text(1.1, "client", 1, said)]
    assert ledger(client).connections[1].kind == "app"


def test_what_the_client_sent_counts() -> None:
    """A filter that takes the subprotocol away does not make it the application's."""
    opening = handshake(1.0, 1)
    opening.original = request("/", "vite-hmr")
    assert ledger([opening]).connections[1].kind == "hmr"


def test_it_is_no_loop() -> None:
    book = ledger([*hmr(5), *recorded.loop(4, first=11, start=9.0)])
    (loop,) = loops.find(book.connections.values(), now=book.last_at)
    assert loop.conns == [11, 12, 13, 14]
    assert [c.kind for c in book.connections.values()] == ["hmr"] * 5 + ["app"] * 4
    assert book.connections[1].summary()["kind"] == "hmr"


def test_its_reconnects_are_no_sign_of_trouble() -> None:
    talk = [recorded.text(5.1, "client", 1, conn=9), recorded.text(5.2, "server", 1, conn=9)]
    events = [*hmr(3), handshake(5.0, 9), *talk]
    assert failed_signs(ledger(events).connections.values(), 10.0) == []
    assert failed_signs(ledger(hmr(3)).connections.values(), 10.0) == ["no client has connected"]


def verdict(events: list[ev.Event]) -> Any:
    ordered = sorted(events, key=lambda event: event.at)
    return diagnose(recorded.HEADER, ordered)


def test_why_looks_at_the_application_first() -> None:
    """Ten refusals of Vite's socket beside an application that drops three times."""
    both = [*hmr(10, first=20, start=0.0), *recorded.loop(3)]
    assert verdict(both).conn in (1, 2, 3)
    alone = verdict([*hmr(10), end(30.0, "client", conn=99)])
    assert alone.verdict == "intermediary/upgrade-conflict", "and at the dev server's where that is all there is"
