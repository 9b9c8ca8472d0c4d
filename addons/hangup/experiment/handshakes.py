"""What a handshake carries that an experiment can change: its credentials, and what connections that lived had where
the one that failed had something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from msgspec import Struct

from hangup.errors import FilterError
from hangup.experiment.factors import cookies, is_credential
from hangup.filters.library.headers import Origin, SetHeader, StripHeader
from hangup.filters.library.target import Path, Query
from hangup.recording.events import Request
from hangup.recording.redaction.finder import PLACEHOLDER, Finder

WRONG = "hangup-wrong"
"""A credential that no server takes."""

MOST_DONATED = 6

CREDENTIALS = ("identity/token-expired-retry", "handshake/auth-rejected")
"""Verdicts that hang on a credential."""

PARAMETER = "handshake/parameter"


class Credential(Struct, frozen=True):
    """Something in a handshake that looks like a credential, and the filters (text forms) that take it out and that put
    something wrong in its place. ``parameter`` is its name where it stands in the query."""

    remove: str
    falsify: str
    parameter: str = ""


class Donated(Struct, frozen=True):
    """What a connection that lived had in its handshake, as a filter; ``verdict`` is what it shows if it helps, and
    ``part`` which part it is."""

    title: str
    filter: str
    verdicts: tuple[str, ...]
    part: str = ""


def credentials(request: Request) -> tuple[Credential, ...]:
    """Those of a handshake: in its query, its cookies, and its ``Authorization``."""
    found: list[Credential] = []
    for name, part in _parameters(request):
        if _secret(part):
            found.append(Credential(str(Query(name=name)), str(Query(name=name, value=WRONG)), name))
    for name, value in request.headers:
        key = name.lower()
        if key == "cookie" and value:
            wrong = "; ".join(f"{pair.partition('=')[0].strip()}={WRONG}" for pair in value.split(";"))
        elif key == "authorization":
            scheme, space, _ = value.partition(" ")
            wrong = f"{scheme} {WRONG}" if space else WRONG
        else:
            continue
        try:
            found.append(Credential(str(StripHeader(name=name)), str(SetHeader(name=name, value=wrong))))
        except FilterError:  # a header that no filter can write
            continue
    return tuple(found)


def donated(request: Request, others: Iterable[tuple[int, Request]], refused: bool) -> tuple[Donated, ...]:
    """In what the handshakes of ``others`` (by connection), which stayed open, were different. Only of one that was
    ``refused`` do the path and what the query says matter: else that may be another client's."""
    found: dict[str, Donated] = {}
    for conn, other in others:
        try:
            for what, form, verdicts in _differences(request, other, refused):
                title = f"with the {what} of connection {conn}, which stayed open"
                found.setdefault(form, Donated(title, form, verdicts, what))
        except FilterError:
            continue
        if len(found) >= MOST_DONATED:
            break
    return tuple(found.values())[:MOST_DONATED]


def _differences(one: Request, other: Request, refused: bool) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    path, path_then = one.target.partition("?")[0], other.target.partition("?")[0]
    if refused and path != path_then:
        yield "path", str(Path(to=path_then)), ("handshake/path",)
    mine = dict(_parameters(one))
    for name, part in _parameters(other):
        secret = _secret(part)
        if mine.get(name) != part and (refused or secret):
            value = unquote(part.partition("=")[2].replace("+", " "))
            yield f"parameter {name}", str(Query(name=name, value=value)), CREDENTIALS if secret else (PARAMETER,)
    before = _headers(one)
    for key, value in _headers(other).items():
        if before.get(key) == value:
            continue
        if key == "origin":
            yield "Origin", str(Origin(value=value)), ("handshake/origin",)
        elif key == "sec-websocket-protocol":
            yield "subprotocols", str(SetHeader(name=key, value=value)), ("handshake/subprotocol",)
        elif key == "cookie":
            yield from _other_cookies(before.get(key, ""), value)
        else:
            yield f"{key} header", str(SetHeader(name=key, value=value)), CREDENTIALS


def _other_cookies(mine: str, theirs: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each cookie in which two jars differ, by itself; then all of them, where there are several."""
    one, other = dict(cookies(mine)), dict(cookies(theirs))
    differing = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    shown: dict[str, tuple[str, ...]] = {}
    for name in differing:
        secret = is_credential(name, one.get(name) or other.get(name, ""))
        shown[name] = CREDENTIALS if secret else (PARAMETER,)
        if len(differing) > 1:
            jar = {each: value for each, value in {**one, name: other.get(name)}.items() if value is not None}
            if jar:
                said = "; ".join(f"{each}={value}" for each, value in jar.items())
                yield f"cookie {name}", str(SetHeader(name="cookie", value=said)), shown[name]
    all_shown = CREDENTIALS if CREDENTIALS in shown.values() else (PARAMETER,)
    what = f"cookie {differing[0]}" if len(differing) == 1 else "cookie header"
    yield what, str(SetHeader(name="cookie", value=theirs)), all_shown


def _headers(request: Request) -> dict[str, str]:
    wanted = ("origin", "cookie", "authorization", "sec-websocket-protocol")
    return {name.lower(): value for name, value in request.headers if name.lower() in wanted}


def _parameters(request: Request) -> list[tuple[str, str]]:
    query = request.target.partition("?")[2]
    return [(unquote(part.partition("=")[0].replace("+", " ")), part) for part in query.split("&") if "=" in part]


def _secret(part: str) -> bool:
    return bool(Finder().find(f"/?{part}", url=True)) or PLACEHOLDER.search(unquote(part)) is not None
