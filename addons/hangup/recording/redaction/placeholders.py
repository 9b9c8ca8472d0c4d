"""Texts, headers and bytes with placeholders for their secrets, the same for the same secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from urllib.parse import quote, unquote

from hangup.recording.redaction import embedded
from hangup.recording.redaction.finder import Finder, Span, merged
from hangup.recording.redaction.looks import described
from hangup.recording.redaction.names import is_a_name
from hangup.recording.redaction.replacing import Replacement, replaced
from hangup.recording.redaction.word_search import any_of

PLACEHOLDERS = 100_000
"""So many different secrets get a number of their own; later ones are all ``[redacted]``."""

SOUGHT = 256
"""So many secrets are also looked for where nothing says that they are secrets."""

SOUGHT_FROM = 8
"""Secrets shorter than this (characters) are too likely to be ordinary words elsewhere."""


MIXED_FROM = 6
"""The same, of letters and digits."""

UNSEARCHED = 48
"""So many secrets are looked for one by one before a new pattern is made that finds them all."""

DESCRIBED = 20
"""So many placeholders are explained."""

PIECE = 8
"""Characters of a secret that tell it, where only a piece of it stands."""

STREAMED = b"\x00\x00\xff\xff"
"""How a message ends that is a part of one compressed stream: it cannot be read without those before it."""

_NUMBERED = re.compile(r"\[redacted-\d+\]")

LEFT_OUT = b"[left out: packed in a way that cannot be looked into]"


class Vault:
    """Numbers secrets in the order in which they are met, and hides them.

    ``hidden`` counts the places in which one was hidden. A secret that was met once is hidden wherever it stands;
    so one should go over everything twice, to hide it also before its name gave it away.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._finder = Finder(patterns)
        self._numbers: dict[str | bytes, int] = {}
        self._described: list[str] = []
        self._sought: dict[str, None] = {}
        self._search: re.Pattern[str] | None = None
        self._searched = 0
        """So many of those that are sought the pattern finds."""
        self._cut: tuple[int, frozenset[str]] | None = None
        self.hidden = 0
        self.left_out = 0
        """How many payloads are packed so that they could not be looked into."""
        self.learning = False
        """Whether secrets are only to be met."""

    @property
    def secrets(self) -> int:
        """How many different secrets were met."""
        return len(self._numbers)

    @property
    def legend(self) -> str:
        """What the first placeholders stand for: of what kind each secret is, and about how long."""
        return "; ".join(self._described)

    def text(self, text: str, *, url: bool = False) -> str:
        """The text with placeholders for its secrets."""
        spans = self.spans(text, url=url)
        return self._applied(text, spans) if spans else text

    def header(self, name: str, value: str) -> str:
        """A header's value with placeholders for its secrets."""
        spans = self._seen(value, self._finder.find_in_header(name, value))
        return self._applied(value, spans) if spans else value

    def spans(self, text: str, *, url: bool = False) -> list[Span]:
        """Where secrets are in a text; nowhere as long as one only learns."""
        return self._seen(text, self._finder.find(text, url=url)) if text else []

    def excerpt(self, text: str) -> str:
        """The text with placeholders for its secrets, and for pieces of secrets that were met: what an experiment has
        cut a message down to may hold half of one. For short texts."""
        text = self.text(text)
        pieces = self._pieces()
        spans: list[Span] = []
        for start in range(len(text) - PIECE + 1):
            if text[start : start + PIECE] in pieces:
                if spans and start <= spans[-1].end:
                    spans[-1] = Span(spans[-1].start, start + PIECE)
                else:
                    spans.append(Span(start, start + PIECE))
        return self._applied(text, merged(text, spans))

    def shown(self, payload: bytes) -> str:
        """A payload as text to be read, as :meth:`excerpt` has it; what is no UTF-8 as ``\\xff``."""
        return self.excerpt(replaced(payload, 0, self.payload(payload)).decode(errors="backslashreplace"))

    def _pieces(self) -> frozenset[str]:
        if self._cut is None or self._cut[0] != len(self._sought):
            every = {s[i : i + PIECE] for s in self._sought for i in range(len(s) - PIECE + 1)}
            # Words are no secrets, and may well be names of fields.
            self._cut = len(self._sought), frozenset(piece for piece in every if not piece.isalpha())
        return self._cut[1]

    def _seen(self, text: str, spans: list[Span]) -> list[Span]:
        for start, end, _ in spans:
            self._met(text[start:end])
        packed = list(self._packed_spans(text))
        for start, end, _ in packed:
            self._met(text[start:end])
        if self.learning:
            return []
        known = self._known(text)
        return merged(text, [*spans, *packed, *_places(text, known)]) if known or packed else spans

    def _known(self, text: str) -> list[str]:
        """The secrets of those that were met that stand in a text."""
        if len(self._sought) - self._searched > UNSEARCHED:
            self._search = re.compile(any_of(self._sought))
            self._searched = len(self._sought)
        if self._search is not None and self._search.search(text):
            return [secret for secret in self._sought if secret in text]
        return [secret for secret in islice(self._sought, self._searched, None) if secret in text]

    def _packed_spans(self, text: str) -> Iterator[Span]:
        for each in embedded.unpacked(text):
            if each.places:
                for start, end, _ in self._finder.find(each.text):
                    yield Span(each.places[start], each.places[end])
            elif self._holds_secret(each.text):
                yield Span(each.start, each.end)

    def _holds_secret(self, text: str, depth: int = 2) -> bool:
        """Whether there is a secret in what was unpacked, or in what is packed in that again."""
        found = self._finder.find(text)
        for start, end, _ in found:
            self._met(text[start:end])
        if found or self._known(text):
            return True
        return depth > 0 and any(self._holds_secret(each.text, depth - 1) for each in embedded.unpacked(text))

    def payload(self, data: bytes) -> list[Replacement]:
        """What to replace in a payload: from where to where (bytes), and by what."""
        if embedded.is_packed(data):
            inner = embedded.inflated(data)
            if inner is not None:
                return self._packed(data, inner)
        if data.startswith((embedded.GZIP, *embedded.OPAQUE)) or (len(data) > 4 and data.endswith(STREAMED)):
            return self._left_out(data)
        text, codec = _decoded(data)
        found = []
        at = offset = 0
        spans = self.spans(text)
        for span in spans:
            secret = text[span.start : span.end]
            offset += len(text[at : span.start].encode(codec))
            end = offset + len(secret.encode(codec))
            mark = span.wrap + self.placeholder(secret) + span.wrap
            found.append((offset, end, mark.encode(codec)))
            at, offset = span.end, end
        found = _apart([*found, *self._fields(data)])
        self.hidden += len(found)
        return found

    def _fields(self, data: bytes) -> Iterator[Replacement]:
        """In binary formats a value's length stands before it, so that what takes its place is as long."""
        if not embedded.is_binary(data):
            return
        text = data.decode("latin-1")
        places = list(embedded.fields(text))
        for begin, string in embedded.strings(text):
            places += [(begin + start, begin + end) for start, end, _ in self._finder.find(string)]
        for start, end in places:
            self._met(text[start:end])
            if not self.learning:
                yield start, end, self.placeholder(text[start:end])[: end - start].ljust(end - start, "*").encode()

    def _packed(self, data: bytes, inner: bytes) -> list[Replacement]:
        """A payload that the application compressed by itself, with what is in it redacted."""
        found = self.payload(inner)
        return [(0, len(data), embedded.deflated(replaced(inner, 0, found), data))] if found else []

    def _left_out(self, data: bytes) -> list[Replacement]:
        """A payload that cannot be looked into, as it is packed in another way, or refers back to earlier ones."""
        if self.learning or data.startswith(LEFT_OUT):
            return []
        self.left_out += 1
        return [(0, len(data), LEFT_OUT)]

    def placeholder(self, secret: str) -> str:
        """What stands for a secret: the same for the same one, however it is spelled."""
        number = self._met(secret)
        return f"[redacted-{number}]" if number else "[redacted]"

    def _applied(self, text: str, spans: list[Span]) -> str:
        parts = []
        at = 0
        for start, end, wrap in spans:
            parts += [text[at:start], wrap, self.placeholder(text[start:end]), wrap]
            at = end
        self.hidden += len(spans)
        return "".join(parts) + text[at:]

    def _met(self, spelled: str) -> int:
        secret = _plain(spelled)
        # A hash, so that a recording of a million long tokens does not have to be held.
        key = secret if len(secret) <= 32 else blake2b(secret.encode(errors="replace"), digest_size=16).digest()
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= PLACEHOLDERS:
                return 0
            number = self._numbers[key] = len(self._numbers) + 1
            if number <= DESCRIBED:
                self._described.append(f"[redacted-{number}]: {described(secret)}")
            if len(self._sought) < SOUGHT and _tells(secret) and not is_a_name(secret):
                for form in _spellings(secret) | {spelled}:
                    self._sought[form] = None
        return number


def _tells(secret: str) -> bool:
    """Whether a secret is not too likely to be an ordinary word elsewhere."""
    mixed = any(char.isdigit() for char in secret) and any(char.isalpha() for char in secret)
    return len(secret) >= (MIXED_FROM if mixed else SOUGHT_FROM)


def _places(text: str, secrets: list[str]) -> Iterator[Span]:
    """Where secrets stand that nothing but themselves gives away."""
    for secret in secrets:
        at = text.find(secret)
        while at >= 0:
            end = at + len(secret)
            before, after = text[max(at - 1, 0) : at], text[end : end + 1]
            bare = secret.isdigit() and before in (":", ",", "[") and after in (",", "]", "}")
            yield Span(at, end, '"' if bare else "")
            at = text.find(secret, end)


def _decoded(data: bytes) -> tuple[str, str]:
    """A payload as text, and in which encoding; in doubt a character for each byte."""
    if b"\0" in data and len(data) % 2 == 0:
        for codec, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
            if zeros.count(0) * 2 > len(zeros):
                try:
                    return data.decode(codec), codec
                except UnicodeDecodeError:
                    continue
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _apart(found: list[Replacement]) -> list[Replacement]:
    """In order; of those that overlap the first and longest."""
    result: list[Replacement] = []
    for each in sorted(found, key=lambda one: (one[0], -one[1])):
        if not result or each[0] >= result[-1][1]:
            result.append(each)
    return result


def _plain(spelled: str) -> str:
    """A secret without the escapes of a URL or of JSON."""
    plain = spelled
    for _ in range(3):
        if "\\" not in plain:
            break
        try:
            plain = json.loads(f'"{plain}"')
        except ValueError:
            break
    return unquote(plain) if "%" in plain else plain


def _spellings(secret: str) -> set[str]:
    """How a secret can be spelled: as it is, in JSON, in JSON within JSON, in a URL, and as UTF-8 seen byte by byte."""
    escaped = json.dumps(secret)[1:-1]
    raw = json.dumps(secret, ensure_ascii=False)[1:-1]
    nested = {json.dumps(form)[1:-1] for form in (escaped, raw)}
    octets = secret.encode(errors="replace").decode("latin-1")
    slashed = escaped.replace("/", "\\/")
    return {secret, escaped, raw, slashed, *nested, quote(secret, safe=""), quote(secret), octets}


def unnumbered(text: str) -> str:
    """The text with ``[redacted]`` for every secret: a number says which one it is within one recording, and would say
    of two recordings that they have the same."""
    return _NUMBERED.sub("[redacted]", text) if "[redacted-" in text else text
