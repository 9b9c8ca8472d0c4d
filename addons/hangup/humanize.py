"""Durations, sizes and foreign text in words for people; programs get the numbers."""

from __future__ import annotations

import math
import re
import unicodedata

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """``0.3 ms``, ``12 ms``, ``4.02 s``, ``2 min 5 s``, ``3 h 12 min``; a ``?`` for what is no number."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.9995:
        ms = seconds * 1000
        return f"{ms:.0f} ms" if ms >= 9.95 or ms < 0.05 else f"{ms:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    if seconds >= 1e9:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < _HOUR:
        return _pair(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    return _pair(whole, _DAY, "d", _HOUR, "h")


def span(start: float, end: float) -> float:
    """Seconds between two times, to the microsecond; 0 when they are too absurd to be subtracted."""
    seconds = end - start
    return round(seconds, 6) if math.isfinite(seconds) else 0.0


def clip(value: float, low: float, high: float) -> float:
    """``value`` kept between two bounds; not-a-number becomes the lower one."""
    return min(max(value, low), high) if value == value else low


def _pair(whole: int, big: int, big_name: str, small: int, small_name: str) -> str:
    first, rest = divmod(whole, big)
    return f"{first} {big_name} {rest // small} {small_name}" if rest // small else f"{first} {big_name}"


def size(count: int) -> str:
    """``15 B``, ``1.5 KiB``, ``64 MiB``."""
    if abs(count) < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count_in = count / 1024 if abs(count) < 1 << 1000 else math.inf
        if abs(count_in) < 1024 or unit == "TiB":
            break
        count //= 1024
    return f"{count_in:.1f} {unit}" if abs(count_in) < 9.95 else f"{count_in:.0f} {unit}"


def plural(count: int, noun: str) -> str:
    """``1 frame``, ``2,000 frames``; what says more of the noun follows it: ``2 payloads that were cut``."""
    if count == 1:
        return f"{count} {noun}"
    found = re.match(r"(.+?)(?: (that|of|in|with)\b(.*))?$", noun)
    if found is None or found[2] is None:
        return f"{count:,} {noun}s"
    rest = found[3]
    if found[2] == "that":
        rest = re.sub("^ is ", " are ", re.sub("^ was ", " were ", rest))
    return f"{count:,} {found[1]}s {found[2]}{rest}"


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\"}


def with_article(quoted: str) -> str:
    """A noun that begins with a quotation mark, or a backtick, after its article: an `order`, a `user`."""
    word = quoted[1:].lower()
    vowel = word.startswith(tuple("aeio")) or word.startswith(("un", "up"))
    return f"an {quoted}" if vowel and not word.startswith(("uni", "one", "eu")) else f"a {quoted}"


def printable(text: str, limit: int = 0) -> str:
    """``text`` on one line, with nothing that a terminal would obey, cut to ``limit`` characters (0: whole).

    What comes from the wire is somebody else's: escape sequences, bidirectional overrides, zero-width and
    unassigned characters are spelled out (``\\x1b``, ``\\u202e``).
    """
    cut = 0 < limit < len(text)
    if cut:
        text = text[: limit - 1]
    if not (text.isascii() and text.isprintable()):
        text = "".join(c if c.isprintable() and not _stacks(c) else _escape(c) for c in text)
        cut = cut or 0 < limit < len(text)
    # Escapes are longer than what they spell, so the limit holds only when it is applied once more.
    return text[: limit - 1] + "…" if cut else text


def printable_bytes(data: bytes, limit: int = 60) -> str:
    """The first ``limit`` characters of ``data`` for people: text as it is, other bytes as ``\\xff``."""
    return printable(data[: limit + 1].decode("ascii", "backslashreplace"), limit)


def _stacks(char: str) -> bool:
    # Combining marks pile up on what is before them, over as many lines as there are marks.
    return unicodedata.combining(char) != 0


def _escape(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
