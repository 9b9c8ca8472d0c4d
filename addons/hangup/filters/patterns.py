"""Regular expressions that come to an end: one that backtracks without bounds is given up after :data:`PATIENCE`.

One filter and one message could otherwise bring all traffic to a stand for ever.
"""

from __future__ import annotations

from typing import Any

import regex

from hangup.errors import FilterError

PATIENCE = 1.0
"""Seconds of the processor's time."""


class TooLong(Exception):
    """A search was given up."""


class TimedPattern:
    """A compiled regular expression. Its methods raise :class:`TooLong` after :data:`PATIENCE`.

    Raises :class:`~hangup.errors.FilterError` when ``text`` is none.
    """

    def __init__(self, text: str, flags: int = 0) -> None:
        try:
            self._pattern: Any = regex.compile(text, flags | regex.VERSION0)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise FilterError(f"{text} is not a regular expression: {error}") from None

    def search(self, text: str) -> bool:
        """Whether it is found in ``text``."""
        return self._find(self._pattern.search, text)

    def fullmatch(self, text: str) -> bool:
        """Whether it matches all of ``text``."""
        return self._find(self._pattern.fullmatch, text)

    @staticmethod
    def _find(find: Any, text: str) -> bool:
        try:
            return find(text, timeout=PATIENCE) is not None
        except TimeoutError:
            raise TooLong(f"its regular expression took more than {PATIENCE:g} s") from None
