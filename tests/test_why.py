"""``hangup why`` on the command line."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import layouts
from hangup.cli import cli
from hangup.errors import HangupError
from hangup.recording import events as ev


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return CliRunner()


RECORDINGS = Path(__file__).parents[1] / "recordings"


def write(path: Path, name: str, seed: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ev.dump([layouts.header(), *layouts.build(name, seed)]))
    return str(path)


def why(run: CliRunner, *arguments: str, **more: object) -> Result:
    return run.invoke(cli, ["why", *arguments], **more)  # type: ignore[arg-type]


def test_a_page_with_sentence_evidence_timeline_and_next_step(run: CliRunner, tmp_path: Path) -> None:
    result = why(run, write(tmp_path / "run.jsonl", "a3-text-ping"))
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()[:2]
    assert first.startswith("heartbeat/app-ping-kills") and "% sure" in first and "message/not-json" in first
    assert "heartbeat" in second
    for word in (
        "because",
        "conn 1 frame",
        "how connection 1 ended",
        "FIN",
        "drop-heartbeat side=client",
        "hangup bisect",
    ):
        assert word in result.output


def test_a_har_that_does_not_tell_the_ends_is_no_sign_of_health(run: CliRunner, tmp_path: Path) -> None:
    """Chrome writes no ending: a loop in its HAR must not be called healthy."""

    def entry(second: int) -> dict[str, object]:
        said = [{"type": "send", "time": 1795381680 + second + 0.5, "opcode": 1, "data": "{}"}]
        return {
            "startedDateTime": f"2026-11-22T21:08:0{second}.000Z",
            "request": {"method": "GET", "url": "ws://localhost:8000/ws", "headers": []},
            "response": {"status": 101, "headers": []},
            "_webSocketMessages": said + [dict(said[0], type="receive")],
        }

    file = tmp_path / "run.har"
    file.write_text(json.dumps({"log": {"entries": [entry(second) for second in range(4)]}}))
    result = why(run, str(file))
    assert result.exit_code == 3 and result.output.startswith("unknown/"), result.output
    assert "does not say how its connections ended" in result.output
    assert "hangup proxy ws://localhost:8000" in result.output and "no connection was reopened" not in result.output
    file.write_text(json.dumps({"log": {"entries": [entry(0)]}}))
    assert "ended was not recorded" not in why(run, str(file)).output


def test_a_command_to_copy_is_on_one_line(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    file = write(tmp_path / ("a long name " * 8) / "run.jsonl", "a3-text-ping")
    (command,) = [line.strip() for line in why(run, file).output.splitlines() if "hangup bisect" in line]
    assert shlex.split(command)[2] == file and shlex.split(command)[3].startswith("ws://")


def test_the_newest_recording_by_default(run: CliRunner, tmp_path: Path) -> None:
    old = tmp_path / "recordings" / "2026-01-01T00-00-00-old.jsonl"
    write(old, "c1-idle-60")
    os.utime(old, (1, 1))
    write(tmp_path / "recordings" / "2026-01-02T00-00-00-new.jsonl", "d10-doubled")
    assert "handshake/path" in why(run).output


def test_json(run: CliRunner, tmp_path: Path) -> None:
    result = why(run, write(tmp_path / "run.jsonl", "f5-kick"), "--json")
    found = json.loads(result.output)
    assert found["verdict"] == "identity/id-collision"
    assert found["closer"] == "server"
    assert found["trigger"]["kind"] == "peer"
    assert 0.5 < found["confidence"] <= 1
    assert {"evidence", "alternatives", "next"} <= set(found)
    assert any(step.get("filter") == "unique-id" for step in found["next"])
    assert any(step.get("command", "").startswith("hangup bisect") for step in found["next"])


@pytest.mark.parametrize(("name", "code"), [("a1-returns", 0), ("healthy", 0), ("one-restart", 0), ("f1-strict", 0)])
def test_exit_code_0_when_named_or_healthy(run: CliRunner, tmp_path: Path, name: str, code: int) -> None:
    assert why(run, write(tmp_path / "run.jsonl", name)).exit_code == code


def test_exit_code_3_when_unknown(run: CliRunner, tmp_path: Path) -> None:
    tape = layouts.Tape(2)
    tape.loop(lambda line, n: line.end("server", after=tape.some(0.5, 20)))
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([layouts.header(), *tape.done()]))
    result = why(run, str(path))
    assert result.exit_code == 3
    assert result.output.startswith("unknown/") and "it could be" in result.output
    found = json.loads(why(run, str(path), "--json").output)
    assert (found["verdict"], found["confidence"]) == ("unknown/", 0.0)


def test_healthy_lists_the_signs_of_success(run: CliRunner, tmp_path: Path) -> None:
    result = why(run, write(tmp_path / "run.jsonl", "healthy"))
    assert "signs of success" in result.output and "how connection" not in result.output


def test_markdown_for_an_issue_is_redacted(run: CliRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", "d7-expired")
    token = layouts.jwt(1_700_000_000)
    assert token in Path(path).read_text()
    result = why(run, path, "--markdown")
    assert result.exit_code == 0
    assert "| cause | `identity/token-expired-retry` |" in result.output
    assert "had expired" in result.output
    assert token not in result.output and token.split(".")[1] not in result.output
    assert "```" in result.output


def test_markdown_stands_alone(run: CliRunner, tmp_path: Path) -> None:
    output = why(run, write(tmp_path / "run.jsonl", "a3-text-ping"), "--markdown").output
    assert output.startswith("### The server hung up: ")
    for name in ("backend", "path", "when", "cause", "how sure"):
        assert re.search(rf"^\| {name} \| .+ \|$", output, re.M), name
    for title in ("Evidence", "Fix", "How to reproduce", "What to try next"):
        assert f"\n**{title}**\n\n" in output, title
    assert "hangup check " in output


def test_markdown_hides_a_secret_in_a_message(run: CliRunner, tmp_path: Path) -> None:
    tape = layouts.Tape()
    tape.loop(
        lambda line, n: line.client({"type": "login", "password": "hunter2hunter2"}, 0.3).end("server", after=0.004)
    )
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([layouts.header(), *tape.done()]))
    result = why(run, str(path), "--markdown")
    assert "login" in result.output and "hunter2" not in result.output


def test_one_connection(run: CliRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", "d6-origin-contrast")
    assert why(run, path, "--conn", "1").output.startswith("none/healthy")
    assert why(run, path, "--conn", "2").output.startswith("handshake/origin")


def test_standard_input(run: CliRunner, tmp_path: Path) -> None:
    data = Path(write(tmp_path / "run.jsonl", "a1-returns")).read_bytes()
    result = why(run, "-", input=data)
    assert result.exit_code == 0 and "server-handler/returns-immediately" in result.output


LONGEST = ["a9-broadcast-not-serialisable", "a4-ping-without-field", "a5-binary-ping-to-text-reader", "a3-text-ping"]


@pytest.mark.parametrize("name", LONGEST)
def test_it_is_one_screen(name: str, run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal what is least needed is left out; what goes to a file has it all."""
    monkeypatch.setenv("COLUMNS", "80")
    asked = [str(next(RECORDINGS.glob(f"{name}*.jsonl")))]
    whole = why(run, *asked).output
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("LINES", "40")
    shown = click.unstyle(why(run, *asked).output)
    assert len(shown.splitlines()) <= 39, shown
    assert len(whole.splitlines()) >= len(shown.splitlines())
    for needed in ("because", "ended", "how to fix it", "next", "hangup bisect", "FIN"):
        assert needed in shown and needed in whole, needed
    assert shown.splitlines()[0].strip() == whole.splitlines()[0].strip()


@pytest.mark.parametrize("columns", ["40", "60", "80", "200"])
def test_it_fits_the_terminal(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = why(run, write(tmp_path / "run.jsonl", "a3-text-ping"))
    assert result.exit_code == 0
    text = [line for line in result.output.splitlines() if not line.startswith(("  hangup ", "  --filter "))]
    assert all(len(line) <= int(columns) for line in text)


def test_what_was_on_the_wire_cannot_command_the_terminal(run: CliRunner, tmp_path: Path) -> None:
    tape = layouts.Tape()
    evil = "\x1b[31m\x1b]0;owned\x07[bold]\u202e"
    tape.loop(lambda line, n: line.client(evil + "ping", 0.4).close("server", 4000, evil, 0.004), f"/ws/{evil}1")
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([layouts.header(), *tape.done()]))
    for option in ((), ("--markdown",)):
        output = why(run, str(path), *option).output
        assert "\x1b]0" not in output and "\x07" not in output and "\u202e" not in output


class TestMistakes:
    def test_no_such_connection(self, run: CliRunner, tmp_path: Path) -> None:
        error = why(run, write(tmp_path / "run.jsonl", "a1-returns"), "--conn", "99").exception
        assert isinstance(error, HangupError) and error.exit_code == 2 and "no connection 99" in str(error)

    def test_no_such_file(self, run: CliRunner) -> None:
        error = why(run, "nowhere.jsonl").exception
        assert isinstance(error, HangupError) and error.exit_code == 1 and "nowhere.jsonl" in str(error)

    def test_no_recording_at_all(self, run: CliRunner) -> None:
        error = why(run).exception
        assert isinstance(error, HangupError) and "hangup proxy" in str(error)

    def test_two_forms_at_once(self, run: CliRunner, tmp_path: Path) -> None:
        error = why(run, write(tmp_path / "run.jsonl", "a1-returns"), "--json", "--markdown").exception
        assert isinstance(error, HangupError) and error.exit_code == 2

    def test_a_torn_recording_is_judged_and_told(self, run: CliRunner, tmp_path: Path) -> None:
        path = Path(write(tmp_path / "run.jsonl", "a1-returns"))
        path.write_bytes(path.read_bytes()[:-9])
        result = why(run, str(path))
        assert result.exit_code == 0 and "ends abruptly" in result.stderr


def test_the_examples_are_there_by_their_names(run: CliRunner) -> None:
    golden = {path.stem for path in (Path(__file__).parents[1] / "recordings").glob("[a-z]*.jsonl")}
    listed = why(run, "--example")
    assert listed.exit_code == 0 and set(listed.output.split()) == golden
    assert why(run, "--example", "a3").output == why(run, "--example", "a3-text-ping-to-json-reader").output
    assert why(run, "--example", "healthy").exit_code == 0, "the whole name, though others begin so"
    for name, word in (("a", "several names start like this"), ("nothing", "no example of this name")):
        with pytest.raises(HangupError, match=word):
            why(run, "--example", name, catch_exceptions=False)
    with pytest.raises(HangupError, match="not both"):
        why(run, "run.jsonl", "--example", "a3", catch_exceptions=False)
