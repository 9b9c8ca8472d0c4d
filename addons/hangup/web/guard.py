"""Ends what does not come to an end by itself: a test whose regular expression backtracks without bounds.

Python looks for signals while it matches, so a timer can interrupt that. It counts the process's own time, and so is no
matter of how busy the machine is. Where there is no such timer (Windows) nothing is ended.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds of the processor's time."""


class TooLong(Exception):
    """A test was interrupted."""


class Guard:
    """Within ``with guard:`` what is called through ``guard(test, item)`` may take :data:`PATIENCE`, all in all."""

    def __init__(self) -> None:
        self._testing = False
        self._timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Guard:
        if self._timed:
            signal.signal(signal.SIGVTALRM, self._ring)
            signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE, PATIENCE / 8)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timed:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def __call__(self, test: Callable[[Any], T], item: Any) -> T:
        """``test(item)``. Raises :class:`TooLong`."""
        self._testing = True
        try:
            return test(item)
        finally:
            self._testing = False

    def _ring(self, *_: object) -> None:
        if self._testing:  # anything else ends by itself, and might be left half done
            self._testing = False
            raise TooLong
