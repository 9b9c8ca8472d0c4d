"""Timers of the client that run late, or were not reset for a new connection."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Cite, Trigger, cite_all
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.client_closes import closed_by_client
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.beats import Heartbeats
from hangup.recording.connections import Connection

Slow = list[tuple[Connection, Heartbeats, float]]


def slow(case: Case) -> Slow:
    """Heartbeats of the client that paused for much longer than usual, with the pause; none where few did."""
    found: Slow = []
    for life in case.once(opened):
        for level in ("app", "control"):
            beats = life.traffic.beats.get(("client", level))
            if beats is not None and beats.sent >= 4 and not life.lost:
                last = life.since(beats.last)
                pause = max(beats.longest, last if last < 1e6 else 0.0)
                found += [(life, beats, pause)] if pause >= 5 and pause > 3 * beats.usual else []
    return found if len({life.conn for life, _, _ in found}) >= 0.6 * len(case.once(opened)) else []


@of(slow)
def client_heartbeats_slowed_down(case: Case, found: Slow) -> Found:
    """As the timers of a hidden tab do."""
    usual, pause = middle([beats.usual for _, beats, _ in found]), middle([pause for _, _, pause in found])
    text = f"the client's heartbeats, which came every {duration(usual)}, paused for {duration(pause)}"
    cites = [Cite(life.conn, beats.last_n) for life, beats, _ in found]
    return Sign(1.0, text, cites, Trigger("time", found[0][0].conn))


@of(slow)
def once_a_minute(case: Case, found: Slow) -> Found:
    """So often does Chrome let the timers of a hidden tab run."""
    pause = middle([pause for _, _, pause in found])
    text = f"{duration(pause)} is about how often Chrome lets a hidden tab's timers run"
    return Sign(1.0, text) if 50 <= pause <= 70 else None


def of_the_route(case: Case) -> list[Connection]:
    """All that were opened on the route, in order."""
    return [life for life in case.same_route if life.open_since is not None]


@of(of_the_route, closed_by_client)
def first_stayed_open_longest(case: Case, lives: list[Connection]) -> Found:
    """The first one stayed open for a while, and every one that came after its end ended early."""
    first, over = lives[0], lives[0].ended
    after = [life for life in lives[1:] if over is not None and life.first_seen >= over]
    later = [life for life in after if life in case.once(opened)]
    longest = max((life.lasted for life in after), default=0.0)
    if len(later) < 2 or first.lasted < 1.0 or longest > 0.25 * first.lasted:
        return None
    text = f"the first connection was open for {duration(first.lasted)}, no later one that dropped for more than "
    text += duration(longest)
    strength = min(1.0 + 0.2 * len(later), 2.0)
    return Sign(strength, text, cite_all([first, *later[:4]]), Trigger("time", later[0].conn))


def beating(case: Case) -> list[Connection]:
    """Those on which the client sends heartbeats."""
    beats = (
        (life, life.traffic.beats.get(("client", level))) for life in of_the_route(case) for level in ("app", "control")
    )
    return [life for life, each in beats if each is not None and each.sent]


@of(beating, closed_by_client)
def client_sends_heartbeats(case: Case, lives: list[Connection]) -> Found:
    """On some connection of the route, as messages or as control frames."""
    return Sign(1.0, "the client sends heartbeats", cite_all(lives))
