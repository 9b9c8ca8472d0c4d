"""Looks for bytes that break something: ``python -m fuzzing [TARGET …] [--minutes 60]``, in tests/.

Each target has its share of the time, in a process of its own: by atheris, guided by the lines that are reached
(``uv sync --group fuzz``; for Linux), or where that is not installed by damaging the examples with hypothesis. What
broke a target is kept in ``--findings``, named and shown; when it is understood it belongs into
``fuzzing/corpus/TARGET/``, where the suite tries it for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import re
import runpy
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

SLOW = 30
"""Seconds by the clock after which an input counts as one that takes too long: a busy machine may stall for ten."""

MEMORY = 2048
"""Mebibytes that a target may take."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together (1)")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="where to keep what broke something")
    parser.add_argument("--engine", choices=["atheris", "hypothesis"], help="by default atheris, if it is installed")
    parser.add_argument("--load", type=Path, help="a Python file that adds to the targets, which is run")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    engine = given.engine or ("atheris" if importlib.util.find_spec("atheris") else "hypothesis")
    if given.one:
        return _with_atheris(given) if engine == "atheris" else _with_hypothesis(given)
    if given.load:
        runpy.run_path(str(given.load))
    from fuzzing.targets import TARGETS

    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}: {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    broken = 0
    for name in names:
        broken += _ran(name, engine, given, given.minutes * 60 / len(names))
    print(f"{len(names)} targets, {broken} broken, by {engine}")
    return 1 if broken else 0


def _ran(name: str, engine: str, given: argparse.Namespace, seconds: float) -> bool:
    """Whether the target broke."""
    folder = given.findings.absolute() / name
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    more = ["--load", str(given.load)] if given.load else []
    words = ["-m", "fuzzing", name, "--one", "--engine", engine, "--findings", str(folder)]
    done = subprocess.run(
        [sys.executable, *words, "--minutes", str(seconds / 60), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    found = sorted(set(folder.iterdir()) - before)
    runs = re.findall(r"(?:stat::number_of_executed_units:\s*|^runs: )(\d+)", done.stdout, re.MULTILINE)
    reached = re.findall(r"cov: (\d+)", done.stdout)
    told = f"{int(runs[-1]):,} runs" if runs else "no count of runs"
    print(f"{name:12} {seconds:5.0f} s  {told}{f', {reached[-1]} edges' if reached else ''}", flush=True)
    if not before and not found:
        folder.rmdir()
    if done.returncode == 0 and not found:
        return False
    print(done.stdout[-4000:])
    for path in found:
        print(f"BROKEN: {name} by {path}", flush=True)
    return True


def _with_atheris(given: argparse.Namespace) -> int:
    import atheris

    with atheris.instrument_imports(include=["hangup"]):
        from fuzzing.targets import TARGETS
    if given.load:
        runpy.run_path(str(given.load))
    target = TARGETS[given.targets[0]]
    with tempfile.TemporaryDirectory(prefix="hangup-corpus-") as made, tempfile.TemporaryDirectory() as first:
        for data in [*target.seeds(), *(path.read_bytes() for path in target.corpus())]:
            (Path(first) / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        words = [
            f"-max_total_time={max(1, round(given.minutes * 60))}", f"-max_len={target.most}", f"-timeout={SLOW}",
            f"-report_slow_units={SLOW}", f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={given.findings}/",
            "-print_final_stats=1", made, first,
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *words], target.run)
        atheris.Fuzz()
    return 0


def _with_hypothesis(given: argparse.Namespace) -> int:
    from hypothesis import HealthCheck, Phase, seed, settings
    from hypothesis import given as with_these
    from hypothesis import strategies as st

    from fuzzing.damage import damaged
    from fuzzing.targets import TARGETS

    if given.load:
        runpy.run_path(str(given.load))
    target = TARGETS[given.targets[0]]
    start = [*target.seeds(), *(path.read_bytes() for path in target.corpus())]
    until = time.monotonic() + given.minutes * 60
    runs = 0
    last = b""

    def check(data: bytes) -> None:
        nonlocal runs, last
        runs, last = runs + 1, data
        target.run(data)

    few = settings(
        max_examples=200, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    while time.monotonic() < until:
        try:
            seed(random.getrandbits(64))(few(with_these(st.sampled_from(start).flatmap(damaged))(check)))()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            (given.findings / f"crash-{hashlib.sha256(last).hexdigest()[:16]}").write_bytes(last)
            break
    print(f"runs: {runs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
