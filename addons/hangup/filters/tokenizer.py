"""The words of a filter's text form: splitting a line, and writing a value so that it is read back the same.

A line is words separated by white space. A value may hold white space within ``"…"``, ``{…}`` and ``[…]``, so that
JSON stands there as it is; a value that begins with ``"`` is a JSON string, one that begins with ``'`` is taken
literally up to the next ``'``.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hangup.errors import FilterError

_KEY = re.compile(r"([a-z][a-z0-9-]*)=")
_OPENING = {"{": "}", "[": "]"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Word(NamedTuple):
    """One word: ``key`` is what stands before ``=``, if anything; ``quoted`` says that the value was in quotes."""

    key: str
    value: str
    quoted: bool
    raw: str
    """As it was written."""
    span: tuple[int, int]
    """From which character of the line up to which."""


def split(text: str) -> list[Word]:
    """The words of a line; raises :class:`~hangup.errors.FilterError` for a quote or bracket that stays open."""
    words: list[Word] = []
    pos, end = 0, len(text)
    while True:
        while pos < end and text[pos].isspace():
            pos += 1
        if pos >= end:
            return words
        start = pos
        found = _KEY.match(text, pos)
        key = found[1] if found is not None else ""
        pos = found.end() if found is not None else pos
        if pos < end and text[pos] in "\"'":
            value, pos = _quoted(text, pos)
            words.append(Word(key, value, True, text[start:pos], (start, pos)))
        else:
            stop = _bare(text, pos)
            words.append(Word(key, text[pos:stop], False, text[start:stop], (start, stop)))
            pos = stop


def _quoted(text: str, pos: int) -> tuple[str, int]:
    if text[pos] == "'":
        stop = text.find("'", pos + 1) + 1
        value = text[pos + 1 : stop - 1]
    else:
        found = _STRING.match(text, pos)
        stop = found.end() if found is not None else 0
        try:
            value = json.loads(text[pos:stop], strict=False) if stop else ""
        except ValueError as error:
            raise FilterError(f"{text[pos:stop]} is not a JSON string: {error}", (pos, stop)) from None
    if not stop:
        raise FilterError(f"the quote is not closed: {_short(text[pos:])}", (pos, len(text)))
    if stop < len(text) and not text[stop].isspace():
        raise FilterError(f"there must be a space after the closing quote: {_short(text[pos:])}", (stop, len(text)))
    return value, stop


def _bare(text: str, pos: int) -> int:
    """Where the value ends that begins at ``pos``."""
    start, end = pos, len(text)
    closing: list[str] = []
    while pos < end:
        char = text[pos]
        if char == '"':
            found = _STRING.match(text, pos)
            if found is None:
                raise FilterError(f"the quote is not closed: {_short(text[pos:])}{_HINT}", (pos, end))
            pos = found.end()
            continue
        if char in _OPENING:
            closing.append(_OPENING[char])
        elif closing and char == closing[-1]:
            closing.pop()
        elif char.isspace() and not closing:
            break
        pos += 1
    if closing:
        what = f"{closing[-1]!r} is missing in {_short(text[start:])}{_HINT}"
        raise FilterError(what, (start, end))
    return pos


_HINT = " (if this is intended, put the whole value in single quotes)"


def quote(value: str, *, keys: frozenset[str] | None = None, never_bare: bool = False) -> str:
    """``value`` as it is written after ``key=``, or, given the ``keys`` that have a meaning, as a word of its own."""
    if not never_bare and value.isprintable() and _is_bare(value, keys):
        return value
    if value.isprintable() and "'" not in value:
        return f"'{value}'"
    return json.dumps(value)


def _is_bare(value: str, keys: frozenset[str] | None) -> bool:
    if not value or value[0] in "\"'" or value[0].isspace():
        return False
    if keys is not None:
        found = _KEY.match(value)
        if found is not None and (found[1] in keys or value[found.end() : found.end() + 1] in ("'", '"')):
            return False
    try:
        return _bare(value, 0) == len(value)
    except FilterError:
        return False


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
