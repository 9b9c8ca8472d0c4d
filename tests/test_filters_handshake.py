"""Filters on handshakes: what the server is asked, what the client is told, and when."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.filters.base import Ended, Kind
from hangup.filters.chain import Chain, Decision
from hangup.filters.filter_set import FilterSet
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent, Request, Response

ASKED = Request(
    target="/ws/client-1?token=old&x=1",
    headers=[
        ("Host", "localhost:8000"),
        ("Origin", "https://page.example"),
        ("Sec-WebSocket-Protocol", "graphql-ws, other"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Cookie", "a=1"),
        ("cookie", "b=2"),
    ],
)


def chain(*filters: str, client: str = "127.0.0.1:50000", **options: object) -> Chain:
    return Chain(FilterSet(filters), 1, 0.0, path=ASKED.target, client=client, random=Random(1), **options)  # type: ignore[arg-type]


def asked(*filters: str, request: Request = ASKED) -> Request:
    """What the server is asked."""
    verdict = chain(*filters).request(request, 1.0)
    assert verdict is None or isinstance(verdict.item.request, Request)
    return request if verdict is None else verdict.item.request


def told(filter: str, chosen: str | None, *, status: int = 101, request: Request = ASKED) -> str | None:
    """The subprotocol that the client is told, when the server chose one."""
    headers = [("Upgrade", "websocket"), *([("Sec-WebSocket-Protocol", chosen)] if chosen else [])]
    response = Response(status=status, headers=headers)
    verdict = chain(filter).response(response, request, request, 1.0)
    if verdict is not None:
        response = verdict.item.response
    return dict(response.headers).get("Sec-WebSocket-Protocol")


@pytest.mark.parametrize(
    ("filter", "target"),
    [
        ("path /other", "/other?token=old&x=1"),
        ("path replace=/client-1", "/ws?token=old&x=1"),
        ("path replace=/ws with=/api/ws", "/api/ws/client-1?token=old&x=1"),
        ("path replace=/nowhere with=/x", ASKED.target),
        ("query token new", "/ws/client-1?token=new&x=1"),
        ("query token 'a b&'", "/ws/client-1?token=a%20b%26&x=1"),
        ("query token", "/ws/client-1?x=1"),
        ("query more 2", "/ws/client-1?token=old&x=1&more=2"),
        ("query nothing", ASKED.target),
        ("query access_token from=token", "/ws/client-1?token=old&x=1&access_token=old"),
        ("query x from=token", "/ws/client-1?token=old&x=old"),
        ("query x from=nothing", ASKED.target),
    ],
)
def test_another_target(filter: str, target: str) -> None:
    assert asked(filter).target == target
    assert asked(filter).headers == ASKED.headers


def test_a_query_that_loses_its_only_parameter() -> None:
    assert asked("query a", request=Request(target="/ws?a=1&a=2")).target == "/ws"
    assert asked("query a 3", request=Request(target="/ws?a=1&a=2")).target == "/ws?a=3"
    assert asked("query a 3", request=Request(target="/ws")).target == "/ws?a=3"
    assert asked("path /x", request=Request(target="/ws?")).target == "/x?"


@pytest.mark.parametrize(
    ("old", "shape"),
    [
        ("/ws/client-1", r"/ws/client-1-[0-9a-f]{6}"),
        ("/ws/42", r"/ws/[1-9]\d{8}"),
        ("/ws/6ba7b810-9dad-11d1-80b4-00c04fd430c8", r"/ws/[0-9a-f-]{36}"),
        ("/", r"/"),
    ],
)
def test_a_client_id_of_its_own(old: str, shape: str) -> None:
    import re

    new = asked("unique-id", request=Request(target=old)).target
    assert re.fullmatch(shape, new)
    assert (new == old) is (old == "/")


def test_a_client_id_in_the_query_or_in_a_segment() -> None:
    filters = FilterSet(["unique-id query=id"])
    targets = set()
    for conn in (1, 2):
        made = Chain(filters, conn, 0.0)
        verdict = made.request(Request(target="/ws?id=7&x=7"), 0.0)
        assert verdict is not None
        targets.add(verdict.item.request.target)
        assert verdict.item.request.target.endswith("&x=7")
    assert len(targets) == 2
    target = asked("unique-id segment=1", request=Request(target="/12/ws")).target
    assert target.endswith("/ws") and target != "/12/ws"
    assert asked("unique-id segment=9", request=Request(target="/12/ws")).target == "/12/ws"


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("strip-header cookie", ASKED.headers[:4]),
        ("strip-header Sec-WebSocket-Extensions", [*ASKED.headers[:3], *ASKED.headers[4:]]),
        ("strip-extensions", [*ASKED.headers[:3], *ASKED.headers[4:]]),
        ("set-header cookie c=3", [*ASKED.headers[:4], ("Cookie", "c=3")]),
        ("set-header X-New 1", [*ASKED.headers, ("X-New", "1")]),
        ("origin http://a.example", [ASKED.headers[0], ("Origin", "http://a.example"), *ASKED.headers[2:]]),
        ("origin", [ASKED.headers[0], ("Origin", "https://localhost:8000"), *ASKED.headers[2:]]),
        ("strip-header X-Nothing", ASKED.headers),
        ("strip-header cookie in=response", ASKED.headers),
        ("subprotocol a,b", [*ASKED.headers[:2], ("Sec-WebSocket-Protocol", "a, b"), *ASKED.headers[3:]]),
    ],
)
def test_other_headers(filter: str, expected: list[tuple[str, str]]) -> None:
    assert asked(filter).headers == expected
    assert asked(filter).target == ASKED.target


def test_headers_of_the_response() -> None:
    response = Response(status=101, headers=[("Server", "uvicorn"), ("Date", "today")])
    verdict = chain("strip-header server in=response", "set-header X 1 in=response").response(
        response, ASKED, ASKED, 1.0
    )
    assert verdict is not None and verdict.item.response.headers == [("Date", "today"), ("X", "1")]


@pytest.mark.parametrize(
    ("filter", "chosen", "expected"),
    [
        ("subprotocol answer=first", None, "graphql-ws"),
        ("subprotocol answer=first", "other", "graphql-ws"),
        ("subprotocol answer=none", "graphql-ws", None),
        ("subprotocol answer=own", "graphql-ws", "own"),
        # Offered something else, the server chose it: the client hears of what it asked for.
        ("subprotocol graphql-transport-ws", "graphql-transport-ws", "graphql-ws"),
        ("subprotocol graphql-transport-ws", None, None),
        ("subprotocol other", "other", "other"),
    ],
)
def test_the_subprotocol_that_the_client_is_told(filter: str, chosen: str | None, expected: str | None) -> None:
    assert told(filter, chosen) == expected
    assert told(filter, chosen, status=403) == chosen


def test_the_subprotocol_of_a_client_that_asked_for_none() -> None:
    request = Request(headers=[("Host", "x")])
    assert told("subprotocol a", "a", request=request) is None
    assert told("subprotocol answer=first", "a", request=request) is None


def test_a_refusal_is_recorded_and_no_later_filter_is_asked() -> None:
    seen: list[FilterEvent] = []
    made = chain("refuse 503 reason=Busy text='come back later'", "path /x", emit=seen.append)
    verdict = made.request(ASKED, 1.0)
    assert verdict is not None and verdict.refused is not None
    assert (verdict.refused.status, verdict.refused.reason, verdict.refused.text) == (503, "Busy", "come back later")
    assert not verdict.changed
    assert [(e.action, e.side, e.conn) for e in seen] == [("refuse", "client", 1)]


def test_only_the_first_handshakes_are_refused() -> None:
    filters = FilterSet(["refuse 503 first=2"])
    verdicts = [Chain(filters, conn, 0.0).request(ASKED, 0.0) for conn in range(4)]
    assert [v is not None and v.refused is not None for v in verdicts] == [True, True, False, False]


class Reconnecting:
    """A client that comes again and again, through one set of filters."""

    def __init__(self, *filters: str) -> None:
        self.filters = FilterSet(filters)
        self.conn = 0

    def come(self, at: float, client: str = "10.0.0.1:1", path: str = "/ws?x=1") -> tuple[Chain, float]:
        """A handshake; gives its chain, and how long it must wait."""
        self.conn += 1
        made = Chain(self.filters, self.conn, at, path=path, client=client)
        verdict = made.request(Request(target=path), at)
        return made, 0.0 if verdict is None else verdict.wait


def end(made: Chain, at: float) -> Decision | None:
    return made.decide(Ended("client", "fin", at, at), Kind.END)


def test_a_client_that_comes_again_waits() -> None:
    clients = Reconnecting("slow-reconnect 5s")
    first, wait = clients.come(0.0)
    assert wait == 0.0
    first.response(Response(status=101), ASKED, ASKED, 0.1)
    assert end(first, 10.0) is None
    second, wait = clients.come(11.0, "10.0.0.1:2", "/ws?x=2")  # another port, another query: the same client
    assert wait == 4.0
    second.response(Response(status=403), ASKED, ASKED, 15.0)
    assert clients.come(16.0)[1] == 4.0  # a refusal is an end too
    assert clients.come(16.0, "10.0.0.2:1")[1] == 0.0
    assert clients.come(16.0, path="/other")[1] == 0.0
    assert clients.come(99.0)[1] == 0.0


def test_what_changes_a_handshake_is_recorded() -> None:
    seen: list[FilterEvent] = []
    chain("path /x", "strip-header X-Nothing", "query a", emit=seen.append).request(ASKED, 2.0)
    assert [(e.at, e.filter, e.action) for e in seen] == [(2.0, "path /x", "change")]


_names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
_values = st.text(st.characters(min_codepoint=32, max_codepoint=300, exclude_categories=["Cc"]), max_size=20)
_HANDSHAKE = [
    "path /x",
    "path replace=/a with=b",
    "query a b",
    "query a",
    "unique-id",
    "unique-id query=a",
    "origin",
    "strip-header cookie",
    "set-header cookie x",
    "subprotocol a,b",
    "subprotocol answer=first",
    "strip-extensions",
]


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    st.lists(st.tuples(_names | st.sampled_from(["Host", "Origin", "Sec-WebSocket-Protocol"]), _values), max_size=6),
    st.lists(st.sampled_from(_HANDSHAKE), max_size=4),
)
def test_no_handshake_makes_them_fail(target: str, headers: list[tuple[str, str]], filters: list[str]) -> None:
    seen: list[FilterEvent] = []
    made = Chain(FilterSet(filters), 1, 0.0, emit=seen.append)
    request = Request(target="/" + target, headers=headers)
    verdict = made.request(request, 0.0)
    after = request if verdict is None else verdict.item.request
    assert after.target.startswith("/") and " " not in after.target
    made.response(Response(status=101, headers=headers), after, request, 1.0)
    assert not [e for e in seen if e.action == "error"]
    assert all(parse(e.filter) is not None for e in seen)
