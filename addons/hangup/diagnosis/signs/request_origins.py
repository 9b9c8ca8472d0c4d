"""The Origin and the Host of a refused handshake, beside those that were served."""

from __future__ import annotations

from urllib.parse import urlsplit

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.refused_handshakes import refused, served
from hangup.errors import TargetError
from hangup.humanize import printable
from hangup.recording.connections import Connection
from hangup.wire.url import parse_target


def origin(case: Case) -> str:
    """Its Origin, empty for none."""
    return case.victims[0].header("origin")


def is_its_own(case: Case) -> bool:
    """Whether the Origin is the address at which the server is asked."""
    try:
        page = urlsplit(origin(case))
        default = {"http": 80, "https": 443}.get(page.scheme)
        asked = urlsplit(f"//{case.victims[0].traffic.host}")
        return bool(page.hostname) and (page.hostname, page.port or default) == (asked.hostname, asked.port or default)
    except ValueError:
        return False


def _origins(case: Case, lives: list[Connection]) -> dict[str, Connection]:
    """The Origins that are known, empty for none, each with a connection."""
    told = case.header.tells("headers")
    return {name: life for life in lives if (name := life.header("origin")) or told}


@sign(refused)
def request_no_origin(case: Case) -> Sign | None:
    """The request has no Origin."""
    none = "" in _origins(case, case.victims[:1])
    return Sign(1.0, "the request has no Origin", cite_all(case.victims[:3])) if none else None


@sign(refused)
def origin_differs_from_host(case: Case) -> Sign | None:
    """The request comes from another address than it goes to; below 0 where it comes from the server's own page."""
    if not origin(case) or not (host := case.victims[0].traffic.host):
        return None
    own = case.once(is_its_own)
    text = "the server's own" if own else f"{printable(origin(case), 60)}, Host is {printable(host, 60)}"
    return Sign(-1.0 if own else 1.0, f"Origin is {text}", cite_all(case.victims[:3]))


@sign(refused)
def another_origin_served(case: Case) -> Sign | None:
    """The route was served, but only with another Origin."""
    mine, others = _origins(case, case.victims[:1]), _origins(case, case.once(served))
    if not mine or not others or origin(case) in others:
        return None
    shown = printable(", ".join(sorted(name or "none" for name in others)[:2]), 80)
    return Sign(1.0, f"with another Origin ({shown}) it was accepted", cite_all(others.values()))


@sign(refused)
def same_origin_served(case: Case) -> Sign | None:
    """A request with the same Origin was served, or one without any as this is, on whatever path."""
    known = _origins(case, [life for life in case.lives if life.open_since is not None])
    if not _origins(case, case.victims[:1]) or origin(case) not in known:
        return None
    which = f"with the same Origin ({printable(origin(case), 60)})" if origin(case) else "without an Origin, too,"
    return Sign(1.0, f"a request {which} was accepted", cite_all([known[origin(case)]]))


def is_foreign(case: Case) -> bool:
    """Whether the Host is neither the server's address nor one with which anything was served."""
    host, header = case.victims[0].traffic.host, case.header
    if not host or header.source or header.mode != "reverse":
        return False
    try:
        target = parse_target(header.target)
        asked = parse_target(f"{'wss' if target.secure else 'ws'}://{host}")
    except TargetError:
        return False
    known = any(life.traffic.host == host for life in case.lives if life.open_since is not None)
    return (asked.host, asked.port) != (target.host, target.port) and not known


@sign(refused, is_foreign)
def host_is_not_the_servers(case: Case) -> Sign:
    """The Host is not the server's address; twice as strong if the route was served with another one."""
    host, address = case.victims[0].traffic.host, parse_target(case.header.target).authority
    text = f"the server received Host {printable(host, 80)}, which is not its address ({address})"
    if own := [life for life in case.once(served) if life.traffic.host]:
        return Sign(2.0, f"{text}; with Host {printable(own[0].traffic.host, 80)} it was accepted", cite_all(own[:3]))
    text += ": it may check that (allowed hosts, protection against DNS rebinding)"
    return Sign(1.0, text, cite_all(case.victims[:3]))
