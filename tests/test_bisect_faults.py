"""Faults of the public set that no filter cures, bisected by replay against their living backends."""

from __future__ import annotations

import asyncio

import pytest

from faults.bisected import Result, bisect
from faults.table import FAULTS

BY_CONTRAST = (
    "a1-handler-returns-after-accept",
    "b1-control-pongs-swallowed",
    "d7-stale-token-retried",
    "d8-close-before-accept",
    "a9-broadcast-not-serialisable",
)


@pytest.mark.experiment
@pytest.mark.real
@pytest.mark.slow
def test_what_no_filter_cures_is_proved_too() -> None:
    async def main() -> list[Result]:
        return await asyncio.gather(*(bisect(FAULTS[name]) for name in BY_CONTRAST))

    for result in asyncio.run(main()):
        if result.why.startswith("skipped"):
            continue
        counts = result.summary["counts"]
        assert result.right == "sub" and result.summary["proved"], (result.fault.name, result.summary)
        assert counts["with"][0] == counts["with"][1] >= 4 and counts["without"][0] == 0 and counts["without"][1] >= 4
