"""Which connections of a recording somebody wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from msgspec import Struct

from hangup.recording.events import AnyEvent
from hangup.recording.known import Known
from hangup.recording.loops import Loop

Each = TypeVar("Each", bound=Known)


def only(events: Iterable[AnyEvent], conn: int | None) -> Iterable[AnyEvent]:
    """The events of one connection, and those of none; without ``conn`` all."""
    return events if conn is None else (event for event in events if event.conn in (conn, 0))


class Choice(Struct, frozen=True):
    """What was asked for: connections whose path fits a shell pattern, that failed, that were there in the last
    ``since`` seconds, that are part of a loop."""

    path: str = ""
    failed: bool = False
    since: float | None = None
    loop: bool = False

    @property
    def words(self) -> str:
        """As it was given."""
        path = f"--path {self.path}" if self.path else ""
        since = f"--since {self.since:g}s" if self.since is not None else ""
        given = (path, "--failed" if self.failed else "", since, "--loop" if self.loop else "")
        return " ".join(filter(None, given))

    def fitting(self, known: Sequence[Each], found: Sequence[Loop], last_at: float) -> Sequence[Each]:
        """Those that fit of the connections that are known, among which these loops were found; ``last_at`` is the time
        (seconds) at which the recording ends."""
        if not self.words:
            return known
        looping = {conn for loop in found for conn in loop.conns} if self.loop else set()
        return [each for each in known if self._fits(each, looping, last_at)]

    def _fits(self, each: Known, looping: set[int], last_at: float) -> bool:
        if self.failed and not each.failed:
            return False
        if self.loop and each.conn not in looping:
            return False
        if self.since is not None and each.ended is not None and each.ended < last_at - self.since:
            return False
        return not self.path or fnmatchcase(each.path, self.path)
