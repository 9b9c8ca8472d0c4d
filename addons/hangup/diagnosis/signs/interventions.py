"""Filters that were switched while the recording was made: somebody's experiment, and its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection, numbered
from hangup.recording.endings import SETTLED
from hangup.recording.traffic import PREVIEW

MOST = 0.8
"""The share of a connection's life for which a filter must have been on to count as on."""

FILTERS = 16
"""So many filters are looked at."""

Spans = list[tuple[float, float]]


class Intervention(NamedTuple):
    """A filter: its text, and the connections that ended with it on, ended without it, and stayed open with it."""

    filter: str
    ended: list[Connection]
    ended_without: list[Connection]
    stayed_open: list[Connection]

    @property
    def variety(self) -> str:
        """What it does, without its details: ``drop-heartbeat``, ``strip-header-origin``, ``mute-side-server``."""
        words = self.filter.lower().split() or [""]
        if words[0] in ("drop", "mute", "rewrite") and "side=server" in words:
            return f"{words[0]}-side-server"
        return "-".join(words[: 2 if words[0] == "strip-header" else 1])


def switched(case: Case) -> dict[str, Spans]:
    """For each filter, if any was switched: when it was on, in seconds."""
    on: dict[str, float] = dict.fromkeys(case.header.filters, 0.0)
    found: dict[str, Spans] = {}
    for event in case.ledger.filters:
        if event.action in ("on", "add"):
            on.setdefault(event.filter, event.at)
        elif event.action in ("off", "remove") and event.filter in on:
            found.setdefault(event.filter, []).append((on.pop(event.filter), event.at))
    for name, at in on.items():
        found.setdefault(name, []).append((at, case.last_at))
    return found if case.ledger.filters else {}


def interventions(case: Case) -> list[Intervention]:
    """Connections with a filter against those without it."""
    found = []
    long = max(2 * middle(case.lived), SETTLED)
    for name, on in list(switched(case).items())[:FILTERS]:
        share = {life.conn: _share(life, on) for life in case.same_route}
        ended = [life for life in case.victims if share[life.conn] >= MOST and _at_the_end(life, on)]
        without = [life for life in case.victims if share[life.conn] <= 1 - MOST]
        stayed = [life for life in case.others if life.open_since is not None and not _ended_alike(life, case)]
        stayed = [life for life in stayed if share[life.conn] >= MOST and life.lasted > long]
        found.append(Intervention(name, ended, without, stayed))
    return found


def _ended_alike(life: Connection, case: Case) -> bool:
    return life.failed and life.ending.by == case.closer


def _share(life: Connection, on: Spans) -> float:
    whole = max(life.lasted, 0.01)
    start, end = life.began, life.began + whole
    return sum(max(0.0, min(end, stop) - max(start, begin)) for begin, stop in on) / whole


def _at_the_end(life: Connection, on: Spans) -> bool:
    """Whether it was still on: one that was switched off in time to let the cause through has not failed."""
    end = life.end if life.end is not None else life.began
    return any(begin <= end <= stop for begin, stop in on)


@sign()
def stays_open_with_filter(case: Case) -> Iterator[Sign]:
    """With a filter on connections stayed open, without it others ended."""
    for each in case.once(interventions):
        if each.stayed_open and not each.ended and len(each.ended_without) >= 2:
            least = duration(min(life.lasted for life in each.stayed_open))
            which = f"{numbered(each.stayed_open)} stayed open for {least}"
            text = f"with the filter `{printable(each.filter, 60)}` on, {which}" + " or more" * (
                len(each.stayed_open) > 1
            )
            text += f"; without it {len(each.ended_without)} ended sooner"
            cites = cite_all([*each.stayed_open, *each.ended_without])
            yield Sign(2.0 + 0.5 * min(len(each.stayed_open), 3), text, cites, variety=each.variety)


@sign()
def drops_all_the_same_with_filter(case: Case) -> Iterator[Sign]:
    """With a filter on, which did something, connections ended as well."""
    for each in case.once(interventions):
        acted = [life for life in each.ended if each.filter[:PREVIEW] in life.traffic.acted]
        if acted:
            text = f"with the filter `{printable(each.filter, 60)}` on it dropped just the same"
            yield Sign(3.0, text, cite_all(acted), variety=each.variety)
