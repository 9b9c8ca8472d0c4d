"""The published patterns for the keys of known services: those of gitleaks (MIT), as data beside this module.

They are written for Go and for source code. Here they are read by the ``regex`` package, whose scoped flags are Go's,
and in traffic: a secret ends where no more of a token follows, and quotation marks may have backslashes. A pattern is
compiled when one of its words is there; what takes too long to be looked through counts as a secret as a whole.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import regex
from msgspec import Struct

from hangup.recording.redaction.looks import entropy
from hangup.recording.redaction.word_search import any_of

PATIENCE = 1.0
"""Seconds of the processor's time for one pattern and one text."""

BEFORE = 64
"""So many characters before a long word the name of a service may stand."""

LONGEST = 4096
"""A longer word is no key: the names of services are not looked for in it."""

_OWN = frozenset(["generic-api-key", "kubernetes-secret-yaml", "pkcs12-file", "curl-auth-header", "curl-auth-user"])
"""Rules that go by the names of fields, by files or by command lines: names are read in JSON and queries here."""

_ENDS = r"""(?:[\x60'"\s;]|\\[nr]|$)"""
_NO_MORE = r"(?![\w+/=~\-])"
_LINKS = ((r"""[\s'"]{0,3}""", r"""[\s'"\\]{0,8}"""), (r"""[\x60'"\s=]{0,5}""", r"""[\x60'"\\\s=]{0,9}"""))
_NAME = r"[\w.-]{0,50}?"

PACKED = 256
"""Longer words without any separator are data."""

_MARKS = "\\\"'`"

_RUN = re.compile(r"[A-Za-z0-9_\-+/.~=%]{10,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")
_WORDS = re.compile(
    r"(?:[A-Za-z][a-z]{0,15}(?:[A-Z][a-z]{1,15}){0,5}|[A-Z]{1,12}|\d{1,14})"
    r"(?:[\-_+/.~=%]+(?:[A-Za-z][a-z]{0,15}(?:[A-Z][a-z]{1,15}){0,5}|[A-Z]{1,12}|\d{1,14})){0,15}[\-_+/.~=%]*"
)


class Rule(Struct):
    """A pattern for one kind of secret: ``least`` bits for each character, and what is none all the same."""

    name: str
    pattern: str
    words: tuple[str, ...]
    least: float = 0.0
    excepted: tuple[str, ...] = ()


class Rules:
    """All rules, and the words by which they are found."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        words: dict[str, list[Rule]] = {}
        for rule in rules:
            for word in rule.words:
                words.setdefault(word, []).append(rule)
        # One that begins another finds that one's rules as well.
        self._short = {
            word: [rule for other, of in words.items() if other.startswith(word) for rule in of]
            for word in words
            if not any(word.startswith(other) for other in words if other != word)
        }
        self._any = re.compile(f"(?=({any_of(self._short)}))")

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """From where to where there are secrets."""
        lower = ""
        rules: dict[str, Rule] = {}
        read = 0
        for run in _RUN.finditer(text):
            start, end = run.span()
            word = run[0] if end - start <= LONGEST else run[0][:LONGEST]
            if _WORDS.fullmatch(word) and not word.startswith("-----"):
                continue
            if end - start > PACKED and _BASE64.fullmatch(word):
                end = start + BEFORE  # bytes, in which nothing begins
            lower = lower or text.lower()
            for found in self._any.finditer(lower, max(read, start - BEFORE), min(end, start + LONGEST)):
                rules.update((rule.name, rule) for rule in self._short[found[1]])
            read = start
        for rule in rules.values():
            try:
                yield from _matches(rule, text)
            except TimeoutError:
                yield 0, len(text)
                return


def _matches(rule: Rule, text: str) -> Iterator[tuple[int, int]]:
    for found in _compiled(rule.pattern).finditer(text, timeout=PATIENCE):
        group = next((i for i in range(1, found.re.groups + 1) if found[i]), 0)
        secret = found[group]
        if secret and entropy(secret) >= rule.least:
            if not any(_compiled(each).search(secret, timeout=PATIENCE) for each in rule.excepted):
                start, end = found.span(group)
                yield start + len(secret) - len(secret.lstrip(_MARKS)), end - len(secret) + len(secret.rstrip(_MARKS))


@cache
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern, regex.VERSION1)


@cache
def rules() -> Rules:
    """The published rules."""
    data = tomllib.loads((files(__package__) / "gitleaks" / "gitleaks.toml").read_text("utf-8"))
    return Rules([_rule(each) for each in data["rules"] if "regex" in each and each["id"] not in _OWN])


def _rule(data: dict[str, Any]) -> Rule:
    excepted = [
        translated(each)
        for allowed in data.get("allowlists", ())
        if "paths" not in allowed and allowed.get("regexTarget", "secret") == "secret"
        for each in allowed.get("regexes", ())
    ]
    words = tuple(word.lower() for word in data.get("keywords", ()))
    return Rule(data["id"], translated(data["regex"]), words, float(data.get("entropy", 0.0)), tuple(excepted))


def translated(pattern: str) -> str:
    """A pattern of Go's for the ``regex`` package, and for traffic."""
    pattern = pattern.replace(_ENDS, _NO_MORE).replace(r"\z", r"\Z")
    if pattern.startswith(f"(?i){_NAME}"):
        pattern = "(?i)" + pattern[len(f"(?i){_NAME}") :]
    if pattern.startswith(r"\b"):
        pattern = r"(?:\b|(?<=\\[nrtbf]))" + pattern[2:]
    for code, traffic in _LINKS:
        pattern = pattern.replace(code, traffic)
    return _plain_sets(pattern)


def _plain_sets(pattern: str) -> str:
    """In ``regex`` a bracket within a set begins another one; in Go it is itself, but for ``[:alnum:]``."""
    result: list[str] = []
    at, inside = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            result.append(pattern[at : at + 2])
            at += 2
            continue
        if inside and char == "[":
            end = pattern.find(":]", at) + 2 if pattern.startswith("[:", at) else 0
            result.append(pattern[at:end] if end >= 2 else r"\[")
            at = max(end, at + 1)
            continue
        if char == "[":
            inside = True
            first = pattern[at + 1 : at + 3]
            skip = 2 if first == "^]" else 1 if first[:1] == "]" else 0
            result.append(char + pattern[at + 1 : at + 1 + skip])
            at += 1 + skip
            continue
        inside = inside and char != "]"
        result.append(char)
        at += 1
    return "".join(result)
