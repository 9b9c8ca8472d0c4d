"""The programs of the fault set do what the table says of them, without any proxy between them."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from faults.runner import Failed, Run, Skipped, run
from faults.table import FAULTS

AT_ONCE = 6
ENOUGH = {"f5-client-id-collision": 5, "a9-broadcast-not-serialisable": 6}
"""Endings that show a fault whose connections come in groups; three show the others."""


async def run_all() -> dict[str, Run | Exception]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Run | Exception:
        fault = FAULTS[name]
        async with turn:
            try:
                return await run(fault, connections=0 if fault.control else ENOUGH.get(name, 3))
            except (Failed, Skipped) as error:
                return error

    # the longest first
    names = sorted(FAULTS, key=lambda name: -FAULTS[name].seconds)
    return dict(zip(names, await asyncio.gather(*(one(name) for name in names)), strict=True))


@pytest.fixture(scope="module")
def runs() -> dict[str, Run | Exception]:
    before = set(psutil.Process().children(recursive=True))
    done = asyncio.run(run_all())
    assert set(psutil.Process().children(recursive=True)) <= before, "a program was left behind"
    return done


@pytest.mark.long
@pytest.mark.real
@pytest.mark.parametrize("name", FAULTS)
def test_ends_as_the_table_says(name: str, runs: dict[str, Run | Exception]) -> None:
    result = runs[name]
    if isinstance(result, Skipped):
        pytest.skip(str(result))
    if isinstance(result, Failed):
        raise result
    assert isinstance(result, Run)
    assert result.problems() == [], result.summary()
