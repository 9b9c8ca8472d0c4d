"""The failure that an experiment looks for: derived from a recording, or written by a person.

In words: ``by=server how=close code=1011 within=2s``. ``code=1006`` is what a browser reports when a connection ends
without a close frame, and means that: ``how=abrupt``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from hangup.errors import UsageError
from hangup.experiment.evidence import Outcome
from hangup.humanize import printable
from hangup.recording.connections import Connection, Manner


class Failure(Struct, frozen=True):
    """The signature of a failure; what is empty or None may be anything.

    ``within`` is in seconds from opening: what ends the same way later than that did not fail.
    """

    by: str = ""
    how: str = ""
    code: int | None = None
    status: int | None = None
    within: float | None = None

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
        return " ".join(words) or "any end"


def derive(connections: Sequence[Connection]) -> Failure | None:
    """The failure that most of these connections share, or None when none of them ended by itself."""
    ended = [(c, how) for c in connections if (how := c.manner) is not None]
    # That nobody listens is what the failure may lead to, and is not the failure.
    ended = [(c, how) for c, how in ended if not (c.refused and c.status is None)] or ended
    if not ended:
        return None
    kinds = Counter((c.ending.by, how, c.ending.code if how == "close" else None, _status(c, how)) for c, how in ended)
    (by, kind, code, status), _ = kinds.most_common(1)[0]
    same = [c for c, how in ended if (c.ending.by, how) == (by, kind) and (code is None or c.ending.code == code)]
    lifetimes = [c.lifetime for c in same if c.lifetime is not None]
    # A margin for a slower day: half as long again as the longest, and half a second.
    within = None if kind == "refused" or not lifetimes else round(1.5 * max(lifetimes) + 0.5, 3)
    return Failure(by if by in ("client", "server") else "", kind, code, status, within)


def _status(connection: Connection, how: Manner) -> int | None:
    return connection.status if how == "refused" else None


def lifetime(connections: Sequence[Connection]) -> float:
    """The median lifetime in seconds of those that ended by themselves; 0 if none did."""
    found = [c.lifetime for c in connections if c.lifetime is not None and c.manner is not None]
    return float(median(found)) if found else 0.0


def judge(connection: Connection, failure: Failure, otherwise: float | None = None) -> Outcome:
    """What a trial's connection says. It survived when it was still open as the player, or the proxy, ended it.

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
        if connection.status is None:  # the backend is down: that says nothing about the failure
            return Outcome.UNRESOLVED
        same_status = failure.status is None or connection.status == failure.status
        return Outcome.FAILED if failure.how in ("", "refused") and same_status else Outcome.UNRESOLVED
    if failure.within is not None and connection.lifetime is not None and connection.lifetime > failure.within:
        return Outcome.SURVIVED  # however it ended then: it has outlived the failure
    ending = connection.ending
    if failure.by and ending.by != failure.by:
        return Outcome.UNRESOLVED
    if failure.how and how != failure.how:
        return Outcome.UNRESOLVED
    if failure.code is not None and ending.code != failure.code:
        return Outcome.UNRESOLVED
    return Outcome.FAILED


_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?$")


def parse(text: str) -> Failure:
    """Reads ``code=1006 within=2s by=server how=abrupt status=403``; raises :class:`UsageError` naming the word."""
    known: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key not in ("by", "how", "code", "status", "within") or not value:
            raise UsageError(f"--fails-when: {word!r} is not understood (by=, how=, code=, status= or within=)")
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
    within = None
    if "within" in known:
        found = _SECONDS.match(known["within"])
        if not found:
            raise UsageError(f"--fails-when: within={known['within']} is no time (2s, 500ms)")
        within = float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}[found[2]]
    return Failure(by, how, code, status, within)


def _number(known: dict[str, str], key: str, low: int, high: int) -> int | None:
    value = known.get(key)
    if value is None:
        return None
    if not value.isdecimal() or not low <= int(value) <= high:
        raise UsageError(f"--fails-when: {key}={value} must be a number from {low} to {high}")
    return int(value)
