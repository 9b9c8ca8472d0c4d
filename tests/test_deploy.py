"""The files in ``docs/deploy/``: linted by others' programs, started as they say, and in step with the metrics."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hangup.recording import reader
from harness import until
from harness.programs import Program
from harness.proxies import HANGUP, surroundings
from scraped import scrape
from test_metrics import RECORDINGS, replayed

DEPLOY = Path(__file__).resolve().parents[1] / "docs" / "deploy"
CONTAINER = (DEPLOY / "Containerfile").read_text("utf-8")
UNIT = (DEPLOY / "hangup.service").read_text("utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))


def tool(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return found or pytest.skip(f"{name} is not here")


# How it is started.


def instruction(name: str) -> list[str]:
    """The words of an instruction in its JSON form."""
    found = re.search(rf"^{name}\b[^\[]*(?:\\\n[^\[]*)?(\[.*\])$", CONTAINER, re.M)
    assert found is not None
    return list(json.loads(found[1]))


def on_loopback(words: list[str]) -> list[str]:
    """The same with a free port of this machine in the place of each address."""
    return [re.sub(r"^[\d.]+:(9000|9464)$", "127.0.0.1:0", word) for word in words]


def started(words: list[str], folder: Path) -> Program:
    """``hangup WORDS`` on free ports, recording below ``folder``; all else as it is deployed."""
    (folder / "kept").mkdir()
    words = on_loopback(words)
    place = words.index("--record") + 1
    assert words[place] in ("/recordings", "/var/lib/hangup")
    words[place] = str(folder / "kept")
    return Program([*HANGUP, *words], environment=surroundings(), cwd=folder)


def test_the_container_file_is_linted() -> None:
    done = subprocess.run([tool("hadolint"), str(DEPLOY / "Containerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_container_starts_a_proxy_and_its_health_check_tells_whether_it_is_there(tmp_path: Path) -> None:
    entry = instruction("ENTRYPOINT")
    assert entry[0] == "hangup" and {"0.0.0.0:9000", "0.0.0.0:9464"} <= set(entry)
    assert re.search(r"^EXPOSE 9000 9464$", CONTAINER, re.M)
    python, *check = instruction("HEALTHCHECK")
    assert python == "python" and any("127.0.0.1:9464" in word for word in check)
    with started([*entry[1:], "ws://127.0.0.1:9"], tmp_path) as proxy:
        port = proxy.wait_for(r"metrics: http://127\.0\.0\.1:(\d+)/metrics")[1]
        check = [sys.executable, *(word.replace("9464", port) for word in check)]
        assert subprocess.run(check, capture_output=True).returncode == 0
        proxy.stop()
        assert subprocess.run(check, capture_output=True).returncode != 0
        assert list((tmp_path / "kept").glob("*.jsonl"))


def unit(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.M)
    assert found is not None
    return found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd")
def test_the_unit_is_verified(tmp_path: Path) -> None:
    hangup = tmp_path / "hangup"
    hangup.write_text("#!/bin/sh\n")
    hangup.chmod(0o755)
    path = tmp_path / "hangup.service"
    path.write_text(UNIT.replace("/opt/hangup/bin/hangup", str(hangup)))
    done = subprocess.run([tool("systemd-analyze"), "verify", str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "hangup.service" not in done.stderr, done.stderr


def test_the_unit_starts_a_proxy_on_loopback(tmp_path: Path) -> None:
    command = [word.replace("${HANGUP_TARGET}", "ws://127.0.0.1:9") for word in shlex.split(unit("ExecStart"))]
    assert command[0] == "/opt/hangup/bin/hangup"
    with started(command[1:], tmp_path) as proxy:
        url = proxy.wait_for(r"metrics: (http://127\.0\.0\.1:\d+/metrics)")[1]
        assert "hangup_build_info" in scrape(url)
        proxy.stop()
        with pytest.raises(urllib.error.URLError):
            scrape(url)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_what_the_container_is_built_of(tmp_path: Path) -> None:
    """The steps of the file without an engine: the wheel with its extras in an environment, and its entry."""
    root = DEPLOY.parents[1]
    uv = tool("uv")
    subprocess.run([uv, "build", "--wheel", "--out-dir", str(tmp_path / "dist"), str(root)], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    extras = re.search(r"\$\{wheel\}\[(.*?)\]", CONTAINER)
    assert extras is not None
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", str(python), f"{wheel}[{extras[1]}]"], check=True)
    words = on_loopback(instruction("ENTRYPOINT"))
    words[words.index("--record") + 1] = str(tmp_path)
    command = [str(python.with_name("hangup")), *words[1:], "ws://127.0.0.1:9", "--otlp", "http://127.0.0.1:9"]
    with Program(command, environment=surroundings(), cwd=tmp_path) as proxy:
        port = proxy.wait_for(r"metrics: http://127\.0\.0\.1:(\d+)/metrics")[1]
        until(lambda: '"status":"ok"' in scrape(f"http://127.0.0.1:{port}/healthz"))
        proxy.stop()


# What is shown.


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each sample that a proxy may give, with those that Prometheus adds."""
    found: dict[str, set[str]] = {}
    for name in ("a1-handler-returns-after-accept", "d8-close-before-accept", "b4-server-never-pongs"):
        events = list(reader.read(RECORDINGS / f"{name}.jsonl"))
        text, _ = asyncio.run(replayed(events, tmp_path_factory.mktemp(name)))
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels, ("job", "instance"))
    return found


def targets() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def walk(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if (child := getattr(node, name, None)) is not None:
            yield from walk(child)
    for child in getattr(node, "args", None) or ():
        yield from walk(child)


@pytest.mark.parametrize(("title", "query"), list(targets()))
def test_a_panel_asks_for_what_there_is(title: str, query: str, labels: dict[str, set[str]]) -> None:
    promql = pytest.importorskip("promql_parser")
    query = query.replace("$__rate_interval", "1m").replace("$job", "j").replace("$instance", "i").replace("$path", "p")
    assert "$" not in query
    nodes = list(walk(promql.parse(query)))
    selectors = [node for node in nodes if isinstance(node, promql.VectorSelector)]
    assert selectors
    there: set[str] = set()
    for selector in selectors:
        assert selector.name in labels, f"{title}: there is no {selector.name}"
        own = labels[selector.name]
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= own, f"{title}: {selector.name} has no {asked - own}"
        there |= own
    for node in nodes:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= there, f"{title}: by {node.modifier.labels}"
        if isinstance(node, promql.Call) and node.func.name in ("rate", "increase"):
            counted = node.args[0].vector_selector.name
            assert counted.endswith(("_total", "_bucket", "_count", "_sum")), f"{title}: {counted} is no counter"


def test_every_metric_is_shown(labels: dict[str, set[str]]) -> None:
    shown = " ".join(query for _, query in targets()) + json.dumps(DASHBOARD["templating"])
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in labels}
    assert not {name for name in names if name not in shown}


def test_panels_do_not_lie_over_one_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
