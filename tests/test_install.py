"""The wheel in a bare environment, outside any clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**{k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("uv") is None:
        pytest.skip("uv is not here")
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--out-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_golden_recordings_travel_and_nobody_elses(wheel: Path) -> None:
    golden = {path.name for path in (ROOT / "recordings").glob("[a-z]*.jsonl")}
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.rpartition("/")[2] for name in names if name.startswith("hangup/examples/")} == golden
    assert "hangup_addon.py" in names and "hangup/py.typed" in names
    assert all(name.startswith(("hangup/", "hangup-", "hangup_addon.py")) for name in names)


def test_a_bare_environment_outside_a_clone(wheel: Path, tmp_path: Path) -> None:
    run("uv", "venv", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run("uv", "pip", "install", "--python", python, wheel, cwd=tmp_path)
    hangup = python.with_name("hangup")
    home = {"HOME": str(tmp_path), "COLUMNS": "120"}
    assert "demo" in run(hangup, "--help", cwd=tmp_path, **home)
    assert "a3-text-ping-to-json-reader" in run(hangup, "why", "--example", cwd=tmp_path, **home)
    assert "heartbeat/app-ping-kills" in run(hangup, "why", "--example", "a3", cwd=tmp_path, **home)
    shown = run(hangup, "demo", "--short", "--seconds", "3", cwd=tmp_path, **home)
    assert "bare FIN" in shown and "hangup run -- npm run dev" in shown
    assert list((tmp_path / "recordings").glob("*.jsonl"))
    whole = run(hangup, "demo", "--record", "whole", cwd=tmp_path, **home)
    order = ["likeliest cause", "proved: heartbeat/app-ping-kills", "Fix applied", "  yes: ", "hangup run -- npm"]
    places = [whole.find(words) for words in order]
    assert -1 not in places and places == sorted(places), whole
