"""A trial that is under way on a connection of a live page."""

from __future__ import annotations

import asyncio

from hangup.experiment.trial import Trial
from hangup.filters.filter_set import FilterSet


class LiveTrial:
    """A trial that is under way on a connection."""

    def __init__(self, trial: Trial, conn: int, filters: FilterSet) -> None:
        self.trial = trial
        self.conn = conn
        self.filters = filters
        self.opened = False
        self.ends: set[str] = set()
        self.timer: asyncio.TimerHandle | None = None
        """Until it has survived."""
        self.ending: asyncio.TimerHandle | None = None
        """Until it is judged, having begun to end."""

    @property
    def acted(self) -> int:
        """How often the trial's filters did something."""
        own = [*self.filters][len(self.filters) - len(self.trial.filters) :]  # they stand last
        return sum(entry.hits for entry in own)
