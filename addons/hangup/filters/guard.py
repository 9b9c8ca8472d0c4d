"""Ends a test that would not end by itself: one whose regular expression backtracks without bounds.

Python looks for signals while it matches, so that a timer can interrupt it; without that, one filter and one message
could bring all traffic to a stand for ever. The timer counts the process's own time, and so is no matter of how busy
the machine is. Where there is no such timer (Windows), or outside the main thread, nothing is ended.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

PATIENCE = 1.0
"""Seconds of the processor's time."""


class TooLong(Exception):
    """A test was interrupted."""


def searches(test: str) -> bool:
    """Whether a test on JSON may have a regular expression in it."""
    return any(sign in test for sign in ("~", "search(", "match("))


def guarded(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The same test; it raises :class:`TooLong` after :data:`PATIENCE`."""
    if not hasattr(signal, "setitimer"):
        return test

    def guard(item: Any) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return test(item)
        signal.signal(signal.SIGVTALRM, _ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
        try:
            return test(item)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    return guard


def _ring(*_: object) -> None:
    raise TooLong(f"its regular expression was still at it after {PATIENCE:g} s")
