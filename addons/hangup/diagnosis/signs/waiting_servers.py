"""What the server may have been waiting for at the end: an answer, the client, its next heartbeat."""

from __future__ import annotations

import math

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import by_time, cites_of, left_waiting
from hangup.diagnosis.figures import middle, near, steadiness
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.idle_times import what
from hangup.diagnosis.signs.server_ends import SHORTEST, FrameClocks, all_seen, closed, several, timed
from hangup.diagnosis.signs.server_pings import app, app_sent
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary


def left(case: Case) -> list[tuple[Connection, MessageSummary]]:
    """The clients' last messages, if the server answered something before them each time, but nothing after."""
    clocks = case.once(FrameClocks)
    answering = any(life.traffic.server.opcode or "server" in life.half for life in clocks.lives)
    return [] if answering else left_waiting(clocks)


def left_so(case: Case) -> bool:
    """Whether there are such."""
    return timed(case) and all_seen(case) and bool(case.once(left))


@sign(left_so)
def last_message_unanswered(case: Case) -> Sign:
    """The server spoke after earlier messages of the client, and not after the last one."""
    clocks, (life, message) = case.once(FrameClocks), case.once(left)[0]
    text = "the server sent no message after the client's last one, unlike after earlier ones"
    return Sign(1.0, text, cites_of(clocks, "client"), Trigger("frame", life.conn, message.n))


@sign(left_so, several)
def steady_after_a_request(case: Case) -> Sign | None:
    """How steady the time is from a message of the client, of one kind and seldom sent, that was not answered."""
    clocks, last = case.once(FrameClocks), case.once(left)
    steady, value, words = clocks.of([life.since(message.at) for life, message in last])
    life, message = last[0]
    shape, total = message.shape, case.client_shapes.get(message.shape)
    often = total is not None and total.count > 1.5 * len(last)
    if value < SHORTEST or shape.beat is not None or often or len({m.shape for _, m in last}) > 1:
        return None
    text = f"the ends came {words} after {shape.text}, after which the server sent nothing"
    return Sign(steady, text, cites_of(clocks, "client"), Trigger("frame", life.conn, message.n))


@sign(timed, several, all_seen)
def steady_time(case: Case) -> Sign:
    """How steady the time is that the server may have waited for the client: since the client's last frame or, where it
    had sent pings, since opening or the first one without an answer."""
    clocks = case.once(FrameClocks)
    since = [(clocks.client, "the client's last frame")]
    if app_sent(case):
        pings = dict((life.conn, b.waiting) for life, b in case.once(app).found)
        since.append((clocks.open, "opening"))
        since.append(([life.since(pings.get(life.conn)) for life in clocks.lives], "the first ping without a pong"))
    known = [(clocks.of(times), event) for times, event in since if not any(map(math.isinf, times))]
    (steady, _, words), event = max(known)
    return Sign(steady, f"the ends came {words} after {event}", cites_of(clocks), by_time(clocks, ("server", "app")))


@sign(timed, closed, all_seen)
def client_silent_and_server_closed(case: Case) -> Sign | None:
    """Without a ping of the server, the client was silent until the server sent its close frame."""
    clocks = case.once(FrameClocks)
    silent = middle(clocks.client)
    if case.once(app).sent or silent < SHORTEST:
        return None
    text = f"the client had sent no {what(case)} for {duration(silent)} when the close frame came"
    return Sign(1.0, text, cites_of(clocks, "client"), by_time(clocks))


@sign(timed, all_seen)
def ended_when_the_next_heartbeat_was_due(case: Case) -> Sign | None:
    """The ends came as long after the client's last heartbeat as its heartbeats lie apart."""
    clocks = case.once(FrameClocks)
    found = []
    for life in clocks.lives:
        beats = life.traffic.beats.get(("client", "app")) or life.traffic.beats.get(("client", "control"))
        if beats is not None and beats.sent >= 2 and beats.longest <= 1.5 * beats.period:
            found.append((beats.period, life.since(beats.last)))
    due = [near(end, period, 0.12) for period, end in found]
    periods, ends = [period for period, _ in found], [end for _, end in found]
    if sum(due) < max(1, 0.6 * len(clocks.lives)) or middle(periods) < SHORTEST:
        return None
    text = f"the ends came {duration(middle(ends))} after the client's last heartbeat, when the next one was due"
    steady = 1.0 + 0.3 * max(steadiness(ends), 0.0)
    return Sign(steady, f"{text} ({duration(middle(periods))})", cites_of(clocks, "client"), by_time(clocks))
