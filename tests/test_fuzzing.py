"""A short run of what ``python -m fuzzing`` does for a night: what once broke something, and some hundred damaged
examples, the same each time."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing.damage import damaged
from fuzzing.targets import TARGETS, Target

EXAMPLES = 60

ATHERIS = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is for Linux")


def examples(target: Target) -> list[bytes]:
    """What it starts from, and what once broke it."""
    return [*target.seeds(), *(path.read_bytes() for path in target.corpus())]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_once_broke_something(target: Target) -> None:
    for data in examples(target):
        target.run(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_damaged_bytes(target: Target) -> None:
    @settings(max_examples=EXAMPLES, derandomize=True, database=None)
    @given(st.sampled_from(examples(target)).flatmap(damaged))
    def check(data: bytes) -> None:
        target.run(data)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["hypothesis", pytest.param("atheris", marks=ATHERIS)])
def test_the_command_finds_what_is_broken(tmp_path: Path, engine: str) -> None:
    """By a target that is: what broke it is kept as a file, which breaks it again, and the exit code says so."""
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from fuzzing import targets\n"
        "def run(data):\n"
        "    assert len(data) == 5, 'found'\n"
        "targets.TARGETS['broken'] = targets.Target('broken', run, lambda: [b'hang?'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "fuzzing", "broken", "--minutes", "0.3", "--engine", engine,
         "--load", broken, "--findings", tmp_path],
        cwd=Path(__file__).parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    (found,) = (tmp_path / "broken").iterdir()
    assert len(found.read_bytes()) != 5
    assert "AssertionError: found" in done.stdout and str(found) in done.stdout
