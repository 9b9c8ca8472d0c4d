"""The loop whose clock stands still while others have the processor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time

import pytest

from harness import unhurried


def stopped_for(seconds: float) -> None:
    """This process has no processor for so long, as where others have it."""
    own = os.getpid()
    with subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {own}"]):
        os.kill(own, signal.SIGSTOP)


async def late_by(seconds: float, stopped: float) -> float:
    """By how much a timer of so many seconds is late when the process is stopped meanwhile, by the loop's clock."""
    loop = asyncio.get_running_loop()
    begun, due = loop.time(), asyncio.Event()
    loop.call_later(seconds, due.set)
    loop.call_later(seconds / 2, stopped_for, stopped)
    await due.wait()
    return loop.time() - begun - seconds


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_it_does_not_count_what_it_had_no_processor_for() -> None:
    assert unhurried.run(late_by(0.2, 0.6)) < 0.3
    assert asyncio.run(late_by(0.2, 0.6)) > 0.3


def test_it_counts_what_it_waits_and_what_it_does() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(0.2)
        waited = loop.time()
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        return waited - begun, loop.time() - waited

    waited, worked = unhurried.run(main())
    assert 0.19 < waited < 0.3 and 0.19 < worked < 0.3
