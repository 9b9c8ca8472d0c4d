"""Limits on what a client may send: of its number, of its size in all, and of its pace. For tests of the search."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

Wanted = Callable[[bytes], bool]


class Limit(Protocol):
    """One connection's."""

    def exceeded(self, at: float, payload: bytes) -> bool:
        """Takes a message that came at a time (seconds of one clock); whether it is one too many."""
        ...


class Sliding:
    """Not more than so many, or so many bytes, in the seconds before any moment."""

    def __init__(self, most: int, seconds: float, *, of_bytes: bool = False) -> None:
        self.most, self.seconds, self.of_bytes = most, seconds, of_bytes
        self._taken: deque[tuple[float, int]] = deque()

    def exceeded(self, at: float, payload: bytes) -> bool:
        while self._taken and at - self._taken[0][0] >= self.seconds:
            self._taken.popleft()
        self._taken.append((at, len(payload) if self.of_bytes else 1))
        return sum(amount for _, amount in self._taken) > self.most


class Fixed:
    """Not more than so many from one tick of a clock to the next."""

    def __init__(self, most: int, seconds: float, offset: float = 0.0) -> None:
        self.most, self.seconds, self.offset = most, seconds, offset
        self._tick, self._count = -1, 0

    def exceeded(self, at: float, payload: bytes) -> bool:
        tick = int((at + self.offset) / self.seconds)
        if tick != self._tick:
            self._tick, self._count = tick, 0
        self._count += 1
        return self._count > self.most


class Bucket:
    """Each takes a token, or one for each of its bytes; there are so many at first, and so many more a second."""

    def __init__(self, most: int, rate: float, *, of_bytes: bool = False) -> None:
        self.most, self.rate, self.of_bytes = most, rate, of_bytes
        self._left, self._at = float(most), 0.0

    def exceeded(self, at: float, payload: bytes) -> bool:
        self._left = min(self.most, self._left + (at - self._at) * self.rate) if self._at else self._left
        self._at = at
        self._left -= len(payload) if self.of_bytes else 1
        return self._left < 0


class Number:
    """Not more than so many, ever."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._count = 0

    def exceeded(self, at: float, payload: bytes) -> bool:
        self._count += 1
        return self._count > self.most


class Total:
    """Not more than so many bytes in all, or characters."""

    def __init__(self, most: int, *, of_characters: bool = False) -> None:
        self.most, self.of_characters = most, of_characters
        self._sum = 0

    def exceeded(self, at: float, payload: bytes) -> bool:
        self._sum += len(payload.decode()) if self.of_characters else len(payload)
        return self._sum > self.most


class Of:
    """A limit on some messages only."""

    def __init__(self, limit: Limit, wanted: Wanted) -> None:
        self.limit, self.wanted = limit, wanted

    def exceeded(self, at: float, payload: bytes) -> bool:
        return self.wanted(payload) and self.limit.exceeded(at, payload)
