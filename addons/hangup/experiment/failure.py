"""The failure that an experiment looks for: derived from a recording, or written by a person.

In words: ``by=server how=close code=1011 within=2s``. ``code=1006`` is what a browser reports when a connection ends
without a close frame, and means that: ``how=abrupt``. ``code=1005`` is a close frame that carries no code.
``reaction=..250ms`` says that it comes so soon after the other side's last message, ``reaction=2s..`` that it comes no
sooner: a crash is not a timeout.

What ends in another way than that is another end: it is neither the failure nor a proof that it is gone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from hangup.errors import UsageError
from hangup.experiment.evidence import Outcome
from hangup.experiment.last_words import Words, alike, words
from hangup.humanize import printable
from hangup.recording.connections import Connection, Manner


class Failure(Struct, frozen=True):
    """The signature of a failure; what is empty or None may be anything.

    ``within`` is in seconds from opening: what ends the same way later than that did not fail. ``reaction`` are the
    seconds from the other side's last message to the end, at least and at most. ``ages`` are the shortest and the
    longest life of those that failed, where they are known. ``reason`` are the words of the close reason that they
    share, ``words`` those of the server's last message right before the end; none where they differ.
    """

    by: str = ""
    how: str = ""
    code: int | None = None
    status: int | None = None
    within: float | None = None
    reaction: tuple[float | None, float | None] = (None, None)
    ages: tuple[float, float] | None = None
    reason: Words = frozenset()
    words: Words = frozenset()

    def __str__(self) -> str:
        words = []
        if self.by:
            words.append(f"by={self.by}")
        if self.how:
            words.append(f"how={self.how}")
        if self.code is not None:
            words.append(f"code={self.code}")
        if self.status is not None:
            words.append(f"status={self.status}")
        if self.within is not None:
            words.append(f"within={self.within:g}s")
        if self.reaction != (None, None):
            low, high = ("" if each is None else f"{each:g}s" for each in self.reaction)
            words.append(f"reaction={low}..{high}")
        return " ".join(words) or "any end"


def derive(connections: Sequence[Connection]) -> Failure | None:
    """The failure that most of these connections share, or None when none of them ended by itself."""
    ended = [(c, how) for c in connections if (how := c.manner) is not None]
    # That nobody listens is what the failure may lead to, and is not the failure.
    ended = [(c, how) for c, how in ended if not (c.refused and c.status is None)] or ended
    # Nor is a client's orderly close, where there are ends of another kind.
    others = [(c, how) for c, how in ended if not _in_order(c, how)]
    if len(others) >= max(LEAST, SHARE * len(ended)):
        ended = others
    if not ended:
        return None
    # With what code a client closes that is told to go is its own affair.
    codes = [close_code(c) if how == "close" and c.dismissed is None else None for c, how in ended]
    kinds = Counter((c.hung_up_by, how, code, _status(c, how)) for (c, how), code in zip(ended, codes, strict=True))
    (by, kind, code, status), _ = kinds.most_common(1)[0]
    same = [c for c, how in ended if (c.hung_up_by, how) == (by, kind) and (code is None or close_code(c) == code)]
    lifetimes = [c.lifetime for c in same if c.lifetime is not None]
    # A margin for a slower day: half as long again as the longest, and half a second.
    within = None if kind == "refused" or not lifetimes else round(1.5 * max(lifetimes) + 0.5, 3)
    ages = (min(lifetimes), max(lifetimes)) if lifetimes and within is not None else None
    reaction = reaction_of(same) if within is not None else (None, None)
    whose = by if by in ("client", "server") else ""
    return Failure(whose, kind, code, status, within, reaction, ages, _reason(same) if kind == "close" else frozenset())


def _reason(connections: Sequence[Connection]) -> Words:
    said = [words(c.ending.reason or "") for c in connections]
    return said[0] if len(said) > 1 and all(said) and all(alike(said[0], each) for each in said) else frozenset()


NO_CODE = 1005
"""What stands for a close frame without a code."""

ORDINARY = (1000, 1001)
"""With which a client that has done what it came for, or is left, closes."""

PROMPT = 0.25
"""Seconds: what comes sooner after a message is a reaction to it, if it always does."""

SLOW = 0.5
"""Seconds: what never comes sooner is no reaction to a message."""

CHANCE = 0.001
"""How likely it may be that ends come that soon after messages by chance."""


LEAST, SHARE = 2, 0.1
"""So many ends, and such a share of all, are more than an accident."""


def _in_order(connection: Connection, how: str) -> bool:
    """Whether the client closed it as one does that is done, or that is left."""
    return connection.hung_up_by == "client" and how == "close" and close_code(connection) in ORDINARY


def close_code(connection: Connection) -> int | None:
    """The code of the close frame that ended it: :data:`NO_CODE` where that had none, None where there was none."""
    code = connection.ending.code
    return NO_CODE if code is None and connection.manner == "close" else code


def latency(connection: Connection) -> float | None:
    """Seconds from the other side's last message to the end, also of one that a filter sent in its name; None where it
    was no message, or there was none."""
    first = connection.course.first
    if first is None:
        return None
    passed = connection.passed_on.get("client" if connection.hung_up_by == "server" else "server")
    moments = [passed] if passed is not None and passed <= first.at else []
    if connection.dismissed is not None:  # what came before the client's close is the server's word that it is to go
        last = connection.last_message("client")
        moments += [last.at] if last is not None and last.data else []
    elif first.after is not None and first.after.opcode in ("text", "binary", "continuation"):
        moments.append(first.after.at)
    return max(0.0, first.at - max(moments)) if moments else None


def reaction_of(connections: Sequence[Connection]) -> tuple[float | None, float | None]:
    """How soon after a message these end, at least and at most, where they have that in common: three or more, always
    too soon for it to be by chance, and at different ages, or never soon."""
    found = [(c, at) for c in connections if (at := latency(c)) is not None]
    if len(found) < 3 or len(found) < len(connections):
        return None, None
    latencies = [at for _, at in found]
    if min(latencies) >= SLOW:
        return round(min(latencies) / 10, 3), None
    lives = [c.lifetime or 0.0 for c, _ in found]
    if max(latencies) > PROMPT or max(lives) - min(lives) < 0.25 * median(lives):
        return None, None
    chance = 1.0
    for c, at in found:
        other = "client" if c.hung_up_by == "server" else "server"
        gap = (c.lifetime or 0.0) / (c.frames[other] + 1)  # type: ignore[index]
        chance *= min(1.0, at / gap) if gap > 0 else 1.0
    return (None, round(max(1.0, 10 * max(latencies)), 3)) if chance < CHANCE else (None, None)


def _status(connection: Connection, how: Manner) -> int | None:
    return connection.status if how == "refused" else None


def lifetime(connections: Sequence[Connection]) -> float:
    """The median lifetime in seconds of those that ended by themselves; 0 if none did."""
    found = [c.lifetime for c in connections if c.lifetime is not None and c.manner is not None]
    return float(median(found)) if found else 0.0


def judge(connection: Connection, failure: Failure, otherwise: float | None = None) -> Outcome:
    """What a trial's connection says. It survived when it was still open as the replay, or the proxy, ended it.

    ``otherwise`` as in a :class:`~hangup.experiment.trial.Trial`: another end is as good as none.
    """
    outcome = _judge(connection, failure)
    if otherwise is None or outcome is Outcome.SURVIVED:
        return outcome
    if outcome is Outcome.FAILED:
        lifetime = connection.lifetime
        return Outcome.SURVIVED if lifetime is not None and lifetime < otherwise else Outcome.FAILED
    if connection.refused:
        return Outcome.SURVIVED if connection.status is not None else Outcome.UNRESOLVED
    # What the other side does may be the trial's own doing.
    theirs = not failure.by or connection.ending.by == failure.by
    return Outcome.SURVIVED if theirs and connection.manner is not None else Outcome.UNRESOLVED


def untried(connection: Connection, recorded: Connection) -> str:
    """Why a trial says nothing at all: its handshake was refused, and the recorded one was not. Empty otherwise."""
    if not connection.refused or recorded.refused or connection.status is None or connection.ending.by == "proxy":
        return ""
    return f"the backend answered {connection.status} to GET {printable(connection.target or '/', 200)}"


def _judge(connection: Connection, failure: Failure) -> Outcome:
    how = connection.manner
    if how is None:
        opened = connection.opened is not None
        ours = connection.ending.by == "proxy"
        return Outcome.SURVIVED if opened and (ours or connection.ended is None) else Outcome.UNRESOLVED
    if how == "refused":
        if connection.status is None:
            given_up = failure.how == "refused" and failure.by == "client" == connection.ending.by
            # Else the backend is down: that says nothing about the failure.
            return Outcome.FAILED if given_up else Outcome.UNRESOLVED
        same_status = failure.status is None or connection.status == failure.status
        return Outcome.FAILED if failure.how in ("", "refused") and same_status else Outcome.UNRESOLVED
    if failure.within is not None and connection.lifetime is not None and connection.lifetime > failure.within:
        return Outcome.SURVIVED  # however it ended then: it has outlived the failure
    ending = connection.ending
    if failure.how == "refused":
        # It was opened: that is what did not happen. But to be sent away at once is hardly better.
        return Outcome.UNRESOLVED if _sent_away(connection, how) else Outcome.SURVIVED
    if _same(connection, how, failure):
        return Outcome.FAILED
    if ending.by == "client" and how == "close" and close_code(connection) in ORDINARY and failure.ages is not None:
        # It has left as it does when nothing is wrong, and later than any that failed.
        if (connection.lifetime or 0.0) > failure.ages[1]:
            return Outcome.SURVIVED
    return Outcome.UNRESOLVED


def _same(connection: Connection, how: Manner, failure: Failure) -> bool:
    """Whether it ended as the failure does, whenever that was."""
    ending = connection.ending
    if failure.by and connection.hung_up_by != failure.by:
        return False
    if failure.how and how != failure.how:
        return False
    if failure.code is not None and close_code(connection) != failure.code:
        return False
    if not alike(failure.reason, words(ending.reason or "")):
        return False
    return _reacts(connection, failure)


def _reacts(connection: Connection, failure: Failure) -> bool:
    """Whether it came as soon after a message, or as late, as the failure does. What ends at the age of those that
    failed may end by its age."""
    low, high = failure.reaction
    lived, ages = connection.lifetime or 0.0, failure.ages
    found = latency(connection)
    if high is not None:
        return (lived if found is None else found) <= high
    if low is None or found is None or found >= low or connection.actions:
        return True
    return ages is None or 0.85 * ages[0] <= lived <= 1.15 * ages[1]


def _sent_away(connection: Connection, how: Manner) -> bool:
    ending = connection.ending
    soon = (connection.lifetime or 0.0) < 0.5
    return ending.by == "server" and soon and (how != "close" or close_code(connection) not in (NO_CODE, *ORDINARY))


def another(connection: Connection, failure: Failure) -> str:
    """In words how a trial's connection ended by itself, but not as the failure does; empty where it did not."""
    if connection.manner is None or (connection.refused and connection.status is None):
        return ""
    return connection.ending.sentence if judge(connection, failure) is Outcome.UNRESOLVED else ""


_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?$")


def parse(text: str) -> Failure:
    """Reads ``code=1006 within=2s by=server how=abrupt status=403``; raises :class:`UsageError` naming the word."""
    known: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key not in ("by", "how", "code", "status", "within", "reaction") or not value:
            raise UsageError(
                f"--fails-when: {word!r} is not understood (by=, how=, code=, status=, within= or reaction=)"
            )
        known[key] = value
    by, how = known.get("by", ""), known.get("how", "")
    if by not in ("", "client", "server"):
        raise UsageError(f"--fails-when: by={by} must be client or server")
    if how not in ("", "close", "abrupt", "refused"):
        raise UsageError(f"--fails-when: how={how} must be close, abrupt or refused")
    code = _number(known, "code", 0, 4999)
    if code == 1006:
        if how not in ("", "abrupt"):
            raise UsageError("--fails-when: code=1006 means an end without a close frame (how=abrupt)")
        code, how = None, "abrupt"
    elif code is not None:
        how = how or "close"
    status = _number(known, "status", 100, 599)
    if status is not None:
        how = how or "refused"
    within = _time("within", known["within"]) if "within" in known else None
    low, dots, high = known.get("reaction", "..").partition("..")
    if not dots:
        raise UsageError(f"--fails-when: reaction={low} is no range of times (..250ms, 2s..)")
    reaction = tuple(_time("reaction", each) if each else None for each in (low, high))
    return Failure(by, how, code, status, within, (reaction[0], reaction[1]))


def _time(key: str, text: str) -> float:
    found = _SECONDS.match(text)
    if not found:
        raise UsageError(f"--fails-when: {key}={text} is no time (2s, 500ms)")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}[found[2]]


def _number(known: dict[str, str], key: str, low: int, high: int) -> int | None:
    value = known.get(key)
    if value is None:
        return None
    if not value.isdecimal() or not low <= int(value) <= high:
        raise UsageError(f"--fails-when: {key}={value} must be a number from {low} to {high}")
    return int(value)
