"""What stands on the command line: read as people write it, and what is wrong with it said in one line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorded as rec
from hangup.cli.params import SIZE, TIME
from hangup.recording import events as ev
from hangup.recording import reader
from hangup.wire.frames import TEXT
from harness import frames
from harness.peers import RawServer, open_websocket
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, hangup, home

MASK = b"\x01\x02\x03\x04"


@given(st.integers(0, 1 << 40), st.sampled_from(["", "K", "m", "GiB", " KB", "B"]))
def test_sizes(number: int, unit: str) -> None:
    factor = 1024 ** " KMG".index((unit.strip().upper().replace("B", "") or " ")[0])
    assert SIZE.convert(f"{number}{unit}", None, None) == number * factor


@pytest.mark.parametrize(("text", "seconds"), [("20", 20), ("250ms", 0.25), ("1.5s", 1.5), ("2min", 120), (0.5, 0.5)])
def test_times(text: str | float, seconds: float) -> None:
    assert TIME.convert(text, None, None) == seconds


@given(st.text() | st.sampled_from(["nan", "inf", "-1", "0", "1e400", "٣", "10Q", "1 2", "--"]))
def test_what_is_no_size_and_no_time_is_a_usage_error(text: str) -> None:
    for kind, least in ((SIZE, 0), (TIME, 1e-30)):
        try:
            assert least <= kind.convert(text, None, None) < 1e30
        except click.UsageError as error:
            assert "\n" not in error.message


@pytest.mark.parametrize(
    ("line", "says", "code"),
    [
        ("nope", "there is no command 'nope'", 2),
        ("proxy ws://h --nope", "No such option '--nope'", 2),
        ("proxy ws://h --max-size 2K --keep 3K", "--keep must be at least twice --max-size", 2),
        ("proxy ws://h --max-size -1", "'-1' is not a size, such as 65536, 64K or 10M", 2),
        ("proxy ws://h --hold-limit many", "'many' is not a size", 2),
        ("proxy ws://h --expect-stable soon", "'soon' is not a time such as 20s", 2),
        ("show --conn x", "'x' is not a valid integer", 2),
        ("bisect a b --connections 0", "0 is not in the range x>=1", 2),
        ("bisect a b --seconds nan", "'nan' is not a time", 2),
        ("bisect a b --survive -1", "'-1' is not a time", 2),
        ("replay a b --pace slow", "'slow' is not one of 'causal', 'clock'", 2),
        ("diff", "Missing argument 'A'", 2),
        ("filter on x --path", "'--path' requires an argument", 2),
        ("proxy ws://h --no-web --listen 192.0.2.1:9000", "192.0.2.1:9000 is not an address of this machine", 1),
        ("proxy ws://h --no-web --listen no-host.invalid:9000", "cannot listen on no-host.invalid:9000: ", 1),
        # For `git bisect run` 2 would be a bad commit.
        ("check --nope", "No such option '--nope'", 125),
    ],
)
def test_what_is_wrong_is_one_line(line: str, says: str, code: int) -> None:
    done = hangup(*line.split(), check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr and done.stderr.startswith("hangup: ") and done.stderr.count("\n") == 1


def test_nothing_asked_for_is_answered_with_the_help() -> None:
    done = hangup(check=False)
    assert done.returncode == 2 and "Commands:" in done.stderr


def test_size_limits_of_a_recording(tmp_path: Path) -> None:
    """The files are as small as was asked for, and each payload; what was cut says how long it was."""
    with RawServer() as server, HangupProxy(server.url, "--max-size", "8K", "--max-payload", "1K") as proxy:
        client, upstream = open_websocket(proxy.address, "/ws"), server.accept("/ws")
        for _ in range(20):
            sent = frames.frame(TEXT, b"x" * 5000, mask=MASK)
            client.send(sent)
            assert upstream.take(len(sent)) == sent
        proxy.stop()
        files = list(proxy.recording.parent.glob("*.jsonl"))
        found = [event for event in reader.read(proxy.recording) if isinstance(event, ev.Frame)]
        assert len(files) > 2 and all(file.stat().st_size < 12 << 10 for file in files)
        assert [len(frame.payload) for frame in found] == [1024] * len(found) and found[0].size == 5000


def test_no_more_is_kept_of_a_recording_than_was_asked_for() -> None:
    """Its oldest files are deleted; it is said, and the summary names those that are left."""
    with RawServer() as server, HangupProxy(server.url, "--keep", "100K") as proxy:
        client, upstream = open_websocket(proxy.address, "/ws"), server.accept("/ws")
        for _ in range(100):
            sent = frames.frame(TEXT, b"x" * 5000, mask=MASK)
            client.send(sent)
            assert upstream.take(len(sent)) == sent
        output = proxy.stop()
        files = list(proxy.recording.parent.glob("*.jsonl"))
        assert 60_000 < sum(file.stat().st_size for file in files) <= 102_400
        assert not proxy.recording.exists()
        assert re.search(r"recording continues in \S+run.5.jsonl; deleted run.jsonl, to keep at most 100 KiB", output)
        oldest = min(files, key=lambda file: int(file.suffixes[0][1:]))
        assert re.search(rf"^recording: {oldest} and \d more files up to run.\d+.jsonl$", output, re.MULTILINE)
        assert f"next: hangup show {oldest}\n" in output


def test_what_is_larger_than_the_hold_limit_passes_unfiltered() -> None:
    with (
        RawServer() as server,
        HangupProxy(server.url, "--hold-limit", "100K", "--filter", "drop contains=x side=client") as proxy,
    ):
        client, upstream = open_websocket(proxy.address, "/ws"), server.accept("/ws")
        large = frames.frame(TEXT, b"x" * 3_000_000, mask=MASK)
        client.send(frames.frame(TEXT, b"x", mask=MASK) + large[:2_000_000])
        assert upstream.take(100_000) == large[:100_000]
        client.send(large[2_000_000:])
        assert upstream.take(len(large) - 100_000) == large[100_000:]
        proxy.stop()
        said = [event.action for event in proxy.events() if isinstance(event, ev.FilterEvent) and event.conn]
        assert said == ["drop", "pass"]


def test_run_reads_the_env_files_of_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITE_WS_BASE", raising=False)
    there = tmp_path / "frontend"
    there.mkdir()
    (there / ".env").write_text("VITE_WS_BASE=ws://127.0.0.1:9/there\n")
    page = "import os; print('given', os.environ['VITE_WS_BASE'])"
    words = ["run", "--no-web", "--listen", "127.0.0.1:0", "--env-dir", "frontend", "--", sys.executable, "-c", page]
    with Program([*HANGUP, *words], environment={"HOME": str(home())}, cwd=tmp_path) as run:
        assert run.wait() == 0, run.report()
        assert "/there" in run.wait_for(r"given (ws://127\.0\.0\.1:\d+\S*)")[1]


def test_diff_strict_counts_what_changes_by_nature(tmp_path: Path) -> None:
    for name, told in (("a", 1_700_000_000), ("b", 1_700_000_777)):
        said = rec.text(0.5, "server", 1, json.dumps({"type": "tick", "ts": told}))
        rec.write(tmp_path / f"{name}.jsonl", [rec.handshake(), said, rec.end(1.0, "server")])
    pair = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert hangup("diff", *pair, check=False).returncode == 0
    strict = hangup("diff", *pair, "--strict", check=False)
    assert strict.returncode == 1 and "1700000777" in strict.stdout


def test_replay_by_the_clock_does_not_wait_for_answers(tmp_path: Path) -> None:
    """The recorded server said something first; this one says nothing. By cause the client would wait for it."""
    said = [rec.text(0.05, "server", 1, "welcome"), rec.text(0.1, "client", 2, "hello"), rec.end(0.15, "server")]
    recording = rec.write(tmp_path / "run.jsonl", [rec.handshake(), *said])
    with RawServer() as server:
        words = ["replay", str(recording), server.url, "--pace", "clock", "--record", str(tmp_path / "out.jsonl")]
        with Program([*HANGUP, *words], environment={"HOME": str(home())}) as replay:
            upstream = server.accept("/ws")
            upstream.take(len(frames.frame(TEXT, b"hello", mask=MASK)))
            upstream.close()
            replay.wait()
