"""A test with a browser that fails has the report of its connections: with Playwright for Python, and for Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hangup.recording.reader import read
from harness import DEADLINE
from harness.browser import NAMES
from harness.node import FOLDER, problem
from harness.programs import Program
from harness.proxies import HANGUP, hangup, surroundings

pytestmark = pytest.mark.real

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A backend that drops the connection on what is not JSON."""
    with Program([sys.executable, "-m", "heartbeat_backends", "json"], cwd=TESTS) as backend:
        port = backend.wait_for(r"listening on (\d+)")[1]
        yield f"ws://127.0.0.1:{port}"


def executable() -> str:
    """Chromium's path; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or pytest.skip("chromium is not installed")


@pytest.mark.experiment
@pytest.mark.slow
def test_in_node_the_report_is_attached_to_the_test_that_fails(target: str, tmp_path: Path) -> None:
    if why := problem("@playwright/test"):
        pytest.skip(why)
    browser = executable()
    settings = {"TARGET": target, "HANGUP": json.dumps(HANGUP), "CHROMIUM": browser, "RESULTS": str(tmp_path)}
    done = subprocess.run(
        ["node", "node_modules/@playwright/test/cli.js", "test", "--config", "playwright/playwright.config.mjs"],
        cwd=FOLDER,
        env={**os.environ, **surroundings(), **settings},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, Any] = {
        spec["title"]: spec["tests"][0]["results"][0]
        for suite in json.loads(done.stdout)["suites"]
        for spec in suite["specs"]
    }
    assert {title: result["status"] for title, result in found.items()} == {
        "it is answered": "passed",
        "it drops": "failed",
    }, done.stdout
    assert found["it is answered"]["attachments"] == []
    attached = {each["name"]: each for each in found["it drops"]["attachments"]}
    report = Path(attached["hangup report"]["path"]).read_text()
    assert report.startswith("<!doctype html>")
    assert attached["hangup report"]["contentType"] == "text/html" and "app-ping-kills" in report
    assert "The server hung up" in report
    assert not [path for path in tmp_path.rglob("hangup.jsonl") if "answered" in str(path)]


SUITE = '''
from contextlib import contextmanager
from pathlib import Path
import pytest
from harness.browser import chromium

@pytest.fixture
def output_path(tmp_path):
    """What pytest-playwright calls its folder for a test."""
    return str(tmp_path / "artifacts")

def test_it_drops(hangup_proxy, output_path):
    proxy = hangup_proxy("{target}")
    with chromium() as page:
        proxy.route(page)
        page.goto("{target}".replace("ws://", "http://"))
        code = page.evaluate("""url => new Promise(resolve => {{
            const socket = new WebSocket(url)
            socket.onopen = () => socket.send('ping')
            socket.onclose = event => resolve(event.code)
        }})""", "{target}/json/a".replace("127.0.0.1", "localhost"))
    assert code == 1000
'''


@pytest.mark.long
def test_in_python_the_report_is_beside_the_other_artifacts_of_the_test(target: str, tmp_path: Path) -> None:
    executable()
    (tmp_path / "test_theirs.py").write_text(SUITE.format(target=target))
    plugins = ["-p", "no:hangup", "-p", "hangup.testing", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "--basetemp", str(tmp_path / "tmp"), "."],
        cwd=tmp_path,
        env={**os.environ, **surroundings(), "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 1 and "assert 1006 == 1000" in done.stdout, done.stdout + done.stderr
    (report,) = (tmp_path / "tmp").rglob("artifacts/*.html")
    assert report.read_text().startswith("<!doctype html>") and f"report: {report}" in done.stdout
    assert "The server hung up" in done.stdout
    (recording,) = (tmp_path / "tmp").rglob("hangup-1.jsonl")
    assert any(getattr(event, "opcode", "") == "text" for event in read(recording))


def test_where_the_file_is() -> None:
    path = Path(hangup("addon", "playwright").stdout.strip())
    assert path.is_file() and "withHangup" in path.read_text()
    assert hangup("addon").stdout.strip().endswith("hangup_addon.py")
