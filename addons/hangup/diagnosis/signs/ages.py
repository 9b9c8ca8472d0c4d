"""How old the connections were at their ends, beside others and beside usual limits."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import by_time, cites_of
from hangup.diagnosis.figures import near
from hangup.diagnosis.findings import cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL
from hangup.diagnosis.signs.server_ends import FrameClocks, clocked, several, timed
from hangup.humanize import duration
from hangup.recording.connections import Connection, numbered

YOUNGEST = 1.0
"""Seconds; hardly anybody sets a shorter limit."""

DEFAULTS = {
    30: "gunicorn's worker timeout and Heroku's request timeout", 60: "the request timeout of many proxies",
    3600: "the longest request of Google Cloud Run", 7200: "AWS API Gateway", 900: "several servers",
    300: "Google Cloud Run", 15: "Envoy's route timeout",
}  # fmt: skip
"""Ages (seconds) at which something ends a connection unless it is told otherwise."""


def default(values: Sequence[float], defaults: dict[int, str]) -> int | None:
    """The default that nearly all of these times are near to, if there is one."""
    close = ((limit, sum(near(value, limit, 0.02) for value in values)) for limit in defaults)
    return next((limit for limit, count in close if count >= NEARLY_ALL * len(values)), None)


@sign(clocked)
def steady_age(case: Case) -> Sign:
    """How alike the ages are; nothing can be said of one connection."""
    clocks = case.once(FrameClocks)
    who = "the connections" if several(case) else "the connection"
    return Sign(clocks.age[0], f"{who} lasted {clocks.age[2]}", cites_of(clocks), by_time(clocks))


@sign(timed)
def too_young_for_a_limit(case: Case) -> Sign | None:
    """The age is shorter than any limit that somebody would set."""
    age = case.once(FrameClocks).age[1]
    return Sign(1.0, (
        f"{duration(age)} is too short for a limit that somebody would "
        "configure"
    )) if age < YOUNGEST else None


@sign(timed)
def a_usual_default(case: Case) -> Sign | None:
    """The age is one at which something ends connections by default: a variety for each."""
    limit = default(case.once(FrameClocks).open, DEFAULTS)
    if limit is None:
        return None
    text = f"the age is near {duration(limit)}, the default of {DEFAULTS[limit]}"
    return Sign(1.0, text, cites_of(case.once(FrameClocks)), variety=str(limit))


def older(case: Case, than: float) -> list[Connection]:
    """Other connections of the route that were open for longer than that."""
    return [life for life in case.others if life.open_since is not None and life.lasted > than]


@sign(timed)
def others_got_older(case: Case) -> Sign | None:
    """Other connections of the route lasted longer."""
    age = case.once(FrameClocks).age[1]
    found = older(case, 1.1 * age + 0.1)
    return Sign(1.0, f"{numbered(found)} stayed open longer than {duration(age)}", cite_all(found)) if found else None


@sign(timed)
def those_who_spoke_stayed_open(case: Case) -> Sign | None:
    """The client said nothing on these, and spoke on all that stayed open for longer."""
    clocks = case.once(FrameClocks)
    mute = [life for life in clocks.lives if not life.traffic.client.messages and not life.lost]
    found = older(case, 1.5 * clocks.age[1])
    spoke = bool(found) and all(life.traffic.client.messages for life in found)
    if not spoke or len(mute) < NEARLY_ALL * len(clocks.lives):
        return None
    return Sign(1.0, (
        f"{numbered(found)}, where the client sent messages, stayed open "
        "longer"
    ), cite_all(found, "client"))
