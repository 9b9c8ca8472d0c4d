"""Names and templates: what of a text says which kind of message it is, and what is only a value.

A *name* is what a program calls a message: ``order``, ``chat:order``, ``com.example.order``, ``#publish``. Numbers and
ids that stand as parts of their own in it are abstracted (``orders.17`` -> ``orders.#``). A *template* is what is left
of a plain text when its numbers, ids and free text are: ``LOGIN bob 17`` -> ``LOGIN *``.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 64
"""Characters of a name; a longer string is a text."""
TEMPLATE = 256
"""Of a plain text so many characters are looked at."""

_NAME = re.compile(r"[\w$#@/~][\w$#@/~.:!-]*(?: [\w$#@/~.:!-]+){0,2}")
_LETTER = re.compile(r"[^\W\d_]")
_ID = re.compile(
    r"(?<![^\W_])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # UUID
    r"|(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}|(?=[a-z]*\d)(?=\d*[a-z])[^\W_]{16,}|\d+)(?![^\W_])",
    re.I,
)
_DIGITS = re.compile(r"\d+")


@lru_cache(4096)
def name_of(value: str) -> str:
    """The name that ``value`` is, its ids abstracted; empty when it does not look like one."""
    if len(value) > LONGEST or _NAME.fullmatch(value) is None:
        return ""
    if value.isalpha():
        return value
    name = _ID.sub("#", value)
    letters = len(_LETTER.findall(name))
    digits = sum(map(str.isdigit, name))
    if not letters or digits > 2 and digits > letters:
        return ""
    return name


def is_id(value: str) -> bool:
    """Whether ``value`` is a number or an id and nothing else."""
    return _ID.fullmatch(value) is not None


_XML = re.compile(r"<(?:\?xml[^>]*>\s*<)?(!doctype\s+)?([A-Za-z_][\w:.-]{0,40})", re.I)
_IRC = re.compile(r"(?:[@:]\S+ +)+(?=[A-Z]{2,}\b)")
_HEAD = re.compile(r"/?[^\W\d][\w.$/#-]{0,39}")
_COMMAND = re.compile(r"/?[A-Z][A-Z0-9_./-]+")
_VALUES = re.compile(
    r"(?:[\s|,;:=/()\[\].-]|[-+]?\d+(?:[.:,/-]\d+)*(?![^\W_])|[0-9a-fA-F-]{0,32}\d[0-9a-fA-F-]{7,64}(?![^\W_]))+"
)


def template_of(text: str) -> tuple[str, str]:
    """The template of a plain text, in one line, and the name that it begins with (may be empty)."""
    text = text[: TEMPLATE + 1].strip()
    found = _XML.match(text)
    if found is not None:
        return f"<{found[2]}>", found[2]
    prefix = _IRC.match(text)
    start = prefix.end() if prefix is not None else 0
    head = _HEAD.match(text, start)
    if head is not None:
        word, rest = head[0], text[head.end() :]
        sign = rest[:1] if rest[:1] in tuple("|:;,=") else " "
        if not rest:
            shape = ""
        elif sign == " " and not rest[0].isspace():
            shape = "?"  # part of a text: `it's`
        elif _VALUES.fullmatch(rest):
            shape = f"{sign}#"
        elif sign != " " or _COMMAND.fullmatch(word) or start:
            shape = f"{sign}*"
        else:
            shape = "?"
        if shape != "?":
            name = _DIGITS.sub("#", word)
            return name + shape, name
    return ("#" if text and _VALUES.fullmatch(text) else "*"), ""


def head_of(text: str) -> str:
    """The first word of a plain text, its digits abstracted; empty when it does not begin with a word and a space."""
    text = text[:TEMPLATE].lstrip()
    head = _HEAD.match(text)
    if head is None or not text[head.end() : head.end() + 1].isspace() and head.end() < len(text):
        return ""
    return _DIGITS.sub("#", head[0])


_KEY = re.compile(r"[^\w$@#.-]+")


def keys_of(value: dict[str, object]) -> str:
    """The sorted fields of an object, ``{id,price}``; those named by ids are abstracted, many are cut."""
    keys = {_ID.sub("#", key[:40]) if not key.isalpha() else key[:40] for key in value}
    shown = sorted({_KEY.sub("_", key) for key in keys})
    return "{" + ",".join(shown[:16]) + (",~" if len(shown) > 16 else "") + "}"
