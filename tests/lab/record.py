"""Records programs of the lab: ``cd tests && python -m lab.record --into DIR --recordings 1000 --jobs 4``.

One folder per recording, with ``recording.jsonl`` and ``label.json``. What is there already is not recorded again,
but labelled anew; the same seed gives the same programs and labels. A recording that does not show its fault is tried
once more, then left out.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from lab.running import Failed, missing, record, write_label
from lab.table import Program, plan


def default_folder() -> Path:
    """Where recordings go: under the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hangup-lab"


async def record_all(programs: list[Program], into: Path, jobs: int, tries: int = 2) -> Counter[str]:
    """Records these, so many at once, and prints a line for each that failed and one a minute."""
    into.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    turn = asyncio.Semaphore(jobs)
    started = told = time.monotonic()

    async def one(program: Program) -> None:
        nonlocal told
        if (into / program.folder).is_dir():
            counts["there"] += 1
            write_label(program, into / program.folder)  # the table may have become more exact
            return
        if why := missing(program):
            counts["skipped"] += 1
            print(f"{program.folder}: skipped: {why}", flush=True)
            return
        async with turn:
            for left in reversed(range(tries)):
                try:
                    await record(program, into)
                    counts["recorded"] += 1
                    break
                except (Failed, AssertionError, OSError, RuntimeError) as error:
                    if not left:
                        counts["failed"] += 1
                        print(f"{program.folder}: {type(error).__name__}: {str(error)[:600]}", flush=True)
        if time.monotonic() - told > 60:
            told = time.monotonic()
            pace = counts["recorded"] / (told - started) * 60
            print(f"{counts['recorded']} recorded, {counts['failed']} failed, {pace:.0f} a minute", flush=True)

    async with asyncio.TaskGroup() as tasks:
        for program in programs:
            tasks.create_task(one(program))
    return counts


async def until_told(programs: list[Program], into: Path, jobs: int) -> Counter[str]:
    """:func:`record_all`, which SIGTERM and SIGINT end in order: no server, proxy or client is left behind."""
    work = asyncio.ensure_future(record_all(programs, into, jobs))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    return await work


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.record", description="Record programs with known faults.")
    parser.add_argument("--into", type=Path, default=default_folder(), help="default: %(default)s")
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", default="", metavar="NAME", help="only programs whose fault has this in its name")
    parser.add_argument("--stack", default="", help="only programs on this stack")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.recordings < 1 or options.jobs < 1:
        print("record: --recordings and --jobs must be 1 or more", file=sys.stderr)
        return 2
    programs = [p for p in plan(options.recordings, options.seed, options.only) if options.stack in ("", p.stack)]
    if not programs:
        print(f"record: no program is called {options.only!r}; python -m lab.list shows them", file=sys.stderr)
        return 2
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # writes to what an abrupt end has closed
    started = time.monotonic()
    try:
        counts = asyncio.run(until_told(programs, options.into, options.jobs))
    except asyncio.CancelledError:
        print("record: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    minutes = (time.monotonic() - started) / 60
    pace = counts["recorded"] / minutes if minutes else 0
    said = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"{said} in {minutes:.1f} minutes ({pace:.0f} a minute), into {options.into}")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
