"""Values in messages: found with their places, and changed there without touching anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.messages.json_values import Path, get, leaves, replaced, values
from hangup.messages.skeleton import kind, skeleton

PACKETS: list[tuple[bytes, dict[Path, Any]]] = [
    (
        b'{"type":"welcome","sid":"abc","n":{"a":[1,2.5,{"k":"v"}]}}',
        {("type",): "welcome", ("sid",): "abc", ("n", "a", 0): 1, ("n", "a", 1): 2.5, ("n", "a", 2, "k"): "v"},
    ),
    (b'42["news",{"id":7}]', {(0,): "news", (1, "id"): 7}),
    (b'4217["hello"]', {("ack",): 17, (0,): "hello"}),
    (b'42/admin,3["hello"]', {("ack",): 3, (0,): "hello"}),
    (b'0{"sid":"q","pingInterval":25000}', {("sid",): "q", ("pingInterval",): 25000}),
    (b'a["{\\"id\\":\\"5\\"}"]', {(0, "$", "id"): "5"}),
    (b'{"data":"{\\"socket_id\\":\\"1.2\\"}"}', {("data", "$", "socket_id"): "1.2"}),
    (b'{"type":6}\x1e{"type":1,"x":2}\x1e', {(0, "type"): 6, (1, "type"): 1, (1, "x"): 2}),
    (b"CONNECTED\nversion:1.2\nsession:abc-123\n\n", {(0,): "CONNECTED", ("version",): "1.2", ("session",): "abc-123"}),
    (b"subscribe token=xyz channel=a", {(0,): "subscribe", ("token",): "xyz", ("channel",): "a"}),
    (b"ping 17", {(0,): "ping", (1,): "17"}),
    (b"", {}),
    (b"\xff\x00", {}),
]


@pytest.mark.parametrize(("data", "expected"), PACKETS, ids=[repr(data[:30]) for data, _ in PACKETS])
def test_values_of_the_usual_packets(data: bytes, expected: dict[Path, Any]) -> None:
    assert dict(values(data)) == expected
    for path, value in expected.items():
        assert get(data, path) == value
    assert get(data, ("no", "such")) is None


@pytest.mark.parametrize(("data", "expected"), PACKETS, ids=[repr(data[:30]) for data, _ in PACKETS])
def test_each_value_can_be_changed_alone(data: bytes, expected: dict[Path, Any]) -> None:
    for path, value in expected.items():
        new = f"new-{value}" if isinstance(value, str) else value + 1000
        changed = replaced(data, {path: new})
        assert dict(values(changed)) == {**expected, path: new}
        assert replaced(changed, {path: value}) == data


def test_what_is_not_changed_stays_as_it_was_to_the_letter() -> None:
    data = b'{ "a" : 1.50,\n "id":"x\\u00e9" , "b": [ ] , "c":null, "n": 1e5}'
    assert replaced(data, {("id",): "y"}) == b'{ "a" : 1.50,\n "id":"y" , "b": [ ] , "c":null, "n": 1e5}'


def test_a_number_stays_a_number_and_a_string_a_string() -> None:
    assert replaced(b'{"seq":1}', {("seq",): "17"}) == b'{"seq":17}'
    assert replaced(b'{"seq":"1"}', {("seq",): 17}) == b'{"seq":"17"}'
    assert replaced(b'{"seq":1}', {("seq",): "a-17"}) == b'{"seq":"a-17"}'


scalars = st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
trees = st.recursive(
    scalars | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), trees, max_size=5), st.booleans(), st.sampled_from([None, 2]), st.data())
def test_scanning_agrees_with_decoding(
    tree: dict[str, Any], ascii: bool, indent: int | None, data: st.DataObject
) -> None:
    text = json.dumps(tree, ensure_ascii=ascii, indent=indent)
    plain = {path: value for path, value in values(text.encode()) if "$" not in path}
    found = {leaf.path: leaf.value for leaf in leaves(text)}
    assert {path: found[path] for path in plain} == plain
    if plain:
        path = data.draw(st.sampled_from(sorted(plain, key=repr)))
        new = data.draw(scalars)
        changed = replaced(text.encode(), {path: new})
        if not (isinstance(plain[path], int) and isinstance(new, str)):
            expected = str(new) if isinstance(plain[path], str) else new
            assert get(changed, path) == expected or (isinstance(expected, str) and expected[:1] in "{[")
        assert changed.count(b"\n") == text.encode().count(b"\n") or "\n" in str(new)


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_taken(data: bytes) -> None:
    found = dict(values(data))
    assert isinstance(kind("text", data), str) and isinstance(skeleton("binary", data), str)
    assert replaced(data, {}) == data
    for path, value in found.items():
        get(data, path)
        replaced(data, {path: value})


def test_a_hostile_message_costs_little() -> None:
    assert len(values(b"[" * 100_000)) <= 1
    assert len(values(b"word " * 50_000)) <= 2000
    assert len(values(b"a=b " * 50_000)) <= 2000
    assert values(b'{"a":' + b"9" * 6000 + b"}") is not None
    assert replaced(b'{"id":"x","a":' + b"9" * 6000 + b"}", {("id",): "y"}).startswith(b'{"id":"')
    wide = json.dumps(list(range(50_000))).encode()
    assert len(values(wide)) <= 2000


def test_kinds_and_skeletons() -> None:
    assert kind("text", b'{"type":"ping","ts":1}') == kind("text", b'{"ts":2,"type":"ping","x":3}')
    assert skeleton("text", b'{"type":"ping","ts":1}') == skeleton("text", b'{"ts":2,"type":"ping"}')
    assert skeleton("text", b'{"type":"ping","ts":1}') != skeleton("text", b'{"type":"ping","ts":"1"}')
    assert skeleton("text", b'{"type":"ping","ts":1}') != skeleton("text", b'{"type":"pong","ts":1}')
    assert kind("text", b'42["news",1]') == kind("text", b'427["news",2,3]') != kind("text", b'42["other",1]')
    assert kind("text", b"ping") != kind("text", b"hello there")
    assert kind("text", b'[null,"1","room:1","phx_join",{}]') == "phoenix:phx_join:room"


@pytest.mark.parametrize(
    ("same", "another"),
    [
        ('[{"a":1},{"a":2}]', '[{"a":1},{"a":"x"}]'),
        ('[{"a":1},{"b":true}]', '[{"a":1}]'),
        ('[null,true,1.5,[]]', '[null,true,1.5,[1]]'),
        ('{"a":[]}', '{"a":[0]}'),
        ('{"a":null}', '{"a":false}'),
    ],
)
def test_a_skeleton_is_the_form_of_all_values(same: str, another: str) -> None:
    def numbered(text: str) -> bytes:
        return text.replace("1", "17").encode()

    assert skeleton("text", same.encode()) == skeleton("text", numbered(same))
    assert skeleton("text", same.encode()) != skeleton("text", another.encode())


def test_what_is_nested_very_deeply_has_a_skeleton_too() -> None:
    assert skeleton("text", b"[" * 60 + b"]" * 60) and skeleton("text", b'{"a":' * 60 + b"1" + b"}" * 60)
