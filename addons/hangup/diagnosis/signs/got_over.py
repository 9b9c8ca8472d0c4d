"""Ends that every client got over: it came back once, and stayed."""

from __future__ import annotations

import math

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.moments import clusters
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.ends_together import LEAVING, ONE_EVENT
from hangup.diagnosis.signs.healthy import Lives, well
from hangup.diagnosis.signs.seen import of
from hangup.humanize import clip, duration
from hangup.recording.connections import numbered
from hangup.recording.endings import SETTLED


def ends(case: Case) -> Lives:
    """All ends that are failures. Of a server that is not ready yet, all refusals in a row are one."""
    dropped = [life for group in case.groups for life in [*group.lives, *group.beside]]
    lost = [life for life in dropped if life.open_since is not None or life.fate in ("abandoned", "refused")]
    again = {life.successor for life in lost}
    return [life for life in lost if life.fate != "refused" or life.conn not in again]


def heirs(case: Case) -> Lives:
    """What the client of each has in the end, open or left in order; none where one has nothing such."""
    found: Lives = []
    for life in [*case.once(ends), *(life for life in case.lives if life.fate == "unreachable")]:
        heir = life
        while (following := case.successor(heir)) is not None:
            heir = following
        if heir is life or heir not in case.survivors:
            return []
        found += [heir] if life.fate != "unreachable" else []
    return found


class GotOver:
    """The ends, what came of each, and how long the shortest of those was open beside the longest of the ends."""

    def __init__(self, case: Case) -> None:
        self.ends, self.heirs = case.once(ends), case.once(heirs)
        self.stayed = min(heir.lasted for heir in self.heirs)
        self.before = max(life.lasted for life in self.ends)
        self.ratio = self.stayed / max(self.before, 0.05)


def once_each(case: Case) -> GotOver | None:
    """This, where every client came back and stayed, after one end each."""
    found = {heir.conn for heir in case.once(heirs)}
    return GotOver(case) if found and len(found) == len(case.once(ends)) else None


@of(once_each)
def ended_once_and_the_next_stayed(case: Case, found: GotOver) -> Found:
    """Each client lost one connection, and its next one did not drop."""
    text = f"{numbered(found.ends)} ended once, and the client's next connection did not drop"
    return Sign(1.0, text, cite_all([*found.ends, *found.heirs]), Trigger("none", found.ends[0].conn))


@of(once_each)
def got_over(case: Case, found: GotOver) -> Found:
    """Each next one stayed open, for about as long as the one before."""
    over = found.ratio >= 0.8 and found.stayed >= SETTLED
    return Sign(1.0, "every client came back and stayed", cite_all(found.heirs)) if over else None


@of(once_each)
def longer_than_the_one_before(case: Case, found: GotOver) -> Found:
    """How much longer the next one was open, up to three times as long; below 0 where it was open for less."""
    least, most = ("at least ", "at most ") if len(found.ends) > 1 else ("", "")
    text = (
        f"the client's next connection was open for {least}{duration(found.stayed)}, the one before for "
        f"{most}{duration(found.before)}"
    )
    return Sign(clip(math.log(max(found.ratio, 0.1), 3), -1.0, 1.0), text)


@of(once_each)
def too_soon_to_tell(case: Case, found: GotOver) -> Found:
    """The next one was not seen for long."""
    text = f"the next one was open for only {duration(found.stayed)}"
    return Sign(1.0, text) if found.stayed < SETTLED else None


@of(once_each)
def client_gave_up_a_new_connection(case: Case, found: GotOver) -> Found:
    """Each was given up by the client that had just asked for it."""
    new = all(life.ending.by == "client" and life.lasted < 0.3 for life in found.ends)
    text = "the client gave up a connection that it had just asked for, as React's StrictMode does"
    return Sign(1.0, text, cite_all(found.ends)) if new else None


def good(case: Case) -> Lives:
    """Those that did not drop: all, where none dropped, or what the clients opened after the one that did."""
    found = case.once(once_each)
    return found.heirs if found is not None else case.once(well)


@of(good)
def messages_in_both_directions(case: Case, lives: Lives) -> Found:
    """Some that did not drop carried messages of both sides."""
    both = [life for life in lives if life.traffic.client.messages and life.traffic.server.messages]
    return Sign(1.0, f"messages went in both directions ({numbered(both)})", cite_all(both)) if both else None


@of(well)
def no_messages_in_both_directions(case: Case, lives: Lives) -> Found:
    """None of all did."""
    both = any(life.lost or (life.traffic.client.messages and life.traffic.server.messages) for life in lives)
    return Sign(1.0, "no connection carried messages in both directions") if not both else None


@of(ends)
def coming_back_not_recorded(case: Case, lost: Lives) -> Found:
    """A server said once that it was leaving; whether its clients could come back and stay is not in the recording."""
    leaving = all(life.code in LEAVING and life.ending.by == "server" for life in lost)
    if not leaving or case.once(heirs) or len(clusters(lost, ONE_EVENT)) > 1:
        return None
    return Sign(1.0, (
        "the server went away once, and the recording does not show whether the clients could come back and "
        "stay"
    ))
