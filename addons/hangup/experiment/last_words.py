"""What a server says as it ends a connection: a close reason, or an error in its last message. Ends of which it says
something else are another failure, though the code is the same.

Texts are compared by their words, as they name what was wrong this time: `unknown type foo` and `unknown type bar` are
alike, `incomplete frame` is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from hangup.experiment.message_values import MISSING, split

Words = frozenset[str]

SHARED = 1 / 3
"""The share of all words of two texts that both have, from which on they are alike."""

PROMPT = 0.25
"""Seconds before the end in which its last message may say why."""

_WORD = re.compile(r"[^\W\d_]{2,}")


def words(text: str) -> Words:
    """The words of a text; what has digits is a number or an id."""
    return frozenset(word.lower() for word in _WORD.findall(text))


def words_of(payload: bytes) -> Words:
    """The words of a message: of a JSON value those of its strings."""
    value = split(payload)[1]
    return words(" ".join(_strings(value)) if value is not MISSING else payload.decode(errors="replace"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def alike(one: Words, other: Words) -> bool:
    """Whether two texts with these words may say the same of different things."""
    return not one or not other or len(one & other) >= SHARED * len(one | other)


def shared_words(ends: Iterable[list[Words]]) -> Words:
    """What all connections end with, given the words of each one's messages in order, of which the last came right
    before its end; nothing where they end with different words, or say such things before as well."""
    found: Words = frozenset()
    count = 0
    for said in ends:
        if not said or not said[-1] or not alike(found, said[-1]):
            return frozenset()
        if any(each and alike(each, said[-1]) for each in said[:-1]):
            return frozenset()
        found, count = said[-1], count + 1
    return found if count > 1 else frozenset()
