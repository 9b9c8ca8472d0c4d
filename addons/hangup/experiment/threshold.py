"""The boundary between a value that survives and one that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

STEPS = 24
"""Values tried at most for one threshold."""

ROUGH_STEPS = 12
"""The same where it is no whole number, which is never found exactly."""


def threshold(
    survives: Any, fails: Any, make: Callable[[Any], Any], whole: bool = True
) -> Generator[Any, bool | None, tuple[Any, Any]]:
    """The nearest two of which one survives and the other fails; ``make`` makes a value of what lies between."""
    for _ in range(STEPS if whole else ROUGH_STEPS):
        middle = (survives + fails) // 2 if whole else (survives + fails) / 2
        if middle in (survives, fails) or (found := (yield make(middle))) is None:
            break
        survives, fails = (survives, middle) if found else (middle, fails)
    return survives, fails
