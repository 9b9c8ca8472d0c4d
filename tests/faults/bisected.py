"""Bisects the golden recordings against their living backends and prints what was proved: ``python -m faults.bisected``.

Only what the server, or something in front of it, ends can be told by replay; what the page itself ends needs the page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from faults.runner import child, command_of
from faults.table import FAULTS, Fault, missing
from hangup.errors import HangupError
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict, search
from hangup.peer.lab import Budget, Lab
from hangup.peer.tape import Tape
from hangup.recording.formats import open_recording
from hangup.wire.url import parse_target

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


@dataclass
class Result:
    """What came of one fault."""

    fault: Fault
    verdict: Verdict | None
    seconds: float = 0.0
    why: str = ""

    @property
    def right(self) -> str:
        """``sub`` for the right subcategory, ``category``, ``wrong`` or ``open``."""
        if self.verdict is None or self.verdict.verdict.startswith("unknown"):
            return "open"
        if self.verdict.verdict in (self.fault.verdict, *self.fault.also):
            return "sub"
        categories = {v.partition("/")[0] for v in (self.fault.verdict, *self.fault.also)}
        return "category" if self.verdict.verdict.partition("/")[0] in categories else "wrong"


async def bisect(fault: Fault, *, fixed: bool = False, seconds: float = 120.0, connections: int = 200) -> Result:
    """Starts the fault's first backend and bisects its golden recording against it."""
    server = next(iter(fault.backends.values()))
    if reason := missing(server):
        return Result(fault, None, why=f"skipped: {reason}")
    try:
        reading = read_case(open_recording(str(RECORDINGS / f"{fault.name}.jsonl")))
    except HangupError as error:
        return Result(fault, None, why=str(error))
    form = msgspec.json.encode(fault.golden_shape()).decode()
    arguments = command_of(server, "--port", "0", "--shape", form)
    async with child("backend", arguments, {"FIXED": "1" if fixed else "0"}) as origin:
        found = await origin.wait_for(r"^ready (\d+)")
        target = parse_target(f"ws://127.0.0.1:{found[1]}")
        lab = Lab(
            reading.transcript, target, reading.failure, reading.case, Tape(), budget=Budget(connections, seconds)
        )
        verdict = await lab.run(search(reading.case))
        return Result(fault, verdict, lab.seconds)


async def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fixed", action="store_true", help="against the mended backends")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    faults = [f for name, f in FAULTS.items() if not options.names or any(name.startswith(n) for n in options.names)]
    gate = asyncio.Semaphore(options.jobs)

    async def one(fault: Fault) -> Result:
        async with gate:
            result = await bisect(fault, fixed=options.fixed)
        v = result.verdict
        said = (
            f"{v.verdict:<42} {'proved' if v.proved else '-':7} {v.claim}" if v and v.reproduced else "not reproduced"
        )
        said = result.why or said
        print(
            f"{result.right:9} {fault.name:34} {said}  {v.connections if v else 0} conns {result.seconds:.0f} s",
            flush=True,
        )
        if options.verbose and v is not None:
            print(json.dumps(v.summary(), indent=1))
        return result

    results = await asyncio.gather(*(one(fault) for fault in faults))
    proved = [r for r in results if r.verdict is not None and r.verdict.proved]
    print(f"\n{len(proved)} proved, {sum(r.right == 'wrong' for r in proved)} of them wrongly")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
