"""Where in a text there is what looks like a secret: by its name beside it, or by its own look.

Names: members of JSON (also of JSON within a JSON string, and of Python's dictionaries), parameters of queries and
forms, header lines. Looks: JSON Web Tokens, ``Bearer …``, the keys of well-known services, passwords in URLs. It is a
guess that errs on the side of hiding; a person's own patterns add to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hangup.errors import UsageError


class Span(NamedTuple):
    """A secret: where it stands (characters), and what must surround its placeholder (quotes, for a bare number)."""

    start: int
    end: int
    wrap: str = ""


PLACEHOLDER = re.compile(r"\[redacted(?:-\d+)?\]")

_STRONG = tuple(
    "password passwd pwd passphrase passcode secret token apikey accesskey secretkey privatekey authkey authorization "
    "credential cookie jwt bearer csrf xsrf otp signature".split()
)
_WEAK = frozenset("session sessionid sessionkey sid sessid phpsessid jsessionid connectsid auth sig".split())
_QUERY = _WEAK | frozenset("key code ticket pass pw".split())
_NAMES = frozenset(_STRONG) | _QUERY
_SCHEME = re.compile(r"(?i)(?:bearer|basic|digest|negotiate|token|apikey|aws4-hmac-sha256)[ \t]+")

# A text without any of these (in lower case) is not looked at closer; plain searches are far quicker than a pattern.
_HINTS = (
    "token key auth sess sid pass secret pwd cred cook jwt bear basic sig otp srf ticket code= pw= eyj :// "
    "sk- pk- rk- sk_ pk_ rk_ ghp_ gho_ ghu_ ghs_ ghr_ akia xox"
).split()

# Each matches a name and what separates it from its value. The value is not part of the match, so that names within
# a value that is no secret are found too; and each begins at a boundary, so that hostile text costs linear time.
_MEMBER = re.compile(
    r"""(?<!\\)(\\*)(["'])([\w .:\[\]-]{0,64}?(?:passw|passph|passc|pwd|secret|token|key|auth|credential|
    cookie|sess|sid|jwt|bearer|sig|otp|csrf|xsrf)[\w .:\[\]-]{0,64})\1\2\s{0,16}:\s{0,16}""",
    re.IGNORECASE | re.VERBOSE,
)
_PARAMETER = re.compile(r"(?<![\w.\-\[\]])([\w.\-\[\]]{1,64})=")
_URL_PARAMETER = re.compile(r"(?<![^?&;/])([^=&?;/#\s]{1,64})=")
_ENCODED = re.compile(r"(?:%3[fF]|%26|(?<![\w.\-]))([\w.\-]{1,64})%3[dD]")
_LINE = re.compile(r"(?<![\w\-])([A-Za-z][\w\-]{1,64})[ \t]{0,16}:[ \t]{0,16}")

_PARAMETER_VALUE = re.compile(r"[^\s&\"'<>\\#]+")
_URL_VALUE = re.compile(r"[^&#\s]+")
_ENCODED_VALUE = re.compile(r"[^\s&%\"'<>\\#]+")
_REST_OF_LINE = re.compile(r"[^\r\n\"'<>\\]+")
_WORD = re.compile(r"[^\s\"'<>\\]+")
_NUMBER = re.compile(r"-?\d[\d.eE+\-]*")
_INNER = re.compile(r"""(?<!\\)(\\*)["']|[\[\]{}]|-?\d[\d.eE+\-]*""")
_COLON = re.compile(r"\s*:")
_RUN = re.compile(r"[\w\-.]+")
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


def _has_hint(text: str) -> bool:
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            return True
    return False


def normal(name: str) -> str:
    """``Access-Token``, ``access_token`` and ``accessToken`` are one name."""
    return "".join(char for char in name.lower() if char.isalnum())


def is_strong(name: str) -> bool:
    """Whether a (normal) name says that its value is a secret."""
    return name.removesuffix("s").endswith(_STRONG) or name.startswith("password")


def is_a_name(text: str) -> bool:
    """Whether a text is itself one of the names that give secrets away: hiding it everywhere would hide the names."""
    return normal(text) in _NAMES


def looks_random(text: str) -> bool:
    """Whether a word looks made by a machine rather than by a person: long, with letters and several digits."""
    return len(text) >= 16 and sum(c.isdigit() for c in text) >= 3 and any(c.isalpha() for c in text)


class Finder:
    """Finds secrets. ``patterns`` are a person's own regular expressions: all of a match is a secret, or its first
    group if it has one. Raises :class:`~hangup.errors.UsageError` for a wrong one."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._own: list[re.Pattern[str]] = []
        for pattern in patterns:
            try:
                self._own.append(re.compile(pattern))
            except (re.error, RecursionError, OverflowError) as error:
                raise UsageError(f"{pattern!r} is not a regular expression: {error}") from None

    def find(self, text: str, *, url: bool = False) -> list[Span]:
        """The secrets in a text, in order, without overlaps. With ``url`` the text is a URL or a request's target."""
        spans: list[Span] = []
        for pattern in self._own:
            for found in pattern.finditer(text):
                start, end = found.span(1 if pattern.groups and found[1] is not None else 0)
                spans.append(Span(start, end))
        if _has_hint(text):
            spans.extend(_members(text))
            spans.extend(_parameters(text, url))
            spans.extend(_lines(text))
            spans.extend(_web_tokens(text))
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
        elif is_strong(key) and not key.startswith(("secwebsocket", "accesscontrol")):
            scheme = _SCHEME.match(value)
            spans.append(_trimmed(value, scheme.end() if scheme else 0, len(value)))
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


def _members(text: str) -> Iterator[Span]:
    done = {True: 0, False: 0}
    for found in _MEMBER.finditer(text):
        name = normal(found[3])
        strong = is_strong(name)
        if (strong or name in _WEAK) and found.start() >= done[strong]:
            # `max_tokens` is a count
            spans, done[strong] = _value(text, found.end(), found[1] + found[2], strong, not name.endswith("s"))
            yield from spans


def _value(text: str, at: int, quote: str, strong: bool, numbers: bool) -> tuple[list[Span], int]:
    """The secrets in the JSON value at ``at``, and where it ends. ``quote`` is a quotation mark as it is in this JSON,
    with as many backslashes before it as the level of nesting needs."""
    if text.startswith(quote, at):
        start = at + len(quote)
        end = _string_end(text, start, quote)
        return [Span(start, end)], end
    if number := _NUMBER.match(text, at):
        return [Span(*number.span(), quote)] if numbers else [], number.end()
    if text[at : at + 1] in ("[", "{"):
        return _container(text, at, quote, strong, numbers)
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
        name = normal(found[1])
        queried = url or text[max(found.start() - 1, 0) : found.start()] in ("?", "&")
        if found.start() >= done and (is_strong(name) or (queried and name in _QUERY)):
            if value := values.match(text, found.end()):
                done = value.end()
                yield Span(*value.span()) if url else _trimmed(text, *value.span())
    if "%3" not in text:
        return
    for found in _ENCODED.finditer(text):
        name = normal(found[1])
        if is_strong(name) or name in _QUERY:
            if value := _ENCODED_VALUE.match(text, found.end()):
                yield Span(*value.span())


def _lines(text: str) -> Iterator[Span]:
    done = 0
    for found in _LINE.finditer(text):
        name = normal(found[1])
        if found.start() < done or not is_strong(name):
            continue
        start = found.end()
        if scheme := _SCHEME.match(text, start):
            start = scheme.end()
        at_start = not found.start() or text[found.start() - 1] in "\r\n"
        header = at_start or name in ("authorization", "proxyauthorization", "cookie", "setcookie")
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
