"""A handshake that is not answered: the client gives up first, or the server is not to be reached."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection, numbered
from hangup.recording.endings import SETTLED

PATIENCE = 0.3
"""Seconds below which nobody is said to have waited."""


def abandoned(case: Case) -> list[Connection]:
    """Those that their client gave up before the answer."""
    return [life for life in case.victims if life.fate == "abandoned"]


def gave_up(case: Case) -> bool:
    """Whether the client did so several times, after it had waited for a while."""
    lives = case.once(abandoned)
    return len(lives) >= max(2, 0.7 * case.count) and middle([life.waited for life in lives]) >= PATIENCE


def unreachable(case: Case) -> bool:
    """Whether nobody listened."""
    return case.mode == "unreachable"


def _error(case: Case) -> str:
    return printable(case.victims[0].error, 120) or "no answer"


def earlier(case: Case) -> list[Connection]:
    """What was opened before."""
    began = case.victims[0].began
    return [life for life in case.lives if life.open_since is not None and life.began < began]


def later(case: Case) -> list[Connection]:
    """What was opened afterwards, where nothing was before."""
    return [] if case.once(earlier) else [life for life in case.lives if life.open_since is not None]


@sign(gave_up)
def gave_up_before_the_answer(case: Case) -> Sign:
    """The client gave up several times before the handshake was answered."""
    lives = case.once(abandoned)
    waited = duration(middle([life.waited for life in lives]))
    text = f"the client gave up {len(lives)} times before the handshake was answered, after {waited} (median)"
    return Sign(1.0, text, cite_all(lives), Trigger("time", lives[0].conn))


@sign(gave_up)
def waited_as_long_each_time(case: Case) -> Sign:
    """The client waited as long each time; below 0 where it did not."""
    waits = [life.waited for life in case.once(abandoned)]
    alike = max(waits) - min(waits) <= 0.1 * middle(waits) + 0.05
    text = f"the client {'waited about the same time' if alike else 'waited a different time'} each time"
    return Sign(1.0 if alike else -1.0, text, cite_all(case.once(abandoned)))


@sign(gave_up)
def answers_take_as_long(case: Case) -> Sign | None:
    """Handshakes that are answered take about as long to be, or longer."""
    found = [life for life in case.lives if life.open_since is not None]
    least = min((life.waited for life in found), default=0.0)
    if least < 0.5 * middle([life.waited for life in case.once(abandoned)]):
        return None
    return Sign(1.0, f"when the server does answer, it takes {duration(least)} or longer", cite_all(found[:3]))


@sign(unreachable)
def was_reachable_before(case: Case) -> Sign | None:
    """The server was there, and then was not."""
    before = case.once(earlier)
    if not before:
        return None
    text = f"the server was reachable before ({numbered(before)}) and then was not: {_error(case)}"
    return Sign(1.0, text, cite_all(case.victims), Trigger("time", before[-1].conn))


@sign(unreachable)
def reachable_later(case: Case) -> Sign | None:
    """The server was not there at first, and then was; whether what was opened then stayed open."""
    if not (found := case.once(later)):
        return None
    lasting = all(life.lasted >= SETTLED and life.fate != "dropped" for life in found)
    text = f"the backend could not be reached at first ({_error(case)}), but could be later ({numbered(found)})"
    text += "" if lasting else ", where not all connections stayed open"
    trigger = Trigger("none", case.victims[0].conn)
    return Sign(1.0, text, cite_all([case.victims[0], *found]), trigger, "" if lasting else "for-a-while")


@sign(unreachable)
def never_reached(case: Case) -> Sign | None:
    """The server was never there."""
    if case.once(earlier) or case.once(later):
        return None
    text = f"the backend was never reached: {_error(case)}; is it running, and is the address right?"
    return Sign(1.0, text, cite_all(case.victims), Trigger("none", case.victims[0].conn))
