"""Lists in WebSocket handshake headers: subprotocols and extensions (RFC 6455 9.1, 11.3).

A list may be spread over several header lines, which count as one line joined by commas (RFC 9110 5.3).
Parsing never fails: what can be read is returned, and what is wrong is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Extension(NamedTuple):
    """One extension: its name, and its parameters in order; a parameter without ``=`` has the value None."""

    name: str
    params: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        params = (key if value is None else f"{key}={value}" for key, value in self.params)
        return "; ".join([self.name, *params])


def is_token(text: str) -> bool:
    """Whether ``text`` is an HTTP token (RFC 9110 5.6.2), as the name of a subprotocol must be."""
    return _TOKEN.fullmatch(text) is not None


def parse_tokens(lines: Iterable[str]) -> tuple[str, ...]:
    """The elements of comma-separated ``lines``, in order, without empty ones; odd ones are not judged."""
    return tuple(part for line in lines for item in line.split(",") if (part := item.strip(" \t")))


def parse_extensions(lines: Iterable[str]) -> tuple[Extension, ...]:
    """Reads ``Sec-WebSocket-Extensions`` lines. A parameter's value may be a token or a quoted string."""
    return tuple(_read(lines, []))


def malformed(lines: Iterable[str]) -> list[str]:
    """What breaks the grammar of ``Sec-WebSocket-Extensions`` (9.1), in words; empty for a sound list."""
    problems: list[str] = []
    _read(lines, problems)
    return problems


def _read(lines: Iterable[str], problems: list[str]) -> list[Extension]:
    return [
        _extension(element, problems)
        for line in lines
        for element in _split(line, ",")
        if element.strip(" \t")
    ]


def _split(text: str, separator: str) -> list[str]:
    """The parts of ``text`` between separators that are not quoted."""
    parts = []
    start = 0
    quoted = escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == '"':
            quoted = not quoted
        elif character == "\\":
            escaped = quoted
        elif character == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _extension(element: str, problems: list[str]) -> Extension:
    name, *rest = (part.strip(" \t") for part in _split(element, ";"))
    if not is_token(name):
        problems.append(f"{name!r} is not the name of an extension")
    params = []
    for part in rest:
        key, equals, raw = part.partition("=")
        key, raw = key.strip(" \t"), raw.strip(" \t")
        value: str | None = None
        if equals:
            value = re.sub(r"\\(.)", r"\1", raw[1:-1]) if _QUOTED.fullmatch(raw) else raw
            # 9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF"
            if not is_token(value):
                problems.append(f"{name}: {raw!r} is not a value for {key!r}")
        if not is_token(key):
            problems.append(f"{name}: {key!r} is not the name of a parameter")
        params.append((key, value))
    return Extension(name, tuple(params))
