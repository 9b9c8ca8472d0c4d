"""What is measured: wall and processor time of one command, and whether all ways come to the same."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness.proxies import HANGUP


class Took(NamedTuple):
    """Of a command and all of its processes: seconds by the clock and of processors, and what it printed."""

    wall: float
    cpu: float
    out: str


def run(*words: str, state: Path, code: Sequence[int] = (0,)) -> Took:
    """Runs hangup with a state of its own."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    before, begun = os.times(), time.monotonic()
    done = subprocess.run([*HANGUP, *words], capture_output=True, text=True, env=environment)
    wall, after = time.monotonic() - begun, os.times()
    assert done.returncode in code, done.stderr
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(wall, cpu, done.stdout)


def endings(rows: str) -> dict[tuple[Any, ...], int]:
    """What `hangup query top-endings --json` says: how many connections ended in each way."""
    found = json.loads(rows)
    return {(row["ended_by"], row["how"], row["code"], row["reason"], row["status"]): row["count"] for row in found}


def shown(paths: Sequence[Path], state: Path) -> dict[tuple[Any, ...], int]:
    """The same by `hangup show --json` of each recording; those of which no end is known are left out."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for path in paths:
        for each in json.loads(run("show", str(path), "--json", state=state).out)["connections"]:
            end = each["ending"]
            if end["at"] is not None:
                counts[end["by"], end["how"], end["code"], end["reason"], each["status"]] += 1
    return dict(counts)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A scheduler of Dask's with so many workers, each a process, on 127.0.0.1; its address."""
    import distributed

    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made.scheduler_address
