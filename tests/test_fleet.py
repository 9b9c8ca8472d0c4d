"""`hangup why` of many recordings: analysed by one process, several, or Dask's workers, with the same result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from click.testing import CliRunner

import recorded as rec
from hangup.cli import cli
from hangup.cli.why.fleet import analysed
from hangup.errors import BackendError, HangupError
from hangup.experiment import document_file
from hangup.fleet.analysis import Analysis, analyse
from hangup.fleet.incidents import grouped
from hangup.fleet.selection import names
from hangup.fleet.subjects import Subject, subjects
from hangup.fleet.workers import Workers
from hangup.recording.events import Response
from hangup.recording.release import release_of
from tabled import made
from tabled.measures import cluster

COUNT, PLANTED = 46, 5


def hangup(*words: str) -> Any:
    return CliRunner().invoke(cli, list(words), prog_name="hangup")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made.fleet(tmp_path_factory.mktemp("fleet"), COUNT, PLANTED)


def test_all_ways_come_to_the_same_and_a_planted_incident_is_one(fleet: list[Path]) -> None:
    called = names(fleet)
    alone = analysed(fleet, called, None, Workers(1)).summary()
    assert analysed(fleet, called, None, Workers(2)).summary() == alone
    with cluster(2) as address:
        assert analysed(fleet, called, None, Workers(0, address)).summary() == alone
    (found,) = (each for each in alone["incidents"] if each["release"] == made.RELEASE)
    assert (found["recordings"], found["path"]) == (PLANTED, "/orders/{}")
    assert found["verdict"] == "heartbeat/app-ping-kills" and found["example"] in found["names"]
    mine = [path for path in fleet if made.RELEASE.encode() in path.read_bytes()]
    assert found["names"] == names(mine) and found["first"][:10] == "2026-11-01"
    assert alone["recordings"] == COUNT == alone["fine"] + sum(each["recordings"] for each in alone["incidents"])


@pytest.mark.parametrize("path", sorted(made.GOLDEN.glob("[a-e]*.jsonl"))[::4], ids=lambda path: path.stem)
def test_an_analysis_is_what_why_says(path: Path) -> None:
    told = json.loads(hangup("why", str(path), "--json").output)
    found = analyse(Subject(str(path), path.name))
    assert (found.verdict, found.confidence, found.sentence) == (told["verdict"], told["confidence"], told["sentence"])
    assert (found.connections, found.dropped) == (told["connections"]["all"], told["connections"]["alike"])


def test_what_was_proved_is_what_it_is_grouped_by(tmp_path: Path) -> None:
    (path,) = made.fleet(tmp_path, 1, 1)
    header = json.loads(path.read_bytes().split(b"\n")[0])
    bisects = tmp_path / "bisects"
    bisects.mkdir()
    law = {"sentence": "the server drops the connection on any text message that is not JSON"}
    document = {"verdict": "heartbeat/app-ping-kills", "ladder": [], "proved": True, "started": header["started"]}
    (bisects / f"a-{document_file.SUFFIX}").write_text(json.dumps({**document, "law": law, "headline": "proved: it"}))
    (found,) = analysed([path], ["a"], None, Workers(1)).incidents
    assert found.proved and found.cause == law["sentence"] and found.sure == 1.0


def test_incidents_differ_by_cause_path_and_release() -> None:
    def one(name: str, **more: Any) -> Analysis:
        told = {"started": "2026-11-23T00:00:00Z", "verdict": "a/b", "path": "/ws", "first": 1.0, "last": 2.0}
        return Analysis(recording=name, dropped=2, **{**told, **more})

    unknown = {"verdict": "unknown/", "mode": "close", "closer": "server"}
    some = [
        one("1"), one("2", last=90.0), one("3", path="/other"), one("4", release="2"), one("5", verdict="a/c"),
        one("6", **unknown, code=4001), one("7", **unknown, code=4002), one("8", verdict="none/healthy"),
        one("9", error="is none"),
    ]  # fmt: skip
    found = grouped(some)
    assert found.summary() == grouped(reversed(some)).summary()
    assert (found.analysed, found.fine, len(found.failed), len(found.incidents)) == (8, 1, 1, 6)
    first = found.incidents[0]
    assert (first.names, first.recordings, first.dropped) == (["1", "2"], 2, 4)
    assert (first.first, first.last) == ("2026-11-23T00:00:01.000Z", "2026-11-23T00:01:30.000Z")


def test_the_command_line(fleet: list[Path], tmp_path: Path) -> None:
    folder, file = str(fleet[0].parent), tmp_path / "incidents.parquet"
    done = hangup("why", folder, "--jobs", "1", "--parquet", str(file))
    assert done.exit_code in (0, 3) and f"{COUNT} recordings: " in done.output and "hangup why " in done.output
    told = json.loads(hangup("why", f"{folder}/*.jsonl", "--jobs", "1", "--json").output)["incidents"]
    rows = pyarrow.parquet.read_table(file).to_pylist()
    assert [(row["cause"], row["recordings"]) for row in rows] == [(e["cause"], e["recordings"]) for e in told]
    lines = hangup("why", folder, "--jobs", "1", "--markdown").output.splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == len(told) + 1
    assert folder not in "".join(lines)


def test_markdown_and_parquet_have_no_secrets(tmp_path: Path) -> None:
    secret = "Zk3qWm81TbYx7LpR"  # invented
    for number in range(2):
        events: list[Any] = []
        for conn in range(1, 5):
            events += [
                rec.handshake(conn * 1.0, conn, f"/ws/{secret}?token={secret}"),
                rec.text(conn + 0.1, "client", 1, f'{{"password":"{secret}"}}', conn),
                rec.close(conn + 0.2, "server", 2, 4001, f"no {secret}", conn),
                rec.end(conn + 0.3, "server", conn=conn),
            ]
        rec.write(tmp_path / f"{number}.jsonl", events)
    file = tmp_path / "incidents.parquet"
    done = hangup("why", str(tmp_path), "--markdown", "--jobs", "1", "--parquet", str(file))
    assert secret not in done.output and secret not in repr(pyarrow.parquet.read_table(file).to_pylist())
    assert "| 2 | 8 |" in done.output


@pytest.mark.parametrize(("words", "says"), [
    (["--conn", "1", "{folder}"], "--conn, --example and --github are for one recording"),
    (["{folder}", "--jobs", "1", "--scheduler", "tcp://127.0.0.1:1"], "use either --jobs or --scheduler"),
    (["{one}", "--jobs", "1"], "are for many recordings"),
    (["{folder}/*.nothing"], "no recording matches"),
    (["{folder}", "--scheduler", "nonsense://x"], "the scheduler nonsense://x does not answer"),
])  # fmt: skip
def test_what_is_wrong_is_said(words: list[str], says: str, fleet: list[Path]) -> None:
    given = [word.format(folder=fleet[0].parent, one=fleet[0]) for word in words]
    result = hangup("why", *given)
    assert isinstance(result.exception, HangupError), result.output
    assert says in str(result.exception) and "\n" not in str(result.exception)


def test_a_scheduler_that_is_not_there(fleet: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hangup.fleet.workers.CONNECTING", 0.3)
    with pytest.raises(BackendError, match="does not answer"):
        analysed(fleet[:1], ["a"], None, Workers(0, "tcp://127.0.0.1:1"))


def test_without_the_extra_it_is_said_what_to_install(fleet: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = hangup("why", str(fleet[0].parent), "--scheduler", "tcp://127.0.0.1:1")
    assert 'pip install "hangup[fleet]"' in str(result.exception)


def test_which_release_it_is() -> None:
    def of(*headers: tuple[str, str]) -> str:
        return release_of(Response(status=101, headers=list(headers)).headers)

    assert of(("Server", "uvicorn")) == "" and of(("Server", "nginx/1.25.3")) == "nginx/1.25.3"
    assert of(("Server", "nginx/1.25.3"), ("X-Release", " 7 ")) == "7" and of() == ""


def test_a_recording_that_is_gone_is_told_of(fleet: list[Path]) -> None:
    found = analysed([*fleet[:1], Path("gone.jsonl")], ["a", "gone"], None, Workers(1))
    assert [each.recording for each in found.failed] == ["gone"] and "no recording" in found.failed[0].error
    assert subjects(fleet[:1], ["a"])[0].name == "a"
