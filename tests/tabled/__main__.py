"""``cd tests && uv run python -m tabled``: very many recordings, measured.

`hangup query top-endings` from JSON Lines, again from what was kept, and from Parquet; `hangup why` over a fleet by one
process, by two, and by two workers of Dask's. Times are by the clock, and say something only on a machine that has
nothing else to do; beside each is the processor time, of all processes but Dask's workers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tabled import made
from tabled.measures import Took, cluster, endings, run, shown

COMPARED = 3
"""So many recordings are compared with `hangup show --json`, all bodies being alike."""


def tell(what: str, took: Took, bound: float | None = None) -> None:
    limit = "" if bound is None else f"  bound {bound:g} s: {'met' if took.wall < bound else 'NOT MET'}"
    print(f"{what:<58} {took.wall:8.2f} s  {took.cpu:8.2f} s of CPU{limit}", flush=True)


def query(folder: Path, count: int, frames: int) -> None:
    """top-endings, by all ways."""
    paths = made.large(folder / "large", count, frames)
    state, where, parquet = folder / "state", str(folder / "large"), str(folder / "large.parquet")
    size = sum(path.stat().st_size for path in paths)
    print(f"{count:,} recordings of {frames:,} frames, {size / 1e6:,.0f} MB")
    first = run("query", "top-endings", where, "--json", state=state)
    tell("top-endings from JSON Lines", first, 20)
    again = run("query", "top-endings", where, "--json", state=state)
    tell("top-endings again, from what was kept", again)
    tell("convert --only connections", run("convert", where, parquet, "--only", "connections", state=state))
    asked = run("query", "top-endings", parquet, "--json", state=state)
    tell("top-endings from Parquet", asked, 2)
    assert endings(first.out) == endings(again.out) == endings(asked.out)
    some = paths[:COMPARED]
    mine = run("query", "top-endings", *map(str, some), "--json", "--jobs", "1", state=folder / "other")
    assert endings(mine.out) == shown(some, state)
    print(f"the numbers are those of `hangup show --json` ({COMPARED} recordings compared)")


def why(folder: Path, count: int, planted: int) -> None:
    """A fleet, by all ways."""
    made.fleet(folder / "fleet", count, planted)
    where, state, known = str(folder / "fleet"), folder / "state", (0, 3)
    print(f"{count:,} copies of the golden recordings, {planted} of them of one incident")
    one = run("why", where, "--json", "--jobs", "1", state=state, code=known)
    tell("why, one process", one)
    two = run("why", where, "--json", "--jobs", "2", state=state, code=known)
    tell("why, two processes", two)
    with cluster(2) as address:
        dask = run("why", where, "--json", "--scheduler", address, state=state, code=known)
    tell("why, two workers of Dask's", dask)
    assert json.loads(one.out) == json.loads(two.out) == json.loads(dask.out), "not all came to the same"
    found = [each for each in json.loads(one.out)["incidents"] if each["release"] == made.RELEASE]
    print("the same result; planted:", *(f"{each['recordings']} as {each['cause']} {each['path']}" for each in found))
    assert [each["recordings"] for each in found] == [planted]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tabled", description=__doc__)
    parser.add_argument("--recordings", type=int, default=1000, help="for query (%(default)s)")
    parser.add_argument("--frames", type=int, default=10_000, help="of each (%(default)s)")
    parser.add_argument("--fleet", type=int, default=2000, help="recordings for why (%(default)s)")
    parser.add_argument("--planted", type=int, default=40, help="of these of one incident (%(default)s)")
    given = parser.parse_args()
    if hasattr(os, "getloadavg"):
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as folder:
        query(Path(folder), given.recordings, given.frames)
        why(Path(folder), given.fleet, given.planted)


if __name__ == "__main__":
    sys.exit(main())
