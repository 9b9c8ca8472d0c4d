"""Foreign text in Markdown: as code that it cannot leave, as running text without markup, as a cell of a table.

Whatever was on the wire may stand in an issue that others read, so nothing of it may be a link, an image, HTML, a
mention of somebody, or a line of its own. Control characters are spelled out (:func:`~hangup.humanize.printable`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hangup.humanize import printable

_TELLING = re.compile(r"[\\`*_\[\]<>#|~&$]|(?<=www)\.|:(?=//)|^(?:[-+=:]|\d+(?=[.)]))", re.IGNORECASE)
_RUN = re.compile("`+")
_MENTION = re.compile(r"@(?=\w)")


def code(text: str, limit: int = 0) -> str:
    """Text as code, cut to ``limit`` characters (0: whole). Empty for an empty one."""
    text = printable(text, limit)
    if not text.strip():
        return f"`{text}`" if text else ""
    fence = "`" * (1 + _longest(text))
    space = " " if text[0] == "`" or text[-1] == "`" or (text[0] == text[-1] == " ") else ""
    return f"{fence}{space}{text}{space}{fence}"


def plain(text: str, limit: int = 0) -> str:
    """Text without any markup: all that could be is escaped."""
    return _escaped(printable(text, limit))


def prose(text: str, limit: int = 0) -> str:
    """A sentence of ours that quotes foreign text, in code spans and outside of them: the spans stay as Markdown reads
    them, and all else is escaped. So foreign text that holds a backtick moves a span, and is no markup either way."""
    text = printable(text, limit)
    parts: list[str] = []
    at = 0
    while opened := _RUN.search(text, at):
        closed = next((run for run in _RUN.finditer(text, opened.end()) if len(run[0]) == len(opened[0])), None)
        parts.append(_escaped(text[at : opened.start()]))
        if closed is None:
            parts.append("\\`" * len(opened[0]))
            at = opened.end()
        else:
            parts.append(text[opened.start() : closed.end()])
            at = closed.end()
    return "".join([*parts, _escaped(text[at:])])


def cell(markdown: str) -> str:
    """Markdown as a cell of a table, which ends at a bar, even within code."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\|", r"\1\\|", markdown)


def block(lines: Iterable[str], language: str = "", limit: int = 0) -> list[str]:
    """Lines as a block of code, each cut to ``limit`` characters (0: whole)."""
    body = [printable(line, limit) for line in lines]
    fence = "`" * max(3, 1 + max(map(_longest, body), default=0))
    return [fence + language, *body, fence]


def _longest(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)


def _escaped(text: str) -> str:
    # `&` and `@` as what they are in HTML: a backslash before an entity or a mention is of no use everywhere.
    text = _TELLING.sub(lambda found: _spelled(found[0]), text)
    return _MENTION.sub("&#64;", text)


def _spelled(char: str) -> str:
    if char == "&":
        return "&amp;"
    if char in "<>":
        return "&lt;" if char == "<" else "&gt;"
    return f"{char}\\" if char.isdigit() else f"\\{char}"
