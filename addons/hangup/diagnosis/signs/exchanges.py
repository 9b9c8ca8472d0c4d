"""What one side asks again and again and the other answers, whatever it is called; and how fast messages come.

A heartbeat need not be called ``ping``: it is a kind of message that comes like clockwork and has its usual answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.last_messages import server_ended, unread, whole
from hangup.humanize import duration
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary

MOST = 0.7
"""The share of cases from which on something is the rule."""

PACES = (0.3, 1.0, 3.0)
"""Seconds over which the pace of messages is looked at."""

FAST = 4
"""So many messages within one of them are many."""

ALIKE = 0.8
"""The share of the messages of a burst that are of one kind."""

Asked = list[tuple[Connection, MessageSummary]]


class Question(NamedTuple):
    """What ``asker`` asks again and again, its usual answer, and where that stayed away at the end."""

    asker: Side
    shape: Shape
    answer: Shape
    waiting: Asked


def unanswered(case: Case) -> Question | None:
    """What the side that ended it had asked, and had no answer to this time."""
    if case.mode not in ("abrupt", "close") or case.closer not in ("client", "server") or not case.once(whole):
        return None
    lives = [life for life in case.victims if life.open_since is not None and life.end is not None]
    found = _left_waiting(lives, "server" if case.closer == "server" else "client")
    # Nobody's patience is so short.
    return None if found is None or middle(_waits(found)) < 0.05 else found


def _waits(question: Question) -> list[float]:
    return [life.since(message.at) for life, message in question.waiting]


def _left_waiting(lives: list[Connection], asker: Side) -> Question | None:
    asked: Counter[Shape] = Counter()
    pairs: Counter[tuple[Shape, Shape]] = Counter()
    last: dict[Shape, Asked] = {}
    for life in lives:
        said = [m for m in life.traffic.recent if m.data]
        newest: dict[Shape, MessageSummary] = {}
        for message, following in zip(said, [*said[1:], None], strict=False):
            if message.side == asker:
                asked[message.shape] += 1
                newest[message.shape] = message
                if following is not None and following.side != asker:
                    pairs[message.shape, following.shape] += 1
        for shape, message in newest.items():
            last.setdefault(shape, []).append((life, message))
    for (shape, answer), count in pairs.most_common(8):
        if unread(shape) or unread(answer):
            continue
        waiting = [(life, message) for life, message in last[shape] if not _answered(life, message, answer)]
        usual = count >= 3 and count >= MOST * (asked[shape] - len(waiting))
        # The answer goes with this question: it is not what the other side says all the time.
        others = sum(n for (other, said_to), n in pairs.items() if said_to is answer and other is not shape)
        if usual and len(waiting) >= MOST * len(lives) and others <= 0.3 * count:
            return Question(asker, shape, answer, waiting)
    return None


def _answered(life: Connection, question: MessageSummary, answer: Shape) -> bool:
    """Whether the next word of the other side, or the usual answer at any time, came after it."""
    after = [m for m in life.traffic.recent if m.data and m.n > question.n]
    return any(m.side != question.side and (m is after[0] or m.shape is answer) for m in after)


@sign()
def usual_answer_missing(case: Case) -> Sign | None:
    """The side that ends it had asked something that the other answers as a rule, and had no answer this time."""
    found = case.once(unanswered)
    if found is None:
        return None
    whom = "client" if found.asker == "server" else "server"
    text = f"the {whom} usually answers {found.shape.text} with {found.answer.text}, but the last one got no answer"
    life, message = found.waiting[0]
    return Sign(1.0, text, [cite(*each) for each in found.waiting], Trigger("time", life.conn, message.n))


@sign()
def steady_after_unanswered_question(case: Case) -> Sign | None:
    """The end keeps its time after that."""
    found = case.once(unanswered)
    if found is None or len(found.waiting) < 2:
        return None
    waits = _waits(found)
    text = f"the end came {duration(middle(waits))} after an unanswered {found.shape.text}"
    return Sign(steadiness(waits), text, [cite(*each) for each in found.waiting])


def busy(case: Case) -> list[Connection]:
    """The connections that ended after several messages of the client, if most did."""
    found = [life for life in case.victims if life.open_since is not None and life.traffic.client.messages >= FAST]
    return found if len(found) >= max(2, MOST * case.count) else []


def _sent(life: Connection) -> list[float]:
    """When the client sent its last messages, as far as they are kept."""
    return [m.at for m in life.traffic.recent if m.side == "client" and m.data]


def _before(case: Case, count: int, pace: float) -> str:
    lives = case.once(busy)
    which = "each end" if len(lives) == case.count else f"{len(lives)} of {case.count} ends"
    return f"the client sent {count} messages or more within {duration(pace)} before {which}"


@sign(server_ended)
def quick_messages_before_the_end(case: Case) -> Iterator[Sign]:
    """Within so short a time before each end the client had sent so many messages."""
    lives = case.once(busy)
    for pace in PACES[:2]:
        least = min((sum(life.since(at) <= pace for at in _sent(life)) for life in lives), default=0)
        if least > FAST:
            cites = cite_all(lives, "client")
            yield Sign(math.log(least / FAST), _before(case, least, pace), cites, variety=f"{pace:g}s")


@sign(server_ended)
def faster_than_ever_at_the_end(case: Case) -> Sign | None:
    """Before each end the client had sent faster than it did without harm, as far as its last messages are kept."""
    lives = case.once(busy)
    for pace in PACES:
        at_end, before = [], 0
        for life in case.same_route:
            times = _sent(life)
            counts = [sum(at - pace < other <= at for other in times) for at in times]
            if any(life is each for each in lives):
                at_end.append(counts[-1] if counts and life.since(times[-1]) < 0.5 else 0)
                counts = counts[: -at_end[-1] or -1]
            before = max(before, *counts, 0)
        # A message sent faster than others needs others, of a time before that.
        long = bool(lives) and all(life.lasted > 2 * pace for life in lives)
        if long and min(at_end) >= FAST and min(at_end) > 1.2 * before:
            last = lives[0].last_message("client")
            trigger = Trigger("frame", lives[0].conn, last.n if last is not None else None)
            text = f"{_before(case, min(at_end), pace)}, more than ever before"
            return Sign(1.0, text, cite_all(lives, "client"), trigger)
    return None


def _kind(message: MessageSummary) -> object:
    """What messages of a burst have in common: of binary ones of which nothing is known, that they are binary."""
    return message.shape if message.opcode == "text" else (message.opcode, message.shape.kind)


@sign(server_ended)
def last_message_unlike_the_burst(case: Case) -> Sign | None:
    """Messages of one kind had come in quick succession, and the very last one was of another, the same each time: if
    it were how fast they come, the last would mostly be one of the many."""
    lives, last = case.once(busy), []
    for life in lives:
        burst = [m for m in life.traffic.recent if m.side == "client" and m.data and life.since(m.at) <= PACES[1]]
        kinds = Counter(_kind(m) for m in burst[:-1]).most_common(1)
        if len(burst) > FAST and kinds[0][1] >= ALIKE * (len(burst) - 1) and _kind(burst[-1]) != kinds[0][0]:
            last.append(burst[-1].shape)
    if not last or len(last) < MOST * len(lives) or len(set(last)) > 1:
        return None
    text = f"the last message is {last[0].text} in {len(last)} of {len(lives)}, after a burst of another kind"
    return Sign(1.0, text, cite_all(lives, "client"))
