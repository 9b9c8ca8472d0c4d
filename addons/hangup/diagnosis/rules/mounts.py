"""A page that opens a connection twice and gives up the first: at its load, or at each of many loads."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Hypothesis, Trigger, cite, cite_all
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.endings import SETTLED

BRIEF = 0.5
"""Seconds within which a first connection is given up."""


def _settled(life: Connection) -> bool:
    return life.end is None or life.fate in ("stopped", "left", "open") or life.lasted > SETTLED


def twins(case: Case) -> list[Connection]:
    """The brief ones, if each was given up for another that lived, and no such other was given up for a brief one."""
    if case.closer != "client":
        return []
    brief = [life for life in case.victims if life.open_since is not None and life.lasted <= BRIEF]
    for life in brief:
        later = case.successor(life)
        if later is None or later.open_since is None or (life.gap or 0.0) > 0.2 or not _settled(later):
            return []
        again = later.gap
        if again is not None and again < 0.15 and later.fate == "dropped":
            return []
    return brief if len(brief) > 1 and len(brief) >= 0.4 * case.count else []


def at_page_load(case: Case) -> Iterator[Hypothesis]:
    """A first connection that the client gives up at once for a second one."""
    if case.closer != "client":
        return
    again = twins(case)
    if case.count > 2:
        if again:
            yield _again(case, again)
        return
    for life in case.victims:
        later = case.successor(life)
        if later is None or later.open_since is None or life.lasted > BRIEF:
            continue
        hypothesis = Hypothesis("client-lifecycle/double-mount", closer="client", trigger=Trigger("none", life.conn))
        hypothesis.says(
            "gave-up-the-first",
            1.0,
            f"the client gave up its first connection after {duration(life.lasted)}",
            [cite(life)],
        )
        gap = life.gap or 0.0
        if gap < 0.2:
            hypothesis.says("reopened-soon", 1.0, f"and opened another {duration(max(gap, 0.0))} later", [cite(later)])
        if _settled(later):
            # This is harmless, and said so by a verdict of its own.
            hypothesis.says("the-next-one-stayed", -1.0, "the second one stayed open: nothing is wrong", [cite(later)])
        yield hypothesis


def _again(case: Case, lives: list[Connection]) -> Hypothesis:
    """The same at each load of the page."""
    later = [heir for life in lives if (heir := case.successor(life)) is not None]
    trigger = Trigger("none", lives[0].conn)
    hypothesis = Hypothesis("client-lifecycle/double-mount", closer="client", trigger=trigger)
    hypothesis.says(
        "gave-up-for-another-again-and-again",
        1.0,
        f"{len(lives)} times the client gave up a connection at once for another",
        cite_all(lives),
    )
    usual = duration(middle([life.lasted for life in later]))
    text = f"which stayed open each time, for {usual} as a rule"
    return hypothesis.says("the-next-one-stayed", min(0.5 * len(lives), 2.0), text, cite_all(later))
