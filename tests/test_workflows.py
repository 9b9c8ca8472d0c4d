"""The project's own CI: its workflows are valid, pinned, and cover what the README promises."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness import DEADLINE
from harness.node import FOLDER, problem

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))

TOO_NEW = 'unknown permission scope "attestations"'
"""What this actionlint says of a permission that GitHub has had since: the newest that a package brings is older."""


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def linted(*paths: Path) -> list[str]:
    """What actionlint says of them."""
    if why := problem("actionlint"):
        pytest.skip(why)
    command = ["node", "lint_workflows.mjs", *map(str, paths)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return [f"{each['file']}:{each['line']}: {each['message']}" for each in json.loads(done.stdout)]


def test_actionlint_finds_nothing() -> None:
    assert [each for each in linted(*WORKFLOWS) if TOO_NEW not in each] == []


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "x.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("runs-on", "runs-onn"))
    assert any("runs-onn" in each for each in linted(broken))


def test_every_action_is_pinned_to_a_version() -> None:
    used = [found for path in WORKFLOWS for found in re.findall(r"uses: *(\S+)", path.read_text())]
    assert len(used) > 10
    pinned = re.compile(r"[\w./-]+@v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml")
    assert [each for each in used if not pinned.fullmatch(each)] == []


def test_what_is_tested_where() -> None:
    matrix = load(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_nothing_may_more_than_it_must() -> None:
    """Only a release may ask for an identity, and no workflow may write to the repository."""
    for path in WORKFLOWS:
        workflow = load(path)
        assert workflow["permissions"] == {"contents": "read"}, path.name
        for name, job in workflow["jobs"].items():
            more = {scope for scope, how in job.get("permissions", {}).items() if how == "write"}
            assert not more or path.name == "release.yml", (path.name, name)
            assert more <= {"id-token", "attestations"}, (path.name, name)


@pytest.mark.parametrize("path", sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml")), ids=lambda path: path.stem)
def test_issue_forms(path: Path) -> None:
    form = load(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"] and any(each.get("validations") for each in form["body"])
    ids = [each["id"] for each in form["body"]]
    assert len(set(ids)) == len(ids)
    for each in form["body"]:
        assert each["type"] in ("textarea", "input", "checkboxes") and each["attributes"]["label"]


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (GITHUB / name).read_text())
    assert len(targets) > 1
    assert [each for each in targets if not (GITHUB / each).exists()] == []
