"""Lines of a backend's log, with what belongs together kept together: a traceback is one event.

What continues a line is indented: Python's frames, Node's ``    at …``. A Python traceback also has a last line that is
not, which names the exception, and may go on after a blank line with the one that it caused; pydantic's goes on with
a line for each field that is not indented either. A :class:`Grouper` is
fed lines and the time, and gives back what is complete; the last group is once it was quiet for ``QUIET`` seconds.
"""

from __future__ import annotations

import re

from msgspec import Struct

QUIET = 0.1
"""Seconds after which nothing more is expected to belong to a group."""

LONGEST = 1 << 16
"""Characters kept of one group."""

LOOKED_AT = 20_000
"""Characters of an entry that are searched."""

EXCEPTION = re.compile(
    r"(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Timeout|Disconnect|Signature|Warning)\b.*"
)
"""An exception as a log names it, with its message."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_TRACEBACK = re.compile(r"^[\s|+]*(Exception Group )?Traceback \(most recent call last\):")
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_FIELDS = re.compile(r"^[\w.]*ValidationError: (\d+) validation errors? for ")


class LogEntry(Struct):
    """One entry of the log: ``at`` is when its first line came, in seconds."""

    at: float
    text: str


class Grouper:
    """Puts the lines of one source together."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._at = 0.0
        self._last = 0.0
        self._traceback = False
        self._named = False
        """The traceback's last line, which names the exception, has come."""
        self._fields = 0
        """So many fields pydantic has yet to name."""

    @property
    def deadline(self) -> float | None:
        """When the group under way is complete unless more comes; None when there is none."""
        return self._last + QUIET if self._lines else None

    def feed(self, line: str, at: float) -> list[LogEntry]:
        """Takes a line (without its newline) and gives back the entries that it completes."""
        line = _ANSI.sub("", line).rstrip("\r\n")
        done = self.tick(at)
        if self._lines and not self._continues(line):
            done += self._take()
        if not self._lines:
            if not line.strip():
                return done
            self._at = at
        if _TRACEBACK.match(line):
            self._traceback, self._named = True, False
        elif self._traceback and line and not line[0].isspace() and line not in _CHAINED:
            self._fields = int(found[1]) if (found := _FIELDS.match(line)) else self._fields
            self._named = True
        elif line.startswith("  ") and not line.startswith("   "):
            self._fields -= 1
        if self._size < LONGEST:
            self._lines.append(line[: LONGEST - self._size])
            self._size += len(line) + 1
        self._last = at
        return done

    def tick(self, at: float) -> list[LogEntry]:
        """What is complete by now."""
        deadline = self.deadline
        return self._take() if deadline is not None and at >= deadline else []

    def finish(self) -> list[LogEntry]:
        """What is left at the end."""
        return self._take() if self._lines else []

    def _continues(self, line: str) -> bool:
        if _TRACEBACK.match(line):
            # Logging puts its own line first; a chained traceback follows the words that announce it.
            return not self._traceback or self._lines[-1] == "" or self._lines[-1] in _CHAINED
        if self._traceback:
            if not self._named:
                return True
            more = self._fields > 0 and (self._lines[-1].startswith("    ") or bool(_FIELDS.match(self._lines[-1])))
            return more or line in _CHAINED or line == "" or line[:1].isspace()
        return bool(line) and line[0] in " \t|"

    def _take(self) -> list[LogEntry]:
        text = "\n".join(self._lines).rstrip()
        entry = LogEntry(self._at, text)
        self._lines, self._size = [], 0
        self._traceback = self._named = False
        self._fields = 0
        return [entry] if text else []


def last_line(text: str) -> str:
    """What a traceback ends with: the exception and the beginning of its message; else the last line."""
    lines = [line.rstrip() for line in text[:LOOKED_AT].splitlines() if line.strip()]
    if not lines:
        return ""
    raised = [at for at, line in enumerate(lines) if EXCEPTION.fullmatch(line)]
    node = any(line.lstrip().startswith("at ") for line in lines)
    if not raised:
        named = (line for line in lines if re.search(r"Error\b|Exception\b", line))
        return (next(named, lines[0]) if node else lines[-1]).strip()
    if node:
        return lines[raised[0]]  # the message stands before its stack
    message = [line.strip() for line in lines[raised[-1] : raised[-1] + 3]]
    return " ".join(line for line in message if not line.startswith("For further information"))
