"""What either kind of bisect is asked for, and its result for programs."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import Struct

from hangup.experiment.failure import Failure
from hangup.experiment.search import Verdict


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


def document(about: dict[str, object], verdict: Verdict, seconds: float, files: list[tuple[str, str]]) -> str:
    """The result for programs."""
    made = about | verdict.summary() | {"seconds": round(seconds, 3), "files": dict(files)}
    return json.dumps(made, indent=2)
