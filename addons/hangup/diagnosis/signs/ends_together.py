"""What the server does to several connections at once, and whether it can be reached afterwards."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import surprise, within
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.moments import TOGETHER, Groups, clusters
from hangup.diagnosis.signs import Found, Sign, sign
from hangup.diagnosis.signs.client_closes import with_known_codes
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.connections import Connection, numbered

ONE_EVENT = 1.0
"""Seconds between ends that may be of one restart or crash: not every connection ends as soon as the server does."""

LEAVING = (1012, 1001)
"""Close codes of servers that go away."""

def every(case: Case) -> list[Connection]:
    """All that the server ended, in whichever way."""
    return [life for life in case.lives if life.ending.by == "server" and life.open_since is not None]


def _with_victims(case: Case, within: float) -> Groups:
    groups = clusters(case.once(every), within) if case.closer == "server" else []
    return [group for group in groups if any(life in case.once(opened) for life in group)]


def joint(case: Case) -> Groups:
    """Those that ended together, several at a time."""
    return [group for group in _with_victims(case, TOGETHER) if len(group) > 1]


def kept(case: Case) -> list[Connection]:
    """Those that were open when others ended together, and stayed open."""
    found = {}
    for group in case.once(joint):
        end = group[0].end or 0.0
        for life in case.lives:
            if life not in group and life.open_since is not None and life.open_since < end and not life.untold:
                if (case.last_at if life.end is None else life.end) > end + 0.3:
                    found[life.conn] = life
    return list(found.values())


def _together(case: Case, groups: Groups, who: str) -> Sign | None:
    whole = case.once(every)
    chance = within(len(whole) / max(case.last_at, 1.0), 2 * TOGETHER)
    times = {1: "once", 2: "twice"}.get(len(groups), f"{len(groups)} times")
    text = f"{who} ended together {times} ({numbered(groups[0])}{' first' if len(groups) > 1 else ''})"
    strength = min(surprise(sum(map(len, groups)), len(whole), chance), 6.0)
    cites = cite_all(life for group in groups for life in group)
    return Sign(strength, text, cites, Trigger("time", groups[0][0].conn)) if strength > 0 else None


@of(joint)
def several_ended_together(case: Case, groups: Groups) -> Found:
    """How much likelier so many end within moments of each other than by chance."""
    return _together(case, groups, "several connections")


@of(joint)
def all_ended_together(case: Case, groups: Groups) -> Found:
    """The same, where no other stayed open."""
    return None if case.once(kept) else _together(case, groups, "all connections")


@of(kept)
def some_stayed_open_when_others_ended(case: Case, lives: list[Connection]) -> Found:
    """Others did."""
    return Sign(1.0, f"{numbered(lives)} stayed open when others ended together", cite_all(lives))


def spoke(case: Case) -> list[Connection]:
    """Those whose client had just sent a message, where others ended with them whose clients had not."""
    return case.victims if case.beside and case.closer == "server" else []


@of(spoke)
def others_ended_with_the_one_that_had_spoken(case: Case, lives: list[Connection]) -> Found:
    """Nearly each time that several ended together, one client had just sent a message, and the others had not."""
    text = (
        f"{numbered(case.beside)} ended together with others whose clients had just sent a message, while "
        "their own had not"
    )
    return Sign(1.0, text, cite_all(lives, "client"))


def moments(case: Case) -> Groups:
    """The moments at which the server may have stopped altogether, with what ended then."""
    return _with_victims(case, ONE_EVENT)


def aftermath(case: Case) -> list[tuple[str, float]]:
    """After each: whether the server was ``gone`` or ``there``, if anybody tried, and how much later that was."""
    found = []
    for group in case.once(moments):
        end = group[-1].end or 0.0
        soon = [life for life in case.lives if end <= life.began <= end + 10.0]
        missed = [("gone", life.began - end) for life in soon if life.fate == "unreachable"]
        let_in = [("there", life.began - end) for life in soon if life.open_since is not None]
        found.append([*missed, *let_in, ("unknown", 0.0)][0])
    return found


@of(aftermath)
def server_was_gone_afterwards(case: Case, after: list[tuple[str, float]]) -> Found:
    """A handshake soon afterwards reached no server; stronger where that is so each time."""
    gone = [delay for what, delay in after if what == "gone"]
    if not gone:
        return None
    text = f"the server could not be reached {duration(min(gone))} later"
    return Sign(1.0 if len(gone) == len(after) else 0.5, text)


@of(aftermath)
def server_accepted_again_at_once(case: Case, after: list[tuple[str, float]]) -> Found:
    """Handshakes soon afterwards were accepted whenever somebody tried; how often that was."""
    there = [delay for what, delay in after if what == "there"]
    if not there or any(what == "gone" for what, _ in after):
        return None
    text = f"the server accepted the next connection (at most {duration(max(there))} later)"
    return Sign(min(len(there), 3.0), text)


@of(moments)
def happened_once(case: Case, found: Groups) -> Found:
    """All ends are of one moment."""
    return Sign(1.0, "it happened once") if len(found) == 1 else None


# The close code.


def closed_by_server(case: Case) -> bool:
    """Whether the server ended open connections with a close frame."""
    return case.closer == "server" and case.mode == "close" and bool(case.once(opened))


@sign(closed_by_server, with_known_codes)
def server_is_leaving(case: Case) -> Sign | None:
    """A close code of servers that go away; that of a restart is the plainer one."""
    text = f"close code {case.code}: the server is going away"
    strength = 1.0 if case.code == 1012 else 0.5
    return Sign(strength, text, cite_all(case.once(opened))) if case.code in LEAVING else None


@sign(closed_by_server, with_known_codes)
def another_close_code(case: Case) -> Sign | None:
    """Another one, or none."""
    return Sign() if case.code not in LEAVING else None


@sign(closed_by_server, with_known_codes)
def close_code_other_than_1011(case: Case) -> Sign | None:
    """Not the code of an exception."""
    text = f"closed with {'no code' if case.code is None else case.code}, not with the code for an exception (1011)"
    return Sign(1.0, text) if case.code != 1011 else None
