"""The filters that act on messages and control frames, each by what the other side gets."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from filtered import KEY, OTHER, Filtered
from hangup.errors import FilterError
from hangup.filters.catalogue import page
from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.filters.library.script import Script
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent, Side
from hangup.wire.deflate import Params
from hangup.wire.frames import Frame, serialize

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture(autouse=True, params=[False, True], ids=["events", "express"])
def express(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test goes both ways: simple frames as events, and by the express lane."""
    monkeypatch.setattr(Filtered, "express", request.param)


class Step(NamedTuple):
    """What a side sends, and what the other gets: the same, another payload, another message, or nothing."""

    side: Side
    data: bytes
    expected: bytes | tuple[int, bytes]
    opcode: int


GONE = b"<nothing comes of it>"


def client(data: bytes, expected: bytes | tuple[int, bytes] | None = None, opcode: int = TEXT) -> Step:
    return Step("client", data, data if expected is None else expected, opcode)


def server(data: bytes, expected: bytes | tuple[int, bytes] | None = None, opcode: int = TEXT) -> Step:
    return client(data, expected, opcode)._replace(side="server")


CASES: list[tuple[str, list[Step]]] = [
    (
        "drop-ping",
        [client(b"a", GONE, opcode=PING), server(b"b", GONE, opcode=PING), client(b"a", opcode=PONG), client(b"ping")],
    ),
    ("drop-ping side=server", [client(b"a", opcode=PING), server(b"b", GONE, opcode=PING)]),
    ("drop-pong side=client", [client(b"a", GONE, opcode=PONG), client(b"a", opcode=PING), server(b"", opcode=PONG)]),
    (
        "drop-heartbeat side=client",
        [
            client(b"ping", GONE),
            client(b'{"type":"pong"}', GONE),
            client(b"pinged"),
            server(b"ping"),
            client(b"", opcode=PING),
        ],
    ),
    ("drop-heartbeat beat=ping", [client(b"ping", GONE), server(b"pong")]),
    ("drop-heartbeat form=mqtt", [client(b"ping"), client(b"\xc0\x00", GONE, opcode=BINARY)]),
    ("drop-heartbeat index=2..", [client(b"ping"), client(b"ping", GONE)]),
    ('rewrite-heartbeat to={"type":"ping"}', [client(b"ping", b'{"type":"ping"}'), server(b"pong"), client(b"hello")]),
    ("drop", [client(b"a", GONE), server(b"b", GONE, opcode=BINARY), client(b"", opcode=PING)]),
    ("drop side=server text=hi", [server(b"hi", GONE), server(b"hi!"), client(b"hi")]),
    ("drop opcode=binary", [client(b"a"), client(b"b", GONE, opcode=BINARY)]),
    ("drop opcode=control", [client(b"a"), client(b"", GONE, opcode=PING), server(b"", GONE, opcode=PONG)]),
    ("drop opcode=any contains=x", [client(b"axb", GONE), client(b"x", GONE, opcode=PING), client(b"y", opcode=PING)]),
    (r"drop regex=^\d+$", [client(b"123", GONE), client(b"12a")]),
    ("drop regex=^.ü", [client(b"x\xc3\xbc", GONE), client(b"\xc3x")]),
    (r"drop regex=^\x00\xff$", [client(b"\x00\xff", GONE, opcode=BINARY), client(b"\x00\xfe", opcode=BINARY)]),
    ("drop size=3..5", [client(b"12"), client(b"123", GONE), client(b"12345", GONE), client(b"123456")]),
    ("drop side=client index=2", [client(b"1"), server(b"1"), client(b"2", GONE), client(b"3")]),
    ("drop first=1", [client(b"1", GONE), server(b"1", GONE), client(b"2")]),
    ("drop frame=3..", [client(b"1"), server(b"1"), client(b"2", GONE), server(b"2", GONE)]),
    ("only side=client contains=x", [client(b"x"), client(b"y", GONE), server(b"y"), client(b"", opcode=PING)]),
    ("only opcode=text first=1", [client(b"1"), client(b"2", GONE), client(b"3", opcode=BINARY)]),
    ("rewrite text=a to=b", [client(b"a", b"b"), client(b"b")]),
    ("rewrite to=hex:00ff opcode=binary", [client(b"a", b"\x00\xff", opcode=BINARY), client(b"a")]),
    (
        'rewrite json=$.type==ping set={"ts":0}',
        [
            client(b'{"type": "ping", "u": "\xc3\xbc"}', b'{"type":"ping","u":"\xc3\xbc","ts":0}'),
            client(b'{"type":"x"}'),
        ],
    ),
    ("rewrite replace=a with=bb", [client(b"banana", b"bbbnbbnbb"), client(b"x")]),
    ("rewrite opcode=ping to=''", [client(b"payload", b"", opcode=PING), client(b"", opcode=PING)]),
    (
        "flip-opcode side=client",
        [client(b"a", (BINARY, b"a")), client(b"a", (TEXT, b"a"), opcode=BINARY), server(b"a")],
    ),
    ("mute side=server", [server(b"a", GONE), server(b"", GONE, opcode=PING), client(b"a"), server(b"", opcode=CLOSE)]),
    ("mute side=server what=messages", [server(b"a", GONE), server(b"", opcode=PING)]),
    (
        "drop-malformed",
        [
            client(b"\xff", GONE),
            client(b'\xef\xbb\xbf{"a":1}', GONE),
            client(b'{"a":NaN}', GONE),
            client(b'{"a":"NaN"}'),
            client(b"no json"),
            client(b"a NaN"),
        ],
    ),
    (
        "drop-malformed what=not-json side=client",
        [client(b"ping", GONE), client(b'"ping"'), server(b"ping"), client(b"x", opcode=BINARY)],
    ),
    ("drop-malformed", [client(b"\x03\xee", GONE, opcode=CLOSE)]),
    (
        "repair-malformed",
        [
            client(b"a\xffb", b"a\xef\xbf\xbdb"),
            client(b"\xef\xbb\xbf{}", b"{}"),
            client(b'{"a":NaN,"b":"NaN","c":-Infinity}', b'{"a":null,"b":"NaN","c":null}'),
        ],
    ),
    ("repair-malformed what=not-json", [client(b'pi"ng', b'"pi\\"ng"')]),
    ("repair-malformed", [server(b"\x03\xee", b"", opcode=CLOSE), client(b"x", b"", opcode=CLOSE)]),
    (
        "repair-malformed",
        [
            server(
                b"\x03\xe8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\x03\xe8\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                opcode=CLOSE,
            ),
            client(
                b"\x03\xe8\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
                b"\x03\xe8\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
                opcode=CLOSE,
            ),
        ],
    ),
    (
        "drop json=$.a.b[1]==2",
        [client(b'{"a":{"b":[1,2]}}', GONE), client(b'{"a":{"b":[1]}}'), client(b'{"a":{"b":[1,"2"]}}'), client(b"[")],
    ),
    ("drop kind=chat:order", [client(b'{"type":"chat:order","id":1}', GONE), client(b'{"type":"chat"}')]),
    ("drop kind=data.type=order", [client(b'{"data":{"type":"order"}}', GONE), client(b'{"type":"order"}')]),
    ("drop kind=socket.io:order", [client(b'42["order",1]', GONE), client(b'["order",1]'), client(b'42["a","order"]')]),
    ("drop kind={id,price}", [client(b'{"price":1,"id":2}', GONE), client(b'{"id":2}')]),
    ("drop kind='text:LOGIN #'", [client(b"LOGIN 17", GONE), client(b"LOGIN bob")]),
    ("drop kind=ping", [client(b"2", GONE), client(b'{"type":"ping"}', GONE), client(b"3")]),
    ("drop json=$.ok==true", [client(b'{"ok":true}', GONE), client(b'{"ok":1}')]),
    ("drop json=$.n==1", [client(b'{"n":1}', GONE), client(b'{"n":1.0}', GONE), client(b'{"n":true}')]),
    (
        "drop json=$.type!=ping",
        [client(b'{"type":"pong"}', GONE), client(b"{}", GONE), client(b'{"type":"ping"}'), client(b"no")],
    ),
    ("drop json=$.n>=2", [client(b'{"n":2}', GONE), client(b'{"n":1}'), client(b'{"n":"9"}'), client(b'{"n":true}')]),
    ("drop json=$.error", [client(b'{"error":null}', GONE), client(b'{"e":1}')]),
    ("drop json=$.name~^p.ng$", [client(b'{"name":"pong"}', GONE), client(b'{"name":5}'), client(b'{"name":"x"}')]),
    ("drop json=$..id==7", [client(b'{"a":[{"id":7}]}', GONE), client(b'{"a":[{"id":8}]}')]),
    ("drop json=$.a[?@.k=='v']", [client(b'{"a":[{"k":"v"}]}', GONE), client(b'{"a":[{"k":"w"}]}')]),
    ("drop json=$.type==ping", [client(b'{"type":"p\\u0069ng"}', GONE), client(b'{"t\\u0079pe":"ping"}', GONE)]),
]


@pytest.mark.parametrize(("filter", "steps"), CASES, ids=[filter for filter, _ in CASES])
def test_what_becomes_of_messages(filter: str, steps: list[Step]) -> None:
    run = Filtered(filter)
    for side, data, expected, opcode in steps:
        before = len(run.got[OTHER[side]])
        run.send(side, data, opcode)
        got = run.got[OTHER[side]][before:]
        if expected == GONE:
            assert got == []
        else:
            assert got == [expected if isinstance(expected, tuple) else (opcode, expected)]
    assert next(iter(run.filters)).hits == sum(step.expected != step.data for step in steps)
    for found in run.problems.values():
        assert set(found) <= {"invalid-utf8"}
        found.clear()
    run.check()


def test_the_first_frame_of_a_message_and_any_other_name_it() -> None:
    run = Filtered("drop side=client frame=1")
    run.client("a", fin=False)
    run.server("x")
    assert run.client("b", 0) == []
    run = Filtered("drop frame=3")
    run.client("a", fin=False)
    run.client("b", 0, fin=False)
    assert run.client("c", 0) == []
    assert [action for action, _ in run.actions()] == ["drop"] * 3
    assert run.client("d") == [(TEXT, b"d")]


def test_the_last_messages_are_known_in_a_replay_only() -> None:
    run = Filtered("drop side=client last=1")
    assert run.client("a") == [(TEXT, b"a")]
    run = Filtered("drop side=client last=1", totals={"client": 2, "server": 0})
    assert (run.client("a"), run.client("b")) == ([(TEXT, b"a")], [])


def test_only_while_the_connection_is_young_or_old() -> None:
    run = Filtered("drop side=client before=2s", "drop side=client after=4s")
    got = []
    for second in range(6):
        run.at = float(second)
        got += run.client(str(second))
    assert got == [(TEXT, b"2"), (TEXT, b"3")]


# Order.


def test_filters_apply_in_order_and_each_sees_what_those_before_it_left() -> None:
    run = Filtered("rewrite text=a to=b", "rewrite text=b to=c", "drop text=a")
    assert run.client("a") == [(TEXT, b"c")]
    assert [(e.filter, e.wire is None) for e in run.lines if isinstance(e, FilterEvent)] == [
        ("rewrite text=a to=b", True),
        ("rewrite text=b to=c", False),
    ]
    run.check()


def test_a_dropped_message_is_shown_to_no_later_filter() -> None:
    run = Filtered("drop text=a", "rewrite text=a to=b")
    assert run.client("a") == []
    assert [entry.hits for entry in run.filters] == [1, 0]


# A rhythm.


def said(run: Filtered, *times: float, text: str = '{"what":"tick","n":%d}') -> list[bool]:
    """Whether what the server says at these times gets through."""
    passed = []
    for n, at in enumerate(times):
        run.at = at
        passed.append(bool(run.server(text % n if "%" in text else text)))
    return passed


def test_what_is_said_at_an_even_pace_is_a_heartbeat_too() -> None:
    run = Filtered("drop-heartbeat periodic=yes")
    assert said(run, 0, 1, 2.1, 3.1, 4, 5, 6) == [True] * 4 + [False] * 3
    assert said(run, 9, 10, 11) == [True, True, True]  # out of step
    run.check()
    assert said(Filtered("drop-heartbeat"), *range(9)) == [True] * 9


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ((0, 1, 3, 4, 9, 10, 12), '{"what":"tick","n":%d}'),  # uneven
        (tuple(n / 10 for n in range(12)), '{"what":"tick","n":%d}'),  # a stream of data
        (tuple(range(12)), "x" * 600),  # long
    ],
)
def test_what_is_no_rhythm(times: tuple[float, ...], text: str) -> None:
    assert all(said(Filtered("drop-heartbeat periodic=yes"), *times, text=text))


def test_two_kinds_of_messages_have_a_rhythm_each() -> None:
    run = Filtered("drop-heartbeat periodic=yes side=server")
    for second in range(8):
        run.at = float(second)
        passed = [bool(run.server(text)) for text in (f'["a",{second}]', f"count {second}", "word" + chr(97 + second))]
    assert passed == [False, False, True]


# Answers, injections, pings.


def test_a_control_ping_is_answered_by_the_proxy() -> None:
    run = Filtered("answer-ping side=server level=control")
    assert run.server(b"abc", PING) == []
    assert run.got["server"] == [(PONG, b"abc")]
    assert run.frames["server"][0].key is not None
    assert run.client(b"x", PING)[-1:] == [(PING, b"x")]
    assert run.server("ping") == [(TEXT, b"ping")]
    run.check()


def test_a_heartbeat_message_is_answered_in_its_form() -> None:
    run = Filtered("answer-ping side=client")
    for ping, pong in ((b"ping", b"pong"), (b'{"op":"ping","id":3}', b'{"op":"pong","id":3}'), (b"2", b"3")):
        run.got["client"].clear()
        assert run.client(ping) == []
        assert run.got["client"] == [(TEXT, pong)]
    assert run.client("") == [(TEXT, b"")]  # nothing answers it
    assert run.client("pong") == [(TEXT, b"pong")]
    run.check()
    run = Filtered("answer-ping with=here")
    assert run.client("") == []
    assert run.got["client"] == [(TEXT, b"here")]


@pytest.mark.parametrize("opcode", [TEXT, PING])
def test_an_injection_into_a_message_under_way(opcode: int) -> None:
    word = "text" if opcode == TEXT else "ping"
    run = Filtered(f"inject from=server send=now as={word} side=client text=go")
    second = serialize(Frame(True, 0, 0, None, b" two"))
    run.server("one", fin=False)
    run.raw("server", second[:3])
    run.client("go")
    assert run.got["client"] == []
    run.raw("server", second[3:])
    assert run.got["client"] == [(TEXT, b"one two"), (opcode, b"now")]
    assert run.session.plain("server")
    run.check()
    run = Filtered(f"inject from=server send=now as={word} side=client text=go")
    run.server("one", fin=False)
    run.client("go")
    run.server(" two", 0)
    expected = [(TEXT, b"one two"), (TEXT, b"now")] if opcode == TEXT else [(PING, b"now"), (TEXT, b"one two")]
    assert run.got["client"] == expected
    run.check()


def test_nothing_is_injected_after_a_close_frame_or_an_end() -> None:
    run = Filtered("inject from=server send=x side=client")
    run.server(b"\x03\xe8", CLOSE)
    run.client("a")
    assert run.got["client"] == [(CLOSE, b"\x03\xe8")]
    run = Filtered("inject from=server send=x side=client")
    run.end("server")
    run.client("a")
    assert run.got["client"] == []
    run.check()


def test_injecting_at_a_time_and_again_and_again() -> None:
    run = Filtered('inject from=client send={"type":"connection_init"} at=1s')
    assert run.session.plain("client") and run.session.plain("server")
    run.wait(0.5)
    assert run.got["server"] == []
    run.wait(10)
    assert run.got["server"] == [(TEXT, b'{"type":"connection_init"}')]
    assert run.session.deadline() is None
    run.check()
    run = Filtered("inject from=server send=tick every=2s")
    run.wait(6.5)
    assert run.got["client"] == [(TEXT, b"tick")] * 3
    run.at = 13.0
    run.take(run.session.tick(13.0))  # late: what was missed is not made up for
    assert len(run.got["client"]) == 4
    assert run.session.deadline() == 14.0
    run.check()


def test_an_injected_frame_may_break_the_rules() -> None:
    run = Filtered("inject from=client send=x as=pong rsv=2 side=client text=go")
    run.client("go")
    pong = run.frames["server"][-1]
    assert (pong.opcode, pong.rsv, pong.payload) == (PONG, 2, b"x") and pong.key is not None
    assert run.problems["server"] == ["rsv"]


def test_an_injection_some_time_after_the_message_it_follows() -> None:
    run = Filtered("inject from=server send=done later=2s side=client contains=go")
    for run.at, text in ((1.0, "go"), (1.5, "stay"), (2.0, "go on")):
        assert run.client(text) == [(TEXT, text.encode())]
    assert run.session.deadline() == 3.0
    run.wait(2.9)
    assert run.got["client"] == []
    run.wait(3.5)
    assert run.got["client"] == [(TEXT, b"done")] and run.session.deadline() == 4.0
    run.wait(9)
    assert run.got["client"] == [(TEXT, b"done")] * 2 and run.session.deadline() is None
    run.check()


@pytest.mark.parametrize("later", ["", " later=1s"])
def test_an_injection_that_repeats_what_the_message_says(later: str) -> None:
    run = Filtered('inject from=server send={"id":{{id}},"result":{}} side=client contains=method' + later)
    run.client('{"id":"a7","method":"list"}')
    run.client('{"method":"notify"}')  # has no id, so no answer is meant for it
    run.client('{"id":8,"result":{}}')
    run.wait(5)
    assert run.got["client"] == [(TEXT, b'{"id":"a7","result":{}}')]
    run.check()


def test_keepalive_pings_a_side_that_is_silent_and_keeps_the_pong_back() -> None:
    run = Filtered("keepalive side=client every=10s")
    run.wait(8)
    run.client("x")
    run.wait(17)
    assert run.got["server"] == [(TEXT, b"x")]
    run.wait(18.5)
    ((opcode, payload),) = run.got["server"][1:]
    assert opcode == PING and run.frames["server"][-1].key is not None
    assert run.server(payload, PONG) == []
    assert run.server(b"own", PONG) == [(PONG, b"own")]
    run.wait(29)
    assert len(run.got["server"]) == 3
    run.check()


@pytest.mark.parametrize("answers", [True, False])
def test_a_pong_that_is_kept_back_breaks_no_silence(answers: bool) -> None:
    """The client's pong never reaches the server, which hears nothing from behind: what is in the client's name is due
    as if there had been none. So what ends whoever is silent for eight seconds never comes."""
    run = Filtered("keepalive every=5s")
    pinged: list[float] = []
    for second in range(1, 31):
        before = len(run.got["client"]), len(run.got["server"])
        run.wait(float(second))
        if run.got["server"][before[1] :]:
            pinged.append(run.at)
        for opcode, payload in run.got["client"][before[0] :]:
            assert opcode == PING
            if answers:
                run.at += 0.2
                assert run.client(payload, PONG) == []
    gaps = [later - earlier for earlier, later in zip([0.0, *pinged], [*pinged, 30.0], strict=True)]
    assert max(gaps) <= 5.0, pinged
    # What is passed on breaks it: the next ping is due so long after that.
    run.at += 0.1
    run.client("said")
    at = run.at
    run.wait(at + 4.9)
    assert run.got["server"][-1] == (1, b"said")
    run.wait(at + 5.0)
    assert run.got["server"][-1][0] == PING
    run.check()


def test_keepalive_with_a_message() -> None:
    run = Filtered('keepalive side=server every=1s send={"type":"ping"}')
    run.wait(2.5)
    assert run.got["client"] == [(TEXT, b'{"type":"ping"}')] * 2
    assert run.session.plain("client")


# Framing.


def test_fragments_are_joined_and_made() -> None:
    run = Filtered("defragment side=client", "fragment 4 side=server")
    run.client("abc", fin=False)
    run.client("def", 0)
    (frame,) = run.frames["server"]
    assert (frame.payload, frame.key, frame.fin) == (b"abcdef", KEY, True)
    run.server("0123456789")
    assert [(f.payload, f.fin, f.opcode) for f in run.frames["client"]] == [
        (b"0123", False, 1),
        (b"4567", False, 0),
        (b"89", True, 0),
    ]
    run.check()


def test_fragments_of_a_compressed_message_are_joined_without_touching_what_it_says() -> None:
    run = Filtered("defragment", deflate=Params())
    packed = run.deflaters["client"].message(b"hello hello hello")
    run.client(packed[:3], fin=False, rsv=4)
    run.client(packed[3:], 0)
    run.client("hello", packed=True)
    assert [(f.payload, f.rsv) for f in run.frames["server"]][0] == (packed, 4)
    assert run.got["server"] == [(TEXT, b"hello hello hello"), (TEXT, b"hello")]
    assert "reencode" not in [action for action, _ in run.actions()]
    run.check()


def test_of_what_comes_together_nothing_overtakes_what_is_held() -> None:
    """Simple frames in one chunk, of which one has to wait."""
    run = Filtered("delay 1s side=client contains=slow")
    chunk = b"".join(serialize(Frame(True, 0, 1, KEY, text)) for text in (b"fast", b"slow", b"behind", b"slow too"))
    assert run.raw("client", chunk) == [(TEXT, b"fast")]
    run.wait(2)
    assert [data for _, data in run.got["server"]] == [b"fast", b"slow", b"behind", b"slow too"]
    run.check()


def test_a_filter_that_is_gone_lets_go_of_half_a_message() -> None:
    run = Filtered("drop side=client text=x")
    assert run.client("one", fin=False) == []
    run.filters.clear()
    run.refresh()
    assert run.came["server"] == run.sent["client"]
    run.client(" two", 0)
    assert run.got["server"] == [(TEXT, b"one two")]
    run.check()


def test_masking_is_put_right() -> None:
    run = Filtered("unmask-fix")
    assert run.client("a", key=None) == [(TEXT, b"a")]
    assert run.client("p", PING, key=None) == [(PING, b"p")]
    assert run.server("b", key=KEY) == [(TEXT, b"b")]
    assert run.client("c") == [(TEXT, b"c")]
    assert [frame.key is None for frame in run.frames["server"]] == [False, False, False]
    assert run.frames["client"][0].key is None
    run.check()


def test_framing_is_repaired() -> None:
    run = Filtered("repair-malformed")
    assert run.client("a", rsv=2) == [(TEXT, b"a")]
    long = b"\x81" + bytes([0x80 | 126, 0, 1]) + b"\0\0\0\0" + b"x"  # a length in long form
    assert run.raw("client", long) == [(TEXT, b"x")]
    assert run.client(b"p" * 200, PING) == [(PING, b"p" * 125)]
    assert run.client(b"p", PING, fin=False) == [(PING, b"p")]
    assert run.client("?", 3) == []
    assert run.client("?", 0) == []
    assert run.client("after") == [(TEXT, b"after")]
    assert run.raw("client", b"HTTP/1.1 400 Bad Request\r\n\r\n") == []
    run.check()


def test_junk_is_dropped_or_passes() -> None:
    run = Filtered("drop-malformed what=not-a-frame")
    run.raw("server", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert run.came["client"] == b""
    run.check()
    run = Filtered("drop side=server text=x")
    run.raw("server", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    run.raw("server", b"more of it")
    assert run.came["client"] == b"HTTP/1.1 400 Bad Request\r\n\r\nmore of it"
    run.problems["client"].clear()
    run.check()


def test_a_half_frame_at_the_end_goes_out_and_is_recorded() -> None:
    run = Filtered("drop side=client text=x")
    run.client("fra", fin=False)
    run.raw("client", b"\x80\x85half")
    assert run.came["server"] == b""
    run.end("client")
    assert run.came["server"] == run.sent["client"]
    assert run.ends == [("client", "fin")]
    run.check()


# The set.


def test_switching_on_and_off_takes_effect_at_the_next_message() -> None:
    run = Filtered()
    entry = run.filters.add("drop text=x")
    assert run.client("x") == []
    run.filters.off("drop")
    assert run.client("x") == [(TEXT, b"x")]
    run.filters.on(entry.id)
    assert run.client("x") == []
    run.filters.clear()
    run.refresh()
    assert run.session.plain("client") and run.session.plain("server")
    assert run.client("x")[-1] == (TEXT, b"x")
    run.check()


def test_what_stays_keeps_its_state_when_the_set_changes() -> None:
    run = Filtered("inject from=server send=once at=1s")
    run.wait(2)
    run.filters.add("drop text=x")
    run.refresh()
    run.wait(9)
    assert run.got["client"] == [(TEXT, b"once")]


def test_the_set_is_changed_by_id_by_word_and_by_text() -> None:
    told = []
    filters = FilterSet(["drop-ping side=client", "drop text=a"])
    filters.listeners.append(lambda change: told.append((change.action, change.entry.id, change.at)))
    filters.add("drop text=b", 1.0)
    assert [e.id for e in filters.off("drop", 2.0)] == [2, 3]
    assert filters.off("drop", 2.5) and told[-1] == ("off", 3, 2.0)  # nothing to tell
    assert [e.text for e in filters.active] == ["drop-ping side=client"]
    filters.on("drop  text='b'", 3.0)
    filters.remove("2", 4.0)
    assert filters.on("mute side=server", 5.0)[0].id == 4
    filters.clear(6.0)
    assert len(filters) == 0
    assert told == [
        ("add", 3, 1.0),
        ("off", 2, 2.0),
        ("off", 3, 2.0),
        ("on", 3, 3.0),
        ("remove", 2, 4.0),
        ("add", 4, 5.0),
        ("remove", 1, 6.0),
        ("remove", 3, 6.0),
        ("remove", 4, 6.0),
    ]
    assert filters.version == 11
    with pytest.raises(FilterError, match="no filter '9' here; there are: none"):
        filters.on("9")
    with pytest.raises(FilterError, match="did you mean mute"):
        filters.on("mut side=server")


def test_a_set_that_is_replaced_keeps_what_stays() -> None:
    filters = FilterSet(["drop text=a", "drop text=b"])
    filters.off(2)
    filters.replace(["drop text=c", "drop text=b"], 1.0)
    assert [(e.id, e.text, e.enabled) for e in filters] == [(3, "drop text=c", True), (2, "drop text=b", False)]
    version = filters.version
    filters.replace(["drop text=c", "drop text=b"])
    assert filters.version == version
    with pytest.raises(FilterError):
        filters.replace(["mute side=server", "nonsense"])
    assert filters.version == version


def test_toggles_are_events_of_the_recording() -> None:
    filters = FilterSet()
    seen: list[FilterEvent] = []
    filters.listeners.append(lambda change: seen.append(change.event()))
    filters.add("drop-ping", 1.5)
    filters.off("drop-ping", 2.5)
    assert [(e.at, e.conn, e.filter, e.action) for e in seen] == [
        (1.5, 0, "drop-ping", "add"),
        (2.5, 0, "drop-ping", "off"),
    ]
    assert filters.describe() == [{"id": 1, "name": "", "filter": "drop-ping", "on": False, "hits": 0}]


def test_a_filter_may_be_limited_to_some_connections() -> None:
    filters = FilterSet(["drop path=/ws/* client=127.0.0.1:*", "drop-ping path=*token=*"])
    assert [entry.covers("/ws/1", "127.0.0.1:5000") for entry in filters] == [True, False]
    chain = Chain(filters, 1, 0.0, path="/other", client="127.0.0.1:5000")
    assert not chain.wants("client")
    run = Filtered("drop path=/ws/*", path="/ws/1?x=1")
    assert run.client("a") == []
    run = Filtered("drop path=/ws/*", path="/chat")
    assert run.session.plain("client")


# Filters of one's own.

OWN = """
from __future__ import annotations
from typing import ClassVar
from hangup.filters.base import Drop, Filter, Hold, Kind

class Mine(Filter, frozen=True, kw_only=True):
    kinds: ClassVar[Kind] = Kind.MESSAGE
    word: str = "ping"

    def begin(self, context):
        return {"count": 0}

    def apply(self, item, state):
        state["count"] += 1
        if item.data == b"fail":
            raise ZeroDivisionError("oh")
        return [Drop(note=f"message {state['count']}")] if item.data == self.word.encode() else None
"""


def test_a_script(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    run = Filtered(f"script '{file}'", f"""script '{file}' args={{"word": "other"}}""")
    assert run.client("a") == [(TEXT, b"a")]
    assert run.client("ping") == []
    assert run.client("other") == []
    drop = next(e for e in run.lines if isinstance(e, FilterEvent))
    assert drop.note == "message 2" and drop.filter.startswith("script ")
    run.check()


def test_the_code_in_the_help_of_script_is_a_filter(tmp_path: Path) -> None:
    """As it is printed, between the paragraphs that are not indented."""
    code = "\n".join(p for p in page(Script) if p.startswith(" "))
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(code))
    run = Filtered(f"script '{file}'")
    assert run.client("ping") == [] and run.client("other") == [(TEXT, b"other")]


def test_to_read_a_script_does_not_run_it_and_its_screen_is_asked(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    file = tmp_path / "mine.py"
    screen = "def screen(self): return lambda opcode, data: data == b'shown'"
    source = f"from hangup.filters.base import *\nopen({str(ran)!r}, 'a').write('x')\n"
    file.write_text(f"{source}class Mine(Filter, frozen=True, kw_only=True):\n    kinds = Kind.MESSAGE\n    {screen}\n")
    text = f"script '{file}'"
    assert str(parse(text)) == str(parse(text)) and parse(text) == parse(text)
    filters = FilterSet()
    with pytest.raises(FilterError, match="no filter"):
        filters.off(text)
    assert not ran.exists()
    (entry,) = FilterSet([text])
    screened = entry.filter.screen()
    assert ran.read_text() == "x" and screened is not None
    assert screened(TEXT, b"shown") and not screened(TEXT, b"other")


def test_a_script_that_fails_passes_the_message_and_the_recording_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    run = Filtered(f"script '{file}'", "rewrite text=fail to=passed")
    assert run.client("fail") == [(TEXT, b"passed")]
    error = next(e for e in run.lines if isinstance(e, FilterEvent))
    assert (error.action, error.n, error.note) == ("error", 1, "ZeroDivisionError: oh")
    run.check()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = (", "cannot be run: SyntaxError"),
        ("import nowhere_at_all", "cannot be run: ModuleNotFoundError"),
        ("x = 1", "must have one class"),
        (OWN + "\nclass Other(Mine, frozen=True, kw_only=True): pass", "must have one class"),
        ("from hangup.filters.base import Filter\nclass A(Filter, frozen=True): n: int", "does not take"),
        ("from hangup.filters.base import Filter\nclass A(Filter, frozen=True): pass", "does not say what it acts on"),
    ],
)
def test_a_script_that_is_no_filter_is_refused_in_one_line(tmp_path: Path, source: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    with pytest.raises(FilterError, match=words) as raised:
        FilterSet([f"script '{file}'"])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("{", "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ('{"wrod":"x"}', "does not take"),
    ],
)
def test_settings_of_a_script_that_are_none(tmp_path: Path, args: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    with pytest.raises(FilterError, match=words):
        FilterSet([Script(file=str(file), args=args)])


def test_one_of_several_filters_of_a_script_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN + "\nclass Other(Mine, frozen=True, kw_only=True):\n    word: str = 'bye'\n")
    run = Filtered(f"script '{file}' name=Other")
    assert run.client("bye") == [] and run.client("ping") == [(TEXT, b"ping")]
    with pytest.raises(FilterError, match="has no filter 'Third'; it has: Mine, Other"):
        FilterSet([f"script '{file}' name=Third"])


TIMED = """
from hangup.filters.base import *

class Timed(Filter, frozen=True, kw_only=True):
    kinds = Kind(0)

    def begin(self, context):
        return [context.opened + 1.0]

    def deadline(self, state):
        return state[0] if state else None

    def wake(self, at, state):
        state.clear()
        return [Inject("server", 1, b"time is up")]
"""


def test_a_script_that_acts_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(TIMED)
    run = Filtered(f"script '{file}'")
    run.wait(0.9)
    assert run.got["client"] == []
    run.wait(5)
    assert run.got["client"] == [(TEXT, b"time is up")] and run.session.deadline() is None
    run.check()


def test_a_script_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    with pytest.raises(FilterError, match="cannot be read"):
        parse(f"script '{file}'")
    file.write_text(OWN)
    found = parse(f"script '{file}'")
    assert isinstance(found, Script) and found.source() == OWN.encode()
    file.write_text("x = (")
    assert found.source() == OWN.encode(), "what was agreed to is what runs"


def test_a_filter_is_edited_in_its_place() -> None:
    told = []
    filters = FilterSet(["drop text=a", "drop text=b", "mute side=server"])
    filters.off(1)
    filters.listeners.append(lambda change: told.append((change.action, change.entry.text)))
    new = filters.edit(1, "rewrite text=a to=b")
    assert [(e.id, e.text, e.enabled) for e in filters][0] == (new.id, "rewrite text=a to=b", False)
    assert [e.text for e in filters.active] == ["drop text=b", "mute side=server"]
    assert told == [("remove", "drop text=a"), ("add", "rewrite text=a to=b")]
    filters.add("drop text=c")
    with pytest.raises(FilterError, match="drop matches several filters here: give the id of one"):
        filters.edit("drop", "mute side=client")
    with pytest.raises(FilterError):
        filters.edit(2, "no-such-filter")
    assert [e.text for e in filters.active] == ["drop text=b", "mute side=server", "drop text=c"]
