"""What many recordings have in common: those that show the same failure are one incident."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from hangup.fleet.analysis import Analysis
from hangup.recording.moments import absolute

Key = tuple[str, str, str]

EXAMPLES_LIMIT = 100_000
"""So many names of recordings are kept for each incident."""


class Incident(Struct, kw_only=True):
    """The same ``cause`` (the law that was proved, or the verdict; where no cause is known, how it ended) on the same
    ``path`` of the same ``release``. ``recordings`` is in how many recordings, ``dropped`` how many connections;
    ``first`` and ``last`` are UTC in ISO 8601. ``sentence`` and ``example`` are of the recording that shows it best,
    ``sure`` is how sure that one is, and ``conn`` its connection."""

    cause: str
    verdict: str
    proved: bool
    path: str
    release: str
    recordings: int
    dropped: int
    first: str | None
    last: str | None
    example: str
    conn: int | None
    sure: float
    sentence: str
    fix: str
    targets: list[str]
    names: list[str]

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class Fleet(Struct):
    """All that was analysed: the incidents, the largest first, how many recordings show nothing wrong (``fine``), and
    those that could not be analysed."""

    analysed: int
    fine: int
    incidents: list[Incident]
    failed: list[Analysis]

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "recordings": self.analysed,
            "fine": self.fine,
            "incidents": [incident.summary() for incident in self.incidents],
            "unreadable": [{"recording": each.recording, "error": each.error} for each in self.failed],
        }


def cause_of(analysed: Analysis) -> str:
    """What it is grouped by: the law where one was proved, else the verdict, else how it ended."""
    if analysed.law:
        return analysed.law
    if analysed.category != "unknown":
        return analysed.verdict
    how = f"{analysed.mode} {analysed.code}" if analysed.code is not None else analysed.mode
    return f"unknown/ ({analysed.closer}, {how})" if analysed.mode else "unknown/"


def grouped(analyses: Iterable[Analysis]) -> Fleet:
    """The incidents, whatever the order in which recordings were analysed."""
    fleet = Fleet(0, 0, [], [])
    groups: dict[Key, list[Analysis]] = {}
    for analysed in sorted(analyses, key=lambda each: each.recording):
        if analysed.error:
            fleet.failed.append(analysed)
            continue
        fleet.analysed += 1
        if analysed.category == "none":
            fleet.fine += 1
        else:
            groups.setdefault((cause_of(analysed), analysed.path, analysed.release), []).append(analysed)
    found = [_incident(key, members) for key, members in groups.items()]
    fleet.incidents = sorted(found, key=lambda each: (-each.recordings, -each.dropped, each.cause, each.path))
    return fleet


def _incident(key: Key, members: list[Analysis]) -> Incident:
    best = max(members, key=lambda each: (each.proved, each.confidence, each.dropped))
    times = [moment for each in members for at in (each.first, each.last) if (moment := absolute(each.started, at))]
    return Incident(
        cause=key[0],
        verdict=best.verdict,
        proved=best.proved,
        path=key[1],
        release=key[2],
        recordings=len(members),
        dropped=sum(each.dropped for each in members),
        first=_iso(min(times, default=None)),
        last=_iso(max(times, default=None)),
        example=best.recording,
        conn=best.conn,
        sure=best.confidence,
        sentence=best.sentence,
        fix=best.fix,
        targets=sorted({each.target for each in members if each.target}),
        names=[each.recording for each in members][:EXAMPLES_LIMIT],
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
