"""The GitHub Action: its file is valid, and its shell steps do on this machine what they do on a runner."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from hangup.cli.why.annotation import annotation
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.report import Report
from hangup.experiment.summing_up import Explanation, sum_up
from hangup.recording.events import Header
from harness import DEADLINE
from harness.programs import Program
from harness.proxies import HANGUP, hangup, surroundings

TESTS = Path(__file__).parent
ACTION = TESTS.parent / ".github" / "action" / "action.yml"
ACTIONS: dict[str, Any] = YAML(typ="safe").load(ACTION)
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def test_the_file_is_what_github_takes() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]
    done = subprocess.run([*command, str(ACTION)], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_that_is_given_gets_into_a_script() -> None:
    """An expression in a script would be code; in the environment it is text. What is used is pinned to a version."""
    for step in ACTIONS["runs"]["steps"]:
        assert not EXPRESSION.search(step.get("run", "")), step["name"]
        assert "run" in step or re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", step["uses"])
        subprocess.run(["bash", "-n", "-c", step.get("run", "")], check=True)


class Job:
    """A job with this action alone, as a runner carries it out."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder = folder
        self.temp = folder / "runner-temp"
        self.temp.mkdir()
        self.summary = folder / "summary.md"
        self.said = ""
        self.uploaded: dict[str, str] = {}
        defaults = {name: str(each.get("default", "")) for name, each in ACTIONS["inputs"].items()}
        self._known = {f"inputs.{name}": value for name, value in {**defaults, **inputs}.items()}

    def run(self, skip: tuple[str, ...] = ("install",)) -> int:
        """The exit code of the first step that fails, else 0. The hangup of here is installed already."""
        command = self.folder / "hangup"
        command.write_text(f"#!/bin/sh\nexec {HANGUP[0]} {HANGUP[1]} '{HANGUP[2]}' \"$@\"\n")
        command.chmod(0o755)
        self._known["steps.install.outputs.hangup"] = str(command)
        for step in ACTIONS["runs"]["steps"]:
            if step.get("id") in skip or not self._wanted(step.get("if", "")):
                continue
            if "uses" in step:
                self.uploaded = {name: self._filled(value) for name, value in step["with"].items()}
                continue
            if code := self._shell(step):
                return code
        return 0

    def _shell(self, step: dict[str, Any]) -> int:
        outputs = self.folder / "outputs"
        outputs.write_text("")
        own = {name: self._filled(value) for name, value in step["env"].items()}
        runner = {
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_ACTION_PATH": str(ACTION.parent),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=TESTS / self._filled(step.get("working-directory", ".")),
            env={**os.environ, **surroundings(), **runner, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=800,
        )
        self.said += done.stdout + done.stderr
        for line in outputs.read_text().splitlines():
            name, _, value = line.partition("=")
            self._known[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode

    def _filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self._known.get(found[1], ""), text)

    def _wanted(self, condition: str) -> bool:
        found = re.search(r"(\S+) != ''", condition)
        return found is None or bool(self._known.get(found[1]))


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A backend that drops the connection on what is not JSON."""
    with Program([sys.executable, "-m", "heartbeat_backends", "json"], cwd=TESTS) as backend:
        port = backend.wait_for(r"listening on (\d+)")[1]
        yield f"ws://127.0.0.1:{port}"


def client(*messages: str, code: int = 0) -> str:
    """A command that says these on one connection after another."""
    return f"""{sys.executable} - <<'END'
import os, sys
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
for message in {list(messages)}:
    try:
        with connect(os.environ["WS"] + "/json/a", proxy=None) as socket:
            socket.send(message)
            socket.recv(10)
    except ConnectionClosed:
        pass
sys.exit({code})
END"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the command is a script of sh")
def test_a_dropped_connection_fails_the_job_with_the_sentence(target: str, tmp_path: Path) -> None:
    job = Job(tmp_path, run=client("{}", "ping", "ping", "ping"), target=target, **{"env-var": "WS"})
    assert job.run() == 1, job.said
    (line,) = [line for line in job.said.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=hangup%3A The server hung up") and "bare FIN" in line
    assert job.uploaded["name"] == "hangup-report"
    assert Path(job.uploaded["path"]).read_text().startswith("<!doctype html>")
    assert "The server hung up" in job.summary.read_text()


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the command is a script of sh")
def test_more_jobs_pass_or_fail_as_they_should(target: str, tmp_path: Path) -> None:
    given = {"target": target, "env-var": "WS"}
    for name, more, code, said in (
        ("healthy", {"run": client("{}")}, 0, "::notice "),
        ("lenient", {"run": client("ping", "ping"), "fail-on-drop": "false"}, 0, "::error "),
        ("red", {"run": client("{}", code=7)}, 7, "::notice "),
        ("unused", {"run": "true"}, 0, "::warning title=hangup::no WebSocket came through the proxy"),
        ("wrong", {"run": "true", "target": "ftp://x"}, 2, "ftp"),
    ):
        (tmp_path / name).mkdir()
        job = Job(tmp_path / name, **{**given, **more})
        assert job.run() == code, (name, job.said)
        assert said in job.said, (name, job.said)
        assert bool(job.uploaded) == (name not in ("unused", "wrong")), name


@pytest.mark.long
@pytest.mark.timeout(900)
def test_it_installs_hangup_as_it_is_in_its_own_version(target: str, tmp_path: Path) -> None:
    """By pip, from the folder of the action: this needs the packages that hangup needs."""
    job = Job(tmp_path, run=client("{}"), target=target, **{"env-var": "WS"})
    assert job.run(skip=()) == 0, job.said
    assert (tmp_path / "runner-temp" / "hangup-venv").is_dir() and "::notice " in job.said


def test_an_annotation_is_one_line_that_cannot_be_ended() -> None:
    trigger = Trigger()
    report = Report("unknown/", 0.0, "server", trigger, evidence=[], alternatives=[], next=[])
    report.sentence = "it said\n::error::owned\r\x1b[31m 100%0A"
    report.connections = {"all": 2, "dropped": 2}
    summary = sum_up(report, Header(hangup=1, started=""), {}, 1.0)
    summary = msgspec.structs.replace(summary, headline="1 of 1, 50 %: dropped")
    told = Explanation(report, summary)
    said = annotation(told)
    assert "\n" not in said and "\r" not in said and "\x1b" not in said
    assert said.startswith("::error title=hangup%3A 1 of 1%2C 50 %25%3A dropped::it said")
    assert "100%250A" in said
    report.connections = {"all": 2, "dropped": 0}
    assert annotation(told).startswith("::notice ")


def test_the_annotation_of_a_recording_has_no_secrets(tmp_path: Path) -> None:
    done = hangup("why", "--example", "a3", "--github")
    assert done.stdout.startswith("::error title=") and done.stdout.count("\n") == 1
    done = hangup("why", "--example", "healthy-strict-mode", "--github")
    assert done.stdout.startswith("::notice title=hangup%3A Nobody hung up::")
    assert hangup("why", "--example", "a3", "--github", "--json", check=False).returncode == 2
