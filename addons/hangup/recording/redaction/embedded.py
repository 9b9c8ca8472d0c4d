"""What is packed into a text or a payload, so that it can be looked into: base64, percent-encoding, gzip, zlib; and the
fields of binary formats, in which no quotation mark says where a value ends."""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Iterator

from msgspec import Struct

from hangup.recording.redaction.names import is_strong

LARGEST = 4 << 20
"""Bytes to which something is unpacked to be looked into."""

GZIP = b"\x1f\x8b\x08"

OPAQUE = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\xfd7zXZ\x00", b"BZh")
"""How payloads begin that are packed in a way that is not looked into here: zstd, LZ4, xz, bzip2."""

_BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_\-]{16,}={0,2}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F\-]+|[a-z_\-]+|[A-Z_\-]+|\d+")
_PERCENT = re.compile(r"[\w%.\-~+*!/:,@();$]{9,}+")
_OCTET = re.compile(r"%([0-9a-fA-F]{2})")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PRINTABLE = re.compile(r"[ -~]{14,}")
_CBOR_HEAD = re.compile("[n-w]")
_FIELD = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credentials?"
    r"|cookie|jwt|bearer|otp|signature|session[_-]?id|sid|csrf)"
)


class Unpacked(Struct):
    """A place in a text (``start`` to ``end``, characters), and what is packed there. ``places`` say of each of its
    characters, and of its end, where it stands, if that can be told."""

    start: int
    end: int
    text: str
    places: list[int] = []


def unpacked(text: str) -> Iterator[Unpacked]:
    """All that is packed into a text and is text again."""
    for run in _BASE64.finditer(text):
        inner = None if _HEXADECIMAL.fullmatch(run[0]) else _of_base64(run[0])
        if inner:
            yield Unpacked(*run.span(), inner)
    if text.count("%") > 1:
        for run in _PERCENT.finditer(text):
            if run[0].count("%") > 1:
                yield Unpacked(*run.span(), *_of_percents(run[0], run.start()))


def _of_percents(word: str, start: int) -> tuple[str, list[int]]:
    """Percent-encoding undone, a character for each octet, and where each stands."""
    chars: list[str] = []
    places: list[int] = []
    at = 0
    while at < len(word):
        places.append(start + at)
        found = _OCTET.match(word, at)
        chars.append(chr(int(found[1], 16)) if found else word[at])
        at = found.end() if found else at + 1
    return "".join(chars), [*places, start + len(word)]


def _of_base64(word: str) -> str | None:
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        start = binascii.a2b_base64(plain[:64] + "=" * (-len(plain[:64]) % 4))
        if not _may_be_text(start) and not is_packed(start):
            return None  # an image, say
        data = binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
    except ValueError:
        return None
    if is_packed(data):
        data = inflated(data) or b""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if _may_be_text(data[:4096]) else None


def _may_be_text(data: bytes) -> bool:
    """Whether (the beginning of) something is text: no control characters, and well-formed but for its end."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return False
        text = data[: error.start].decode()
    return bool(text) and all(char.isprintable() or char in "\r\n\t" for char in text)


def is_packed(data: bytes) -> bool:
    """Whether a payload begins as gzip or zlib does; ``x^2`` may also be a text."""
    return data[:3] == GZIP or (len(data) > 8 and data[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"))


def inflated(data: bytes) -> bytes | None:
    """What is in gzip or zlib data; None when it is neither, or too large to be looked into. What is cut off counts."""
    reader = zlib.decompressobj(wbits=47)
    try:
        found = reader.decompress(data, LARGEST)
    except zlib.error:
        return None
    return None if reader.unconsumed_tail else found


def deflated(data: bytes, like: bytes) -> bytes:
    """The data packed as ``like`` is."""
    writer = zlib.compressobj(6, zlib.DEFLATED, 31 if like[:1] == b"\x1f" else 15)
    return writer.compress(data) + writer.flush()


def is_binary(data: bytes) -> bool:
    """Whether a payload has bytes that no text has."""
    if _CONTROLS.search(data):
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def strings(text: str) -> Iterator[tuple[int, str]]:
    """The strings of a binary payload, and where each begins. ``text`` has a character for each byte. The byte before a
    string may be its length, and look like a letter."""
    for run in _PRINTABLE.finditer(text):
        length = ord(run[0][0])
        yield run.start(), run[0]
        yield run.start() + 1, run[0][1 : 1 + length]
        # In CBOR the byte before a string of 14 to 23 characters is a letter.
        for head in _CBOR_HEAD.finditer(run[0]):
            yield run.start() + head.end(), run[0][head.end() : head.end() + (ord(head[0]) & 0x1F)]


def fields(text: str) -> Iterator[tuple[int, int]]:
    """The values of secret fields in MessagePack, CBOR and BSON. ``text`` has a character for each byte."""
    for found in _FIELD.finditer(text):
        end = found.end()
        for start in range(found.start(), max(-1, found.start() - 32), -1):
            if not (text[start].isascii() and (text[start].isalnum() or text[start] in "_-.")):
                break
            value = _value_after(text, start, end)
            if value is not None and (start == found.start() or is_strong(text[start:end])):
                yield value
                break


def _value_after(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the value of the field is whose name stands there; None when it is no field's name."""
    length, head = end - start, ord(text[start - 1]) if start else -1
    two = ord(text[start - 2]) if start > 1 else -1
    if head == 2 and text[end : end + 1] == "\0":  # BSON: a string's type, the name, its end, four bytes of length
        size = int.from_bytes(text[end + 1 : end + 5].encode("latin-1", "replace"), "little")
        return (end + 5, end + 4 + size) if 0 < size <= len(text) - end - 4 else None
    packed = head == 0xA0 | length if length < 32 else False
    if packed or (two == 0xD9 and head == length):
        return _sized(text, end, (0xA0, 0xBF, 0x1F), ((0xD9, 1), (0xC4, 1), (0xDA, 2), (0xC5, 2)))
    if (length < 24 and head == 0x60 | length) or (two == 0x78 and head == length):
        tables = ((0x78, 1), (0x58, 1), (0x79, 2), (0x59, 2))
        return _sized(text, end, (0x60, 0x77, 0x1F), tables) or _sized(text, end, (0x40, 0x57, 0x1F), ())
    return None


def _sized(
    text: str, at: int, short: tuple[int, int, int], long: tuple[tuple[int, int], ...]
) -> tuple[int, int] | None:
    head = ord(text[at]) if at < len(text) else -1
    if short[0] <= head <= short[1]:
        start, size = at + 1, head & short[2]
    else:
        width = dict(long).get(head)
        if width is None:
            return None
        start = at + 1 + width
        size = int.from_bytes(text[at + 1 : start].encode("latin-1", "replace"))
    return (start, start + size) if 0 < size <= len(text) - start else None
