"""The close-code registry against RFC 6455 7.4, IANA, and what other libraries accept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import EXTERNAL_CLOSE_CODES

from hangup.wire import close_codes
from hangup.wire.close_codes import REGISTERED, USES, explain, name, uses, valid_on_wire


def test_every_code_of_the_rfc_is_explained() -> None:
    for code in range(1000, 1016):
        assert REGISTERED[code].name
        assert explain(code).startswith(f"{code} {REGISTERED[code].name}: ")


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_may_be_sent(code: int) -> None:
    assert valid_on_wire(code)
    assert "must not be sent" not in explain(code)


@pytest.mark.parametrize("code", [-1, 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535])
def test_may_not_be_sent(code: int) -> None:
    assert not valid_on_wire(code)


@given(st.integers(0, 65535))
def test_agrees_with_websockets(code: int) -> None:
    assert valid_on_wire(code) == (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000)


@given(st.integers())
def test_any_number_is_explained_in_one_line(code: int) -> None:
    text = explain(code)
    assert text.startswith(str(code))
    assert "\n" not in text
    assert not text.endswith(".")


@pytest.mark.parametrize("code", [1005, 1006, 1015])
def test_what_is_only_reported_says_so(code: int) -> None:
    assert "Never on the wire" in explain(code)


def test_a_code_names_the_stacks_that_use_it() -> None:
    assert "graphql-ws (no connection_init" in explain(4408)
    assert {use.stack for use in uses(4401)} >= {"graphql-ws", "Hocuspocus (Yjs)"}
    assert "Tornado" in explain(1000), "1000 is not always healthy"
    assert uses(4777) == ()


def test_an_unknown_code_that_looks_like_http_says_so() -> None:
    assert "Not Found" in explain(4404)
    assert "habit" not in explain(4777)
    assert "habit" not in explain(4499), "HTTP has no status 499"
    assert "habit" not in explain(4401), "a known use is better than a guess"


def test_every_use_has_a_source_and_a_meaning() -> None:
    for code, entries in USES.items():
        assert 1000 <= code < 5000
        assert len({use.stack for use in entries}) == len(entries)
        for use in entries:
            assert use.source and use.text and "\n" not in use.text


def test_names() -> None:
    assert name(1006) == "Abnormal Closure"
    assert name(4000) == ""


def test_ranges_leave_no_gap() -> None:
    for code in range(5000):
        assert code in REGISTERED or any(code in codes for codes, _ in close_codes.RANGES)
