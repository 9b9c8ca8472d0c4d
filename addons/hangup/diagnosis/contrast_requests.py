"""Which value in the requests that were not served sets them apart from those that were?

Query, cookies, headers and the parts of the path are looked at by what their values are made of, not by the values:
these are another for each client, and some are secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from hangup.diagnosis.figures import surprise
from hangup.humanize import printable
from hangup.recording.connections import Connection

MOST = 0.7
"""The share of those not served that must have it."""

LEAST, LIMIT = 1.0, 5.0
"""Of the strength (natural logarithm of a likelihood ratio), from which on a difference is told, and at most."""

FAR = 2.0
"""So many times the longest is far longer."""

LONG = 16
"""Characters; of shorter values none is called long."""

PARAMETERS = 64

AGAIN = 2
"""What the same request counts, however often it comes, if nothing but this value tells it from what was served."""

_OF_THE_HANDSHAKE = re.compile(r"sec-websocket-.*|host|connection|upgrade|cookie|origin|content-length|date", re.I)
"""Headers that differ each time, or that other signs look at."""

_ESCAPED = re.compile(r"%[89a-fA-F][0-9a-fA-F]|[^\x00-\x7f]")

Place = tuple[str, str]
"""Where a value stands: ``query``, ``cookie``, ``header`` or ``path``, and its name (of a part of the path its place,
counted from 1)."""


class RequestDifference(NamedTuple):
    """A difference. ``hits`` of ``lives`` that were not served have it, ``so`` of ``served``."""

    where: str
    words: str
    strength: float
    hits: list[Connection]
    lives: int
    so: int
    served: int

    @property
    def text(self) -> str:
        """In words."""
        where = f"{len(self.hits)} of {self.lives} requests" if self.lives > 1 else "the request"
        rest = f"{self.so or 'none'} of the {self.served} that were accepted"
        return f"{self.words} in {where}, and in {rest}"


def values(life: Connection) -> dict[Place, str]:
    """All values of a request, as they were sent."""
    path, _, query = life.target.partition("?")
    found: dict[Place, str] = {("path", f"{n}"): part for n, part in enumerate(path.split("/")[1:], 1)}
    for pair in query.split("&")[:PARAMETERS] if query else ():
        name, _, value = pair.partition("=")
        found["query", unquote(name)] = value
    request = life.traffic.request
    for name, value in request.headers[:PARAMETERS] if request is not None else ():
        if name.lower() == "cookie":
            for pair in value.split(";")[:PARAMETERS]:
                key, _, inner = pair.strip().partition("=")
                found["cookie", key] = inner
        elif not _OF_THE_HANDSHAKE.fullmatch(name):
            found["header", name.lower()] = value
    return found


Has = Callable[[str | None], bool]


def _made_of(where: str) -> list[tuple[Has, str]]:
    """What a value can be made of, that programs stumble over."""
    found: list[tuple[Has, str]] = [
        (lambda v: v == "", "is empty"),
        (lambda v: v is not None and bool(_ESCAPED.search(v)), "contains a character that is not ASCII"),
    ]
    if where != "header":  # where all of these are usual
        found += [
            (lambda v: v is not None and "+" in v, "contains a `+`"),
            (lambda v: v is not None and "=" in v, "contains an `=`"),
            (lambda v: v is not None and (" " in v or "%20" in v), "contains a space"),
        ]
    if where == "query":
        found.append((lambda v: v is not None and "%2b" in v.lower(), "contains an escaped `+`"))
    return found


def difference(lives: Sequence[Connection], served: Sequence[Connection]) -> RequestDifference | None:
    """The difference between these and those served that stands out most, if one does."""
    mine, theirs = [values(life) for life in lives], [values(life) for life in served]
    places = list(dict.fromkeys(place for found in (*mine, *theirs) for place in found))
    if not mine or not theirs:
        return None
    # A place with one and the same value everywhere was never a candidate.
    varied = [p for p in places if len({found.get(p) for found in (*mine, *theirs)}) > 1]
    best: RequestDifference | None = None
    for place in varied:
        for has, words in _ways(place, mine, theirs):
            hits = [life for life, found in zip(lives, mine, strict=True) if has(found.get(place))]
            so = sum(has(found.get(place)) for found in theirs)
            if len(hits) < MOST * len(lives) or so:
                continue
            # A client that comes again with the same request shows nothing new.
            units = len({found.get(place) for found in mine})
            with_it = len({found.get(place) for found in mine if has(found.get(place))})
            others = len({found.get(place) for found in theirs})
            if len(varied) == 1:  # but where the requests differ in nothing else, it shows something
                with_it, units = max(with_it, min(len(hits), AGAIN)), max(units, min(len(lives), AGAIN))
                others = max(others, min(len(served), AGAIN))
            strength = surprise(with_it, units, 0.5 / (others + 1)) - math.log(len(varied)) - 0.3
            if strength >= LEAST and (best is None or strength > best.strength + 0.01):
                text = f"{_named(place)} {words}"
                best = RequestDifference(place[0], text, min(strength, LIMIT), hits, len(lives), so, len(served))
    return best


def _ways(
    place: Place, mine: Sequence[dict[Place, str]], theirs: Sequence[dict[Place, str]]
) -> list[tuple[Has, str]]:
    """The ways in which a value can differ that make sense for it."""
    where, _ = place
    there = [value for found in theirs if (value := found.get(place)) is not None]
    here = [value for found in mine if (value := found.get(place)) is not None]
    if where == "path" and not (there and here):
        return []
    ways = _made_of(where)
    if len(there) == len(theirs):
        ways.append((lambda v: v is None, "is missing"))
    if not there:
        ways.append((lambda v: v is not None, "is there"))
    else:
        longest = max(map(len, there))
        ways.append((lambda v: v is not None and len(v) > max(FAR * longest, LONG), "is much longer"))
        if all(value.isdigit() for value in there):
            ways.append((lambda v: bool(v) and not (v or "").isdigit(), "is not a number"))
    return ways


def _named(place: Place) -> str:
    where, name = place
    if where == "path":
        return f"part {name} of the path"
    return f"`{printable(name, 40)}` in the {where}" if where == "query" else f"the {where} `{printable(name, 40)}`"
