"""The client ends it by the clock: its pings are not answered, its patience is over, the server fell silent."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread, steadiness
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.reactions import reaction
from hangup.diagnosis.rules import silence
from hangup.humanize import duration
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection

HURRIED = 0.05
"""Seconds after a ping in which no client waits for its answer and gives up."""


def _waiting(life: Connection) -> float:
    beats = life.traffic.beats.get(("client", "app"))
    return life.since(beats.waiting) if beats is not None and beats.waiting is not None else math.inf


def _looks_like_pings(case: Case, lives: list[Connection]) -> Shape | None:
    """A small message of the client that comes like clockwork, though its form is no known heartbeat."""
    regular: dict[Shape, int] = {}
    for life in lives:
        for shape, count in life.traffic.client.shapes.items():
            if shape.beat is None and count.regular and count.largest <= 128:
                regular[shape] = regular.get(shape, 0) + 1
    found = [shape for shape, n in regular.items() if n >= 0.5 * len(lives) and not _answered(lives, shape)]
    return found[0] if found else None


def _answered(lives: list[Connection], shape: Shape) -> bool:
    """Whether the server says something after most of these before the client goes on."""
    asked = answers = 0
    for life in lives:
        said = [m for m in life.traffic.recent if m.data]
        for message, following in zip(said, said[1:], strict=False):
            if message.side == "client" and message.shape is shape:
                asked += 1
                answers += following.side == "server"
    return answers > 0.5 * asked


def by_time(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """Deadlines that a client may have."""
    ages = [life.lasted for life in lives]
    if middle(ages) < 0.3:
        return
    age = steadiness(ages)
    by_server = reaction(case, "server")
    pushed = by_server.weight if by_server is not None and by_server.window <= 0.06 else 0.0
    pong = Hypothesis("heartbeat/app-pong-missing-from-server", closer="client", trigger=_at(lives))
    other = Hypothesis("heartbeat/pong-mismatch", closer="client", trigger=_at(lives))
    blocked = Hypothesis("server-handler/blocked", closer="client", trigger=_at(lives))
    connect = Hypothesis("client-lifecycle/connect-deadline", closer="client", trigger=_at(lives))
    mute = Hypothesis("identity/stale-cleanup", closer="client", trigger=_at(lives))
    beats = [(life, b) for life in lives if (b := life.traffic.beats.get(("client", "app"))) is not None and b.sent]
    pings = [Cite(life.conn, b.waiting_n or b.first_n) for life, b in beats]
    sent, answered = sum(b.sent for _, b in beats), sum(b.answered for _, b in beats)
    waits = [_waiting(life) for life in lives]
    heard = [life.since(m.at if (m := life.last_message("server")) is not None else life.open_since) for life in lives]
    clocks = [
        (age, f"every connection got {duration(middle(ages))} old (spread {duration(spread(ages))})"),
        (
            steadiness(waits) if not any(map(math.isinf, waits)) else 0.0,
            f"the end came {duration(middle(waits))} after the first ping without an answer",
        ),
        (steadiness(heard), f"the end came {duration(middle(heard))} after the server's last message"),
    ]
    steady, words = max(clocks)
    instead = _instead(lives)
    if beats and len(beats) >= 0.7 * len(lives):
        shape = beats[0][1].shape
        words_of = shape.text if shape is not None else "a ping"
        unanswered = sum(b.waiting is not None for _, b in beats)
        if not answered:
            pong.says("no-ping-answered", 1.0, f"the client sent {sent} pings ({words_of}); none was answered", pings)
        elif unanswered >= 0.7 * len(beats):
            pong.says("last-pings-unanswered", 1.0, f"the last pings ({words_of}) were not answered", pings)
            blocked.says("last-pings-unanswered", 1.0, "the server answered at first, and then no more", pings)
        else:
            pong.says("pings-answered", -1.0, f"the server answered {answered} of {sent} pings", pings)
        if instead is not None and not answered:
            other.says(
                "ping-followed-by-something-else",
                1.0,
                f"each ping is followed by {instead.text}, which is no pong that the client knows",
                pings,
            )
            pong.says("ping-followed-by-something-else", -1.0, f"each ping is followed by {instead.text}")
        answer = beats[0][1].answer
        if answered and shape is not None and answer is not None:
            alike = shape.json == answer.json
            text = f"the server answers it with {answer.text}"
            other.says(
                "answered-alike" if alike else "answered-in-another-form",
                -1.0 if alike else 1.0,
                text + ("" if alike else ", which is of another form"),
                pings,
            )
        connect.says("client-sends-pings", -1.0, "the client had begun to send pings")
    elif (regular := _looks_like_pings(case, lives)) is not None:
        text = f"the client sends {regular.text} like clockwork, and nothing looks like an answer to it"
        pong.says("clockwork-messages-unanswered", 1.0, text, cite_all(lives, "client"))
    else:
        pong.says("no-client-ping", -1.0, "no ping of the client is to be seen")
        silence.weigh(pong, case, "server", middle(heard))
    if len(lives) > 1:
        for hypothesis in (pong, other, blocked, mute):
            hypothesis.says("steady-time", steady, words, cite_all(lives, "client"))
        connect.says("steady-age", age, clocks[0][1], cite_all(lives))
    unheard = [life for life in lives if not life.traffic.server.messages]
    if len(unheard) >= 0.7 * len(lives):
        connect.says("server-silent-from-the-start", 1.0, "the server had not said anything yet", cite_all(unheard))
        blocked.says("server-silent-from-the-start", 1.0, "the server had not said anything")
        mute.says("server-silent-from-the-start", 1.0, "the server had not said anything", cite_all(unheard))
    else:
        # A word of welcome may not be the one that the client waits for.
        few = max(life.traffic.server.messages for life in lives) <= 2 and min(heard) > 0.7 * middle(ages)
        connect.says(
            "server-spoke-a-little" if few else "server-spoke-before", -1.0, "the server had sent messages before"
        )
    shown = "server-silent-from-the-start" in mute.signs
    silent = middle(
        [life.since(f.at if (f := life.traffic.server.frame) is not None else life.open_since) for life in lives]
    )
    asked = [life for life in lives if _unanswered(life) >= 2]
    if len(asked) >= 0.7 * len(lives) and silent > 0.3:
        text = f"the server fell silent for {duration(silent)}, though the client went on sending"
        blocked.says("server-fell-silent", 1.0, text, cite_all(asked, "client"))
        mute.says("server-fell-silent", 1.0, text)
        shown = True
    else:
        blocked.says("server-went-on-sending", -1.0, "the server went on sending")
    if (shape := _choked_on(case, lives)) is not None:
        blocked.says(
            "silent-from-one-message-on",
            1.0,
            f"the server fell silent each time when the client had sent {shape.text}",
            cite_all(lives),
        )
        pong.says(
            "silent-from-one-message-on", -1.0, f"the server answered nothing at all any more, from {shape.text} on"
        )
    if len(lives) > 1 or case.others:
        first = min(case.same_route, key=lambda life: life.conn)
        if first not in unheard and first.traffic.server.messages and len(unheard) >= 0.6 * len(case.victims):
            mute.says(
                "first-served-successors-not",
                1.0,
                "the first connection was served, its successors heard nothing",
                [cite(first)],
            )
            shown = True
            connect.says("first-served-successors-not", -1.0, "the first connection was served at once", [cite(first)])
            pong.says("first-served-successors-not", -1.0, "the first connection was served at once", [cite(first)])
        elif unheard and first in unheard:
            mute.says("first-silent-too", -1.0, "the first connection was mute too")
    if not shown:
        mute.says("server-did-not-fall-silent", -1.0, "the server did not fall silent")
    yield from _control(lives)
    code = case.victims[0].code
    if code is not None and code >= 3000:
        pong.says("application-close-code", 1.0, f"close code {code}")
    hurried = bool(beats) and middle(waits) < HURRIED and not any(map(math.isinf, waits))
    for hypothesis in (pong, other, blocked, connect, mute):
        if hurried and hypothesis in (pong, other):
            continue  # nobody's patience is so short
        if pushed > 1.5:
            hypothesis.says(
                "follows-server-message",
                -pushed,
                "the end follows a message of the server more often than chance would have it",
            )
        asked_for = hypothesis is not other or instead is not None or beats
        if hypothesis.spoken_for > 0 and asked_for:
            yield hypothesis


def _control(lives: list[Connection]) -> Iterator[Hypothesis]:
    """Control pings of the client that the server does not answer."""
    beats = [(life, b) for life in lives if (b := life.traffic.beats.get(("client", "control"))) is not None and b.sent]
    if len(beats) < 0.7 * len(lives):
        return
    pings = [Cite(life.conn, b.waiting_n or b.last_n) for life, b in beats]
    sent, answered = sum(b.sent for _, b in beats), sum(b.answered for _, b in beats)
    waiting = [life.since(b.waiting) for life, b in beats if b.waiting is not None]
    hypothesis = Hypothesis(
        "heartbeat/control-pong-missing", closer="client", trigger=Trigger("time", lives[0].conn, pings[0].frame)
    )
    if len(waiting) >= 0.7 * len(beats):
        text = f"{sent - answered} of the client's {sent} control pings got no pong"
        hypothesis.says("some-control-pings-unanswered" if answered else "no-control-ping-answered", 1.0, text, pings)
        if len(waiting) > 1:
            text = f"the end came {duration(middle(waiting))} after the first ping without an answer"
            hypothesis.says("steady-after-unanswered-ping", steadiness(waiting), text, pings)
    else:
        hypothesis.says(
            "control-pings-answered", -1.0, f"the server answered {answered} of {sent} control pings", pings
        )
    yield hypothesis


def _choked_on(case: Case, lives: list[Connection]) -> Shape | None:
    """The message after which the server said nothing more, if it is the same each time, and no heartbeat."""
    firsts: list[Shape] = []
    for life in lives:
        last = life.traffic.server.frame
        after = [m for m in life.traffic.recent if m.side == "client" and m.data and last is not None and m.n > last.n]
        if len(after) >= 2:
            firsts.append(after[0].shape)
    if len(firsts) < 0.7 * len(lives):
        return None
    shape = max(firsts, key=firsts.count)
    total = case.client_shapes.get(shape)
    often = total is not None and total.count > 1.2 * len(firsts)
    answered = sum(b.answered > 0 for life in lives for (side, _), b in life.traffic.beats.items() if side == "client")
    if shape.beat is not None or often or firsts.count(shape) < 0.7 * len(firsts) or answered < 0.7 * len(lives):
        return None
    return shape


def _unanswered(life: Connection) -> int:
    """Messages of the client after the server's last one."""
    last = life.traffic.server.frame
    after = last.n if last is not None else 0
    return sum(m.side == "client" and m.data and m.n > after for m in life.traffic.recent)


def _instead(lives: list[Connection]) -> Shape | None:
    """The one shape that follows nearly every ping of the client, if there is one."""
    following: dict[Shape, int] = {}
    pings = 0
    elsewhere: dict[Shape, int] = {}
    for life in lives:
        frames = [m for m in life.traffic.recent if m.data]
        for at, message in enumerate(frames):
            if message.side == "client" and message.shape.beat is not None and message.shape.beat.kind == "ping":
                pings += 1
                answer = next((m for m in frames[at + 1 :] if m.side == "server"), None)
                if answer is not None and answer.at - message.at < 0.25:
                    following[answer.shape] = following.get(answer.shape, 0) + 1
            elif message.side == "client":
                answer = next((m for m in frames[at + 1 :] if m.side == "server"), None)
                if answer is not None:
                    elsewhere[answer.shape] = elsewhere.get(answer.shape, 0) + 1
    best = max(following, key=lambda shape: following[shape], default=None)
    if best is None or pings < 2 or following[best] < 0.7 * pings or elsewhere.get(best, 0) > 0.3 * following[best]:
        return None
    return best


def _at(lives: list[Connection]) -> Trigger:
    life = lives[0]
    beats = life.traffic.beats.get(("client", "app"))
    if beats is not None and beats.sent:
        return Trigger("time", life.conn, beats.waiting_n or beats.last_n)
    last = life.traffic.server.frame or life.traffic.client.frame
    return Trigger("time", life.conn, last.n if last is not None else None)
