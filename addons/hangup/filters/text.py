"""The text form of a filter: ``drop-heartbeat side=client``. Writing it is ``str(filter)``; here it is read.

word [value …] [setting=value …]
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from hangup.errors import FilterError
from hangup.filters.base import Filter, settings
from hangup.filters.library import FILTERS
from hangup.filters.setting_values import codec
from hangup.filters.tokenizer import Word, split
from hangup.humanize import printable

SAID = 1000
"""Characters of what an error says, which quotes what was wrong."""


def parse(text: str) -> Filter:
    """The filter that ``text`` describes; raises :class:`~hangup.errors.FilterError`, which names the wrong word in one
    line whatever that is."""
    try:
        return _parsed(text)
    except FilterError as error:
        raise FilterError(printable(str(error), SAID), error.span) from None


def _parsed(text: str) -> Filter:
    words = split(text)
    if not words:
        raise FilterError("a filter begins with its name (`hangup filters` lists them all)")
    name, *rest = words
    try:
        cls = find(name.raw)
    except FilterError as error:
        error.span = name.span
        raise
    return _settings(cls, rest)


def find(name: str) -> type[Filter]:
    """The filter called ``name``; raises :class:`~hangup.errors.FilterError`."""
    found = FILTERS.get(name)
    if found is None:
        raise FilterError(f"there is no filter {name!r}{_like(name, FILTERS)} (`hangup filters` lists them all)")
    return found


def _settings(cls: type[Filter], words: list[Word]) -> Filter:
    fields = settings(cls)
    places = [cls_field.encode_name for cls_field in _positional(cls)]
    values: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    for word in words:
        key, text, quoted = word.key, word.value, word.quoted
        if key not in fields:
            if key and not places:
                known = f"it has: {', '.join(fields)}"
                raise FilterError(f"{cls.word()} has no setting {key!r}{_like(key, fields)}; {known}", word.span)
            if not places:
                hint = _like(text, [f"{name}=" for name in fields])
                what = f"{word.raw!r} is too much{hint}: a setting is written name=value"
                raise FilterError(f"{cls.word()}: {what}", word.span)
            if key:  # the equals sign belongs to the value
                text, quoted = f"{key}={text}", True
            key = places.pop(0)
        elif key in places:
            places.remove(key)
        field = fields[key]
        if field.name in values:
            raise FilterError(f"{cls.word()}: {key} is given twice", word.span)
        spans[key] = word.span
        try:
            values[field.name] = codec(field.type).read(text, quoted)
        except ValueError as error:
            near = _like(text, str(error).replace(",", "").split()) if text else ""
            raise FilterError(f"{cls.word()}: {key}={text}: it must be {error}{near}", word.span) from None
    missing = [f.encode_name for f in fields.values() if f.required and f.name not in values]
    if missing:
        raise FilterError(f"{cls.word()} needs {missing[0]}, for instance: {cls.example}")
    try:
        return cls(**values)
    except FilterError as error:
        error.span = error.span or _blamed(str(error).removeprefix(f"{cls.word()}: "), spans)
        raise


def _blamed(message: str, spans: dict[str, tuple[int, int]]) -> tuple[int, int] | None:
    """Where the setting stands that an error begins with: ``regex=( is no regular expression``."""
    found = re.match(r"([a-z-]+)(?:=| must )", message)
    return spans.get(found[1]) if found else None


def _positional(cls: type[Filter]) -> list[Any]:
    by_name = {field.name: field for field in msgspec.structs.fields(cls)}
    return [by_name[name] for name in cls.positional]


def _like(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""
