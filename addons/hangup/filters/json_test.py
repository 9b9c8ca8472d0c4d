"""Tests on a message's JSON: ``$.type==ping``, ``$.data.items[0].n>3``, ``$..error``.

A path is one of RFC 9535; those without expressions in brackets are compiled to functions of our own, which are much
faster, and the rest are left to python-jsonpath. The value is JSON, or else a string as it stands. A test holds when
any of the places that the path finds fulfils it, ``!=`` when none of them is equal; without an operator, when there is
such a place. A message that is no JSON fulfils none.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hangup.errors import FilterError
from hangup.filters.base import NO_JSON
from hangup.filters.json_path import Find, compiled, read_steps
from hangup.filters.patterns import TimedPattern
from hangup.messages.content import load
from hangup.recording.fast_path import Screen

Test = Callable[[Any], bool]
TextTest = Callable[[str], bool]

_OPERATOR = re.compile(r"==|!=|>=|<=|>|<|~")
_SKIP = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def parse_test(text: str) -> Test:
    """The test of an item that ``text`` describes; raises :class:`~hangup.errors.FilterError`."""
    return _parse(text)[0]


def parse_screen(text: str) -> Screen:
    """The same of a payload that has not been made an item."""
    return _parse(text)[1]


def parse_text_test(text: str) -> TextTest:
    """The same of the text of a message."""
    return _parse(text)[2]


@lru_cache(maxsize=512)
def _parse(text: str) -> tuple[Test, Screen, TextTest]:
    path, sign, rest = _split(text)
    if not path.startswith("$"):
        raise FilterError(f"json={text}: a JSON path begins with $, for instance $.type==ping")
    steps = read_steps(path)
    find = compiled(steps) if steps is not None else _library(path, text)
    mark = required(text)
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


def required(text: str) -> str:
    """What any message must have in it that fulfils the test, but for those with escapes (``\\``); often nothing."""
    path, sign, rest = _split(text)
    if sign == "!=":
        return ""
    if sign == "==" and isinstance(value := _value(rest), str) and value:
        return value
    return next((step.key for step in reversed(read_steps(path) or ()) if isinstance(step.key, str)), "")


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


def _test(find: Find, holds: Callable[[Any], bool], needed: str) -> tuple[Test, Screen, TextTest]:
    def passes(value: Any) -> bool:
        if value is not NO_JSON:
            for found in find(value):
                if holds(found):
                    return True
        return False

    # What must stand in the message and does not (nor can, escaped) spares the parsing.
    mark = needed.encode("utf-8", "replace")

    def test(item: Any) -> bool:
        return (mark in item.data or b"\\" in item.data) and passes(item.json)

    def screen(opcode: int, data: bytes) -> bool:
        return (mark in data or b"\\" in data) and passes(load(data))

    def of_text(text: str) -> bool:
        return (needed in text or "\\" in text) and passes(load(text))

    return test, screen, of_text


def _none_equal(find: Find, value: Any) -> tuple[Test, Screen, TextTest]:
    equal = _equals(value)

    def passes(found: Any) -> bool:
        return found is not NO_JSON and not any(map(equal, find(found)))

    return lambda item: passes(item.json), lambda opcode, data: passes(load(data)), lambda text: passes(load(text))
