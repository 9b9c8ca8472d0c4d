"""The parts of a recorded handshake, each of which an experiment can change by itself: what the filters are for that,
and what it would mean if the connection then stayed open.

A part is a parameter of the query, a cookie, a header, the path, a subprotocol. It is first written in another way (a
``+`` that is meant as one, a value without its padding), then given what a connection that lived had, then left out: so
the first that helps is the smallest change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, unquote_plus

from msgspec import Struct

from hangup.errors import FilterError
from hangup.filters.base import Filter
from hangup.filters.library.headers import Origin, SetHeader, StripHeader, Subprotocol
from hangup.filters.library.target import Path, Query
from hangup.recording.events import Request
from hangup.recording.redaction.finder import PLACEHOLDER, Finder

VARY = "vary-"
"""How the rungs of factors are called: ``vary-query-2``. A cause names them without the number."""

PARTS = ("query", "cookie", "header", "credential", "origin", "path", "subprotocol", "size", "contents")

MOST = 40
"""Factors of one handshake."""

PER_PART = 4
"""Different values of connections that stayed open which one part is given."""

USUAL = ("graphql-transport-ws", "graphql-ws", "mqtt", "v12.stomp", "wamp.2.json", "ocpp1.6", "ocpp2.0.1")
"""Subprotocols of the IANA's registry, and GraphQL's, that many servers demand: for a client that offers none."""

LARGE = 4096
"""Bytes of header lines from which on their size may matter: the smallest limits in use are of this size."""

_PLUMBING = frozenset("host connection upgrade content-length origin cookie sec-fetch-mode sec-fetch-dest".split())
_CREDENTIAL = re.compile(
    r"(^|[._-])(access|sess(ion)?|sid|token|auth(?!or)\w*|jwt|\w*api[_-]?key|key|secret|ticket|csrf|xsrf|credentials?|login)"
    r"([._-]?(id|token|key|data))?$|session|token|authori[sz]ation",
    re.I,
)


class Factor(Struct, frozen=True):
    """A part of the handshake, changed: ``part`` is one of :data:`PARTS`, ``name`` which one of its kind it is,
    ``title`` what is done to it in words, ``filter`` the text form that does it."""

    part: str
    name: str
    title: str
    filter: str


def factors(request: Request, others: Iterable[tuple[int, Request]] = ()) -> tuple[Factor, ...]:
    """The factors of a handshake, the smallest changes of each part first. ``others`` are the handshakes of connections
    that lived, by their numbers."""
    lived = list(others)
    found: dict[str, Factor] = {}
    for part, name, title, make in _all(request, lived):
        try:
            form = str(make[0](**make[1]))
        except FilterError:  # what no filter can write
            continue
        found.setdefault(form, Factor(part, name, title, form))
    return tuple(found.values())[:MOST]


Make = tuple[Callable[..., Filter], dict[str, object]]
"""A filter and its settings: it is made where it is seen whether it can be."""

Made = tuple[str, str, str, Make]
"""Part, name, title, and how the filter is made."""


def _all(request: Request, lived: Sequence[tuple[int, Request]]) -> Iterator[Made]:
    yield from _query(request, lived)
    yield from _cookies(request, lived)
    yield from _headers(request, lived)
    yield from _path(request, lived)
    yield from _subprotocols(request)


# The query.


def parameters(request: Request) -> list[tuple[str, str]]:
    """Name and value of each parameter of the query, the value as it is written."""
    query = request.target.partition("?")[2]
    parts = [part.partition("=") for part in query.split("&") if part]
    return [(unquote_plus(name), value) for name, _, value in parts]


def _query(request: Request, lived: Sequence[tuple[int, Request]]) -> Iterator[Made]:
    others = [(conn, dict(parameters(other))) for conn, other in lived]
    for name, raw in parameters(request):
        part = "credential" if is_credential(name, raw) else "query"
        for how, value in _spellings(raw):
            yield part, name, f"parameter {name} {how}", (Query, {"name": name, "value": value})
        for conn, value in _given(raw, ((conn, each[name]) for conn, each in others if name in each)):
            title = f"parameter {name} as in connection {conn}, which stayed open"
            yield part, name, title, (Query, {"name": name, "value": unquote_plus(value)})
        for value in _versions(raw):
            yield part, name, f"{value} for {raw} in the parameter {name}", (Query, {"name": name, "value": value})
        yield part, name, f"without the parameter {name}", (Query, {"name": name})


def _versions(raw: str) -> Iterator[str]:
    """The ones after and before a small number, which may be a version: ``4`` for ``3``, ``v2`` for ``v1``."""
    found = re.fullmatch(r"(v?)(\d{1,2})", raw)
    if found is not None:
        number = int(found[2])
        yield from (f"{found[1]}{each}" for each in (number + 1, number - 1) if each >= 0)


def _spellings(raw: str) -> Iterator[tuple[str, str]]:
    """Other ways to write a value, in words and as what they mean (filters escape it)."""
    if "+" in raw:
        yield "with its + escaped", unquote(raw)
        yield "with %20 for +", unquote_plus(raw)
    elif quote(unquote(raw), "") != raw and not re.search("%[0-9a-f]{2}", raw):
        yield "escaped", unquote(raw)
    twice = unquote(unquote(raw))
    if twice != unquote(raw):
        yield "escaped only once", twice


def _given(mine: str, theirs: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The different values that others have in the place of this one, at most :data:`PER_PART`."""
    seen = {mine}
    for conn, value in theirs:
        if value not in seen and len(seen) <= PER_PART:
            seen.add(value)
            yield conn, value


# The headers.


def cookies(value: str) -> list[tuple[str, str]]:
    """Name and value of each cookie of a header."""
    pairs = [pair.strip().partition("=") for pair in value.split(";") if pair.strip()]
    return [(name, given) for name, _, given in pairs]


def written(request: Request, factor: Factor) -> str | None:
    """The value of a factor's part as it was written; None where it is not there."""
    if factor.part == "query":
        return dict(parameters(request)).get(factor.name)
    if factor.part == "cookie":
        return dict(cookies(header(request, "cookie"))).get(factor.name)
    return next((value for name, value in request.headers if name == factor.name), None)


def valued(request: Request, factor: Factor, text: str, more: Sequence[tuple[str, str]] = ()) -> Filter:
    """The filter that gives a factor's part another value, and a jar of cookies ``more`` of them. Raises
    :class:`FilterError` where none can write it."""
    if factor.part == "query":
        return Query(name=factor.name, value=text)
    if factor.part != "cookie":
        return SetHeader(name=factor.name, value=text)
    jar = [(name, text if name == factor.name else old) for name, old in cookies(header(request, "cookie"))]
    return SetHeader(name="Cookie", value="; ".join(f"{name}={value}" for name, value in (*jar, *more)))


def header(request: Request, name: str) -> str:
    """The first header of this name (in small letters), or nothing."""
    return next((value for key, value in request.headers if key.lower() == name), "")


def _cookies(request: Request, lived: Sequence[tuple[int, Request]]) -> Iterator[Made]:
    key = next((key for key, _ in request.headers if key.lower() == "cookie"), "")
    jar = cookies(header(request, "cookie"))
    others = [(conn, dict(cookies(header(other, "cookie")))) for conn, other in lived]
    for i, (name, value) in enumerate(jar):
        part = "credential" if is_credential(name, value) else "cookie"

        def put(new: str | None, i: int = i) -> Make:
            kept = [(n, v if j != i or new is None else new) for j, (n, v) in enumerate(jar) if j != i or new]
            if not kept:
                return StripHeader, {"name": key}
            return SetHeader, {"name": key, "value": "; ".join(f"{n}={v}" for n, v in kept)}

        if (bare := value.rstrip("=")) != value and bare:
            yield part, name, f"cookie {name} without its trailing =", put(bare)
        if (plain := value.strip('"')) != value and plain:
            yield part, name, f"cookie {name} without its quotes", put(plain)
        if (escaped := quote(unquote(value), "")) != value:
            yield part, name, f"cookie {name} escaped", put(escaped)
        if (read := unquote(value)) != value and ";" not in read:
            yield part, name, f"cookie {name} not escaped", put(read)
        for conn, other in _given(value, ((conn, each[name]) for conn, each in others if name in each)):
            yield part, name, f"cookie {name} as in connection {conn}, which stayed open", put(other)
        yield part, name, f"without the cookie {name}", put(None)


def _headers(request: Request, lived: Sequence[tuple[int, Request]]) -> Iterator[Made]:
    if head_size(request) >= LARGE and (most := largest(request)):
        name, value = most
        half: Make = SetHeader, {"name": name, "value": "a" * (len(value) // 4)}
        yield "size", name, f"a {name} header of {len(value) // 4:,} B", half
        alike: Make = SetHeader, {"name": name, "value": "a" * len(value)}
        yield "contents", name, f"an equally long {name} header without meaning", alike
    origin = header(request, "origin")
    if origin:
        for conn, value in _given(origin, ((c, v) for c, o in lived if (v := header(o, "origin")))):
            yield "origin", "", f"Origin as in connection {conn}, which stayed open", (Origin, {"value": value})
        yield "origin", "", "the server's own origin", (Origin, {})
        for other in _aliases(origin):
            yield "origin", "", f"Origin {other}", (Origin, {"value": other})
    for name, value in request.headers:
        low = name.lower()
        if low in _PLUMBING or low.startswith(("sec-websocket-", ":")):
            continue
        part = "credential" if is_credential(name, value) else "header"
        for conn, other in _given(value, ((c, v) for c, o in lived if (v := header(o, low)))):
            title = f"the {name} header as in connection {conn}, which stayed open"
            yield part, name, title, (SetHeader, {"name": name, "value": other})
        yield part, name, f"without the {name} header", (StripHeader, {"name": name})


def _aliases(origin: str) -> Iterator[str]:
    """What else the same page may be opened at: a list of allowed origins often has one of two names."""
    for one, other in (("//localhost", "//127.0.0.1"), ("//127.0.0.1", "//localhost"), ("//www.", "//")):
        if one in origin:
            yield origin.replace(one, other, 1)


def is_credential(name: str, value: str) -> bool:
    """Whether a parameter, cookie or header looks like a credential."""
    if _CREDENTIAL.search(name) or PLACEHOLDER.search(unquote(value)):
        return True
    return bool(Finder().find(f"/?{quote(name, '')}={quote(unquote(value), '')}", url=True))


def head_size(request: Request) -> int:
    """The bytes of a request's header lines."""
    return sum(len(name) + len(value) + 4 for name, value in request.headers)


def largest(request: Request) -> tuple[str, str] | None:
    """The longest header that may be changed, with its value."""
    able = [pair for pair in request.headers if pair[0].lower() not in _PLUMBING - {"cookie"}]
    able = [pair for pair in able if not pair[0].lower().startswith(("sec-websocket-", ":"))]
    return max(able, key=lambda pair: len(pair[1]), default=None)


# The path, and what is offered.


def _path(request: Request, lived: Sequence[tuple[int, Request]]) -> Iterator[Made]:
    path = request.target.partition("?")[0]
    for conn, other in _given(path, ((conn, each.target.partition("?")[0]) for conn, each in lived)):
        yield "path", "", f"the path of connection {conn}, which stayed open", (Path, {"to": other})
    slash = path[:-1] if path.endswith("/") else f"{path}/"
    if slash and slash != "//":
        how = "without the trailing slash of" if path.endswith("/") else "with a trailing slash on"
        yield "path", "", f"{how} the path", (Path, {"to": slash})
    segments = path.strip("/").split("/")
    for i, segment in enumerate(segments):
        if len(segments) > 1:
            shorter = "/" + "/".join(segments[:i] + segments[i + 1 :])
            yield "path", "", f"without {segment} in the path", (Path, {"to": shorter})
        if i and not segment.isdigit():
            numbered = "/" + "/".join([*segments[:i], "1", *segments[i + 1 :]])
            yield "path", "", f"a number for {segment} in the path", (Path, {"to": numbered})
        fixed = quote(unquote(segment), "!$&'()*+,;=:@~")
        if fixed != segment:
            escaped = "/" + "/".join([*segments[:i], fixed, *segments[i + 1 :]])
            yield "path", "", f"{segment} escaped in the path", (Path, {"to": escaped})


def _subprotocols(request: Request) -> Iterator[Made]:
    offered = [word.strip() for word in header(request, "sec-websocket-protocol").split(",") if word.strip()]
    for name in offered if len(offered) > 1 else []:
        part = "credential" if is_credential(name, "") else "subprotocol"
        yield part, name, f"only the subprotocol {name}", (Subprotocol, {"offer": (name,)})
    for name in () if offered else USUAL:
        yield "subprotocol", "", f"offering the subprotocol {name}", (Subprotocol, {"offer": (name,)})
