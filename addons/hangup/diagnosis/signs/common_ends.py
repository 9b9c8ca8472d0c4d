"""Connections of different ages that the server ends at one moment."""

from __future__ import annotations

import math
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import GRAIN
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.ends_together import aftermath, moments
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration
from hangup.recording.connections import Connection, numbered


class Moment(NamedTuple):
    """All that were open and ended within a second: within how much time (seconds) they had been opened, and ended."""

    lives: list[Connection]
    opened: float
    ended: float
    after: str
    later: float

    @property
    def strength(self) -> float:
        """How much likelier this is of one event than of a time that each connection keeps for itself."""
        return 0.8 * (len(self.lives) - 1) * math.log((self.opened + GRAIN) / (self.ended + GRAIN))


def common(case: Case) -> list[Moment]:
    """Such moments, where no other connection stayed open, and the ends lie closer together than the openings."""
    found = []
    for group, (after, later) in zip(case.once(moments), case.once(aftermath), strict=True):
        begun, ends = [life.open_since or 0.0 for life in group], [life.end or 0.0 for life in group]
        open_then = [life for life in case.lives if life.open_since is not None and life.open_since < min(ends)]
        if all(life in group or (life.end is not None and life.end <= max(ends)) for life in open_then):
            moment = Moment(group, max(begun) - min(begun), max(ends) - min(ends), after, later)
            found += [moment] if moment.strength >= 1.0 else []
    return found


@of(common)
def ended_at_one_moment_not_at_one_age(case: Case, found: list[Moment]) -> Sign:
    """Whatever ended them came to all at once; variety is whether the server was there soon afterwards."""
    first = max(found, key=lambda moment: moment.strength)
    text = f"all that were open ({numbered(first.lives)}) ended within {duration(first.ended)}, "
    text += f"though they had been opened {duration(first.opened)} apart"
    text += f"; {duration(first.later)} later the server accepted another" if first.after == "there" else ""
    cites = cite_all([life for moment in found for life in moment.lives])
    strength = min(sum(moment.strength for moment in found), 6.0)
    return Sign(strength, text, cites, Trigger("time", first.lives[0].conn), first.after)
