"""Clients that open twice and give up the first: at the load of a page, or at each of many loads."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.endings import SETTLED

BRIEF = 0.5
"""Seconds within which a first connection is given up."""

Pairs = list[tuple[Connection, Connection]]


def brief(case: Case) -> list[Connection]:
    """Those that the client gave up within moments, or even before they were open."""
    return [life for life in case.victims if life.lasted <= BRIEF and case.closer == "client"]


def followed(case: Case) -> Pairs:
    """Those for which it opened another, with that one."""
    later = ((life, case.successor(life)) for life in case.once(brief))
    return [(life, heir) for life, heir in later if heir is not None and heir.open_since is not None]


def first_given_up(case: Case) -> Pairs:
    """The same, where it is not the custom."""
    return case.once(followed) if case.count <= 2 else []


def _stayed(life: Connection) -> bool:
    there = life.end is None or life.fate in ("stopped", "left", "open")
    return life.lasted > (BRIEF if there else SETTLED)


@of(first_given_up)
def gave_up_the_first(case: Case, pairs: Pairs) -> Found:
    """The client gave up a connection within moments and opened another."""
    life = pairs[0][0]
    text = f"the client gave up a connection after {duration(life.lasted or life.waited)}, and opened another"
    return Sign(1.0, text, cite_all(pairs[0]), Trigger("none", life.conn))


@of(first_given_up)
def the_next_one_stayed(case: Case, pairs: Pairs) -> Found:
    """That one was not given up."""
    stayed = [heir for _, heir in pairs if _stayed(heir)]
    return Sign(1.0, "the client's next connection stayed open", cite_all(stayed)) if stayed else None


@of(followed)
def given_up_for_one_that_stayed(case: Case, pairs: Pairs) -> Found:
    """Each brief one was given up for another that stayed open, and no such other for a brief one."""
    if len(pairs) < max(2.0, 0.4 * case.count, len(case.once(brief))):
        return None
    for life, heir in pairs:
        again = heir.gap
        given_up_too = again is not None and again < 0.15 and heir.fate == "dropped"
        if (life.gap or 0.0) > 0.2 or not _stayed(heir) or given_up_too:
            return None
    usual = duration(middle([heir.lasted for _, heir in pairs]))
    text = (
        f"{len(pairs)} times the client gave up a connection at once for another, which usually stayed open "
        f"for {usual}"
    )
    cites = [cite(life) for pair in pairs for life in pair]
    return Sign(min(0.5 * len(pairs), 2.0), text, cites, Trigger("none", pairs[0][0].conn))
