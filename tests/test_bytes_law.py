"""Binary messages of no known form: which of their bytes end the connection, with which values; and what looks so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangup.experiment.search import Verdict, search
from simulated import case, run

LAST = bytes.fromhex("11 02 9c 41 00 7d")
OTHERS = (b"\x01\x07abcd", b"\x02\x33\x10\xf0\x0c\x01", b"\x03\x21pqrstu", b"\x02\x34\x11\xe0\x0c\x55")


def bisected(ends: Callable[[bytes], bool], last: bytes = LAST) -> Verdict:
    """A server of binary messages that drops the connection on those of which ``ends`` is true."""
    this = case(*OTHERS, last)
    assert not any(ends(other) for other in OTHERS) and ends(last)
    return run(search(this), this, lambda m, t: any(opcode == "binary" and ends(p) for opcode, p in m), most=1500)


@pytest.mark.parametrize(
    ("ends", "words", "boundary"),
    [
        (lambda p: p[:1] == b"\x11", "its first byte is 0x11", ""),
        (lambda p: len(p) > 2 and p[2] >= 0x80, "its 3rd byte is 0x80 or more", "survives 0x7f, fails 0x80"),
        (lambda p: len(p) > 2 and p[2] >= 0x9C, "its 3rd byte is 0x9c or more", "survives 0x9b, fails 0x9c"),
        (lambda p: len(p) > 4 and p[4] <= 3 and p[0] > 9, "its 5th byte is 0x03 or less", "survives 0x04, fails 0x03"),
        (lambda p: len(p) > 3 and 0x41 <= p[3] <= 0x5A, "4th byte is 0x41 to 0x5a", "survives 0x40, fails 0x41"),
        (lambda p: p[:2] == b"\x11\x02", "its first byte is 0x11 and its 2nd byte is 0x02", ""),
    ],
)
def test_the_bytes_that_it_goes_by(ends: Callable[[bytes], bool], words: str, boundary: str) -> None:
    found = bisected(ends)
    assert found.law is not None and found.law.holds and found.proved, (found.law, found.standing)
    assert words in found.law.sentence and boundary in found.law.boundary, found.law
    assert found.verdict not in ("message/wrong-opcode", "message/not-json")


@pytest.mark.parametrize(
    "ends",
    [
        lambda p: len(p) % 2 == 1,  # its length
        lambda p: p == LAST,  # just this message
        lambda p: sum(p) % 7 == sum(LAST) % 7 and p[:1] == b"\x11",  # a sum of all
        lambda p: p[:1] == b"\x11" and len(p) == len(LAST),  # of this length only
    ],
)
def test_what_is_more_than_some_bytes_is_not_said_to_be_only_those(ends: Callable[[bytes], bool]) -> None:
    last = LAST + b"\x01" if ends(LAST + b"\x01") and not ends(LAST) else LAST
    found = bisected(ends, last)
    law = found.law
    if law is not None and law.holds and "byte is" in law.sentence:
        # Then it was true of as long messages, and nothing is said of others.
        assert "how long it is" not in law.irrelevant and "its first byte is 0x11" in law.sentence
        assert not ends(LAST + b"\x00")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(1, 254), st.booleans())
def test_a_threshold_is_found_to_the_unit(at: int, edge: int, more: bool) -> None:
    last = bytearray(LAST)
    last[at] = 255 if more else 0
    harmless = bytes(each ^ 0x55 for each in last)
    this = case(harmless, bytes(last))

    def ends(payload: bytes) -> bool:
        return len(payload) > at and (payload[at] >= edge if more else payload[at] <= edge)

    if ends(harmless):
        return
    found = run(search(this), this, lambda m, t: any(o == "binary" and ends(p) for o, p in m), most=1500)
    if found.law is None or "byte is" not in found.law.sentence or not found.law.holds:
        return  # chance may have made the first probe end it, too
    value = edge
    assert f"0x{value:02x}" in found.law.sentence, found.law
