"""Signs of something that is found in a case first: which connections, which messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from hangup.diagnosis.case import Case
from hangup.diagnosis.signs import Found, Reader, When, sign

T = TypeVar("T")


def of(find: Callable[[Case], T | None], *when: When) -> Callable[[Callable[[Case, T], Found]], Reader]:
    """Makes a function of a case and of what is found in it a sign, asked where something is."""

    def register(reader: Callable[[Case, T], Found]) -> Reader:
        @wraps(reader)
        def read(case: Case) -> Found:
            found = case.once(find)
            return reader(case, found) if found else None

        return sign(*when)(read)

    return register
