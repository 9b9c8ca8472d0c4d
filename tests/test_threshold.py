"""Where the boundary is between a value that survives and one that fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hangup.experiment.threshold import FAR, STEPS, threshold


def found(survives: int, fails: int, limit: int) -> tuple[tuple[int, int], int]:
    """The boundary, where ``limit`` fails and all that is beyond it; and after how many tries."""
    asking = threshold(survives, fails, lambda middle: middle)
    tries = 0
    try:
        value = next(asking)
        while True:
            tries += 1
            value = asking.send(value >= limit if fails > survives else value <= limit)
    except StopIteration as stop:
        return stop.value, tries


@given(st.integers(-FAR, FAR), st.integers(1, FAR), st.data())
def test_near_ones_are_found_exactly(survives: int, span: int, data: st.DataObject) -> None:
    limit = data.draw(st.integers(survives + 1, survives + span))
    assert found(survives, survives + span, limit)[0] == (limit - 1, limit)


@given(st.integers(24, 64), st.booleans(), st.booleans())
def test_the_limit_of_a_type_is_found_exactly_however_far_it_is(bits: int, more: bool, least: bool) -> None:
    """At 2 to the power of 63 itself, or one above what still fits."""
    limit = (1 << bits) + (0 if least else 1)
    sign = 1 if more else -1
    boundary, tries = found(sign * 7, sign * ((1 << 66) + 12345), sign * limit)
    assert boundary == (sign * (limit - 1), sign * limit) and tries <= STEPS


@given(st.integers(FAR, 1 << 62), st.integers(1, 1 << 60))
def test_what_is_no_such_limit_is_found_as_near_as_before(limit: int, more: int) -> None:
    (low, high), tries = found(0, limit + more, limit)
    assert low < limit <= high and tries <= STEPS + 12
    assert high - low <= max(1, (limit + more) >> (STEPS - 1))
