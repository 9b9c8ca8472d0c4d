"""The harness of ``tests/benchmarks`` works, with counts that take no time. No speed is asserted here."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report, run, scraping
from benchmarks.client import Broken, Connection
from benchmarks.contestants import CONTESTANTS, Contestant, Process, running
from benchmarks.measures import MEASURES, MIB, Scale
from benchmarks.run import main
from benchmarks.traffic import BINARY, MASK, PING, PONG, TEXT, frame, message
from hangup.recording.totals import PATHS

TINY = Scale(
    rounds=2, seconds=0.0, large=MIB, large_rounds=1, connections=2, volume=MIB, frames=1000, idle=5, hold=0.0
)
RELAYS = ["relay", "relay-protocol"]


def take(connection: Connection, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += connection.sock.recv(size - len(got))
    return got


@pytest.mark.parametrize("size", [0, 1, 20, 100, 125, 126, 65535, 65536, 300_000])
@pytest.mark.parametrize("binary", [False, True])
def test_a_message_has_its_size(size: int, binary: bool) -> None:
    made = message(size, binary)
    assert made.echo.endswith(made.echo[-size:]) and len(made.sent) == len(made.echo) + 4
    if not binary and size >= 100:
        json.loads(made.echo[-size:])


def test_the_server_is_a_real_echo() -> None:
    with running([]) as ports, Connection(ports["server"][0]) as connection:
        parts = [
            (frame(TEXT, b"hello", b"\1\2\3\4"), frame(TEXT, b"hello")),
            (frame(TEXT, b"hello", MASK) * 3, frame(TEXT, b"hello") * 3),
            (frame(BINARY, b"x" * 70_000, MASK), frame(BINARY, b"x" * 70_000)),
            (
                frame(TEXT, b"jello", MASK) + frame(PING, b"?", MASK),
                frame(TEXT, b"jello") + frame(PONG, b"?"),
            ),
            (b"\x01\x82" + MASK + bytes(MASK[i] ^ b"ab"[i] for i in (0, 1)), b""),  # "ab", to be continued
            (frame(0, b"c", MASK), frame(TEXT, b"abc")),
        ]
        for sent, due in parts * 2:
            for at in range(0, len(sent), 1 + len(sent) // 3):
                connection.sock.sendall(sent[at : at + 1 + len(sent) // 3])
            assert take(connection, len(due)) == due


@pytest.mark.parametrize("name", RELAYS)
def test_messages_pass_a_relay_whole(name: str) -> None:
    with running([each for each in CONTESTANTS if each.name == name]) as ports:
        with Connection(ports[name][0]) as connection:
            assert connection.stream(message(100), 16, count=500)[0] == 500
            assert connection.stream(message(300_000, True), 3, count=7)[0] == 7
            assert len(connection.round_trips(message(100), count=5)) == 5
        process = ports[name][1]
        assert isinstance(process, Process) and process.rss() > MIB


def test_what_comes_back_wrong_is_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, running([]) as ports, Connection(ports["server"][0]) as connection:
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
        honest, connection.sock = connection.sock, ours
        ours.settimeout(60)
        with ours, theirs:
            theirs.sendall(frame(TEXT, b"y" * 100))
            with pytest.raises(Broken):
                connection.round_trips(message(100))
            theirs.sendall(frame(TEXT, b"z" * 100))
            with pytest.raises(Broken):
                connection.stream(message(100), 1)
            theirs.sendall(message(100).echo * 2)
            with pytest.raises(Broken):
                connection.stream(message(100), 1)
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(Broken):
                connection.stream(message(100), 1)
        connection.sock = honest


def test_every_measure_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = [argument for each in MEASURES for argument in ("--only", each.name)]
    assert main([*names, "--contestant", "direct", "--contestant", "relay", "--json"], TINY) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["results"]) == {each.name for each in MEASURES}
    for each in MEASURES:
        row = told["results"][each.name]
        assert set(row) == ({"relay"} if each.memory else {"direct", "relay"})
        assert all("value" in sample for samples in row.values() for sample in samples)
    assert len(told["results"]["echo-64"]["relay"]) == TINY.rounds
    assert told["results"]["idle"]["relay"][0]["alive"] == 1


def test_targets_are_judged() -> None:
    results: report.Results = {
        "echo-64": {"stock": [{"value": 10}], "relay": "ended", "hangup": [{"value": 500}, {"value": 700}]},
        "rtt": {"relay": [{"value": 10.0, "p99": 20.0}], "hangup": [{"value": 20.0, "p99": 50.0}]},
        "idle": {"hangup": [{"value": 30.0, "alive": 0.5}]},
    }
    judged = {(row["measure"], row["against"]): (row["reached"], row["met"]) for row in report.judge(results)}
    assert judged == {
        ("echo-64", "stock"): (60, True),
        ("echo-64", "relay"): (None, False),
        ("rtt", "relay"): (2.0, True),
        ("idle", ""): (0.5, False),
    }
    told = report.markdown(results, TINY)
    assert "| 20 / 50 |" in told and "hangup ÷ stock | 60 | ≥ 60 | pass |" in told and "MISS" in told
    assert "relay failed in echo-64: ended" in told


def test_one_command_from_anywhere(tmp_path: Path) -> None:
    folder = Path(__file__).with_name("benchmarks")
    told = subprocess.run([sys.executable, folder, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0 and "--quick" in told.stdout


def test_who_does_not_start_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Contestant(
        "relay", "relay", lambda port, scratch: [sys.executable, "-c", "raise SystemExit('no')"]
    )
    monkeypatch.setattr(run, "CONTESTANTS", [broken])
    assert main(["--only", "echo-64"], TINY) == 0
    assert "relay failed in echo-64: did not start: no" in capsys.readouterr().out


def test_gaps_in_a_recording_are_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('listening on 127.0.0.1:1')"]
    process = Process("hangup", command, tmp_path)
    try:
        process.wait()
        assert process.port == 1 and process.lost() == 0
        frame_line = (
            b'{"kind":"frame","at":1,"conn":1,"n":1,"side":"client","text":"\\"kind\\":\\"note\\""}\n'
        )
        note = b'{"kind":"note","at":1,"text":"lost","lost":3}\n'
        process.recording.write_bytes(frame_line + note + frame_line)
        assert (process.lost(), process.lost()) == (3, 0)
        with process.recording.open("ab") as recording:
            recording.write(note + b'{"kind":"note","at":1,"text":"a remark"}\n')
        assert process.lost() == 3
    finally:
        process.stop()


@pytest.mark.measured
def test_being_scraped_costs_little() -> None:
    """The short version of ``python -m benchmarks.scraping``, by processor time alone: with all sums that there can be,
    as these are what a scrape takes longest for."""
    found = scraping.measure(rounds=2, seconds=0.1, paths=PATHS)
    assert all(turn.messages for turn in (*found.alone, *found.scraped))
    sizes = [size for turn in found.scraped for size in turn.sizes]
    assert sizes and min(sizes) > 50_000 and not any(turn.sizes for turn in found.alone)
    assert found.each * scraping.PER_SECOND < scraping.MOST
