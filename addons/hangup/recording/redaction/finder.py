"""Where in a text there is what looks like a secret: by its name beside it, or by its own look.

Names: members of JSON (also of JSON within a JSON string, and of Python's dictionaries), parameters of queries and
forms, header lines, and what is told in words. Looks: JSON Web Tokens, ``Bearer …``, the keys of well-known services,
passwords in URLs, and long random words where credentials stand. It is a guess that errs on the side of hiding; a
person's own patterns add to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import regex

from hangup.errors import UsageError
from hangup.recording.redaction import published, spoken
from hangup.recording.redaction.looks import is_credential, is_key, looks_random
from hangup.recording.redaction.names import Meaning, in_query, is_strong, meaning, normal
from hangup.recording.redaction.word_search import any_of


class Span(NamedTuple):
    """A secret: where it stands (characters), and what must surround its placeholder (quotes, for a bare number)."""

    start: int
    end: int
    wrap: str = ""


PLACEHOLDER = re.compile(r"\[redacted(?:-\d+)?\]")

_SCHEME = re.compile(r"(?i)(?:bearer|basic|digest|negotiate|token|apikey|aws4-hmac-sha256)[ \t]+")

PATIENCE = 1.0
"""Seconds of the processor's time for a person's own pattern and one text."""

# A text without any of these (in lower case) is not looked at closer.
_HINTS = (
    "token key auth sess sid pass secret pwd cred cook jwt bear basic sig otp srf ticket code= pw= eyj :// pin cv ssn "
    "login signin identif grant mnemonic phrase card hmac dsn invite access salt seed webhook private verifier "
    "senha contras parola kennwort wachtwoord conn assertion nonce code sas "
    "sk- pk- rk- sk_ pk_ rk_ ghp_ gho_ ghu_ ghs_ ghr_ akia xox "
    "пароль 密码 密碼 口令 パスワード 비밀번호"
).split()
_HINT = re.compile(any_of(_HINTS))

# Each matches a name and what separates it from its value. The value is not part of the match, so that names within
# a value that is no secret are found too; and each begins at a boundary, so that hostile text costs linear time.
_MEMBER = re.compile(r"""(?<!\\)(\\*)(["'])([\w .:@$\[\]-]{1,96})\1\2\s{0,16}:\s{0,16}""")
_PARAMETER = re.compile(r"(?<![\w.\-\[\]])([\w.\-\[\]]{1,64})=")
_URL_PARAMETER = re.compile(r"(?<![^?&;/])([^=&?;/#\s]{1,64})=")
_ENCODED = re.compile(r"(?:%3[fF]|%26|(?<![\w.\-]))([\w.\-]{1,64})%3[dD]")
_LINE = re.compile(r"(?<![\w\-])([A-Za-z][\w\-]{1,64})[ \t]{0,16}:[ \t]{0,16}")

_PARAMETER_VALUE = re.compile(r"[^\s&\"'<>\\#]+")
_URL_VALUE = re.compile(r"[^&#\s]+")
_ENCODED_VALUE = re.compile(r"[^\s&%\"'<>\\#]+")
_REST_OF_LINE = re.compile(r"[^\r\n\"'<>\\]+")
_SENTENCE = re.compile(r"`|[a-z]{1,12},? [a-z]")
_WORD = re.compile(r"[^\s\"'<>\\]+")
_NUMBER = re.compile(r"-?\d[\d.eE+\-]*")
_INNER = re.compile(r"""(?<!\\)(\\*)["']|[\[\]{}]|-?\d[\d.eE+\-]*""")
_COLON = re.compile(r"\s*:")
_RUN = re.compile(r"[\w\-.]+")
_SEGMENT = re.compile(r"[^/\s]+")
_TRACES = tuple("id ids trace traceparent etag match hash digest checksum version build rev".split())
"""A name that ends so is of something random that is no secret."""

PATH_LEAST = 32
"""Characters of a random word in a path from which on it is taken for a secret."""

_LOOKS = [
    re.compile(r"(?i)(?<=\bbearer )[\w\-.~+/]{8,}=*"),
    re.compile(r"(?i)(?<=\bbasic )(?=[A-Za-z+/]*[\d=])[\w+/]{8,}=*"),
    re.compile(r"\b(?:[spr]k[-_](?:live|test|proj|ant|or)?[\w\-]{16,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16}\b)"),
    re.compile(r"\bxox[a-z]-[\w\-]{10,}"),
    re.compile(r"(?<=://)[^/\s:@\"']*:([^/\s@\"']+)(?=@)"),
]
_SPOKEN_BEFORE = re.compile(r"(?i)(?:bearer|token|auth(?:orization)?|api-?key|access_token|jwt|session)")
_SEPARATED = re.compile(
    r"(?i)(?:^|.*[._~\-])(?:bearer(?:\.authorization\.k8s\.io)?|token|api-?key|authorization|jwt|secret)[._~=:]"
)


class Finder:
    """Finds secrets. ``patterns`` are a person's own regular expressions: all of a match is a secret, or its first
    group if it has one. Raises :class:`~hangup.errors.UsageError` for a wrong one."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._own: list[Any] = []
        for pattern in patterns:
            try:
                self._own.append(regex.compile(pattern, regex.VERSION0))
            except (regex.error, RecursionError, OverflowError, ValueError) as error:
                raise UsageError(f"{pattern!r} is not a regular expression: {error}") from None

    def find(self, text: str, *, url: bool = False) -> list[Span]:
        """The secrets in a text, in order, without overlaps. With ``url`` the text is a URL or a request's target.
        Raises :class:`~hangup.errors.UsageError` for a pattern of a person's own that comes to no end."""
        spans = [Span(*found) for found in published.rules().find(text)]
        for pattern in self._own:
            spans.extend(_own(pattern, text))
        if url:
            spans.extend(_segments(text))
        if url or _HINT.search(text.lower()):
            spans.extend(_members(text))
            spans.extend(_parameters(text, url))
            spans.extend(_lines(text))
            spans.extend(_web_tokens(text))
            for told in (spoken.told, spoken.commands, spoken.logins):
                spans.extend(Span(*found) for found in told(text))
            for look in _LOOKS:
                spans.extend(Span(*found.span(look.groups)) for found in look.finditer(text))
        return merged(text, spans) if spans else spans

    def find_in_header(self, name: str, value: str) -> list[Span]:
        """The secrets in a header's value."""
        key = normal(name)
        spans = self.find(value)
        if key in ("cookie", "setcookie"):
            pairs = value.split(";")[:1] if key == "setcookie" else value.split(";")
            at = 0
            for pair in pairs:
                equals = pair.find("=") + 1
                spans.append(_trimmed(value, at + equals, at + len(pair)))
                at += len(pair) + 1
        elif key == "secwebsocketprotocol":
            spans += _protocols(value)
        elif not key.startswith(("secwebsocket", "accesscontrol")):
            said = meaning(name[2:] if name.lower().startswith("x-") else name)
            scheme = _SCHEME.match(value)
            start = scheme.end() if scheme else 0
            plain = said is Meaning.NOTHING and key.startswith("x") and not key.endswith(_TRACES)
            if said in (Meaning.SECRET, Meaning.HELD) or _may_be(said, value[start:].strip()):
                spans.append(_trimmed(value, start, len(value)))
            elif plain and is_key(value.strip()):
                spans.append(_trimmed(value, 0, len(value)))
        return merged(value, spans)


def merged(text: str, spans: Iterable[Span]) -> list[Span]:
    """In order; those that touch one another in one; without empty ones and what is a placeholder already."""
    result: list[Span] = []
    for span in sorted(spans):
        start, end, wrap = span
        done = PLACEHOLDER.match(text, start)
        if start >= end or (done is not None and done.end() >= end):
            continue
        if result and start < result[-1].end:
            last = result[-1]
            if end > last.end:
                result[-1] = Span(last.start, end)
            elif (start, end) == last[:2]:
                result[-1] = Span(start, end, last.wrap or wrap)
            continue
        result.append(Span(start, end, wrap))
    return result


def _own(pattern: Any, text: str) -> Iterator[Span]:
    try:
        for found in pattern.finditer(text, timeout=PATIENCE):
            yield Span(*found.span(1 if pattern.groups and found[1] is not None else 0))
    except TimeoutError:
        raise UsageError(f"searching for {pattern.pattern!r} takes far too long") from None


def _may_be(said: Meaning, value: str) -> bool:
    """Whether the value is a secret, of a name that says that it may be one."""
    if said is Meaning.RANDOM:
        return is_credential(value)
    return said is Meaning.DIGITS and value.isdigit() and 4 <= len(value) <= 12


def _members(text: str) -> Iterator[Span]:
    done = {said: 0 for said in Meaning}
    for found in _MEMBER.finditer(text):
        said = meaning(found[3])
        if said is not Meaning.NOTHING and found.start() >= done[said]:
            # `max_tokens` is a count
            numbers = not normal(found[3]).endswith("s")
            spans, done[said] = _value(text, found.end(), found[1] + found[2], said, numbers)
            yield from spans


def _value(text: str, at: int, quote: str, said: Meaning, numbers: bool) -> tuple[list[Span], int]:
    """The secrets in the JSON value at ``at``, and where it ends. ``quote`` is a quotation mark as it is in this JSON,
    with as many backslashes before it as the level of nesting needs."""
    sure = said in (Meaning.SECRET, Meaning.HELD)
    if text.startswith(quote, at):
        start = at + len(quote)
        end = _string_end(text, start, quote)
        return [Span(start, end)] if sure or _may_be(said, text[start:end]) else [], end
    if number := _NUMBER.match(text, at):
        hidden = (sure and numbers) or _may_be(said, number[0])
        return [Span(*number.span(), quote)] if hidden else [], number.end()
    if sure and text[at : at + 1] in ("[", "{"):
        return _container(text, at, quote, said is Meaning.SECRET, numbers)
    return [], at


def _container(text: str, at: int, quote: str, strong: bool, numbers: bool) -> tuple[list[Span], int]:
    """Everything in what has a strong name is a secret; in what has a weak one, only what looks like it."""
    spans: list[Span] = []
    depth = 0
    while found := _INNER.search(text, at):
        at = found.end()
        token = found[0]
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
            if depth <= 0:
                return spans, at
        elif token[-1] not in "\"'":
            if strong and numbers:
                spans.append(Span(*found.span(), quote))
        elif token == quote:
            end = _string_end(text, at, quote)
            after = min(end + len(quote), len(text))
            if not _COLON.match(text, after) and (strong or looks_random(text[at:end])):
                spans.append(Span(at, end))
            at = after
    return spans, len(text)


def _string_end(text: str, at: int, quote: str) -> int:
    """Where the string that begins at ``at`` ends: before its closing quote, or with the text.

    A quote that stands for itself has twice as many backslashes before it, and one; so on each level of nesting the
    closing one is told by their number.
    """
    mark, level = quote[-1], len(quote) - 1
    period = 2 * (level + 1)
    while (found := text.find(mark, at)) >= 0:
        slashes = found - at - len(text[at:found].rstrip("\\"))
        if slashes % period == level or slashes < level:
            return found - min(slashes, level)
        at = found + 1
    return len(text)


def _parameters(text: str, url: bool) -> Iterator[Span]:
    names, values = (_URL_PARAMETER, _URL_VALUE) if url else (_PARAMETER, _PARAMETER_VALUE)
    done = 0
    for found in names.finditer(text):
        if found.start() < done or not (value := values.match(text, found.end())):
            continue
        said = meaning(found[1])
        queried = url or text[max(found.start() - 1, 0) : found.start()] in ("?", "&")
        sure = said is Meaning.SECRET or (queried and in_query(found[1]))
        unnamed = url and said is Meaning.NOTHING and not normal(found[1]).endswith(_TRACES) and is_key(value[0])
        if sure or unnamed or _may_be(said, value[0]):
            done = value.end()
            yield Span(*value.span()) if url else _trimmed(text, *value.span())
    if "%3" not in text:
        return
    for found in _ENCODED.finditer(text):
        if is_strong(found[1]) or in_query(found[1]):
            if value := _ENCODED_VALUE.match(text, found.end()):
                yield Span(*value.span())


def _segments(target: str) -> Iterator[Span]:
    """Words in a path that give access to whoever knows them: longer than ids are."""
    for found in _SEGMENT.finditer(target.partition("?")[0]):
        if len(found[0]) >= PATH_LEAST and is_key(found[0]):
            yield Span(*found.span())


def _lines(text: str) -> Iterator[Span]:
    done = 0
    for found in _LINE.finditer(text):
        if found.start() < done or not is_strong(found[1]):
            continue
        name = normal(found[1])
        start = found.end()
        if scheme := _SCHEME.match(text, start):
            start = scheme.end()
        at_start = not found.start() or text[found.start() - 1] in "\r\n"
        header = at_start or name in ("authorization", "proxyauthorization", "cookie", "setcookie")
        if not header and text[max(0, found.start() - 11) : found.start()].lower() == "unexpected ":
            continue  # what a parser of JSON says
        if not header and "pass" not in name and _SENTENCE.match(text, start):
            continue  # a sentence that goes on: `fresh token: it stays open`
        if value := (_REST_OF_LINE if header else _WORD).match(text, start):
            done = value.end()
            yield _trimmed(text, *value.span())


def _web_tokens(text: str) -> Iterator[Span]:
    """JSON Web Tokens: base64 of ``{"``, and dots."""
    if "eyJ" not in text:
        return
    for run in _RUN.finditer(text):
        start = run[0].find("eyJ")
        if start < 0:
            continue
        parts = run[0][start:].split(".", 2)
        if len(parts) > 1 and len(parts[0]) >= 8 and len(parts[1]) >= 5:
            yield _trimmed(text, run.start() + start, run.end())


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without the spaces around it, and the punctuation of a sentence that goes on."""
    while start < end and text[start] in " \t":
        start += 1
    while start < end and text[end - 1] in " \t,;)]}.":
        end -= 1
    return Span(start, end)


def _protocols(value: str) -> Iterator[Span]:
    """Subprotocols that are credentials: a page cannot set headers, so tokens are smuggled in here."""
    at = 0
    before = ""
    for item in value.split(","):
        span = _trimmed(value, at, at + len(item))
        name = value[span.start : span.end]
        if named := _SEPARATED.match(name):
            yield Span(span.start + named.end(), span.end)
        elif _SPOKEN_BEFORE.fullmatch(before) or looks_random(name):
            yield span
        before = name
        at += len(item) + 1
