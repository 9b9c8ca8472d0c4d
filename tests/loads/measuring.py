"""Load tests of real backends, and what they are held against: the backend's own counts, and a locustfile by hand."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from harness.programs import TESTS, Program

HANGUP = [sys.executable, "-c", "from hangup.cli import main; main()"]
BY_HAND = [sys.executable, "-P", "-m", "locust", "-f", str(Path(__file__).with_name("by_hand.py"))]
DEADLINE = 300.0


class Backend:
    """A backend of :mod:`loads.backend`, and what it counts."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}"
        self._counts = f"http://127.0.0.1:{port}/counts"

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(self._counts, timeout=30) as answer:
            found: dict[str, int] = json.load(answer)
        return {"opened": 0, "orders": 0, "dropped": 0, "foreign": 0, "left": 0, **found}


@contextmanager
def backend(mode: str, limit: int = 0) -> Iterator[Backend]:
    with Program([sys.executable, "-m", "loads.backend", "0", mode, str(limit)]) as program:
        yield Backend(int(program.wait_for(r"listening on (\d+)")[1]))


@dataclass
class Run:
    """What a load test told: Locust's table by type and name, its exit code, and hangup's summary of it."""

    code: int
    output: str
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    recording: Path | None = None

    def of(self, type_: str, what: str = "Request Count") -> int:
        """A count of all rows of a type."""
        return sum(int(row[what]) for row in self.rows.values() if row["Type"] == type_)


def load(recording: Path, target: str, folder: Path, *arguments: str) -> Run:
    """``hangup load`` without its page, to its end."""
    table, records = folder / "table", folder / "recordings"
    words = ["load", str(recording), target, "--headless", "--csv", str(table), "--only-summary"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [*HANGUP, *words, "--record", str(records), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment,
        cwd=folder,
    )
    run = Run(done.returncode, done.stdout + done.stderr)
    stats = folder / "table_stats.csv"
    if stats.exists():
        with stats.open(newline="") as file:
            run.rows = {f"{row['Type']} {row['Name']}": row for row in csv.DictReader(file)}
    summaries = sorted(records.glob("*.load.json")) if records.is_dir() else []
    if summaries:
        run.summary = json.loads(summaries[-1].read_text())
        run.recording = summaries[-1].with_name(summaries[-1].name.removesuffix(".load.json") + ".jsonl")
    return run


@dataclass
class Cost:
    """What the processes of a load test took for each order and its answer, and for each client."""

    orders: float
    """A second."""
    cpu: float
    """Seconds of processor time for each."""
    memory: float
    """Bytes of unshared memory of all processes."""


def cost(words: list[str], of: Backend, clients: int, seconds: float, environment: dict[str, str], cwd: Path) -> Cost:
    """Runs a load test, and measures it for some seconds once all its clients are connected."""
    process = subprocess.Popen(
        words,
        env={**os.environ, **environment},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        root = psutil.Process(process.pid)
        until = time.monotonic() + 120
        while of.counts()["clients"] < 0.95 * clients:
            assert time.monotonic() < until and process.poll() is None, f"{words} does not connect {clients} clients"
            time.sleep(0.2)
        time.sleep(2)
        cpu, orders, began = _cpu(root), of.counts()["orders"], time.monotonic()
        time.sleep(seconds)
        more, orders, took = _cpu(root) - cpu, of.counts()["orders"] - orders, time.monotonic() - began
        return Cost(orders / took, more / max(orders, 1), _memory(root))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _processes(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def _cpu(root: psutil.Process) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in _processes(root))


def _memory(root: psutil.Process) -> float:
    return float(sum(each.memory_full_info().uss for each in _processes(root)))
