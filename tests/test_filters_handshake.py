"""Filters on handshakes: what the server is asked, what the client is told, and when."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.errors import FilterError
from hangup.filters.base import Ended, Kind, Message
from hangup.filters.chain import Chain, Decision
from hangup.filters.filter_set import FilterSet
from hangup.filters.library.target import UniqueId
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent, Request, Response, Side

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
        ("/mqtt", r"/mqtt"),
    ],
)
def test_a_client_id_of_its_own(old: str, shape: str) -> None:
    new = asked("unique-id", request=Request(target=old)).target
    assert re.fullmatch(shape, new)
    assert (new == old) is (old in ("/", "/mqtt"))


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


ID = "ann-7"
OF_ANN = Request(
    target="/ws/ann-7/feed?user=ann-7&list=a,ann-7&for=ann-77&not=xann-7",
    headers=[("Host", "localhost"), ("Cookie", "theme=dark; sid=ann-7"), ("X-User", "ann-7"), ("X-Else", "joann-7")],
)


class Named:
    """Connections through one filter, that say who they are."""

    def __init__(self, form: str) -> None:
        self.filters = FilterSet([form])

    def come(self, conn: int, request: Request = OF_ANN) -> tuple[Request, Chain]:
        """What the server is asked, and the chain."""
        made = Chain(self.filters, conn, 0.0)
        verdict = made.request(request, 0.0)
        return (request if verdict is None else verdict.item.request), made


def said(made: Chain, data: bytes, side: Side = "client") -> bytes:
    """What comes out of a message."""
    decision = made.decide(Message(side, 1, data, 1, 1, 1, 0.0, 0.0), Kind.MESSAGE)
    return data if decision is None else decision.item.data


def test_an_id_of_its_own_wherever_it_is_said() -> None:
    clients = Named(f"unique-id value={ID}")
    own = []
    for conn in (1, 2):
        request, made = clients.come(conn)
        shape = r"/ws/(ann-7-[0-9a-f]{6})/feed\?user=(.*)&list=a,(.*)&for=ann-77&not=xann-7"
        found = re.fullmatch(shape, request.target)
        assert found is not None and len(set(found.groups())) == 1, request.target
        mine = found[1]
        assert [value for _, value in request.headers] == ["localhost", f"theme=dark; sid={mine}", mine, "joann-7"]
        hello = said(made, b'{"user":"ann-7","ids":["ann-7","ann-70"],"n":7}')
        assert hello == b'{"user":"%s","ids":["%s","ann-70"],"n":7}' % (mine.encode(), mine.encode())
        assert said(made, b'{"user":"ann-7"}') == b'{"user":"%s"}' % mine.encode()  # and so it stays
        assert said(made, b'{"user":"ann-7"}', "server") == b'{"user":"ann-7"}'
        assert said(made, b"\xff ann-7 \x00") == b"\xff %s \x00" % mine.encode()  # bytes too
        own.append(mine)
    assert len(set(own)) == 2


@pytest.mark.parametrize(
    ("old", "shape"),
    [("42", r"[1-9]\d{8}"), ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")],
)
def test_an_id_of_its_own_is_of_the_same_sort(old: str, shape: str) -> None:
    made = Named(f"unique-id value={old}").come(1, Request(target="/ws"))[1]
    message = said(made, b'{"id":%s}' % old.encode())
    found = re.fullmatch(r'\{"id":(.*)\}', message.decode())
    assert found is not None and re.fullmatch(shape, found[1]) and found[1] != old


@pytest.mark.parametrize("form", ["unique-id value=''", "unique-id value=a query=b", "unique-id value=a segment=1"])
def test_an_id_that_makes_no_sense(form: str) -> None:
    with pytest.raises(FilterError, match="unique-id"):
        parse(form)


_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}[A-Za-z0-9]|[A-Za-z0-9]", fullmatch=True)


def with_own(text: str, value: str, own: str) -> str:
    """The text with another id: where it is a whole word, or a sentence or the name of a file goes on after it."""
    words = re.split(r"([A-Za-z0-9_.-]+)", text)
    return "".join(own + w[len(value) :] if w == value or w.startswith(value + ".") else w for w in words)


@given(_ids, st.lists(_ids | st.sampled_from(["=", "&", "/", '"', ",", " ", ":", "é", "%20", ";", "."]), max_size=12))
def test_only_whole_values_are_replaced(value: str, parts: list[str]) -> None:
    """Handshake and messages alike, the same within a connection, and another for each."""
    text = "".join(part if n % 3 else value for n, part in enumerate(parts))
    message = json.dumps({"ids": [value, value + "x", "x" + value], "of": {"id": value}}).encode()
    clients = Named(str(UniqueId(value=value)))
    fresh = set()
    for conn in (1, 2):
        request, made = clients.come(conn, Request(target="/ws?id=" + value, headers=[("X-Text", text)]))
        mine = request.target.removeprefix("/ws?id=")
        assert said(made, message) == message.replace(b'"%s"' % value.encode(), b'"%s"' % mine.encode())
        assert said(made, text.encode()).decode() == request.headers[0][1] == with_own(text, value, mine)
        fresh.add(mine)
    assert len(fresh) == 2 and value not in fresh


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
