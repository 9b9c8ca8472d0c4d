"""Ends that came together, and which of the connections is the cause of that: the one whose client had just spoken."""

from __future__ import annotations

from collections.abc import Iterable

from hangup.diagnosis.figures import surprise, within
from hangup.recording.connections import Connection

TOGETHER = 0.12
"""Seconds within which ends count as one event."""

AT_ONCE = 0.025
"""Seconds after a client's message in which an end may be its consequence, and another connection's end beside it."""

NEARLY_ALL = 0.8

SURE = 3.0
"""How much likelier than by chance it must be that each time somebody had just spoken (natural logarithm)."""

Groups = list[list[Connection]]


def clusters(lives: Iterable[Connection], within: float = TOGETHER) -> Groups:
    """Ends that came together, each within so many seconds of the one before, of what was open at once; in order."""
    found: Groups = []
    for life in sorted((life for life in lives if life.end is not None), key=lambda life: life.end or 0.0):
        beside = found and life.open_since is not None and life.open_since < (found[-1][0].end or 0.0)
        if beside and (life.end or 0.0) - (found[-1][-1].end or 0.0) <= within:
            found[-1].append(life)
        else:
            found.append([life])
    return found


def bystanders(lives: Iterable[Connection]) -> list[Connection]:
    """Of what the server ended, the connections that ended together with one whose client had just said something, when
    theirs had not: where this is so nearly each time that several ended together, and not by chance."""
    ended = [life for life in lives if life.open_since is not None and life.ending.by == "server"]
    joint = [group for group in clusters(ended) if len(group) > 1]
    found: list[Connection] = []
    hits, chance = 0, 0.0
    for group in joint:
        spoke = [life for life in group if _just_spoken(life)]
        chance += within(sum(map(_rate, group)), AT_ONCE) / len(joint)
        if len(spoke) == 1:
            hits += 1
            found += [life for life in group if life is not spoke[0]]
    return found if hits >= NEARLY_ALL * len(joint) and surprise(hits, len(joint), chance) >= SURE else []


def _just_spoken(life: Connection) -> bool:
    last, answer = life.last_message("client"), life.last_message("server")
    answered = last is not None and answer is not None and answer.n > last.n
    return last is not None and not answered and life.since(last.at) <= AT_ONCE


def _rate(life: Connection) -> float:
    return life.traffic.client.messages / life.lasted if life.lasted > 0.001 else 0.0
