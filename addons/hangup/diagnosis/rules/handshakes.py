"""The handshake fails: which part of the request does the server not like?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Hypothesis, Trigger, cite_all
from hangup.diagnosis.rules.opening import credentials, expiry, started
from hangup.errors import TargetError
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection
from hangup.wire.statuses import explain_status
from hangup.wire.url import parse_target

_MAY_MEAN: dict[int, tuple[str, ...]] = {
    200: ("path",),
    301: ("path",),
    302: (
        "path",
        "auth-rejected",
    ),
    303: (
        "path",
        "auth-rejected",
    ),
    307: ("path",),
    308: ("path",),
    400: (
        "parameter",
        "http-version",
        "no-ws-support",
        "path",
        "subprotocol",
    ),
    401: ("auth-rejected",),
    403: (
        "auth-rejected",
        "path",
        "origin",
        "parameter",
    ),
    404: (
        "path",
        "no-ws-support",
    ),
    405: ("path",),
    407: ("auth-rejected",),
    409: (
        "limit",
        "parameter",
    ),
    410: ("path",),
    414: ("header-size",),
    422: ("parameter",),
    426: (
        "http-version",
        "no-ws-support",
    ),
    429: ("limit",),
    431: ("header-size",),
    500: (
        "never-accepted",
        "path",
        "parameter",
    ),
    501: ("no-ws-support",),
    503: ("limit",),
}
"""What an HTTP status may mean: names of causes in ``handshake/``."""

_NOT_VALUES = re.compile(r"undefined|null|NaN|None|\[object|%7B|\{|\$")
_LOGIN = re.compile(r"login|signin|sign-in|auth|sso|oauth", re.I)


def refused(case: Case) -> Iterator[Hypothesis]:
    """A handshake answered with anything but a 101, or not at all."""
    if case.mode != "refused":
        return
    lives = case.victims
    status = case.code
    if case.closer == "client":
        return  # the client went away before the answer
    found: dict[str, Hypothesis] = {}
    if status is None:
        error = printable(lives[0].error, 120) or "no answer"
        waited = middle([life.waited for life in lives])
        hypothesis = Hypothesis("handshake/never-accepted", closer="server", trigger=_header(lives))
        hypothesis.says("handshake-not-answered", 1.0, f"the handshake was not answered ({error})", cite_all(lives))
        if waited >= 1:
            hypothesis.says("waited-in-vain", 1.0, f"after {duration(waited)}", cite_all(lives))
        yield hypothesis
        return
    words = explain_status(status, lambda name: [v] if (v := lives[0].header(name.lower(), response=True)) else [])
    default = ("never-accepted",) if status > 500 else ("parameter", "path")
    for name in _MAY_MEAN.get(status, default):
        hypothesis = Hypothesis(f"handshake/{name}", closer="server", trigger=_header(lives))
        # Whatever the server minds stands in the request: there is little room for a cause that nobody thought of.
        found[name] = hypothesis.says(f"status-{status}", 1.0, words, cite_all(lives))
    for look in (_path, _credentials, _origin, _host, _parameter, _server, _before):
        look(case, lives, found)
    yield from found.values()
    yield from _expired(case, lives)
    yield from _sticky(case, lives)


def _header(lives: list[Connection]) -> Trigger:
    return Trigger("header", lives[0].conn)


def _path(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    hypothesis = found.get("path")
    if hypothesis is None:
        return
    path = lives[0].path
    parts = [part for part in path.split("/") if part]
    doubled = next((a for a, b in zip(parts, parts[1:], strict=False) if a == b), "")
    if doubled:
        hypothesis.says("path-doubled", 1.0, f"the path says `{doubled}` twice: {printable(path, 80)}", cite_all(lives))
    half = len(parts) // 2
    if not doubled and half > 1 and parts[:half] == parts[half : 2 * half]:
        hypothesis.says(
            "path-doubled", 1.0, f"the path says its beginning twice: {printable(path, 80)}", cite_all(lives)
        )
    if "//" in path:
        hypothesis.says("path-empty-part", 1.0, "the path has an empty part (`//`)", cite_all(lives))
    if path.endswith("/") and len(path) > 1:
        hypothesis.says(
            "path-ends-with-a-slash", 1.0, "the path ends with a slash, which many routes do not", cite_all(lives)
        )
    if len(hypothesis.signs) == 1 and lives[0].code == 403:
        hypothesis.says("nothing-odd-about-path", -1.0, "nothing is odd about the path")
    served = {life.path for life in case.lives if life.open_since is not None}
    close = next((other for other in served if _related(other, path)), "")
    if close:
        hypothesis.says("related-path-served", 1.0, f"{printable(close, 80)} is served, {printable(path, 80)} is not")
    location = lives[0].location
    if location and _LOGIN.search(location):
        hypothesis.says("redirects-to-a-login", -1.0, "")
        if "auth-rejected" in found:
            found["auth-rejected"].says("redirects-to-a-login", 1.0, f"it redirects to {printable(location, 80)}")
    elif location:
        target = urlsplit(location)
        text = f"it redirects to {printable(location, 80)}, which a WebSocket client does not follow"
        hypothesis.says(
            "redirects-to-the-same-path" if target.path.rstrip("/") == path.rstrip("/") else "redirects-elsewhere",
            1.0,
            text,
        )


def _related(served: str, asked: str) -> bool:
    if served == asked:
        return False
    a, b = served.strip("/").split("/"), asked.strip("/").split("/")
    return a[-1] == b[-1] or a == b or (len(b) > len(a) and b[-len(a) :] == a)


def _credentials(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    hypothesis = found.get("auth-rejected")
    if hypothesis is None:
        return
    carried = credentials(lives[0])
    if carried:
        hypothesis.says(
            "request-carries-credential",
            1.0,
            f"the request carries a credential ({', '.join(carried[:2])})",
            cite_all(lives[:3]),
        )
        if "path" in found:
            found["path"].says("request-carries-credential", -1.0, "")
    elif case.header.tells("headers"):
        hypothesis.says("no-credential", -1.0, "no credential is to be seen in the request")


def _origin(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    hypothesis = found.get("origin")
    if hypothesis is None or not (lives[0].header("host") or case.header.tells("headers")):
        return
    origin, host = lives[0].header("origin"), lives[0].traffic.host
    served = {life.header("origin") for life in case.lives if life.open_since is not None}
    if not origin:
        hypothesis.says("request-no-origin", -1.0, "the request has no Origin")
    else:
        try:
            same = urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:
            same = False
        if same:
            hypothesis.says("origin-is-the-servers-own", -1.0, "Origin is the server's own")
        else:
            hypothesis.says(
                "origin-differs-from-host",
                1.0,
                f"Origin is {printable(origin, 60)}, Host is {printable(host, 60)}",
                cite_all(lives[:3]),
            )
    if served and origin not in served:
        others = ", ".join(sorted(name or "none" for name in served)[:2])
        hypothesis.says("another-origin-served", 1.0, f"with another Origin ({printable(others, 80)}) it was served")
    elif origin in served:
        hypothesis.says("same-origin-served", -1.0, "the same Origin was served")
    if case.stack.server in ("daphne", "tornado") and lives[0].code == 403:
        hypothesis.says(
            "server-answers-so-to-an-origin", 1.0, f"{case.stack.server} answers so to an Origin that it does not know"
        )


def _host(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    """The server got a Host that is not its own: many check it, against DNS rebinding."""
    host, header = lives[0].traffic.host, case.header
    if "origin" not in found or not host or header.source or header.mode != "reverse":
        return
    try:
        target = parse_target(header.target)
        asked = parse_target(f"{'wss' if target.secure else 'ws'}://{host}")
    except TargetError:
        return
    if (asked.host, asked.port) == (target.host, target.port):
        return
    served = [life for life in case.lives if life.open_since is not None]
    if any(life.traffic.host == host for life in served):
        return
    hypothesis = found["origin"].says(
        "host-is-not-the-servers",
        1.0,
        f"the server got Host {printable(host, 80)}, which is not its address ({target.authority}): it may check it "
        "(allowed hosts, protection against DNS rebinding)",
        cite_all(lives[:3]),
    )
    if own := [life for life in served if life.traffic.host]:
        hypothesis.says(
            "host-served", 1.0, f"with Host {printable(own[0].traffic.host, 80)} it was served", cite_all(own[:3])
        )


def _parameter(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    hypothesis = found.get("parameter")
    if hypothesis is None:
        return
    target = lives[0].target
    if empty := _NOT_VALUES.search(target):
        hypothesis.says(
            "target-holds-no-value",
            1.0,
            f"the target holds `{empty[0]}` where a value should be: {printable(target, 80)}",
            cite_all(lives),
        )
    served = [life for life in case.lives if life.open_since is not None]
    if lives[0].code in (400, 403, 422) and (differ := _differences(lives, served)):
        mine, theirs = [a for a, _ in differ], [b for _, b in differ]
        if mine and theirs and all(i.isdigit() for i in theirs) and not any(i.isdigit() for i in mine):
            hypothesis.says(
                "numbers-were-served",
                1.0,
                f"served were numbers ({theirs[0]}), refused was {printable(mine[0], 40)}",
                cite_all(lives),
            )
        else:
            hypothesis.says(
                "other-parameter-served",
                1.0,
                f"the same path is served with `{printable(theirs[0], 40)}` in it",
                cite_all(served),
            )
    if "EIO" in lives[0].query and lives[0].code == 400:
        hypothesis.says(
            "request-names-eio",
            1.0,
            f"EIO={printable(lives[0].query['EIO'], 10)}: the protocol's version is a parameter",
            cite_all(lives),
        )


def _differences(lives: list[Connection], served: list[Connection]) -> list[tuple[str, str]]:
    """The one part in which refused and served paths differ, where they differ in one."""
    found = []
    for life in lives[:20]:
        mine = life.path.split("/")
        for other in served[:20]:
            theirs = other.path.split("/")
            pairs = [(a, b) for a, b in zip(mine, theirs, strict=False) if a != b]
            if len(mine) == len(theirs) and len(pairs) == 1 and len(mine) > 2:
                found.append(pairs[0])
    return found


def _server(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    stack = case.stack
    status = lives[0].code
    if status == 403 and stack.server in ("aiohttp", "tornado", "websockets", "node") and "path" in found:
        found["path"].says("server-answers-otherwise-to-a-path", -1.0, f"{stack.server} answers 404 to an unknown path")
    if status == 404 and stack.server == "uvicorn" and "no-ws-support" in found:
        found["no-ws-support"].says(
            "uvicorn-404", 1.0, "uvicorn answers 403 to an unknown path, and 404 when it has no WebSocket library"
        )
        found["path"].says("uvicorn-404", -1.0, "uvicorn answers 403 to an unknown path")
    if status == 500 and stack.server == "daphne" and "path" in found:
        found["path"].says("daphne-500", 1.0, "daphne answers 500 when no route fits")
    version = lives[0].traffic.request.version if lives[0].traffic.request is not None else ""
    if "http-version" in found and version not in ("HTTP/1.1", ""):
        found["http-version"].says(
            "request-is-not-http-1-1", 1.0, f"the request is {printable(version, 20)}", cite_all(lives)
        )
    offered = lives[0].header("sec-websocket-protocol")
    if re.search(r"vite-(hmr|ping)", offered):
        hypothesis = Hypothesis("intermediary/upgrade-conflict", closer="server", trigger=_header(lives))
        hypothesis.says(
            "dev-servers-socket-at-the-backend",
            1.0,
            f"the dev server's own socket ({printable(offered, 40)}) was sent to the backend",
            cite_all(lives),
        )
        found["upgrade-conflict"] = hypothesis
    size = sum(len(k) + len(v) for k, v in lives[0].traffic.request.headers) if lives[0].traffic.request else 0
    size += len(lives[0].target)
    if size > 7000 and status in (400, 413, 414, 431, 494):
        hypothesis = found.setdefault(
            "header-size", Hypothesis("handshake/header-size", closer="server", trigger=_header(lives))
        )
        hypothesis.says("request-head-large", 1.0, f"the request's head has {size} bytes", cite_all(lives))


def _before(case: Case, lives: list[Connection], found: dict[str, Hypothesis]) -> None:
    """Whether the very same request was served at another time."""
    target = lives[0].target
    same = [life for life in case.lives if life.open_since is not None and life.target == target]
    if not same:
        return
    for name, hypothesis in found.items():
        if name == "origin" and all(life.header("origin") != lives[0].header("origin") for life in same):
            continue
        if name in ("path", "parameter", "origin", "no-ws-support", "header-size"):
            hypothesis.says(
                "same-request-served-another-time", -1.0, "the same request was served at another time", cite_all(same)
            )
        elif name == "auth-rejected" and not credentials(lives[0]) and case.header.tells("headers"):
            hypothesis.says(
                "same-request-served-another-time", -1.0, "the same request was served at another time", cite_all(same)
            )
        elif name == "limit":
            hypothesis.says(
                "same-request-served-another-time", 1.0, "the same request was served at another time", cite_all(same)
            )


def _expired(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    begin, exp = started(case), expiry(lives[0])
    served = [life for life in case.lives if life.open_since is not None and life.began < lives[0].began]
    if case.code not in (400, 401, 403):
        return
    hypothesis = Hypothesis("identity/token-expired-retry", closer="server", trigger=_header(lives))
    if exp is not None and begin is not None and exp < begin + lives[0].began:
        age = duration(begin + lives[0].began - exp)
        hypothesis.says("token-expired", 1.0, f"the token in the request expired {age} before", cite_all(lives))
    targets = {life.target for life in lives}
    carried = credentials(lives[0])
    if carried and served and served[0].target in targets and case.code in (401, 403):
        hypothesis.says(
            "same-credential-served-first", 1.0, "the same credential was served at first", cite_all(served)
        )
    if hypothesis.signs:
        yield hypothesis


def _sticky(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """Some get through and some do not, with one and the same request."""
    if case.code not in (400, 404) or ("sid" not in lives[0].query and "socket.io" not in lives[0].path):
        return
    hypothesis = Hypothesis("intermediary/non-sticky", closer="server", trigger=_header(lives))
    if "sid" in lives[0].query:
        hypothesis.says(
            "request-names-a-session",
            1.0,
            "the request names a session (`sid`) that was made by an earlier request",
            cite_all(lives),
        )
    served = [life for life in case.lives if life.open_since is not None]
    if served:
        hypothesis.says(
            "some-such-requests-served",
            1.0,
            f"{len(served)} of {len(served) + len(lives)} such requests were served",
            cite_all(served),
        )
    yield hypothesis
