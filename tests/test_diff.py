"""What counts as a difference between two connections, and what does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from conversing import HEADER, Said, Talk, conversations
from hangup.cli import cli
from hangup.recording import events as ev
from hangup.recording.assembling import Message
from hangup.recording.diff import align, collect, compare_conversations, compare_messages, message_differences, pair
from hangup.recording.diff_handshake import compare_handshakes
from hangup.recording.diff_values import compare, nature, normal
from hangup.recording.events import AnyEvent, Handshake, Header, Request, Response

UUID_A, UUID_B = "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "9b2d1c77-0c0e-4f4e-8f1e-aa55d3c1b001"


def differences(a: str, b: str, **options: Any) -> list[str]:
    return [each.text for each in compare(a.encode(), b.encode(), **options)]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"type":"welcome","sid":"abc123","ts":1795394819}', '{"ts":1795394820.5,"type":"welcome","sid":"xyz987"}'),
        (f'{{"a":"{UUID_A}"}}', f'{{"a":"{UUID_B}"}}'),
        ('{"at":"2026-11-22T21:08:00Z"}', '{"at":"2026-11-23T01:02:03.456+01:00"}'),
        ('42["msg",{"id":1,"text":"hello"}]', '42["msg",{"id":2,"text":"hello"}]'),
        ('421["x"]', '427["x"]'),
        ('0{"sid":"lv_VI97HAXpY6yYWAAAC"}', '0{"sid":"Xz_11qHAXpY6yYWAAAD"}'),
        ('a["{\\"ts\\":1795394819}"]', 'a["{\\"ts\\":1795394820}"]'),
        ("hello at 12:03:04, id 7f3a9b2c1d", "hello at 13:00:00, id 8f3a9b2c1e"),
        ('{"m":"7f3a9b2c joined at 2026-01-01T00:00:00Z"}', '{"m":"8b3a9b2c joined at 2026-01-02T00:00:00Z"}'),
        ('{"token":"[redacted-1]"}', '{"token":"[redacted-9]"}'),
        ('{"a":1,"b":[true,null]}', ' {"b" : [true, null], "a" : 1}'),
    ],
)
def test_what_changes_by_nature_is_no_difference(a: str, b: str) -> None:
    assert differences(a, b) == []
    assert normal(a.encode()) == normal(b.encode()) or "ts" in a
    assert differences(a, b, strict=True) or json.loads(a) == json.loads(b)


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ('{"type":"ping","n":1}', '{"type":"ping","n":2}', ["n: 1 → 2"]),
        ('{"n":1}', '{"n":1,"x":null}', ["x: (missing) → null"]),
        ('{"x":{"y":[1,2]}}', '{"x":{"y":[1]}}', ["x.y[1]: 2 → (missing)"]),
        (f'{{"id":"{UUID_A}"}}', '{"id":null}', [f'id: "{UUID_A}" → null']),
        ('{"ok":true}', '{"ok":false}', ["ok: true → false"]),
        ('{"ok":1}', '{"ok":true}', ["ok: 1 → true"]),
        ('{"price":101.5}', '{"price":99}', ["price: 101.5 → 99"]),
        ('42["a",1]', '42["b",1]', ['[0]: "a" → "b"']),
        ('42["a"]', '43["a"]', ["42 → 43"]),
        ("ping", "pong", ["ping → pong"]),
        ("ping", '{"type":"ping"}', ['ping → {"type":"ping"}']),
    ],
)
def test_differences(a: str, b: str, found: list[str]) -> None:
    assert differences(a, b) == found
    assert normal(a.encode()) != normal(b.encode())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (UUID_A, "uuid"),
        ("2026-11-22", "time"),
        ("Mon, 23 Nov 2026 00:57:55 GMT", "time"),
        (1795394819, "time"),
        (1795394819123, "time"),
        (1795394819.5, "time"),
        ("lv_VI97HAXpY6yYWAAAC", "random"),
        ("127.0.0.1:50001", "address"),
        ("eyJhbGciOiJI.eyJzdWIi.c2ln", "web token"),
        ("subscribe", ""),
        ("graphql-transport-ws", ""),
        ("hello world 123", ""),
        (12, ""),
        (True, ""),
        (None, ""),
    ],
)
def test_natures(value: object, kind: str) -> None:
    assert nature(value) == kind


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab id ts".split()), inner, max_size=3),
)


@given(json_values, json_values)
def test_comparing_is_symmetric_and_strict_sees_more(a: Any, b: Any) -> None:
    left, right = json.dumps(a).encode(), json.dumps(b).encode()
    assert compare(left, left) == compare(left, left, strict=True) == []
    forth, back = compare(left, right), compare(right, left)
    assert {(d.path, d.a, d.b) for d in forth} == {(d.path, d.b, d.a) for d in back}
    assert {d.path for d in forth} <= {d.path for d in compare(left, right, strict=True)}


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_compared(a: bytes, b: bytes) -> None:
    if a != b:
        assert compare(a, b, strict=True) or a.decode().strip() == b.decode().strip() or _same_json(a, b)
    assert compare(a, a) == []


def _same_json(a: bytes, b: bytes) -> bool:
    return bool(json.loads(a.decode().lstrip("\ufeff")) == json.loads(b.decode().lstrip("\ufeff")))


# Sequences.


def said(*texts: str) -> list[Message]:
    return [Message(1, "server", float(i), i, "text", each.encode(), len(each)) for i, each in enumerate(texts, 1)]


def kinds(a: list[Message], b: list[Message]) -> list[tuple[str, int | None, int | None]]:
    found, _ = compare_messages(a, b, "server")
    return [(each.kind, each.a and each.a.n, each.b and each.b.n) for each in found]


def test_a_message_more_is_one_difference() -> None:
    a = said("hello", '{"type":"a","n":1}', '{"type":"b","n":1}', '{"type":"c"}')
    b = said("hello", '{"type":"a","n":1}', '{"type":"new"}', '{"type":"b","n":1}', '{"type":"c"}')
    assert kinds(a, b) == [("only-b", None, 3)]
    assert kinds(b, a) == [("only-a", 3, None)]


def test_a_changed_message_is_found_by_its_shape() -> None:
    a = said('{"type":"a","n":1}', '{"type":"b","n":1}', '{"type":"b","n":2}')
    b = said('{"type":"x"}', '{"type":"a","n":9}', '{"type":"b","n":1}', '{"type":"b","n":5}')
    assert kinds(a, b) == [("only-b", None, 1), ("changed", 1, 2), ("changed", 3, 4)]


def test_plain_texts_are_paired_in_their_order() -> None:
    assert kinds(said("a", "one", "z"), said("a", "two", "z")) == [("changed", 2, 2)]


@given(st.lists(st.sampled_from("abcd"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_alignment_has_all_messages_once_and_in_order(a: list[str], b: list[str]) -> None:
    pairs = align(said(*a), said(*b))
    assert [left.n for left, _ in pairs if left is not None] == list(range(1, len(a) + 1))
    assert [right.n for _, right in pairs if right is not None] == list(range(1, len(b) + 1))
    assert (None, None) not in pairs


def test_long_conversations_are_compared_without_being_aligned() -> None:
    a = said(*(f'{{"n":{i}}}' for i in range(3000)))
    b = said(*(f'{{"n":{i + 1}}}' for i in range(3000)))
    found, equal = compare_messages(a, b, "server")
    assert len(found) == 3000 and equal == 0


# Handshakes.


def handshake(headers: list[tuple[str, str]], target: str = "/ws", **response: Any) -> Handshake:
    answer = Response(**({"status": 101, "reason": "Switching Protocols"} | response))
    return Handshake(at=0.1, conn=1, request=Request(target=target, headers=headers), response=answer)


def found(a: Handshake, b: Handshake, **options: Any) -> list[tuple[str, str, str, str | None, str | None]]:
    return [(d.where, d.what, d.name, d.a, d.b) for d in compare_handshakes(a, b, **options)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([("Origin", "http://a")], [("Origin", "http://b")], [("request", "value", "Origin", "http://a", "http://b")]),
        ([("Origin", "http://a")], [], [("request", "missing", "Origin", "http://a", None)]),
        ([("Origin", "x")], [("origin", "x")], [("request", "case", "origin", "Origin", "origin")]),
        ([("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")], [("request", "order", "headers", "a, b", "b, a")]),
        ([("Sec-WebSocket-Key", "abc")], [("Sec-WebSocket-Key", "def")], []),
        ([("Connection", "Upgrade, keep-alive")], [("Connection", "upgrade,keep-alive")], []),
        (
            [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")],
            [("Sec-WebSocket-Extensions", "permessage-deflate;client_max_window_bits")],
            [],
        ),
        ([("Cookie", "sid=Xz11qHAXpY6yYWAAAD")], [("Cookie", "sid=lvVI97HAXpY6yYWAAC")], []),
    ],
)
def test_headers(a: list[tuple[str, str]], b: list[tuple[str, str]], expected: list[Any]) -> None:
    assert found(handshake(a), handshake(b)) == expected


def test_order_and_case_mean_nothing_where_they_are_not_recorded() -> None:
    a, b = handshake([("A", "1"), ("B", "2")]), handshake([("b", "2"), ("a", "1")])
    assert len(found(a, b)) == 3 and found(a, b, ordered=False) == []


def test_paths_queries_and_statuses() -> None:
    a, b = handshake([], "/ws?x=1&v=3"), handshake([], "/socket?v=4&x=1", status=403, reason="Forbidden")
    assert found(a, b) == [
        ("request", "path", "path", "/ws", "/socket"),
        ("request", "query", "v", "3", "4"),
        ("response", "status", "status", "101", "403"),
    ]


# Whole conversations.


@given(conversations())
def test_a_recording_does_not_differ_from_itself(talk: Talk) -> None:
    a, b = collect(talk.events), collect(talk.events)
    for left, right in pair(a, b):
        assert left is not None and right is not None and left.connection.conn == right.connection.conn
        result = compare_conversations(left, right, strict=True)
        assert result.same and sum(result.equal.values()) == len(talk.said[left.connection.conn])


@settings(max_examples=50)
@given(st.lists(recorded.events, max_size=12), st.lists(recorded.events, max_size=12))
def test_any_events_are_compared(a: list[AnyEvent], b: list[AnyEvent]) -> None:
    for left, right in pair(collect(a), collect(b)):
        if left is not None and right is not None:
            compare_conversations(left, right)


def talk(**change: Any) -> Talk:
    made = Talk()
    made.open(1, headers=[("Origin", change.get("origin", "http://a"))], compressed=change.get("compressed", False))
    made.wait(change.get("wait", 1000))
    made.say(1, "server", "text", b'{"type":"welcome","sid":"%s"}' % change.get("sid", "a81bc81bdead").encode())
    if change.get("ping"):
        made.frame(1, "client", 9, b"")
    made.say(1, "client", "text", b'{"type":"hello","v":1}', packed=change.get("compressed", False))
    made.close(1, "server", change.get("code", 1000))
    made.stop()
    return made


def compared(a: Talk, b: Talk) -> Any:
    (left,), (right,) = collect(a.events).values(), collect(b.events).values()
    return compare_conversations(left, right)


def test_timing_ids_and_compression_are_no_difference() -> None:
    result = compared(talk(), talk(wait=900_000, sid="b92cd92cfeed"))
    assert result.same and result.equal == {"client": 1, "server": 1}


def test_another_ending_is_one() -> None:
    result = compared(talk(), talk(code=1011))
    assert not result.same and result.same_ending is False and not result.messages


def test_pings_where_there_were_none() -> None:
    assert compared(talk(), talk(ping=True)).notes == ["client pings: 0 → 1"]


def test_what_a_har_cannot_say_is_not_held_against_it() -> None:
    with_ping, without = collect(talk(ping=True).events), talk().events
    without = [event for event in without if not isinstance(event, ev.End) and getattr(event, "opcode", "") != "close"]
    without += [ev.Note(at=9.0, conn=1, text="the HAR does not say whether and how it ended", ending=True)]
    imported = Header(hangup=1, started="", source="har (Chrome 1)", lacks=["pings", "framing", "closer"])
    (a,), (b,) = with_ping.values(), collect(without, header=imported).values()
    result = compare_conversations(a, b)
    assert result.same and result.same_ending is None


def test_connections_are_paired_by_path() -> None:
    def of(*paths: str) -> Any:
        made = Talk()
        for conn, path in enumerate(paths, 1):
            made.open(conn, target=path)
        return collect(made.stop())

    def pairs(a: Any, b: Any) -> list[Any]:
        return [tuple(each and each.connection.conn for each in both) for both in pair(a, b)]

    assert pairs(of("/a", "/hmr", "/a"), of("/hmr", "/a?x")) == [(1, 2), (2, 1), (3, None)]
    assert pairs(of("/a"), of("/b", "/c")) == [(1, 1), (None, 2)]


def test_of_what_was_cut_the_lengths_are_compared() -> None:
    def said(length: int | None, data: bytes | None = None, opcode: str = "text") -> Message:
        return Message(1, "client", 1.0, 1, opcode, data, len(data or b"") if length is None else length)

    def found(a: Message, b: Message) -> list[str]:
        return [each.text for each in message_differences(a, b)]

    assert found(said(90), said(90)) == []
    assert found(said(90), said(80)) == ["(length): 90 → 80"]
    assert found(said(90), said(None, b"hi")) == ["(length): 90 → 2"]
    assert found(said(None, b"hi"), said(None, b"hi", "binary")) == ["(opcode): text → binary"]
    assert [(a and a.length, b and b.length) for a, b in align([said(90)], [said(70), said(90)])] in (
        [(None, 70), (90, 90)], [(90, 70), (None, 90)],
    )  # fmt: skip


def test_messages_in_the_summary() -> None:
    a, b = talk(), talk()
    a.events = [event for event in a.events if getattr(event, "text", None) != '{"type":"hello","v":1}']
    b.say(1, "client", "binary", b"\xff\x00")
    found = [each.summary() for each in compared(a, b).messages]
    assert [(each["kind"], each["a"]) for each in found] == [("only-b", None)] * 2
    assert [{key: each["b"][key] for key in ("opcode", "length")} for each in found] == [
        {"opcode": "text", "length": 22},
        {"opcode": "binary", "length": 2},
    ]
    assert found[0]["b"]["text"] == '{"type":"hello","v":1}' and found[1]["b"]["base64"] == "/wA="


# The command.


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["diff", *args], catch_exceptions=False, env={"COLUMNS": "120"})
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    a, b = talk(), talk(origin="http://b", code=1011)
    b.open(2, target="/other")
    paths = []
    for name, made in (("a.jsonl", a), ("b.jsonl", b)):
        path = tmp_path / name
        path.write_bytes(ev.dump([HEADER, *made.events]))
        paths.append(str(path))
    return paths[0], paths[1]


def test_the_same(files: tuple[str, str]) -> None:
    code, output = run(files[0], files[0])
    assert code == 0 and "Nothing differs: 2 messages the same." in output


def test_different(files: tuple[str, str]) -> None:
    code, output = run(files[0], files[1])
    assert code == 1
    assert "only in B: connection 2" in output and "http://a → http://b" in output
    assert "Ending  different" in output and "1011" in output


def test_one_connection_of_each(files: tuple[str, str]) -> None:
    code, output = run(files[0], files[1], "--conn", "1", "--conn-b", "2")
    assert code == 1 and re.search("path +/ws → /other", output)
    assert run(files[1], "--conn", "1", "--conn-b", "1")[0] == 0


def test_json(files: tuple[str, str]) -> None:
    code, output = run(*files, "--json")
    document = json.loads(output)
    assert code == 1 and document["same"] is False and document["only_b"] == [2]
    (found,) = document["pairs"]
    assert found["handshake"] == [
        {"where": "request", "what": "value", "name": "Origin", "a": "http://a", "b": "http://b"}
    ]
    assert found["ending"]["same"] is False and found["ending"]["b"]["code"] == 1011
    assert found["equal"] == {"client": 1, "server": 1} and found["messages"] == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{a}"], "give a second recording"),
        (["{a}", "--conn", "1"], "give a second recording"),
        (["-", "-"], "only one of A and B"),
        (["{a}", "{b}", "--conn", "7"], "a.jsonl has no connection 7"),
        (["{a}", "{b}", "--conn", "1", "--conn-b", "9"], "b.jsonl has no connection 9"),
    ],
)
def test_usage(files: tuple[str, str], args: list[str], words: str) -> None:
    from hangup.errors import UsageError

    with pytest.raises(UsageError, match=words):
        run(*(arg.format(a=files[0], b=files[1]) for arg in args))


def test_what_one_says_after_the_other_has_ended_is_summed_up(tmp_path: Path) -> None:
    paths = []
    for name, count in (("a", 1), ("b", 9)):
        made = Talk()
        made.open(1)
        for i in range(count):
            made.wait(1000)
            made.say(1, "server", "text", f"number {i}".encode())
        made.end(1, "server", "fin")
        paths.append(str(recorded.write(tmp_path / name, made.stop(), HEADER)))  # type: ignore[arg-type]
    code, output = run(*paths)
    assert code == 1 and "B went on after A had ended: 8 more messages" in output and "number 5" not in output


def test_the_screen_obeys_nobody(tmp_path: Path) -> None:
    paths = []
    for name, nasty in (("a", "\x1b[31mred"), ("b", "[bold]not")):
        made = Talk()
        made.open(1, headers=[("X", nasty)])
        made.say(1, "client", "text", nasty.encode())
        path = recorded.write(tmp_path / name, made.stop(), HEADER)  # type: ignore[arg-type]
        paths.append(str(path))
    output = run(*paths)[1]
    assert "\x1b" not in output and "\\x1b[31mred → [bold]not" in output


def test_said_is_what_was_said() -> None:
    assert talk().said[1][1] == Said("client", "text", b'{"type":"hello","v":1}', 0.001)
