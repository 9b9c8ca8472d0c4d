"""The Node programs in ``tests/node``, and the frontend in ``tests/web``: their packages are installed on first use."""

from __future__ import annotations

import functools
import getpass
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.programs import TESTS, Program

FOLDER = TESTS / "node"
WEB = TESTS / "web"


@contextmanager
def _only_one() -> Iterator[None]:
    """Two runs of the tests at once must not both install."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with Path(tempfile.gettempdir(), f"hangup-npm-{getpass.getuser()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def problem(*packages: str, folder: Path = FOLDER) -> str:
    """Why programs that need these packages cannot run here; empty when they can. Runs ``npm ci`` if need be."""
    if shutil.which("node") is None:
        return "node is not installed"
    described = json.loads((folder / "package.json").read_text())
    wanted = packages or (*described["dependencies"], *described.get("devDependencies", ()))
    with _only_one():
        if all((folder / "node_modules" / package / "package.json").is_file() for package in wanted):
            return ""
        if shutil.which("npm") is None:
            return "npm is not installed"
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "npm ci took longer than two minutes"
        return "" if done.returncode == 0 else f"npm ci failed: {done.stderr[-200:]}"


def program(script: str, *arguments: str) -> Program:
    """Run a script of ``tests/node``; skip the test where that cannot be done."""
    if why := problem("ws"):
        pytest.skip(why)
    return Program(["node", str(FOLDER / script), *arguments], cwd=FOLDER)
