"""What a refused handshake asks for: its path, its parameters and the size of its head."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.refused_handshakes import refused
from hangup.diagnosis.signs.ways_of_ending import failed
from hangup.humanize import printable
from hangup.recording.connections import Connection

LARGE = 7000
"""Bytes; from 8 KiB on servers refuse a request's head."""

_NO_VALUE = re.compile(
    r"(?:.*[-_.:~])?(undefined|null|NaN|None)|.*(\[object \w+\]|\$?\{\{? *[\w.]+ *\}\}?|%7B\w+%7D).*"
)
_VERSION = re.compile(r"HTTP/\d(?:\.\d)?|h[23]", re.I)
_DEV_SERVERS = re.compile(r"\bvite-(?:hmr|ping)\b")


def path(case: Case) -> str:
    """The path that was refused."""
    return case.victims[0].path


def oddities(case: Case) -> dict[str, str]:
    """What is odd about it, and that in words."""
    asked, found = path(case), {}
    parts = [part for part in asked.split("/") if part]
    half = len(parts) // 2
    twice = next((a for a, b in zip(parts, parts[1:], strict=False) if a == b), "")
    if not twice and half > 1 and parts[:half] == parts[half : 2 * half]:
        twice = "/".join(parts[:half])
    if twice:
        found["doubled"] = f"the path contains `{printable(twice, 40)}` twice: {printable(asked, 80)}"
    if "//" in asked:
        found["empty-part"] = "the path has an empty part (`//`)"
    if asked.endswith("/") and len(asked) > 1:
        found["ends-with-a-slash"] = "the path ends with a slash, which most routes do not"
    return found


def _served_paths(case: Case) -> list[str]:
    """Other paths that were served, on whatever route; none if the refused one was, too."""
    found = list(dict.fromkeys(life.path for life in case.lives if life.open_since is not None))
    return [] if path(case) in found else found


@sign(refused)
def odd_path(case: Case) -> Iterator[Sign]:
    """The path says something twice, has an empty part, or ends with a slash."""
    return (Sign(1.0, text, cite_all(case.victims), variety=what) for what, text in case.once(oddities).items())


@sign(refused)
def nothing_odd_about_path(case: Case) -> Sign | None:
    """The answer is 403, and nothing of that is so."""
    return Sign(1.0, "nothing looks odd about the path") if case.code == 403 and not case.once(oddities) else None


@sign(refused)
def related_path_served(case: Case) -> Sign | None:
    """A path was served that is nearly this one, which never was."""
    near = next((other for other in _served_paths(case) if _related(other, path(case))), "")
    return Sign(1.0, f"{printable(near, 80)} is accepted, {printable(path(case), 80)} is not") if near else None


def _related(served: str, asked: str) -> bool:
    a, b = served.strip("/").split("/"), asked.strip("/").split("/")
    return a[-1] == b[-1] or (len(b) > len(a) and b[-len(a) :] == a)


@sign(refused)
def target_holds_no_value(case: Case) -> Sign | None:
    """A part of the path or a parameter is a placeholder, or what a program writes for want of a value."""
    target = case.victims[0].target
    for part in re.split(r"[/?&=;,]", target):
        if found := _NO_VALUE.fullmatch(unquote(part)):
            empty = printable(next(group for group in found.groups() if group), 40)
            text = f"the target contains `{empty}` where a value should be: {printable(target, 80)}"
            return Sign(1.0, text, cite_all(case.victims))
    return None


def differences(case: Case) -> list[tuple[str, str, Connection]]:
    """The one part in which a refused and a served path differ, where they differ in one: both, and what was served."""
    others = case.once(_served_paths)
    lives = [life for life in case.lives if life.open_since is not None and life.path in others]
    found = []
    for life in lives[:20]:
        mine, theirs = path(case).split("/"), life.path.split("/")
        pairs = [(a, b) for a, b in zip(mine, theirs, strict=False) if a != b]
        if len(mine) == len(theirs) > 2 and len(pairs) == 1:
            found.append((*pairs[0], life))
    return found


@sign(refused)
def other_parameter_served(case: Case) -> Sign | None:
    """The path was served with something else for one of its parts."""
    pairs = case.once(differences)
    if not pairs:
        return None
    mine, other, _ = pairs[0]
    numbers = ", and only with numbers" if all(b.isdigit() > a.isdigit() for a, b, _ in pairs) else ""
    text = f"with `{printable(other, 40)}` for `{printable(mine, 40)}` in its path it is accepted{numbers}"
    return Sign(1.0, text, cite_all(life for _, _, life in pairs))


@sign(refused)
def request_is_not_http_1_1(case: Case) -> Sign | None:
    """The request is one of another HTTP version."""
    request = case.victims[0].traffic.request
    version = request.version if request is not None else ""
    odd = _VERSION.fullmatch(version) and version.upper() != "HTTP/1.1"
    return Sign(1.0, f"the request is {printable(version, 20)}", cite_all(case.victims)) if odd else None


@sign(refused)
def dev_servers_socket_at_the_backend(case: Case) -> Sign | None:
    """What was refused is the socket over which a dev server tells its page to reload."""
    found = _DEV_SERVERS.search(case.victims[0].header("sec-websocket-protocol"))
    if found is None:
        return None
    text = f"the refused request is for a dev server's own socket ({found[0]})"
    return Sign(1.0, text, cite_all(case.victims), Trigger("header", case.victims[0].conn))


@sign(refused)
def request_head_large(case: Case) -> Sign | None:
    """The request's head is about as large as servers allow, or larger."""
    request = case.victims[0].traffic.request
    headers = request.headers if request is not None else []
    size = len(case.victims[0].target) + sum(len(name) + len(value) for name, value in headers)
    if size <= LARGE:
        return None
    text = f"the request's headers have more than {size} bytes"
    return Sign(1.0, text, cite_all(case.victims), Trigger("header", case.victims[0].conn))


@sign(failed)
def request_names_eio(case: Case) -> Sign | None:
    """The request asks for a version of Engine.IO, and got HTTP for an answer: a refusal, or bytes after the 101."""
    life = case.victims[0]
    version = printable(life.query.get("EIO", ""), 10)
    if not version or not (refused(case) or life.traffic.junk.startswith("server: HTTP/")):
        return None
    text = f"the request asks for EIO={version}: the version of Engine.IO is a parameter"
    return Sign(1.0, text, cite_all(case.victims))
