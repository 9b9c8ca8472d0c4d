"""Which connections of a client are lost again and again, whatever their age: by regularity, and by its coming back.

A connection that ends within seconds needs no more than to be opened again. One that is open for half a minute, or for
an hour, may have ended for a reason of its own; several in a row that end in the same way, after the same time or after
the same silence, with the client back at once, did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from hangup.recording.known import Known

BRIEF = 10.0
"""A connection that ends within so many seconds of opening is short-lived."""

ALIKE = 0.25
"""By how much of their median times may differ that are the same: heartbeats are looked for now and then only."""

QUIET = 3.0
"""Seconds from which on a silence before the end may be what ended it."""

GOING_AWAY = 1001
"""The close code of a page that is left or loaded anew: that says nothing of the connection."""

FIRST = 5
"""So many members tell what is usual."""


def brief(connection: Known, seconds: float = BRIEF) -> bool:
    """Whether it never opened, or ended soon after."""
    lifetime = connection.lifetime
    return connection.refused or (lifetime is not None and lifetime <= seconds)


def recurring(chain: Sequence[Known], minimum: int, seconds: float = BRIEF) -> list[list[Known]]:
    """Of the connections that a client opened one after the other, those that are not :func:`brief` and yet lost again
    and again: in groups of at least ``minimum``, in their order. Brief ones among them do not part a group."""
    groups: list[_Group] = []
    for connection in chain:
        if brief(connection, seconds):
            continue
        if not groups or not groups[-1].takes(connection):
            groups.append(_Group(connection))
    return [group.members for group in groups if len(group.members) >= minimum]


class _Group:
    """Connections that end alike."""

    def __init__(self, first: Known) -> None:
        self.members = [first]
        self._times = [_times(first)]

    def takes(self, connection: Known) -> bool:
        """Takes it in, if it fits, and its client was back soon after the last one."""
        last = self.members[-1]
        ended, lasted = last.ended, last.lifetime
        if ended is None or lasted is None or _manner(connection) != _manner(last) or _manner(last) is None:
            return False
        if connection.began - ended > lasted:  # whoever is away for longer than they were there had left
            return False
        times = _times(connection)
        same = tuple(
            kind
            for kind, seconds in times.items()
            if all(kind in known for known in self._times)
            and _fits(seconds, [known[kind] for known in self._times[:FIRST]])
        )
        if not same:
            return False
        self.members.append(connection)
        # What fitted once and does so no more is not what they share.
        self._times = [{kind: known[kind] for kind in same} for known in (*self._times, times)]
        return True


def _fits(seconds: float, usual: Sequence[float]) -> bool:
    middle = median(usual)
    return abs(seconds - middle) <= ALIKE * middle


def _manner(connection: Known) -> tuple[object, ...] | None:
    ending = connection.ending
    if ending.by == "unknown" or (ending.by == "proxy" and not ending.filter) or connection.lifetime is None:
        return None
    if ending.by == "client" and ending.code == GOING_AWAY:
        return None
    return ending.by, ending.how, ending.code


def _times(connection: Known) -> dict[str, float]:
    """For how long it was open, and for how long nothing had been said when it ended (seconds)."""
    found = {"lifetime": connection.lifetime or 0.0}
    if connection.silence is not None and connection.silence >= QUIET:
        found["silence"] = connection.silence
    return found
