"""Connections of one client that are opened one after the other and not closed, until ends begin."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.loops import host

MANY = 4

CROWD = 1.0
"""Seconds within which a page that opens several opens them all."""


def piled_up(case: Case) -> list[Connection]:
    """What one client had open for the same target when the first of them ended; empty if it had closed some before,
    or opened them all at about the same time."""
    first = case.victims[0] if case.victims else None
    if first is None or case.closer == "client":
        return []
    alike = [
        life
        for life in case.lives
        if host(life.client) == host(first.client) and life.target == first.target and life.origin == first.origin
    ]
    begun = min(life.end if life.end is not None else life.began for life in case.victims)
    before = [life for life in alike if life.open_since is not None and life.open_since < begun]
    if any(life.end is not None and life.end < begun for life in before):
        return []
    times = sorted(life.open_since or 0.0 for life in before)
    spread = times[-1] - times[0] if times else 0.0
    return before if len(before) >= MANY and spread >= CROWD else []


@of(piled_up)
def connections_pile_up(case: Case, lives: list[Connection]) -> Sign:
    """More and more were open at once, and none was closed before the ends began; how many."""
    opened = [life.open_since or 0.0 for life in lives]
    text = f"the client opened {len(lives)} connections within {duration(max(opened) - min(opened))} for the same "
    text += "target, and closed none of them before the ends began"
    return Sign(min(len(lives) / MANY, 3.0), text, cite_all(lives), Trigger("peer", lives[-1].conn))
