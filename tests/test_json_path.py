"""JSON paths that are compiled find what the library finds."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.filters.json_path import PathStep, compiled, read_steps
from hangup.filters.json_test import parse_test, parse_text_test, required

keys = st.sampled_from(["a", "b", "type", "a-b", "x y"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["a", "ping", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
STEPS = [".a", ".type", "['x y']", '["a-b"]', "[0]", "[2]", "[*]", ".*", "..a", "..*", "..[0]", "..['b']", "..[*]"]


@given(value=values, path=st.lists(st.sampled_from(STEPS), max_size=4).map(lambda each: "$" + "".join(each)))
def test_they_find_what_the_library_finds(value: Any, path: str) -> None:
    found = read_steps(path)
    assert found is not None
    mine, theirs = compiled(found)(value), jsonpath.findall(path, value)
    # The same place may be reached in several ways, and the order of members is nobody's.
    assert Counter(map(json.dumps, mine)) == Counter(map(json.dumps, theirs))


OTHERS = ["$.", "$a", "$...a", "$[", "$[-1]", "$[0:2]", "$[?@.a]", "$['a','b']", "$.[0]", "$..", "$[a]", "$*"]


@pytest.mark.parametrize("path", OTHERS)
def test_others_are_left_to_the_library(path: str) -> None:
    assert read_steps(path) is None


def test_the_steps() -> None:
    assert read_steps("$..a[*]['b']") == (PathStep("a", below=True), PathStep(None), PathStep("b"))
    assert read_steps("$") == ()


RESTS = ["", "==ping", "==a", '==""', "!=a", ">1", "~^p", "==null"]


@given(value=values, rest=st.sampled_from(RESTS), escaped=st.booleans())
def test_a_text_is_tested_as_an_item_is(value: Any, rest: str, escaped: bool) -> None:
    class Item:
        data = json.dumps(value).encode()
        json = value

    text = Item.data.decode()
    if escaped:
        text = text.replace("p", "\\u0070").replace("ty", "\\u0074y")
    for path in ("$.a", "$..type", "$.b[*]", "$"):
        asked = f"{path}{rest}"
        assert parse_text_test(asked)(text) == parse_test(asked)(Item())


def test_what_a_message_must_have() -> None:
    assert [required(each) for each in ("$.a.b", "$.a==ping", "$.a!=ping", "$..a[*]>3", '$.a==""', "$[?@.a]")] == [
        *("b", "ping", "", "a", "a", "")
    ]
