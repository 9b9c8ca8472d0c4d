"""Tests on a message's JSON: ``$.type==ping``, ``$.data.items[0].n>3``, ``$..error``.

A path is one of RFC 9535; those of plain steps are compiled to a function of our own, the rest are left to
python-jsonpath. The value is JSON, or else a string as it stands. A test holds when any of the places that the path
finds fulfils it, ``!=`` when none of them is equal; without an operator, when there is such a place. A message that is
no JSON fulfils none.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from hangup.errors import FilterError
from hangup.filters.base import NO_JSON
from hangup.filters.patterns import TimedPattern
from hangup.messages.content import load
from hangup.recording.fast_path import Screen

Test = Callable[[Any], bool]
Find = Callable[[Any], Iterable[Any]]

_STEP = re.compile(r"""\.([^\W\d][\w-]*)|\[(\d{1,9})\]|\['([^'\\]*)'\]|\["([^"\\]*)"\]""")
_OPERATOR = re.compile(r"==|!=|>=|<=|>|<|~")
_SKIP = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def parse_test(text: str) -> Test:
    """The test of an item that ``text`` describes; raises :class:`~hangup.errors.FilterError`."""
    return _parse(text)[0]


def parse_screen(text: str) -> Screen:
    """The same of a payload that has not been made an item."""
    return _parse(text)[1]


@lru_cache(maxsize=512)
def _parse(text: str) -> tuple[Test, Screen]:
    path, sign, rest = _split(text)
    if not path.startswith("$"):
        raise FilterError(f"json={text}: a JSON path begins with $, for instance $.type==ping")
    steps = _steps(path)
    find = _first(steps) if steps is not None else _library(path, text)
    mark = _required(text)
    if not sign:
        return _test(find, lambda found: True, mark)
    value = _value(rest)
    if sign == "!=":
        return _none_equal(find, value)
    if sign == "==":
        return _test(find, _equals(value), mark)
    if sign == "~":
        try:
            search = TimedPattern(rest).search
        except FilterError as error:
            raise FilterError(f"json={text}: {error}") from None
        return _test(find, lambda found: isinstance(found, str) and search(found), mark)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise FilterError(f"json={text}: after {sign} there must be a number or a string")
    return _test(find, _compares(_ORDER[sign], value), mark)


def _required(text: str) -> bytes:
    """Bytes that any message must have that fulfils the test, but for those with escapes (``\\``); often none."""
    path, sign, rest = _split(text)
    if sign == "!=":
        return b""
    needle = next((step for step in reversed(_steps(path) or ()) if isinstance(step, str)), "")
    if sign == "==" and isinstance(value := _value(rest), str):
        needle = value
    return needle.encode("utf-8", "replace")


def _split(text: str) -> tuple[str, str, str]:
    """Path, operator and value; an operator within brackets or quotes belongs to the path."""
    pos = depth = 0
    while pos < len(text):
        char = text[pos]
        skipped = _SKIP.match(text, pos)
        if skipped is not None:
            pos = skipped.end()
            continue
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif depth <= 0 and (found := _OPERATOR.match(text, pos)) is not None:
            return text[:pos].strip(), found[0], text[found.end() :].strip()
        pos += 1
    return text.strip(), "", ""


def _steps(path: str) -> tuple[str | int, ...] | None:
    """The keys and indices of a plain path, or None for any other."""
    steps: list[str | int] = []
    pos = 1
    while pos < len(path):
        found = _STEP.match(path, pos)
        if found is None:
            return None
        key = next((part for part in (found[1], found[3], found[4]) if part is not None), None)
        steps.append(int(found[2]) if key is None else key)
        pos = found.end()
    return tuple(steps)


def _first(steps: tuple[str | int, ...]) -> Find:
    """What a plain path finds: at most one place."""

    def find(value: Any) -> tuple[Any, ...]:
        step: Any
        for step in steps:
            if type(value) is (dict if type(step) is str else list):
                try:
                    value = value[step]
                except LookupError:
                    return ()
            else:
                return ()
        return (value,)

    return find


def searches(test: str) -> bool:
    """Whether a test on JSON may have a regular expression in it, which may take its time."""
    return any(sign in test for sign in ("~", "search(", "match("))


@lru_cache(maxsize=1)
def _environment() -> Any:
    """The library's, with our regular expressions in the place of its own."""
    import jsonpath  # takes a while to load, and plain paths do without

    class Environment(jsonpath.JSONPathEnvironment):
        def setup_function_extensions(self) -> None:
            super().setup_function_extensions()
            for name in ("match", "search"):
                function: Any = self.function_extensions[name]
                function.check_cache = _pattern

        def compare(self, left: object, operator: str, right: object) -> bool:
            if operator == "=~" and isinstance(right, re.Pattern):
                pattern = _pattern(right.pattern, right.flags & ~re.UNICODE)
                return isinstance(left, str) and pattern is not None and pattern.fullmatch(left)
            return bool(super().compare(left, operator, right))

    return Environment()


@lru_cache(maxsize=512)
def _pattern(text: str, flags: int = 0) -> TimedPattern | None:
    try:
        return TimedPattern(text, flags)
    except FilterError:
        return None  # RFC 9535 2.4.6: what is no regular expression matches nothing


def _library(path: str, text: str) -> Find:
    import jsonpath

    try:
        query = _environment().compile(path)
    except (jsonpath.JSONPathError, RecursionError, ValueError) as error:
        raise FilterError(f"json={text}: {path} is not a JSON path: {str(error).splitlines()[0]}") from None

    def find(value: Any) -> list[Any]:
        try:
            return [found.obj for found in query.finditer(value)]
        except (jsonpath.JSONPathError, RecursionError):
            return []

    return find


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _equals(value: Any) -> Callable[[Any], bool]:
    if isinstance(value, bool) or value is None:
        return lambda found: found is value
    return lambda found: bool(found == value) and not isinstance(found, bool)


def _compares(order: Callable[[Any, Any], bool], value: Any) -> Callable[[Any], bool]:
    kinds = str if isinstance(value, str) else (int, float)

    def holds(found: Any) -> bool:
        return isinstance(found, kinds) and not isinstance(found, bool) and order(found, value)

    return holds


def _test(find: Find, holds: Callable[[Any], bool], mark: bytes) -> tuple[Test, Screen]:
    def passes(value: Any) -> bool:
        if value is not NO_JSON:
            for found in find(value):
                if holds(found):
                    return True
        return False

    # What must stand in the bytes and does not (nor can, escaped) spares the parsing.

    def test(item: Any) -> bool:
        return (mark in item.data or b"\\" in item.data) and passes(item.json)

    def screen(opcode: int, data: bytes) -> bool:
        return (mark in data or b"\\" in data) and passes(load(data))

    return test, screen


def _none_equal(find: Find, value: Any) -> tuple[Test, Screen]:
    equal = _equals(value)

    def passes(found: Any) -> bool:
        return found is not NO_JSON and not any(map(equal, find(found)))

    return lambda item: passes(item.json), lambda opcode, data: passes(load(data))
