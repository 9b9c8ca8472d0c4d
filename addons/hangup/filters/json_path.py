"""JSON paths (RFC 9535) without expressions in brackets, compiled: names, indices, wildcards and descendants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

Find = Callable[[Any], Iterable[Any]]
"""What a path finds in a value."""

_STEP = re.compile(
    r"""(\.\.?)?(?:([^\W\d][\w-]*)|(\*)|(\[)(?:(\d{1,9})|(\*)|'([^'\\]*)'|"([^"\\]*)")\])"""
)


class PathStep(Struct, frozen=True):
    """One step: to a member, to an element, or (None) to all of them; of the value itself, or ``below`` it, at any
    depth."""

    key: str | int | None
    below: bool = False


def read_steps(path: str) -> tuple[PathStep, ...] | None:
    """The steps of a path that begins with ``$``, or None for one with something else in it."""
    steps: list[PathStep] = []
    pos = 1
    while pos < len(path):
        found = _STEP.match(path, pos)
        if found is None:
            return None
        dots, name, every, bracket, index, all_of_them, single, double = found.groups()
        if not (bracket if dots is None else dots == ".." or not bracket):
            return None
        key = next((part for part in (name, single, double) if part is not None), None)
        steps.append(PathStep(key if index is None else int(index), dots == ".."))
        pos = found.end()
    return tuple(steps)


def compiled(steps: Sequence[PathStep]) -> Find:
    """What these steps find."""
    if all(step.key is not None and not step.below for step in steps):
        return _one_place([step.key for step in steps])

    def find(value: Any) -> Iterable[Any]:
        found = [value]
        for step in steps:
            found = _below(found, step.key) if step.below else _children(found, step.key)
            if not found:
                break
        return found

    return find


def _one_place(keys: Sequence[str | int | None]) -> Find:
    """What a path finds that leads to one place at most."""

    def find(value: Any) -> tuple[Any, ...]:
        key: Any
        for key in keys:
            if type(value) is (dict if type(key) is str else list):
                try:
                    value = value[key]
                except LookupError:
                    return ()
            else:
                return ()
        return (value,)

    return find


def _children(values: list[Any], key: str | int | None) -> list[Any]:
    if key is None:
        return [each for value in values for each in _members(value)]
    if isinstance(key, str):
        return [value[key] for value in values if type(value) is dict and key in value]
    return [value[key] for value in values if type(value) is list and key < len(value)]


def _members(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value if type(value) is list else ()


def _below(values: list[Any], key: str | int | None) -> list[Any]:
    """What the step finds in these values, and in all objects and arrays in them."""
    found: list[Any] = []
    there = list(values)
    for value in there:  # which grows
        if type(value) is dict:
            if key is None:
                found += value.values()
            elif key in value:
                found.append(value[key])
            for each in value.values():
                if type(each) is dict or type(each) is list:
                    there.append(each)
        elif type(value) is list:
            if key is None:
                found += value
            elif type(key) is int and key < len(value):
                found.append(value[key])
            for each in value:
                if type(each) is dict or type(each) is list:
                    there.append(each)
    return found
