"""Texts, headers and bytes with placeholders for their secrets, the same for the same secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from urllib.parse import quote, unquote

from hangup.recording.redaction.finder import Finder, Span, is_a_name, merged

PLACEHOLDERS = 100_000
"""So many different secrets get a number of their own; later ones are all ``[redacted]``."""

SOUGHT = 256
"""So many secrets are also looked for where nothing says that they are secrets."""

SOUGHT_FROM = 8
"""Secrets shorter than this (characters) are too likely to be ordinary words elsewhere."""


class Vault:
    """Numbers secrets in the order in which they are met, and hides them.

    ``hidden`` counts the places in which one was hidden. A secret that was met once is hidden wherever it stands;
    so one should go over everything twice, to hide it also before its name gave it away.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._finder = Finder(patterns)
        self._numbers: dict[str | bytes, int] = {}
        self._sought: dict[str, None] = {}
        self.hidden = 0
        self.learning = False
        """Whether secrets are only to be met."""

    @property
    def secrets(self) -> int:
        """How many different secrets were met."""
        return len(self._numbers)

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
        return self._seen(text, self._finder.find(text, url=url))

    def _seen(self, text: str, spans: list[Span]) -> list[Span]:
        for start, end, _ in spans:
            self._met(text[start:end])
        if self.learning:
            return []
        known = [secret for secret in self._sought if secret in text]
        return merged(text, [*spans, *_places(text, known)]) if known else spans

    def bytes(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """What to replace in a payload: from where to where (bytes), and by what."""
        try:
            text, codec = data.decode(), "utf-8"
        except UnicodeDecodeError:
            text, codec = data.decode("latin-1"), "latin-1"
        spans = self.spans(text)
        if not spans:
            return []
        self.hidden += len(spans)
        found = []
        at = offset = 0
        for span in spans:
            secret = text[span.start : span.end]
            offset += len(text[at : span.start].encode(codec))
            end = offset + len(secret.encode(codec))
            found.append((offset, end, (span.wrap + self.placeholder(secret) + span.wrap).encode()))
            at, offset = span.end, end
        return found

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
            if len(self._sought) < SOUGHT and len(secret) >= SOUGHT_FROM and not is_a_name(secret):
                for form in _spellings(secret) | {spelled}:
                    self._sought[form] = None
        return number


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
