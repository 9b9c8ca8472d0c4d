"""Twenty seconds of ``python -m soak``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.real
def test_a_short_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--minutes", "0.33"],
        cwd=Path(__file__).parent, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "messages neither recorded nor counted as lost" in done.stdout
    assert " MISSED" not in done.stdout
