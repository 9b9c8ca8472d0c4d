"""What a live bisect is asked for, how far it is, and who is told how it goes."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from hangup.experiment.failure import Failure
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Result, Trial


class Phase(Enum):
    """How far it is."""

    WATCHING = "watching"
    READING = "reading"
    TRYING = "trying"
    DONE = "done"


class LiveSettings(Struct, frozen=True, kw_only=True):
    """``failure`` is what to look for, None to derive it. ``given`` are filters to be tried too.

    ``connections`` and ``seconds`` are the budget once the failure has shown, ``watch`` the seconds that it may take to
    show, None for as long as it takes. ``survive`` is by how many seconds a trial must outlive the failure. With
    ``leave`` a survivor is not ended: its filters are taken away, and it goes on unchanged.
    """

    failure: Failure | None = None
    given: tuple[str, ...] = ()
    connections: int = 60
    seconds: float = 600.0
    watch: float | None = None
    survive: float | None = None
    leave: bool = False


class Watcher:
    """Is told how it goes; each of these may be overridden."""

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""

    def starts(self, trial: Trial, conn: int) -> None:
        """A connection has become a trial."""

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
