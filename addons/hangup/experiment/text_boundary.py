"""From a text that fails and one that survives to a condition: its length, its form, a word, or a sort of character.

A generator, as :mod:`.boundary`: it yields texts and is sent True where the connection ends with one, False where it
stays open, None where nobody can tell.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Generator, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from hangup.experiment.law import Condition
from hangup.experiment.message_values import Path, named
from hangup.experiment.threshold import threshold

Asking = Generator[Any, bool | None, Condition]

LETTERS = string.ascii_lowercase

WORDS = 12
"""Of a text of more words it is not asked which it is."""

ODD_ONES = 4
"""Characters that are tried alone."""

OTHERS = 2
"""So many others of a sort must fail as well."""


def of_letters(rng: Random, length: int) -> str:
    """A text of so many letters."""
    return "".join(rng.choice(LETTERS) for _ in range(length))


def of_text(path: Path, bad: str, good: str, known: Sequence[Any]) -> Asking:
    rng = Random(repr((bad, good)))
    alike = of_letters(rng, max(len(bad), 1))
    if (yield alike) is not True:
        return (yield from _of_characters(path, bad, good))
    if (yield of_letters(rng, max(len(good), 1))) is True and len(good) > 0:
        if (alike := like(rng, good)) != good and (yield alike) is False:
            return Condition(
                f"{named(path)} has a different form from {good!r}, for example {bad[:60]!r}",
                fails=lambda rng: rng.choice((bad, like(rng, bad))),
                survives=lambda rng: like(rng, good),
            )
        values = {v for v in (good, *known) if isinstance(v, str)}
        few = ", ".join(repr(v) for v in sorted(values)[:4])
        return Condition(
            f"{named(path)} is not one of the values known to be harmless ({few})",
            fails=lambda rng: of_letters(rng, rng.randint(3, 12)),
        )
    more = len(bad) > len(good)
    lengths = [len(v) for v in known if isinstance(v, str)]
    if any(length >= len(bad) if more else length <= len(bad) for length in lengths):  # as long a text does no harm
        return Condition(f"{named(path)} is {bad[:60]!r}", holds=lambda value: value == bad)
    low, high = yield from threshold(len(good), len(bad), lambda middle: of_letters(rng, middle))
    size = f"{high:,} characters or {'more' if more else 'fewer'}" if high else "empty"

    def fails_with(rng: Random) -> str:
        return of_letters(rng, high + (rng.choice((0, 1, max(high, 8))) if more else 0))

    def survives_with(rng: Random) -> str:
        return of_letters(rng, rng.choice((low, rng.randint(min(len(good), low), low))) if more else low)

    return Condition(
        f"{named(path)} has {size}" if high else f"{named(path)} is empty",
        f"{named(path)}: survives {low:,} characters, fails {high:,}",
        fails=fails_with,
        survives=survives_with,
        edge=(of_letters(rng, low), of_letters(rng, high)),
    )


def like(rng: Random, text: str) -> str:
    """A text of the same form: the last digit of each long number in it is another, or of the last number."""
    numbers = [*re.finditer(r"\d{4,}", text)] or [*re.finditer(r"\d+", text)][-1:]
    for number in numbers:
        at = number.end() - 1
        text = text[:at] + rng.choice("0123456789") + text[at + 1 :]
    return text


def _of_characters(path: Path, bad: str, good: str) -> Asking:
    """A text that fails for what is in it: for a sort of character, for a word, or just so."""
    odd = {c for c in bad if not _plain(c)} - set(good)
    if odd and (yield "".join("a" if c in odd else c for c in bad)) is False:
        for one in sorted(odd, key=lambda c: (c.isspace(), c.isascii(), c))[:ODD_ONES]:
            if (yield f"ab{one}cd") is True:
                return (yield from _of_sort(path, one, good))
    words = bad.split()
    if 1 < len(words) <= WORDS:
        for word in sorted(dict.fromkeys(words), key=lambda word: word in good.split()):
            if (yield word) is True:
                return _containing(path, repr(word), [f" {word} "], "")
    return Condition(
        f"{named(path)} is {bad[:60]!r}",
        holds=lambda value: value == bad,
        survives=lambda rng: rng.choice((good, of_letters(rng, max(len(bad), 1))))
    )


class _Sort(Struct, frozen=True):
    """A sort of characters: what it is called, whether one is of it, and some that are."""

    words: str
    has: Callable[[str], bool]
    some: str


def _plain(one: str) -> bool:
    return one.isascii() and one.isalnum()


def _in_charset(one: str, charset: str) -> bool:
    try:
        one.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


_SORTS = (
    _Sort("a character that is no ASCII letter or digit", lambda c: not _plain(c), "-_.:/ é"),
    _Sort("a character that is not ASCII", lambda c: not c.isascii(), "éüñß"),
    _Sort("a character that Latin-1 does not have", lambda c: not _in_charset(c, "latin-1"), "€œ\u201c\u2026"),
    _Sort("a character that Windows-1252 does not have", lambda c: not _in_charset(c, "cp1252"), "\u0142Ω\u0416中"),
    _Sort(
        "a character outside the Basic Multilingual Plane, such as an emoji",
        lambda c: ord(c) > 0xFFFF,
        "\U0001f600\U0001f680\U0001d54f\U00020000",
    ),
    _Sort(
        "half of a surrogate pair, such as an emoji that was cut",
        lambda c: 0xD800 <= ord(c) <= 0xDFFF,
        "\ud83d\udc00\ud800\udfff",
    ),
    _Sort("a control character", lambda c: ord(c) < 32 or ord(c) == 127, "\x01\x1b\t\n"),
    _Sort("white space", str.isspace, " \t\n"),
    _Sort("a line break", lambda c: c in "\r\n", "\n\r"),
    _Sort("a quotation mark or apostrophe", lambda c: c in "'\"", "'\""),
    _Sort("an angle bracket or ampersand", lambda c: c in "<>&", "<>&"),
    _Sort("a slash or backslash", lambda c: c in "/\\", "/\\"),
)
"""The sorts of characters that programs handle otherwise, each before those that are a part of it."""


def _of_sort(path: Path, one: str, good: str) -> Asking:
    """Of which sort the characters are that fail as ``one`` does: the widest of which others fail as well. What is
    known or seen to survive of a wider sort is what the law must keep apart."""
    stays = "".join(c for c in good if not _plain(c))
    for sort in (sort for sort in _SORTS if sort.has(one)):
        if any(sort.has(c) for c in stays):
            continue
        # Those that a narrower sort has as well say nothing of this one.
        within = [other for other in _SORTS if other is not sort and other.has(one) and not _wider(other, sort)]
        others = [c for c in sort.some if c != one]
        able = [c for c in others if not any(other.has(c) for other in within)] or others
        told = False
        for other in able[:OTHERS]:
            told = (yield f"ab{other}cd") is True
            if not told:
                stays += other
                break
        if told:
            return _containing(path, sort.words, [*sort.some, one], stays)
    return _containing(path, repr(one), [one], stays)


def _wider(one: _Sort, other: _Sort) -> bool:
    """Whether all of the ``other`` sort that are looked at are of this ``one`` as well."""
    return all(one.has(c) for c in other.some)


def _containing(path: Path, what: str, ones: Sequence[str], harmless: str) -> Condition:
    """That a text contains one of these; ``harmless`` are characters that do no harm."""

    def around(rng: Random, middle: str) -> str:
        return of_letters(rng, rng.randint(1, 6)) + middle + of_letters(rng, rng.randint(1, 6))

    return Condition(
        f"{named(path)} contains {what}",
        fails=lambda rng: around(rng, rng.choice(ones)),
        survives=lambda rng: around(rng, rng.choice(harmless) if harmless and rng.random() < 0.6 else ""),
    )
