"""What one side asks again and again and the other answers, whatever it is called; and how fast messages come.

A heartbeat need not be called ``ping``: it is a kind of message that comes like clockwork and has its usual answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness
from hangup.diagnosis.findings import Hypothesis, Trigger, cite
from hangup.humanize import duration
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary

MOST = 0.7
"""The share of cases from which on something is the rule."""

PACES = (0.3, 1.0, 3.0)
"""Seconds over which the pace of messages is looked at."""


def unanswered(case: Case) -> Iterator[Hypothesis]:
    """The side that ends it had asked something that the other answers as a rule, and had no answer this time."""
    if case.mode not in ("abrupt", "close") or case.closer not in ("client", "server"):
        return
    lives = [life for life in case.victims if life.open_since is not None and life.end is not None]
    asker: Side = "server" if case.closer == "server" else "client"
    found = _left_waiting(lives, asker)
    if found is None:
        return
    shape, answer, waiting = found
    waits = [life.since(message.at) for life, message in waiting]
    if middle(waits) < 0.05:
        return  # nobody's patience is so short
    whom = "client" if asker == "server" else "server"
    life, message = waiting[0]
    hypothesis = Hypothesis(
        f"heartbeat/app-pong-missing-from-{whom}", closer=asker, trigger=Trigger("time", life.conn, message.n)
    )
    text = f"the {whom} answers {shape.text} with {answer.text} as a rule, and the last one had no answer"
    hypothesis.says("usual-answer-missing", 1.0, text, [cite(life, message) for life, message in waiting])
    if len(waits) > 1:
        text = f"the end came {duration(middle(waits))} after it"
        hypothesis.says("steady-after-unanswered-ping", steadiness(waits), text)
    yield hypothesis


def _left_waiting(
    lives: list[Connection], asker: Side
) -> tuple[Shape, Shape, list[tuple[Connection, MessageSummary]]] | None:
    """What the asker asks again and again, its usual answer, and the connections that ended without one."""
    asked: Counter[Shape] = Counter()
    pairs: Counter[tuple[Shape, Shape]] = Counter()
    open_questions: dict[Shape, list[tuple[Connection, MessageSummary]]] = {}
    for life in lives:
        said = [m for m in life.traffic.recent if m.data]
        last: dict[Shape, MessageSummary] = {}
        for at, message in enumerate(said):
            if message.side != asker:
                continue
            asked[message.shape] += 1
            following = said[at + 1] if at + 1 < len(said) else None
            if following is not None and following.side != asker:
                pairs[message.shape, following.shape] += 1
                last.pop(message.shape, None)
            else:
                last[message.shape] = message
        for shape, message in last.items():
            open_questions.setdefault(shape, []).append((life, message))
    for (shape, answer), count in pairs.most_common(8):
        waiting = open_questions.get(shape, [])
        usual = count >= 3 and count >= MOST * (asked[shape] - len(waiting))
        if usual and len(waiting) >= MOST * len(lives):
            # The answer goes with this question: it is not what the other side says all the time.
            others = sum(n for (other, said_to), n in pairs.items() if said_to is answer and other is not shape)
            if others <= 0.3 * count:
                return shape, answer, waiting
    return None


def too_fast(case: Case) -> Iterator[Hypothesis]:
    """Before each end the client had sent faster than it did without harm, as far as its last messages are kept."""
    if case.closer != "server" or case.mode not in ("abrupt", "close"):
        return
    lives = [life for life in case.victims if life.open_since is not None and life.traffic.client.messages >= 4]
    if len(lives) < 2 or len(lives) < MOST * case.count:
        return
    for pace in PACES:
        at_end, before = [], 0
        for life in case.same_route:
            times = [m.at for m in life.traffic.recent if m.side == "client" and m.data]
            counts = [sum(at - pace < other <= at for other in times) for at in times]
            if life in lives:
                at_end.append(counts[-1] if counts and life.since(times[-1]) < 0.5 else 0)
                counts = counts[:-1]
            before = max(before, *counts[: -at_end[-1] or None] if life in lives and at_end else counts, 0)
        if min(at_end) >= 4 and min(at_end) > 1.2 * before:
            life = lives[0]
            last = life.last_message("client")
            trigger = Trigger("frame", life.conn, last.n if last is not None else None)
            hypothesis = Hypothesis("process/message-rate-limit", closer="server", trigger=trigger)
            text = f"{min(at_end)} messages or more within {duration(pace)} before each end, more than shortly before"
            cites = [cite(life, life.last_message("client")) for life in lives]
            yield hypothesis.says("faster-than-ever-at-the-end", 1.0, text, cites)
            return
