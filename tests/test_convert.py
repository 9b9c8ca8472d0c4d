"""The command ``hangup convert``: files in, files out, and what it says."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conversing import HEADER, Talk
from hangup.cli import cli
from hangup.errors import HangupError, RecordingError, UsageError
from hangup.recording import events as ev
from hangup.recording.formats import open_recording
from hangup.recording.redaction.redactor import NOTE

SECRET = "s3cr3t-s3cr3t"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, target=f"/ws?token={SECRET}&room=a", compressed=True)
        talk.say(conn, "client", "text", f'{{"password":"{SECRET}","user-17":1}}'.encode(), packed=True)
        talk.frame(conn, "server", 9, b"")
        talk.close(conn, "server", 4001, "bye")
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([HEADER, *talk.stop()]))
    return path


def run(*args: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, args)], input=stdin, catch_exceptions=False)


@pytest.mark.parametrize("suffix", [".jsonl", ".har", ".flow", ".pcapng", ".md", ".html"])
def test_by_suffix_without_secrets_and_for_the_owner_only(recording: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    result = run(recording, out)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "hangup: 1 secret hidden in 4 places (--no-redact keeps them)"
    assert SECRET.encode() not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == sorted([recording, out]), "nothing else is left behind"


def test_what_is_lost_is_said_once(recording: Path, tmp_path: Path) -> None:
    told = run(recording, tmp_path / "a.har").stderr.splitlines()[1:]
    assert told == ["hangup: HAR has no place for masking keys, 2 pings and how TCP ended"]
    assert run(recording, tmp_path / "a.jsonl", "--no-redact").stderr == ""


def test_no_redact_keeps_every_byte(recording: Path, tmp_path: Path) -> None:
    run(recording, tmp_path / "a.jsonl", "--no-redact")
    assert (tmp_path / "a.jsonl").read_bytes() == recording.read_bytes()


def test_a_redacted_recording_says_so(recording: Path, tmp_path: Path) -> None:
    run(recording, tmp_path / "a.jsonl")
    assert open_recording(tmp_path / "a.jsonl").header.note == f"{NOTE} ([redacted-1]: text, 9 to 16 characters)"


def test_own_patterns(recording: Path, tmp_path: Path) -> None:
    run(recording, tmp_path / "a.har", "--redact", r"user-\d+", "--redact", "r(oo)m")
    text = (tmp_path / "a.har").read_text()
    assert "user-17" not in text and "room" not in text


def test_one_connection(recording: Path, tmp_path: Path) -> None:
    run(recording, tmp_path / "a.jsonl", "--conn", "2")
    assert {event.conn for event in open_recording(tmp_path / "a.jsonl")} == {0, 2}
    with pytest.raises(UsageError, match="run.jsonl has no connection 7"):
        run(recording, tmp_path / "b.jsonl", "--conn", "7")
    assert not (tmp_path / "b.jsonl").exists()


def test_pipes(recording: Path, tmp_path: Path) -> None:
    result = run("-", "-", "--to", "har", stdin=recording.read_bytes())
    assert len(json.loads(result.stdout)["log"]["entries"]) == 2
    again = run("-", "-", "--to", "hangup", "--from", "har", stdin=result.stdout_bytes)
    assert again.stdout.startswith('{"hangup":1')


def test_a_named_pipe(recording: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cp", str(recording), str(fifo)]) as feeding:
        assert run(fifo, tmp_path / "a.har").exit_code == 0
    assert feeding.returncode == 0 and json.loads((tmp_path / "a.har").read_bytes())["log"]["entries"]


def test_every_format_there_and_back(recording: Path, tmp_path: Path) -> None:
    previous = recording
    for name in ("a.har", "b.flow", "c.jsonl", "d.har", "e.jsonl"):
        run(previous, tmp_path / name, "--no-redact")
        previous = tmp_path / name
    texts = [event.text for event in open_recording(previous) if isinstance(event, ev.Frame) and event.opcode == "text"]
    assert texts == [f'{{"password":"{SECRET}","user-17":1}}'] * 2


def refused(error: type[HangupError], words: str, *args: str | Path, stdin: bytes | None = None) -> None:
    with pytest.raises(error, match=words) as caught:
        run(*args, stdin=stdin)
    assert "\n" not in str(caught.value)


def test_usage(recording: Path, tmp_path: Path) -> None:
    refused(UsageError, "cannot tell the format from .*: use --to", recording, tmp_path / "a.txt")
    refused(UsageError, "cannot tell the format from .*: use --to", recording, "-")
    refused(UsageError, "are the same file", recording, tmp_path / "." / recording.name)
    refused(UsageError, (
        "use either --redact or "
        "--no-redact"
    ), recording, tmp_path / "a.har", "--redact", "x", "--no-redact")
    refused(UsageError, "is not a regular expression", recording, tmp_path / "a.har", "--redact", "(")
    refused(UsageError, "is a folder", recording, tmp_path, "--to", "har")
    assert run(recording, tmp_path / "a.har", "--to", "xml").exit_code == 2


def test_what_cannot_be_read_or_written(recording: Path, tmp_path: Path) -> None:
    refused(RecordingError, "there is no recording", tmp_path / "none", tmp_path / "a.har")
    refused(RecordingError, "standard input is empty", "-", tmp_path / "a.har", stdin=b"")
    refused(RecordingError, "cannot write .*: No such file or directory", recording, tmp_path / "no" / "a.har")
    (tmp_path / "notes.txt").write_text("hello")
    refused(RecordingError, "is neither a hangup recording", tmp_path / "notes.txt", tmp_path / "a.har")
    refused(RecordingError, "is a folder", tmp_path, tmp_path / "a.har")
    assert not (tmp_path / "a.har").exists()


def test_a_failure_leaves_what_was_there(recording: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.har"
    kept.write_text("precious")
    refused(UsageError, "no connection", recording, kept, "--conn", "9")
    assert kept.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [kept, recording]


def test_a_torn_recording_is_converted_and_told(recording: Path, tmp_path: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-9] + b"\nnonsense\n{")
    told = run(recording, tmp_path / "a.har").stderr
    assert "ends abruptly" in told and "could not be understood" in told


LARGE = 24 << 20


def large(path: Path, size: int) -> Path:
    """A recording of about ``size`` bytes: many connections, all mixed."""
    frame: dict[str, Any] = {"text": '{"type":"update","x":0.123456789,"label":"hello world"}' * 4}
    with open(path, "wb", 1 << 20) as out:
        out.write(ev.dump([HEADER]))
        talk = Talk()
        for conn in range(1, 21):
            talk.open(conn)
        out.write(ev.dump(talk.events))
        n, written = 0, 0
        while written < size:
            n += 1
            block = ev.dump(ev.Frame(at=n / 1000, conn=conn, n=n, side="server", **frame) for conn in range(1, 21))
            written += out.write(block)
        out.write(ev.dump([ev.Stop(at=n / 1000)]))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix",
    [".jsonl", ".har", *(pytest.param(each, marks=pytest.mark.long) for each in (".flow", ".pcapng", ".md", ".html"))],
)
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, suffix: str) -> None:
    def peak(size: int) -> int:
        path = large(tmp_path / "large.jsonl", size)
        script = f"""
import resource, sys
from hangup.cli import cli
args = ["convert", {str(path)!r}, {str(tmp_path / ("out" + suffix))!r}, "--no-redact"]
cli(args, standalone_mode=False)
sys.stderr.write("PEAK %d" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return int(done.stderr.rpartition("PEAK ")[2])

    assert peak(LARGE) - peak(LARGE // 12) < 12 << 10, "KiB more for twelve times as much"


def test_the_bar_is_only_for_terminals(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from hangup.cli import sources

    monkeypatch.setattr(sources, "WORTH_A_BAR", 0)
    monkeypatch.setattr(sources, "STEP", 100)
    assert run(recording, tmp_path / "a.har").stderr.startswith("hangup: 1 secret")
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(sources, "Console", lambda stderr: terminal)
    run(recording, tmp_path / "a.har")
    assert "looking for secrets" in screen.getvalue() and "writing" in screen.getvalue()
