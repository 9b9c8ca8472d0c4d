"""What either kind of bisect is asked for."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from hangup.experiment.failure import Failure


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for, of either kind of bisect."""

    failure: Failure | None
    given: tuple[str, ...]
    survive: float | None
    connections: int | None
    seconds: float
    seed: int
    record: Path
    insecure: bool
    ca: Path | None
    as_json: bool
    markdown: bool

    @property
    def quiet(self) -> bool:
        """Whether only the result is to be printed."""
        return self.as_json or self.markdown
