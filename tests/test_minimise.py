"""Minimal means minimal, and the number of trials grows with the logarithm."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log2
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.experiment.asking import upcoming
from hangup.experiment.minimise import Asking, minimise_frames, minimise_payload, minimise_size, order

T = TypeVar("T")


def search(asking: Asking[T], fails: Callable[[T], bool]) -> tuple[T, int]:
    tried = 0
    try:
        candidate = next(asking)
        while True:
            tried += 1
            candidate = asking.send(fails(candidate))
    except StopIteration as stop:
        return stop.value, tried


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_a_single_trigger_costs_the_logarithm(count: int) -> None:
    random = Random(count)
    for _ in range(30):
        trigger = random.randrange(count)
        found, tried = search(minimise_frames(range(count)), lambda subset, t=trigger: t in subset)
        assert found == (trigger,)
        assert tried <= 2 * log2(count) + 4, f"{tried} trials for frame {trigger} of {count}"


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_a_pair_that_is_needed_together(count: int) -> None:
    random = Random(count)
    for _ in range(20):
        pair = set(random.sample(range(count), 2))
        found, tried = search(minimise_frames(range(count)), lambda subset, p=pair: p <= set(subset))
        assert set(found) == pair
        assert tried <= 12 * log2(count) + 12


def test_a_good_guess_is_one_trial() -> None:
    assert search(minimise_frames(range(1000), guesses=[700]), lambda s: 700 in s) == ((700,), 2)


def test_what_fails_with_nothing_is_found_first() -> None:
    assert search(minimise_frames(range(1000)), lambda s: True) == ((), 1)


@given(st.sets(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 20))
def test_any_set_of_triggers_is_found_one_minimal(triggers: set[int], extra: int) -> None:
    count = max(triggers) + 1 + extra
    found, _ = search(minimise_frames(range(count)), lambda subset: triggers <= set(subset))
    assert set(found) == triggers


@given(
    st.sets(st.integers(0, 24), min_size=1, max_size=4), st.lists(st.sampled_from("abcd"), min_size=25, max_size=25)
)
def test_kinds_are_left_away_before_messages(triggers: set[int], kinds: list[str]) -> None:
    found, _ = search(
        minimise_frames(range(25), kinds=dict(enumerate(kinds))), lambda subset: triggers <= set(subset)
    )
    assert set(found) == triggers


def test_where_all_of_a_kind_are_needed_the_others_go_at_once() -> None:
    kinds = {n: "wanted" if n % 20 == 7 else f"other-{n % 5}" for n in range(200)}
    wanted = {n for n, kind in kinds.items() if kind == "wanted"}
    fails: Callable[[tuple[int, ...]], bool] = lambda subset: wanted <= set(subset)  # noqa: E731
    found, tried = search(minimise_frames(range(200), kinds=kinds), fails)
    assert set(found) == wanted
    assert tried < search(minimise_frames(range(200)), fails)[1] / 3


@given(st.sets(st.integers(0, 15), min_size=1, max_size=3), st.lists(st.sampled_from("ab"), min_size=16, max_size=16))
def test_what_is_asked_next_is_known_beforehand(triggers: set[int], kinds: list[str]) -> None:
    def begin() -> Asking[tuple[int, ...]]:
        return minimise_frames(range(16), guesses=[3], kinds=dict(enumerate(kinds)))

    asking, answers = begin(), list[bool | None]()
    candidate = next(asking)
    try:
        while True:
            ahead = upcoming(begin, answers, most=5)
            answers.append(triggers <= set(candidate))
            candidate = asking.send(answers[-1])
            assert candidate in ahead, (candidate, ahead)
    except StopIteration as stop:
        assert set(stop.value) == triggers


@given(st.lists(st.sets(st.integers(0, 15), min_size=1, max_size=3), min_size=1, max_size=3))
def test_one_minimal_also_when_there_are_several_reasons(reasons: list[set[int]]) -> None:
    def fails(subset: tuple[int, ...]) -> bool:
        return any(reason <= set(subset) for reason in reasons)

    found, _ = search(minimise_frames(range(16)), fails)
    assert fails(found)
    assert not any(fails(tuple(f for f in found if f != frame)) for frame in found)


def test_a_payload_shrinks_to_what_matters() -> None:
    message = {"type": "ping", "id": 7, "client": {"name": "Ada", "tags": [1, 2, 3]}, "note": "x" * 200}

    def fails(data: bytes) -> bool:
        try:
            value = json.loads(data)
        except ValueError:
            return False
        return isinstance(value, dict) and isinstance(value.get("client"), dict) and "tags" in value["client"]

    found, tried = search(minimise_payload(json.dumps(message).encode(), text=True), fails)
    assert found == b'{"client":{"tags":[]}}' and tried <= 120


def test_what_a_message_says_is_found_among_messages_that_are_well_formed() -> None:
    """Where a key that is missing kills, so would text that is no JSON; but that is another cause."""

    def fails(data: bytes) -> bool:
        try:
            return "page" not in json.loads(data)
        except ValueError:
            return True

    message = json.dumps({"type": "ping", "data": {"at": [1, 2, 3]}}).encode()
    assert search(minimise_payload(message, text=True), fails)[0] == b""


def test_a_payload_that_is_no_json_shrinks_as_text_and_stays_text() -> None:
    def fails(data: bytes) -> bool:
        return "é" in data.decode()

    found, _ = search(minimise_payload("some text with an é in it".encode(), text=True), fails)
    assert found == "é".encode()


def test_bytes_shrink_as_bytes() -> None:
    found, _ = search(minimise_payload(bytes(range(64)), text=False), lambda d: b"\x07" in d and b"\x30" in d)
    assert found == b"\x07\x30"


@given(st.binary(max_size=60), st.booleans())
def test_it_ends_and_never_grows(data: bytes, text: bool) -> None:
    found, tried = search(minimise_payload(data, text=text, most=60), lambda d: len(d) % 3 == len(data) % 3)
    assert order(found) <= order(data) and tried <= 60


def test_what_tells_nothing_moves_no_boundary() -> None:
    """Between 300 and 700 bytes it ends in another way: of that nothing is known."""

    def asked(limit: int, untold: range) -> tuple[int, int]:
        asking = minimise_size(0, 4096)
        size = next(asking)
        try:
            while True:
                size = asking.send(None if size in untold else size > limit)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    assert asked(1000, range(300, 700)) == (1000, 1001)
    low, high = asked(500, range(300, 700))
    assert low < 300 and high >= 700
    assert asked(2048, range(2048, 2049)) == (2047, 2049)


@pytest.mark.parametrize("limit", [1, 2, 125, 65535, 1 << 20])
def test_a_size_limit_is_found_by_bisection(limit: int) -> None:
    (low, high), tried = search(minimise_size(0, 2 << 20), lambda size: size > limit)  # type: ignore[arg-type,misc]
    assert (low, high) == (limit, limit + 1) and tried <= 22
