"""``hangup replay``: what it chooses, prints, records and exits with; all connections at once; a long recording."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conversing import Talk
from hangup.recording import events as ev
from hangup.recording.events import Event
from hangup.recording.ledger import Ledger
from hangup.recording.reader import read
from harness import frames
from harness.peers import Answer, Peer, RawServer
from harness.programs import Program
from harness.proxies import HANGUP, hangup
from recorded import HEADER, text, write
from replaying import serving
from test_replay import exchange, like_recorded


def saved(path: Path, talk: Talk) -> Path:
    return write(path, list[Event](talk.events))


def replay(path: Path, server: RawServer, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = path.parent / f"out-{len(list(path.parent.iterdir()))}.jsonl"
    done = hangup("replay", path, server.url, "--record", out, "--json", "--speed", "max", *arguments, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["recording"] == str(out)
    return done.returncode, report


def test_the_report_for_programs_and_its_recording(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.jsonl", exchange())
    with serving(like_recorded) as server:
        code, report = replay(path, server)
    assert code == 0 and report["same"] is report["same_ending"] is report["same_frame"] is True
    assert report["conn"] == 1 and report["diverged_at"] is None and report["differences"] == []
    assert report["recorded"]["ending"]["how"] == report["live"]["ending"]["how"] == "fin"
    reader = read(Path(report["recording"]))
    assert reader.header.source == f"replay of {path}" and reader.header.mode == "replay"
    assert reader.header.note == f"seed {report['seed']}"
    ledger = Ledger()
    for event in reader:
        ledger.feed(event)
    assert ledger.stopped and ledger.connections[1].ending.by == "server"


def test_the_exit_code_and_the_words_for_people(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.jsonl", exchange())

    def mended(peer: Peer) -> None:
        like_recorded(peer)
        peer.expect_frames(3)
        peer.send(frames.close(1000))
        peer.wait_end()

    arguments = ["--record", str(tmp_path), "--speed", "max", "--survive", "0.3"]
    with serving(like_recorded) as server:
        done = hangup("replay", path, server.url, *arguments)
        assert "#1 the same ending: the server ended it, with a bare FIN" in done.stdout
        assert "all 2 as recorded" in done.stdout
    with serving(mended) as server:
        done = hangup("replay", path, server.url, *arguments, check=False)
        assert done.returncode == 1
        assert "another ending: it stayed open" in done.stdout and "recorded: the server ended it" in done.stdout
        assert "different from the recording from frame 4 on" in done.stdout


def test_what_the_server_said_otherwise_is_shown(tmp_path: Path) -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "server", "text", b'{"type":"welcome","room":"lobby","at":"2026-11-22T21:08:00Z"}')
    talk.say(1, "client", "text", b'{"type":"hello"}')
    talk.wait(1000)
    talk.end(1, "server", "fin")
    path = saved(tmp_path / "run.jsonl", talk)

    def other(peer: Peer) -> None:
        peer.send(frames.frame(frames.TEXT, b'{"type":"welcome","room":"attic","at":"2031-05-07T00:00:00Z"}'))
        peer.expect_frames(1)

    with serving(other) as server:
        done = hangup("replay", path, server.url, "--record", str(tmp_path / "my runs"), "--speed", "max")
        _, report = replay(path, server)
    command = shlex.split(done.stdout.partition("every frame: hangup ")[2])
    assert hangup(*command).stdout.count("welcome") == 1, "it can be pasted"
    assert "room:" in done.stdout and "lobby" in done.stdout and "attic" in done.stdout
    assert "2031-05-07" not in done.stdout, "times differ by nature"
    (message,) = report["messages"]
    assert [place["path"] for place in message["differences"]] == ["room"]


def test_which_connection(tmp_path: Path) -> None:
    talk = exchange()
    talk.open(2)
    talk.close(2, "client", 1000)
    path = saved(tmp_path / "run.jsonl", talk)
    with serving(like_recorded) as server:
        assert replay(path, server)[1]["conn"] == 1, "the last one that failed"
        assert replay(path, server, "--conn", "2")[1]["conn"] == 2
        code, report = replay(path, server, "--all")
    assert [each["conn"] for each in report["connections"]] == [1, 2] and code in (0, 1)


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.jsonl", exchange())
    empty = write(tmp_path / "empty.jsonl", [])
    url = "ws://127.0.0.1:9"
    for arguments, code, words in (
        ([path], 2, "give a target"),
        ([path, "nonsense"], 2, "not a WebSocket URL"),
        ([tmp_path / "none.jsonl", url], 1, "there is no recording"),
        ([empty, url], 1, "has no WebSocket connection"),
        ([path, url, "--conn", "7"], 1, "has no connection 7"),
        ([path, url, "--conn", "1", "--all"], 2, "use either"),
        ([path, url, "--speed", "0"], 2, "--speed 0"),
        ([path, url, "--header", "x"], 2, "not a header"),
        ([path, url, "--filter", "drop-everything"], 2, "there is no filter"),
        ([path, url, "--set", "nothing"], 2, "write NAME=VALUE"),
        ([path, url, "--set", "nothing=1"], 2, "known values: a, room"),
        ([path, url], 1, "connection refused"),
    ):
        done = hangup("replay", *arguments, *(["--record", tmp_path / "out"]), check=False)
        assert done.returncode == code and words in done.stderr, (arguments, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr


def test_remarks(tmp_path: Path) -> None:
    talk = exchange()
    talk.events.insert(2, ev.FilterEvent(at=talk.at, conn=1, filter="drop-ping", action="drop", side="client", n=9))
    talk.events.insert(2, ev.Note(at=talk.at, conn=1, text="lost", lost=2))
    header = ev.Header(hangup=1, started=HEADER.started, filters=["drop-ping"], note="redacted: placeholders")
    path = write(tmp_path / "run.jsonl", list[Event](talk.events), header)
    with serving(like_recorded) as server:
        done = hangup("replay", path, server.url, "--record", tmp_path / "o.jsonl", "--speed", "max", check=False)
    for words in ("filters changed the recorded traffic (drop-ping)", "is redacted", "2 events could not be recorded"):
        assert words in done.stderr


def test_correlations_are_listed_without_a_target(tmp_path: Path) -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "server", "text", b'{"type":"welcome","token":"tok-12345678"}')
    talk.say(1, "client", "text", b'{"type":"hello","token":"tok-12345678"}')
    path = saved(tmp_path / "run.jsonl", talk)
    done = hangup("replay", path, "--show-correlations", "--json")
    (found,) = json.loads(done.stdout)
    assert found["name"] == "token" and found["source_frame"] == 1 and found["use_frame"] == 2
    assert "no correlations" in hangup("replay", path, "--show-correlations", "--no-correlate").stdout


def test_from_standard_input_and_from_a_har(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.jsonl", exchange())
    har = tmp_path / "run.har"
    hangup("convert", path, har, "--no-redact")
    arguments = ["--record", str(tmp_path / "out"), "--speed", "max", "--survive", "0.3"]
    with serving(like_recorded) as server:
        done = hangup("replay", "-", server.url, *arguments, input=path.read_text())
        assert "the same ending" in done.stdout
        seen = len(server.requests)
        done = hangup("replay", har, server.url, *arguments, check=False)
        assert len(server.requests) == seen + 1 and server.requests[-1].get("cookie") == "a=1"
        assert "the server ended it, with a bare FIN" in done.stdout


def test_interrupted_it_leaves_a_whole_recording(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.jsonl", exchange())
    for how in (signal.SIGINT, signal.SIGTERM):
        out = tmp_path / f"{how.name}.jsonl"
        with RawServer() as server:
            command = [*HANGUP, "replay", str(path), server.url, "--record", str(out), "--patience", "60"]
            with Program(command) as program:
                peer = server.accept()
                peer.send(frames.frame(frames.TEXT, b"welcome"))
                peer.expect_frames(1)
                program.process.send_signal(how)
                assert program.wait() != 0
                assert "Traceback" not in program.errors
            peer.wait_end()
        reader = read(out)
        ledger = Ledger()
        for event in reader:
            ledger.feed(event)
        assert ledger.stopped and not reader.torn
        assert ledger.connections[1].ending.by == "proxy"


# All at once.


def test_all_connections_begin_as_they_had(tmp_path: Path) -> None:
    """Two tabs with one id: the server closes the older one when the newer one opens; then the first comes again."""
    talk = Talk()
    talk.open(1, target="/ws/me")
    talk.wait(300_000)
    talk.open(2, target="/ws/me")
    talk.wait(1000)
    talk.close(1, "server", 4000, "elsewhere")
    talk.close(1, "client", 4000)
    talk.wait(200_000)
    talk.open(3, target="/ws/me")
    talk.wait(1000)
    talk.close(2, "server", 4000, "elsewhere")
    talk.close(2, "client", 4000)
    talk.wait(100_000)
    talk.close(3, "client", 1001)
    talk.close(3, "server", 1001)
    path = saved(tmp_path / "run.jsonl", talk)
    lock = threading.Lock()
    current: list[Peer] = []

    def one_only(peer: Peer) -> None:
        with lock:
            older, current[:] = list(current), [peer]
        for other in older:
            if other.end is None:
                other.send(frames.close(4000, b"elsewhere"))
        (close,) = peer.expect_frames(1)
        if close.payload[:2] == (1001).to_bytes(2, "big"):
            peer.send(frames.close(1001))
        peer.close()

    with RawServer(script=one_only) as server:
        for speed in ("1", "max"):
            out = tmp_path / f"out-{speed}.jsonl"
            current.clear()
            done = hangup("replay", path, server.url, "--all", "--json", "--speed", speed, "--record", out, check=False)
            report = json.loads(done.stdout)
            endings = [(c["live"]["ending"]["by"], c["live"]["ending"]["code"]) for c in report["connections"]]
            assert endings == [("server", 4000), ("server", 4000), ("client", 1001)], done.stdout
            assert done.returncode == 0 and report["same"]


def test_a_loop_is_played_one_after_the_other(tmp_path: Path) -> None:
    talk = Talk()
    for conn in range(1, 6):
        talk.open(conn)
        talk.say(conn, "client", "text", b"ping")
        talk.wait(1000)
        talk.end(conn, "server", "fin")
        talk.wait(100_000)
    path = saved(tmp_path / "run.jsonl", talk)
    alive: list[int] = [0, 0]
    lock = threading.Lock()

    def dies(peer: Peer) -> None:
        with lock:
            alive[0] += 1
            alive[1] = max(alive)
        peer.expect_frames(1)
        with lock:
            alive[0] -= 1

    with serving(dies) as server:
        done = hangup("replay", path, server.url, "--all", "--speed", "max", "--record", tmp_path / "o.jsonl")
    assert "5 of 5 connections ended as recorded" in done.stdout
    assert alive[1] == 1, "never two at once"


# A long one.


def long_recording(path: Path, count: int) -> Path:
    """``count`` messages of a client, each echoed."""
    at = 0.02
    with path.open("wb") as file:
        talk = Talk()
        talk.open(1)
        file.write(ev.dump([HEADER, *talk.events]))
        n = 0
        for _ in range(count // 200):
            batch: list[Event] = []
            for side in ("client", "server"):
                for i in range(100):
                    n += 1
                    at += 1e-6
                    batch.append(text(at, side, n, f'{{"type":"chat","n":{n % 100},"i":{i}}}'))  # type: ignore[arg-type]
            file.write(ev.dump(batch))
        last = Talk()
        last.at = at
        last.open(1)
        last.end(1, "server", "fin")
        file.write(ev.dump([*last.events[1:], ev.Stop(at=at)]))
    return path


@pytest.mark.experiment
@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def echo(peer: Peer) -> None:
        """Says as much as it hears."""
        heard = done = 0
        message = frames.frame(frames.TEXT, b'{"type":"chat","n":1,"i":1}')
        while heard < wanted[0]:
            data = peer.take(1)
            rest = peer.received
            data += peer.take(len(rest)) if rest else b""
            left.extend(data)
            count, used = _count(bytes(left))
            del left[:used]
            heard += count
            peer.send(message * (heard - done))
            done = heard

    wanted = [0]
    left = bytearray()
    peaks = []
    code = """
import resource, sys
from hangup.cli import cli
try:
    cli(sys.argv[1:], standalone_mode=False)
except SystemExit:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
    for count in (40_000, 240_000):
        path = long_recording(tmp_path / f"{count}.jsonl", count)
        wanted[0] = count // 2
        left.clear()
        with serving(echo, Answer()) as server:
            out = tmp_path / f"{count}-out.jsonl"
            words = ["replay", str(path), server.url, "--speed", "max", "--record", str(out)]
            done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=170)
        assert "the same ending" in done.stdout, done.stdout + done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < 24 << 10, f"{peaks} KiB"


def _count(data: bytes) -> tuple[int, int]:
    """How many whole (short, masked) frames, and their bytes."""
    at = count = 0
    while len(data) - at >= 6:
        size = 6 + (data[at + 1] & 0x7F)
        if at + size > len(data):
            break
        at += size
        count += 1
    return count, at
