"""What a word looks like: made by a machine, a key, an id, a hash, a date.

Ids and hashes are random as well, and say which thing is meant; a person needs them to read an exchange. So they are
told from keys by their form where nothing else tells.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

LEAST = 20
"""A key has so many characters, where its looks alone must tell."""

ENTROPY = 3.5
"""Bits for each character: what is random has more, words and repetitions have less."""

_ORDINARY = re.compile(
    r"""(?ix)
    [0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}   # a UUID
    | (?:0x)? [0-9a-f]+ | [\d.,:+\-TZ_/ ]+                             # a hash, a number, a date
    | (?:[a-z]+[_.:/\-])* [a-z]* \d{0,6}                               # words
    | (?:[a-z0-9]{1,12} [_.:/\-~]){2,} [a-z0-9]{0,12}                  # a slug, a path, a host, a version
    """
)
_TOKEN = re.compile(r"(?!/)(?:(?!://)[\w\-.~+/=:|!$@%^*])+", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{32,}")


_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_WEB_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")


def described(secret: str) -> str:
    """What may be told of a secret: its kind, and about how long it is. ``a UUID``, ``digits, up to 8 characters``."""
    if _UUID.fullmatch(secret):
        return "a UUID"
    name = "digits" if secret.isdigit() else "letters" if secret.isalpha() else "text"
    name = "a JSON Web Token" if _WEB_TOKEN.fullmatch(secret) else "hexadecimal" if _HEX.fullmatch(secret) else name
    most = 8
    while most < len(secret):
        most *= 2
    return f"{name}, {f'{most // 2 + 1} to {most}' if most > 8 else 'up to 8'} characters"


def entropy(text: str) -> float:
    """Shannon's, in bits for each character; 0 for nothing."""
    length = len(text)
    return -sum(n / length * log2(n / length) for n in Counter(text).values())


def looks_random(text: str) -> bool:
    """Whether a word looks made by a machine rather than by a person: long, with letters and several digits."""
    return len(text) >= 16 and sum(c.isdigit() for c in text) >= 3 and any(c.isalpha() for c in text)


def is_key(text: str, least_digits: int = 2) -> bool:
    """Whether a word looks like a key by itself: long, random, and no id, hash or date."""
    if not LEAST <= len(text) <= 4096 or not _TOKEN.fullmatch(text):
        return False
    digits = sum(c.isdigit() for c in text)
    if digits < least_digits or not any(c.islower() for c in text) or not any(c.isupper() for c in text):
        return False
    return _ORDINARY.fullmatch(text) is None and entropy(text) >= ENTROPY


def is_credential(text: str) -> bool:
    """Whether a word can be a credential where one is expected: a key, or so long a hexadecimal number."""
    if is_key(text, 1) or _HEX.fullmatch(text) is not None:
        return True
    # All of one case: base32, or a token that some library writes so.
    plain = LEAST <= len(text) <= 4096 and text.isascii() and text.isalnum() and not text.isdigit()
    return plain and sum(c.isdigit() for c in text) >= 3 and _ORDINARY.fullmatch(text) is None
