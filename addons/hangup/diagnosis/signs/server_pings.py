"""Pings of the server before its ends, as messages or as control frames, and what the client made of them."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import by_time, cites_of
from hangup.diagnosis.figures import middle, spread
from hangup.diagnosis.findings import Cite, Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import HURRIED, NEARLY_ALL
from hangup.diagnosis.signs.server_ends import FrameClocks, all_seen, cut, several, timed
from hangup.humanize import plural
from hangup.recording.beats import Heartbeats
from hangup.recording.connections import Connection

MANY = 5
"""Pings without an answer that hardly any server waits for."""

AT_ONCE = 0.06
"""Seconds after a ping in which an end may be its consequence."""


class ServerPings:
    """The server's pings of one level (``app``, ``control``) on the connections that ended so."""

    def __init__(self, case: Case, level: str) -> None:
        self.clocks = case.once(FrameClocks)
        self.level = level
        beats = ((life, life.traffic.beats.get(("server", level))) for life in self.clocks.lives)
        self.found: list[tuple[Connection, Heartbeats]] = [(life, b) for life, b in beats if b is not None and b.sent]
        self.sent = sum(b.sent for _, b in self.found)
        self.answered = sum(b.answered for _, b in self.found)
        waits = [life.since(b.waiting) for life, b in self.found if b.waiting is not None]
        self.mostly_waiting = len(waits) >= NEARLY_ALL * len(self.clocks.lives)
        """Whether on nearly all connections a ping had no answer at the end."""
        self.missing = self.sent - self.answered
        self.left = middle(waits) >= HURRIED
        """Whether the first ping without an answer had had none for a while."""
        self.cites = [Cite(life.conn, b.waiting_n or b.first_n) for life, b in self.found]
        self.all = len(self.found) == len(self.clocks.lives)
        """Whether each connection saw one."""

    @property
    def trigger(self) -> Trigger:
        """The ping in question: the end itself comes of time."""
        return by_time(self.clocks, ("server", self.level))


def app(case: Case) -> ServerPings:
    """The pings that are messages."""
    return ServerPings(case, "app")


def control(case: Case) -> ServerPings:
    """The pings that are control frames."""
    return ServerPings(case, "control")


def app_sent(case: Case) -> bool:
    """Whether the server had sent pings that are messages, and may have ended it by a timer."""
    return timed(case) and all_seen(case) and case.once(app).sent > 0


def control_sent(case: Case) -> bool:
    """Whether the server had sent control pings, and may have ended it by a timer."""
    return timed(case) and all_seen(case) and case.once(control).sent > 0


def control_to_all(case: Case) -> bool:
    """Whether it had sent some on each of several connections."""
    return control_sent(case) and case.once(control).all and several(case)


@sign(app_sent)
def server_pings_unanswered(case: Case) -> Sign | None:
    """The client answered no ping of the server."""
    pings = case.once(app)
    if pings.answered or not pings.left:
        return None
    shapes = ", ".join(sorted({b.shape.text for _, b in pings.found if b.shape is not None})[:2])
    text = f"the server sent {plural(pings.sent, 'ping')} ({shapes}), and no pong came"
    return Sign(1.0, text, pings.cites, pings.trigger)


@sign(app_sent)
def last_pings_unanswered(case: Case) -> Sign | None:
    """The client had answered pings of the server, and then no more."""
    pings = case.once(app)
    if not (pings.answered and pings.mostly_waiting and pings.left):
        return None
    text = f"{pings.answered} of the server's {plural(pings.sent, 'ping')} got a pong, but mostly not the last one"
    return Sign(1.0, text, pings.cites, pings.trigger)


@sign(app_sent)
def pings_answered(case: Case) -> Sign | None:
    """On many connections no ping of the server was without an answer at the end."""
    pings = case.once(app)
    text = f"{pings.answered} of the server's {plural(pings.sent, 'ping')} got a pong"
    return Sign(1.0, text, pings.cites) if pings.answered and not pings.mostly_waiting else None


def ignored(case: Case) -> list[float]:
    """How many of the server's pings got no pong, for each connection with any; none where the last one did."""
    return [float(b.sent - b.answered) if b.waiting is not None else 0.0 for _, b in case.once(app).found]


@sign(app_sent)
def different_numbers_of_unanswered_pings(case: Case) -> Sign | None:
    """No number of missing answers is what ends a connection."""
    counts = case.once(ignored)
    if spread(counts) <= 1:
        return None
    text = f"on each connection {min(counts):.0f} to {max(counts):.0f} of the server's pings got no pong"
    return Sign(1.0, text, case.once(app).cites)


@sign(app_sent)
def many_unanswered_pings(case: Case) -> Sign | None:
    """More answers are missing than a server waits for."""
    count = middle(case.once(ignored))
    text = f"on each connection {count:.0f} of the server's pings got no pong (median)"
    return Sign(1.0, text, case.once(app).cites) if count > MANY else None


@sign(control_sent)
def control_pings_unanswered(case: Case) -> Sign | None:
    """At least half of the server's control pings got no pong, the last ones among them."""
    pings = case.once(control)
    text = f"{pings.missing} of the server's {plural(pings.sent, 'ping frame')} got no matching pong"
    return Sign(1.0, text, pings.cites, pings.trigger) if pings.left and pings.missing >= pings.answered else None


@sign(control_sent)
def pongs_passed(case: Case) -> Sign | None:
    """Pongs came to most of the server's control pings, or to the last ones."""
    pings = case.once(control)
    text = f"{pings.answered} of the server's {plural(pings.sent, 'ping frame')} got a pong"
    most = pings.answered > pings.missing or (pings.answered and not pings.left)
    return Sign(1.0, text, pings.cites) if most else None


@sign(control_to_all)
def steady_after_a_control_ping(case: Case) -> Sign:
    """How alike the times are from the server's last control ping to the end."""
    pings, clocks = case.once(control), case.once(FrameClocks)
    steady, _, words = clocks.of(clocks.ping)
    return Sign(steady, f"the ends came {words} after the server's last ping frame", pings.cites, pings.trigger)


@sign(control_to_all)
def right_after_a_control_ping(case: Case) -> Sign | None:
    """The ends came at once after it."""
    pings, (_, after, words) = case.once(control), case.once(FrameClocks).of(case.once(FrameClocks).ping)
    text = f"the ends came {words} after the server's last ping frame"
    return Sign(1.0, text, pings.cites, pings.trigger) if after < AT_ONCE else None


@sign(control_to_all)
def steady_after_the_only_control_ping(case: Case) -> Sign | None:
    """Each connection saw one control ping of the server, and ended a steady time after it."""
    pings, clocks = case.once(control), case.once(FrameClocks)
    steady, _, words = clocks.of(clocks.ping)
    if pings.sent > len(pings.found) or steady <= 1.5:
        return None
    text = f"the ends came {words} after the server's only ping frame on each connection"
    return Sign(1.0, text, pings.cites, pings.trigger)


@sign(control_to_all)
def another_time_steadier_than_the_ping(case: Case) -> Sign | None:
    """The age, or the silence of the client, is steadier than the time since the server's last ping frame."""
    clocks = case.once(FrameClocks)
    silent = clocks.of(clocks.client)
    what = "the age" if clocks.age[0] >= silent[0] else "the time since the client's last frame"
    if clocks.of(clocks.ping)[0] >= max(clocks.age[0], silent[0]) - 1.5:
        return None
    return Sign(1.0, f"{what} is steadier than the time since the server's last ping frame", cites_of(clocks))


@sign(control_to_all)
def earlier_pings_did_no_harm(case: Case) -> Sign | None:
    """Control pings had been answered before on connections that ended so."""
    pings = case.once(control)
    text = f"the server's ping frames were answered {pings.answered} times before"
    return Sign(1.0, text, pings.cites) if pings.answered > len(pings.found) else None


@sign(control_sent)
def not_all_were_pinged(case: Case) -> Sign | None:
    """Some of the connections saw no control ping."""
    pings = case.once(control)
    few = len(pings.found) < NEARLY_ALL * len(pings.clocks.lives)
    text = (
        f"only {len(pings.found)} of {plural(len(pings.clocks.lives), 'connection')} saw a ping frame from the server"
    )
    return Sign(1.0, text, pings.cites) if few else None


@sign(control_sent, cut)
def library_cuts_so_for_a_missing_pong(case: Case) -> Sign | None:
    """The server's library ends a connection without a close frame when a pong is missing."""
    text = "the server sent no close frame, just as aiohttp does when a pong is missing"
    return Sign(1.0, text, cite_all(case.victims)) if case.stack.server == "aiohttp" else None
