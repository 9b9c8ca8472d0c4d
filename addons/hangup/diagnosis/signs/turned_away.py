"""Connections that end while others of their route stay open, or stayed open before."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.first_moments import AT_ONCE, age, closed_by_server
from hangup.diagnosis.signs.ways_of_ending import were_open
from hangup.humanize import duration, plural
from hangup.recording.connections import FOREVER, Connection

SERVED = 1.0
"""Seconds after which a connection was not turned away."""


def much_longer(case: Case) -> float:
    """So much older than most is an age to which some other reason than theirs must have led."""
    return 5 * max(case.once(age), AT_ONCE)


def longer(case: Case) -> list[Connection]:
    """Others of the route that were open for much longer."""
    return [life for life in case.others if life.open_since is not None and life.lasted > case.once(much_longer)]


def lasting(case: Case) -> list[Connection]:
    """Others of the route that were not turned away."""
    return [life for life in case.others if life.open_since is not None and life.lasted > SERVED]


def _open_then(others: list[Connection], lives: list[Connection]) -> list[int]:
    """For each connection, how many of the others were open when it was opened."""
    spans = [(o.open_since or 0.0, FOREVER if o.end is None else o.end) for o in others]
    return [sum(since <= (life.open_since or 0.0) < end for since, end in spans) for life in lives]


def as_many(case: Case) -> int:
    """How many others were open each time that one was opened that ended so; 0 where that differs."""
    counts = _open_then(case.once(lasting), case.once(opened))
    return counts[0] if counts and min(counts) == max(counts) else 0


@sign(were_open)
def others_got_much_older(case: Case) -> Sign | None:
    """Others of the route were open for much longer; whether they were open beside each that ended so."""
    others = case.once(longer)
    beside = all(_open_then(others, case.once(opened)))
    when = " and were open already each time that one of these was opened" if beside else ""
    text = f"other connections on the same route were open for much longer{when}"
    return Sign(1.0, text, cite_all(others), variety="beside" if beside else "") if others else None


@sign(were_open)
def some_got_older(case: Case) -> Sign | None:
    """Some that ended so were open for much longer than most."""
    lives = case.once(opened)
    older = [life for life in lives if life.lasted > case.once(much_longer)]
    text = f"{len(older)} of {len(lives)} that ended this way had been open much longer than the others"
    return Sign(1.0 + 3.0 * len(older) / len(lives), text, cite_all(older)) if older else None


@sign(were_open)
def earlier_ones_served(case: Case) -> Sign | None:
    """Connections that had been opened before the first that ended so were open for a while."""
    first = case.once(opened)[0].open_since or 0.0
    earlier = [life for life in case.once(lasting) if (life.open_since or 0.0) < first]
    text = (
        f"{plural(len(earlier), 'connection')} opened before the first of these stayed open longer than "
        f"{duration(SERVED)}"
    )
    return Sign(1.0, text, cite_all(earlier), Trigger("count", case.victims[0].conn)) if earlier else None


@sign(were_open)
def as_many_open_each_time(case: Case) -> Sign | None:
    """Each time that one was opened that ended so, the same number of others was open."""
    count, lives = case.once(as_many), case.once(opened)
    when = f"each time that one of these {len(lives)} was opened" if len(lives) > 1 else "when it was opened"
    text = f"{plural(count, 'other connection')} {'was' if count == 1 else 'were'} open {when}"
    return Sign(1.0, text, [cite(life) for life in lives], Trigger("count", lives[0].conn)) if count else None


@sign(were_open)
def turned_away_again(case: Case) -> Sign | None:
    """Several ended, without a reason in the close code, beside as many others each time."""
    lives = case.once(opened)
    if not case.may_be("server") or len(lives) < 3 or case.code not in (None, 1000) or not case.once(as_many):
        return None
    text = f"{len(lives)} ended this way, each with as many others open"
    return Sign(0.5 * min(len(lives) - 2, 3), text, cite_all(lives), Trigger("count", lives[0].conn))


@sign(closed_by_server)
def close_code_of_too_many(case: Case) -> Sign | None:
    """The close code is one for too many requests or connections."""
    text = f"close code {case.code} stands for too many requests or connections"
    return Sign(1.0, text, cite_all(case.victims)) if case.code in (4429, 4029) else None
