"""The boundary between a value that survives and one that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

STEPS = 24
"""Values tried at most for one threshold."""

ROUGH_STEPS = 12
"""The same where it is no whole number, which is never found exactly."""


FAR = 1 << 20
"""Of whole numbers further apart than that, limits as programs have them are tried first."""


def threshold(
    survives: Any, fails: Any, make: Callable[[Any], Any], whole: bool = True
) -> Generator[Any, bool | None, tuple[Any, Any]]:
    """The nearest two of which one survives and the other fails; ``make`` makes a value of what lies between."""
    if whole and abs(fails - survives) > FAR:
        survives, fails = yield from _limits(survives, fails, make)
    for _ in range(STEPS if whole else ROUGH_STEPS):
        middle = (survives + fails) // 2 if whole else (survives + fails) / 2
        if middle in (survives, fails) or (found := (yield make(middle))) is None:
            break
        survives, fails = (survives, middle) if found else (middle, fails)
    return survives, fails


def _limits(survives: int, fails: int, make: Callable[[Any], Any]) -> Generator[Any, bool | None, tuple[int, int]]:
    """The same among powers of two and of ten, and one next to them: a number is too large for its type, say."""
    low, high = sorted((survives, fails))
    powers = {sign * base**n for sign in (1, -1) for base, most in ((2, 65), (10, 20)) for n in range(most)}
    between = sorted((each for each in powers if low < each < high), reverse=fails < survives)
    while between:
        middle = between[len(between) // 2]
        if (found := (yield make(middle))) is None:
            return survives, fails
        survives, fails = (survives, middle) if found else (middle, fails)
        between = between[: len(between) // 2] if found else between[len(between) // 2 + 1 :]
    step = 1 if fails > survives else -1
    for one in dict.fromkeys((fails - step, survives + step)):
        if (one - survives) * step <= 0 or (fails - one) * step <= 0:
            continue
        if (found := (yield make(one))) is None:
            break
        survives, fails = (survives, one) if found else (one, fails)
    return survives, fails
