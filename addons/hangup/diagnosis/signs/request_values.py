"""Does a value in the requests that were not served set them apart from those that were?"""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.contrast_requests import RequestDifference, difference
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.refused_handshakes import refused
from hangup.recording.connections import Connection

AT_ONCE = 1.5
"""Seconds within which a connection ends that was let in and turned away all the same."""

MUCH = 3.0
"""So many times as long stayed open what was served."""


def turned_away(case: Case) -> bool:
    """Whether requests were refused, or what was opened ended at once, by the server."""
    if refused(case):
        return True
    ages = case.lived
    return case.may_be("server") and case.mode in ("abrupt", "close") and bool(ages) and max(ages) <= AT_ONCE


def _served(case: Case) -> list[Connection]:
    """Requests with as many parts in their path that were served, and not ended at once."""
    least = max(AT_ONCE, MUCH * middle(case.lived)) if case.mode != "refused" else 0.0
    parts = case.victims[0].path.count("/")
    mine = {life.conn for life in case.victims}
    return [
        life
        for life in case.lives
        if life.conn not in mine
        and life.open_since is not None
        and life.lasted >= least
        and life.path.count("/") == parts
        and _differ(life.path, case.victims[0].path) <= 1
    ]


def _differ(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one.split("/"), other.split("/"), strict=True))


def request_contrast(case: Case) -> RequestDifference | None:
    """The difference that stands out most."""
    return difference(case.victims, case.once(_served)) if case.header.tells("headers") else None


@sign(turned_away)
def request_value_unlike_the_served(case: Case) -> Sign | None:
    """A parameter, cookie, header or part of the path is made of something that it never is in what was served."""
    found = case.once(request_contrast)
    if found is None:
        return None
    trigger = Trigger("header", found.hits[0].conn)
    return Sign(found.strength, found.text, [cite(life) for life in found.hits], trigger, found.where, found.words)
