"""How connections ended, and whether these ends follow anything, keep a time, or have neither in common."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import Clocks
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.last_messages import after_client, after_server
from hangup.humanize import clip

ENOUGH = 3.0
"""A measure (a logarithm of a likelihood ratio) that leaves little room for coincidence."""


def failed(case: Case) -> bool:
    """Whether there are ends to explain."""
    return bool(case.victims)


def were_open(case: Case) -> bool:
    """Whether these connections had been open."""
    return bool(case.victims) and case.mode in ("abrupt", "close")


def _little(measure: float) -> float:
    """1 where a measure is nothing, 0 where it is enough."""
    return 1.0 - clip(measure, 0.0, ENOUGH) / ENOUGH


def follows(case: Case) -> float:
    """How much likelier the ends are soon after a message of some side than by chance."""
    found = case.once(after_client), case.once(after_server)
    return max((each.weight for each in found if each is not None), default=0.0)


def steady(case: Case) -> float:
    """How steady the steadiest time is: from opening, or from the last frame of a side or of either."""
    clocks = case.once(Clocks)
    return max(clocks.age[0], *(clocks.of(times)[0] for times in (clocks.idle, clocks.client, clocks.server)))


@sign()
def nothing_failed(case: Case) -> Sign | None:
    """No connection ended in a way that asks for an explanation."""
    return None if case.victims else Sign()


@sign(failed)
def way_of_ending(case: Case) -> Sign:
    """Who ended them and how."""
    return Sign(variety=f"{case.closer}-{case.mode}", trigger=Trigger("none", case.victims[0].conn))


@sign(failed)
def kind_of_close_code(case: Case) -> Sign | None:
    """Whose close code it is: everybody's in order, the protocol's for errors, or one of the application's own."""
    if case.mode != "close":
        return None
    code = case.code or 0
    band = "none" if not code else "1000" if code in (1000, 1001, 1005) else "1xxx" if code < 3000 else "own"
    return Sign(variety=f"{case.closer}-{band}")


@sign(failed)
def few_ends(case: Case) -> Sign:
    """The fewer, the stronger."""
    return Sign(1.0 / case.count)


@sign(were_open)
def follows_nothing(case: Case) -> Sign:
    """The ends do not come soon after messages."""
    return Sign(_little(case.once(follows)))


@sign(were_open)
def keeps_no_time(case: Case) -> Sign:
    """The ends come at no steady time after anything."""
    return Sign(_little(case.once(steady)))


@sign(were_open)
def neither(case: Case) -> Sign:
    """The ends neither follow messages nor keep a time."""
    return Sign(_little(max(case.once(follows), case.once(steady))))


@sign(were_open)
def other_connections_stayed_open(case: Case) -> Sign | None:
    """Another connection of the same route, which did not end so, was open for twice as long."""
    others = [life for life in case.others if life.open_since is not None and life.lasted > 2 * middle(case.lived)]
    return Sign(cites=cite_all(others)) if others else None


@sign(were_open)
def last_client_messages_differ(case: Case) -> Sign | None:
    """The clients' last messages are of several kinds."""
    kinds = {m.shape for life in case.victims if (m := life.last_message("client")) is not None}
    return Sign() if len(kinds) > 1 else None


@sign(were_open)
def not_reopened(case: Case) -> Sign | None:
    """No client came again after the end."""
    return Sign() if not any(life.successor is not None for life in case.victims) else None
