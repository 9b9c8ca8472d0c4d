"""``--junit FILE`` of ``hangup check`` and of ``--expect-stable``, read by a reader that we did not write."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import junitparser
import pytest

from hangup.cli.junit import JunitResult, write
from hangup.errors import HangupError
from harness.programs import Program
from harness.proxies import hangup
from test_expect_stable import beside_page

TESTS = Path(__file__).parent
GOLDEN = TESTS.parent / "recordings" / "a3-text-ping-to-json-reader.jsonl"


def read(path: Path) -> tuple[Any, Any]:
    """The one suite in the file, and the one case in that."""
    (suite,) = junitparser.JUnitXml.fromfile(str(path))
    (case,) = suite
    return suite, case


@pytest.mark.slow
def test_check_says_that_it_still_happens_that_it_does_not_and_that_nobody_can_tell(tmp_path: Path) -> None:
    file = tmp_path / "results" / "hangup.xml"
    with Program([sys.executable, "-m", "heartbeat_backends", "json"], cwd=TESTS) as backend:
        port = backend.wait_for(r"listening on (\d+)")[1]
        target = f"ws://127.0.0.1:{port}"
        done = hangup("check", GOLDEN, target, "--path", "/json/a", "--junit", file, check=False)
        suite, case = read(file)
        assert done.returncode == 1 and (suite.tests, suite.failures, suite.errors) == (1, 1, 0)
        (failure,) = case.result
        assert isinstance(failure, junitparser.Failure) and failure.message.startswith("it still happens (failed ")
        assert case.classname == "hangup.check" and GOLDEN.name in case.name and case.time > 0
        done = hangup("check", GOLDEN, target, "--path", "/keepalive/a", "--junit", file, check=False)
        suite, case = read(file)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (suite.tests, suite.failures, suite.errors) == (1, 0, 0) and case.is_passed
    done = hangup("check", GOLDEN, target, "--junit", file, "--quiet", check=False)
    suite, case = read(file)
    assert done.returncode == 125 and (suite.failures, suite.errors) == (0, 1)
    assert "cannot tell" in case.result[0].message
    (tmp_path / "file").write_text("")
    done = hangup("check", GOLDEN, target, "--junit", tmp_path / "file" / "x.xml", check=False)
    assert done.returncode == 125 and "cannot write" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kill", [pytest.param(False, marks=pytest.mark.long), True])
def test_stable_or_not(tmp_path: Path, kill: bool) -> None:
    file = tmp_path / "stable.xml"
    code, said = asyncio.run(beside_page(tmp_path / "run.jsonl", kill, "2.5s", "--junit", str(file)))
    assert code == int(kill), said
    suite, case = read(file)
    assert case.name == "the connection stays open for 2.5 s" and suite.failures == int(kill)
    if kill:
        assert "it reconnected" in case.result[0].message and "hangup why" in case.result[0].text
    assert {each.name for each in suite.properties()} == {"hangup", "recording", "target"}


def test_junit_needs_something_to_say() -> None:
    done = hangup("proxy", "ws://127.0.0.1:9", "--junit", "x.xml", check=False)
    assert done.returncode == 2 and "--expect-stable" in done.stderr


def test_what_it_says_is_xml_whatever_was_recorded_and_has_no_secrets(tmp_path: Path) -> None:
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    message = f"<failure> \x00\x1b[31m\ud800 ]]> & {secret}"
    write(tmp_path / "a.xml", JunitResult(group="check", name="a", outcome="failed", message=message))
    _, case = read(tmp_path / "a.xml")
    said = case.result[0].message
    assert said.startswith("<failure> ") and "]]> &" in said and secret not in said and "[redacted-" in said
    with pytest.raises(HangupError, match="cannot write"):
        write(tmp_path / "a.xml" / "b.xml", JunitResult(group="check", name="a", outcome="passed"))
