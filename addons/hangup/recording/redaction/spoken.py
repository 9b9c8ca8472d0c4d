"""Secrets that are told in words, without the form of a field: in log lines, close reasons, commands and log-ins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hangup.recording.redaction.looks import is_credential
from hangup.recording.redaction.names import Meaning, meaning

_WORD = r"""[^\s"'`<>,;&(){}\[\]]"""
_TOLD = re.compile(
    rf"""(?ix)(?<![\w-]) (?P<unexpected>unexpected[ ])?
    (?P<what>passwords?|passwd|pwd|passcode|passphrase|secret|token|api[ _-]?key|access[ _-]?key|session(?:[ _-]?id)?
      |credentials?|jwt|otp|cookie|bearer|(?:signing|encryption|private)[ _-]?key)
    (?:[ ](?:is|was|of|for|value|sent|used|given|received))? [ \t:=]{{1,4}}
    (?:(?P<mark>["'`])(?P<quoted>[^"'`\r\n]{{1,4096}})(?P=mark) | (?P<bare>{_WORD}{{6,4096}}))"""
)
_OPENLY = ("password", "passwd", "pwd", "passcode", "passphrase", "secret", "otp")
_LAW = re.compile(
    r"""`([^`\r\n]{1,120})`[ ](?:is|was|holds|not)[ ]
    (?:(["'])((?:\\.|(?!\2)[^\\\r\n])*)\2 | (-?\d[\d.,]*) | ([^\s`;,]+))""",
    re.VERBOSE,
)
_LINKS = ("http://", "https://", "/")
_KINDS = ("a", "an", "null", "missing", "true", "false", "not", "longer", "shorter", "empty")
_COMMAND = re.compile(r"(?m)^[ \t]*(AUTH|PASS|IDENTIFY|LOGIN)[ \t]+(\S[^\r\n]*)")
_ANSWERS = frozenset("ok fail failed failure error required success successful denied accepted plain started".split())
_SET = re.compile(
    r"""(?:^|[ +;`'])(?:set-header|query|cookie|header)[ ](\S+)[ ](?:"([^"\r\n]*)"|'([^'\r\n]*)'|([^\s`]+))"""
)
_LOGIN = re.compile(
    r"""(?ix)[\[{,]\s*\\*["']
    (?:(?:type|op|event|action|cmd|command|method|msg|kind|t|name|topic|service)\\*["']\s*:\s*\\*["'])?
    [\w.:/\-]{0,24}?(?:auth|login|log_in|log-in|signin|sign_in|identify|connection_init|subscribe_private)
    [\w.:/\-]{0,24}\\*["']"""
)
_STRING = re.compile(r"""["']([^"'\\\s]{16,4096})\\*["']""")


def told(text: str) -> Iterator[tuple[int, int]]:
    """``invalid token eyJ…``, ``password 'hunter2' is wrong``; and of a law: `` `password` is 'hunter2' ``."""
    for found in _TOLD.finditer(text):
        openly = found["what"].lower().startswith(_OPENLY) and not found["unexpected"]
        if found["quoted"] is not None:
            group, sure = "quoted", openly
        else:
            group, sure = "bare", False
        value = found[group]
        if sure or _made(value):
            start, end = found.span(group)
            yield start, start + len(value.rstrip(".:!?")) if group == "bare" else end
    for law in _LAW.finditer(text):
        name = re.split(r"[.\]]", law[1].rstrip("]"))[-1]
        if meaning(name) is Meaning.SECRET and (law[5] or "") not in _KINDS:
            yield law.span(next(group for group in (3, 4, 5) if law[group] is not None))


def commands(text: str) -> Iterator[tuple[int, int]]:
    """``AUTH secret``, ``PASS oauth:…``, ``LOGIN name secret``: the last word of the line; and what a filter sets."""
    for found in _COMMAND.finditer(text):
        rest = found[2].rstrip()
        word = rest.split()[-1]
        alone = len(rest.split()) <= (2 if found[1] in ("AUTH", "LOGIN") else 1)
        if alone and word.lower().strip(".:!") not in _ANSWERS:
            end = found.start(2) + len(rest)
            yield end - len(word), end
    for found in _SET.finditer(text):
        group = next(group for group in (2, 3, 4) if found[group] is not None)
        if meaning(found[1]) in (Meaning.SECRET, Meaning.HELD):
            yield found.span(group)


def logins(text: str) -> Iterator[tuple[int, int]]:
    """The strings of a message that logs in, as far as they look like credentials: ``["auth", "…"]``."""
    if _LOGIN.search(text) is None:
        return
    for found in _STRING.finditer(text):
        if is_credential(found[1]):
            yield found.span(1)


def _made(value: str) -> bool:
    """Whether a word of a sentence was made by a machine."""
    digits = sum(char.isdigit() for char in value)
    letters = sum(char.isalpha() for char in value)
    mixed = len(value) >= 16 and value.lower() != value != value.upper()
    return len(value) >= 8 and digits >= (1 if mixed else 2) and letters >= 2 and not value.startswith(_LINKS)
