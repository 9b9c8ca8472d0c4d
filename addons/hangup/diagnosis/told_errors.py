"""Messages of a server that report an error, and the words with which they do."""

from __future__ import annotations

import re

import msgspec

from hangup.humanize import printable
from hangup.recording.traffic import MessageSummary

LIMIT = 80
"""So many characters of the words are quoted."""

_ERROR = re.compile(
    r"\berr(or|ors)?\b|fail(?!over|safe)|denied|reject|invalid(?!at)|forbidden|unauth|refus|exception(?!al)", re.I
)
_HOLDS = r'"{}"\s*:\s*(?!n|f|0\b|"?$|""|\[\s*(?:\]|$)|\{{\s*(?:\}}|$))\S'
"""A field that holds something: neither null, false nor nothing."""

_BEGINS = re.compile(
    r"\W{0,8}(?:err|error|exception|failed|failure|denied|rejected|invalid|forbidden|unauthori[sz]ed|refused)\b"
    r"(?!\W{1,3}(?:none|null|nil|false|no|0)\s*$)",
    re.I,
)
"""How a text begins that reports an error."""

_STRING = r'"(?:{})"\s*:\s*"((?:[^"\\]|\\.)*)'
_WORDS = [
    re.compile(pattern, re.I | re.M)
    for pattern in (
        _STRING.format("[a-z_]*message|[a-z_]*msg"),
        r"^message:([^\r\n\x00]*)",  # a header of STOMP
        _STRING.format("[a-z_]*(?:reason|description|details?|explanation|cause)"),
        _STRING.format("[a-z_]*(?:error|err|errors)"),
        _STRING.format("text|title|info"),
    )
]
"""Where an error says in words what it is, the likeliest first."""


_BETWEEN = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\W]+")
"""What lies between the words of a name."""


def reports_an_error(message: MessageSummary) -> bool:
    """Whether its kind names an error, or a field that holds one (not ``"error": null``), or it is a text that begins
    with one."""
    shape = message.shape
    keys = [key.rpartition(".")[2] for key in shape.keys if _ERROR.search(key)]
    held = (re.search(_HOLDS.format(re.escape(key)), message.text) for key in keys)
    plain = shape.opcode == "text" and not (shape.json or shape.kind or shape.keys)
    return bool(_ERROR.search(shape.kind)) or any(held) or (plain and _BEGINS.match(message.text) is not None)


def words_of(message: MessageSummary) -> str:
    """The words of such a message, on one line and cut: all of it where none stand out, none of what is no text."""
    if message.opcode != "text" or not message.text.strip():
        return ""
    at = _place(message.text)
    return printable((_unescaped(at[1]) if at is not None else message.text).strip(), LIMIT)


def said_in(message: MessageSummary) -> str:
    """The kind of a message in words, and what it says in a field that is for people."""
    at = _place(message.text) if message.opcode == "text" else None
    kind = _BETWEEN.sub(" ", message.shape.kind)
    return printable(f"{kind}: {_unescaped(at[1])}" if at is not None else kind, LIMIT)


def from_the_words_on(text: str, shown: int) -> str:
    """``text``, without its beginning where its words would not be among the ``shown`` first characters."""
    at = _place(text)
    return text if at is None or at.end(1) <= shown else f"… {text[at.start() :]}"


def _place(text: str) -> re.Match[str] | None:
    found = (pattern.search(text) for pattern in _WORDS)
    return next((at for at in found if at is not None and at[1].strip()), None)


def _unescaped(said: str) -> str:
    try:
        return str(msgspec.json.decode(f'"{said}"'))
    except (msgspec.MsgspecError, UnicodeError):
        return said
