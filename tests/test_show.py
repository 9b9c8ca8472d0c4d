"""``hangup show``: every view of every kind of recording, on any terminal, harmless to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from hangup.cli import cli, screen
from hangup.cli.show.table import ranges
from hangup.errors import ForeignRecording, HangupError, RecordingError, UsageError, VersionError
from hangup.recorder.journal import Journal
from hangup.recording import events as ev
from harness.programs import Program
from harness.proxies import HANGUP
from recorded import HEADER, close, control, end, handshake, text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
TYPICAL: list[ev.Event] = [
    *recorded.loop(7),
    handshake(8.0, 8, "/ws/ws", status=403, reason="Forbidden"),
    handshake(8.5, 9, "/chat", headers=[("Upgrade", "websocket")], waited=0.004),
    text(8.6, "client", 1, '{"type":"hello"}', 9),
    text(8.602, "server", 2, "grün 漢字", 9),
    control(9.0, "server", 3, "ping", 9),
    control(9.001, "client", 4, "pong", 9),
    close(70.4, "client", 5, 1001, "bye", 9),
    close(70.402, "server", 6, 1001, conn=9),
    end(70.41, "client", conn=9),
    handshake(71.0, 10, "/live"),
    ev.Stop(at=80.0, http=12),
]


def run(*arguments: str | Path, columns: int | None = 140, **options: Any) -> Result:
    """``hangup show ARGUMENTS`` in this process; errors of ours are raised as they are."""
    environment = {} if columns is None else {"COLUMNS": str(columns)}
    result = CliRunner(env=environment).invoke(cli, ["show", *map(str, arguments)], **options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def shown(*arguments: str | Path, **options: Any) -> str:
    result = run(*arguments, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def typical(tmp_path: Path) -> Path:
    return recorded.write(tmp_path / "run.jsonl", TYPICAL)


# The table.


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["show", "--schema"], ["filters"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*HANGUP, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "hangup: the output cannot be written: No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="of a shell")
def test_no_standard_input_is_one_line() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *HANGUP, "show", "-"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "hangup: standard input is closed\n")


def test_the_table(typical: Path) -> None:
    output = shown(typical)
    lines = output.splitlines()
    assert "ws://localhost:8000" in lines[0] and "2026-11-22 21:08:00 UTC, 1 min 20 s, 10 connections" in lines[1]
    headings = next(line for line in lines if "lifetime" in line)
    for heading in (
        "#",
        "opened",
        "path",
        "status",
        "lifetime",
        "frames",
        "bytes",
        "pings",
        "ended by",
        "how",
        "reason",
    ):
        assert heading in headings
    row = next(line.split() for line in lines if line.startswith(" 9 "))
    assert row[:4] == ["9", "8.500", "/chat", "101"]
    assert row[-3:] == ["close", "1001", "bye"] and "client" in row
    assert any(line.split()[-3:] == ["0", "server", "FIN"] for line in lines if line.startswith(" 3 "))
    assert "loop: connections 1 to 7 of one client on /ws/client-1" in output
    assert "#7 the server ended it, with a bare FIN and no close frame (a browser shows 1006), 12 ms after" in output
    assert "(likewise 1 to 6)" in output
    assert "#8 the server refused the handshake with HTTP 403 (Forbidden)" in output
    assert "1001 Going Away:" in output and "12 HTTP requests" in output
    assert f"hangup show {typical} --conn 7" in output


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 119, 120, 140, 200])
@pytest.mark.parametrize("arguments", [[], ["--conn", "9"], ["--conn", "8"]])
def test_it_fits_every_terminal(typical: Path, columns: int, arguments: list[str]) -> None:
    output = shown(typical, *arguments, columns=columns)
    assert "\x1b" not in output
    if columns < 60:
        return
    for line in output.splitlines():
        if "hangup show" not in line:  # a command to copy is not broken
            assert screen.Text(line).cell_len <= columns, line
    if not arguments:
        assert "server FIN" in output or "ended by how" in output
        assert re.search(r"HTTP\s+403", output) and "13 ms" in output


def test_without_any_terminal_there_is_room_for_all(typical: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    def no_terminal(stream: int) -> os.terminal_size:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    assert "ended by how" in shown(typical, columns=None)


def test_colours_only_on_a_terminal(typical: Path) -> None:
    forced = run(typical, color=True).stdout
    assert forced == run(typical).stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORCE_COLOR", "1")
        coloured = shown(typical)
    assert "\x1b[" in coloured
    assert ESCAPE.sub("", coloured) == run(typical).stdout


def test_an_empty_recording(tmp_path: Path) -> None:
    assert "no WebSocket connection" in shown(recorded.write(tmp_path / "run.jsonl", []))
    http = shown(recorded.write(tmp_path / "run.jsonl", [ev.Stop(at=1.0, http=3)]))
    assert "no WebSocket connection, 3 HTTP requests" in http


def test_what_filters_were_changed_and_what_was_wrong(tmp_path: Path) -> None:
    events: list[ev.Event] = [
        handshake(problems=["subprotocol: none chosen"]),
        ev.FilterEvent(at=0.5, filter="drop-ping side=client", action="on"),
        ev.Frame(at=0.6, conn=1, n=1, side="client", problems=("rsv",)),
        ev.Note(at=0.7, text="", lost=3),
    ]
    output = shown(recorded.write(tmp_path / "run.jsonl", events))
    assert "filter on  drop-ping side=client" in output
    assert "handshake: subprotocol: none chosen" in output and "problems: rsv (1)" in output
    assert "3 events could not be recorded" in output and "still open at the end of an incomplete recording" in output


def test_many_kinds_of_endings_and_changes_are_not_all_told(tmp_path: Path) -> None:
    events: list[ev.Event] = []
    for conn in range(1, 40):
        events += [handshake(conn, conn), close(conn + 0.1, "server", 1, 4000 + conn, conn=conn)]
        events.append(ev.FilterEvent(at=conn, filter=f"filter {conn}", action="on"))
    output = shown(recorded.write(tmp_path / "run.jsonl", events))
    assert "and 27 earlier ones" in output and "and 19 more filter changes" in output
    assert "#39 the server" in output and "#2 the server" not in output


def test_ranges() -> None:
    assert ranges([]) == "" and ranges([4]) == "4"
    assert ranges([1, 2, 3, 5, 7, 8]) == "1 to 3, 5, 7 to 8"
    assert ranges(list(range(0, 40, 2))) == "0, 2, 4, 6, 8, 10, …"


# One connection.


def test_one_connection(typical: Path) -> None:
    output = shown(typical, "--conn", "9", columns=100)
    lines = [line.strip() for line in output.splitlines()]
    assert lines[0].endswith("127.0.0.1:50009 → localhost:8000, answered after 4.0 ms")
    assert lines[1] == "GET /chat HTTP/1.1" and "Upgrade: websocket" in lines
    assert "✓ all handshake checks passed" in lines
    assert '8.600  → 1    text       16 B  {"type":"hello"}' in lines
    assert "8.602  ← 2    text       12 B  grün 漢字" in lines
    assert "9.000  ← 3    ping        0 B" in lines
    assert '70.400  → 5    close       5 B  1001 (going away) "bye"' in lines
    assert "70.410  →      FIN" in lines
    assert "/ws/client-1" not in output
    assert any(line.startswith("#9 the client ended it with close code 1001") for line in lines[-4:])


def test_what_else_a_connection_may_hold(tmp_path: Path) -> None:
    request = ev.Request(target="/sent-on", headers=[("Origin", "a")])
    events: list[ev.Event] = [
        ev.Log(at=0.0, text="long ago"),
        ev.Handshake(
            at=0.1,
            conn=1,
            request=request,
            original=ev.Request(target="/asked-for"),
            response=ev.Response(status=403, text="no\nreally not"),
            returned=ev.Response(status=101),
            problems=["accept: wrong key"],
            by="path to=/sent-on",
        ),
        ev.Frame(at=0.2, conn=1, n=1, side="server", opcode="binary", rsv=4, fin=False, base64=b"\x00\xff" * 50),
        ev.Frame(at=0.3, conn=1, n=2, side="server", opcode="continuation", text="x", message="a whole message"),
        ev.Frame(at=0.3, conn=1, n=2, side="server", opcode="continuation", message_length=5000, parts=3),
        ev.Frame(at=0.3, conn=1, n=2, side="server", rsv=4, base64=b"\xaa", message="packed"),
        ev.Frame(at=0.3, conn=1, n=2, side="server", rsv=6, base64=b"\xaa", message="packed"),
        ev.Frame(at=0.3, conn=1, n=3, side="server", opcode="close"),
        ev.Part(at=0.3, conn=1, n=4, side="server", text="not shown"),
        ev.FilterEvent(at=0.4, conn=1, filter="drop-ping", action="drop", side="client", n=5, note="as told"),
        ev.FilterEvent(at=0.4, conn=1, filter="inject", action="inject", side="client", wire=b"\x81\x00"),
        ev.FilterEvent(at=0.4, filter="drop-ping", action="off"),
        ev.FilterEvent(at=0.4, conn=2, filter="of another", action="drop"),
        ev.Log(at=0.5, source="uvicorn", text="Traceback:\n  line 2"),
        ev.Note(at=0.5, conn=1, text="a remark"),
        ev.Raw(at=0.6, conn=1, side="client", text="abc", problems=("half-frame",), opcode="text", length=5000),
        end(0.7, "client", "rst", by="proxy", note="stopped"),
        ev.Log(at=1.0, text="just after"),
        ev.Log(at=9.0, text="long after"),
    ]
    output = shown(recorded.write(tmp_path / "run.jsonl", events), "--conn", "1")
    for expected in (
        "as the client sent it:",
        "/asked-for",
        "as a filter sent it on:",
        "as a filter gave it to the client:",
        "really not",
        "✗ accept: wrong key",
        "answered by path to=/sent-on",
        "binary    100 B  fin=0 rsv=4 00 ff 00",
        "message of 15 B: a whole message",
        "in 3 parts message of 4.9 KiB",
        "1 B  compressed message of 6 B: packed",
        "1 B  compressed rsv=2 message of 6 B: packed",
        "without a code",
        "filter  drop client frame 5 by drop-ping (as told)",
        "filter  inject as the client by inject  sent: 2 B 81 00",
        "filter  off by drop-ping",
        "log   uvicorn: Traceback:",
        "line 2",
        "note  a remark",
        "half-frame 3 B of a text frame of 4.9 KiB abc",
        "RST by hangup (stopped)",
        "just after",
        "+100 ms",
    ):
        assert expected in output, expected
    for unexpected in ("long ago", "not shown", "long after", "of another"):
        assert unexpected not in output


def test_a_connection_that_is_not_there(typical: Path) -> None:
    for more in ([], ["--json"]):
        with pytest.raises(UsageError, match=r"has no connection 99, only 1 to 10$"):
            run(typical, "--conn", "99", *more)
    with pytest.raises(UsageError, match=r"has no connection 1$"):
        run(recorded.write(typical.parent / "empty.jsonl", []), "--conn", "1")


def test_a_backend_that_was_down(tmp_path: Path) -> None:
    down = ev.Handshake(at=0.1, conn=1, request=ev.Request(), error="connection refused")
    path = recorded.write(tmp_path / "run.jsonl", [down])
    assert "no answer: connection refused" in shown(path, "--conn", "1")
    assert re.search(r"server\s+down", shown(path))


# For programs.


def test_json(typical: Path) -> None:
    document = json.loads(shown(typical, "--json"))
    assert document["recording"] == str(typical)
    assert (document["complete"], document["torn"], document["skipped"], document["http"]) == (True, False, 0, 12)
    assert document["header"]["target"] == "ws://localhost:8000"
    assert len(document["connections"]) == 10
    ninth = document["connections"][8]
    assert {key: ninth[key] for key in ("conn", "path", "status", "opened", "lifetime", "frames", "pings")} == {
        "conn": 9,
        "path": "/chat",
        "status": 101,
        "opened": 8.5,
        "lifetime": 61.9,
        "frames": {"client": 3, "server": 3},
        "pings": {"client": 0, "server": 1},
    }
    ending = ninth["ending"]
    assert (ending["by"], ending["how"], ending["code"], ending["reason"]) == ("client", "close", 1001, "bye")
    assert ending["sentence"].startswith("the client ended it")
    (loop,) = document["loops"]
    assert (loop["count"], loop["median_gap"], loop["backing_off"]) == (7, 1.0, False)


def test_json_of_one_connection(typical: Path) -> None:
    document = json.loads(shown(typical, "--conn", "3", "--json"))
    assert [event["kind"] for event in document["events"]] == ["handshake", "frame", "end", "end"]
    assert [connection["conn"] for connection in document["connections"]] == [3]
    assert document["loops"][0]["count"] == 7
    assert json.loads(shown(typical, "--conn", "9", "--json"))["loops"] == []


def test_schema() -> None:
    assert json.loads(shown("--schema")) == json.loads(json.dumps(ev.schema()))
    with pytest.raises(UsageError):
        run("--schema", "--conn", "1")


# Where the recording comes from.


def test_the_newest_by_default(typical: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(typical.parent)
    with pytest.raises(RecordingError, match="no recording in recordings yet"):
        run()
    folder = typical.parent / "recordings"
    folder.mkdir()
    typical.rename(folder / "2026-11-22T21-08-00-x.jsonl")
    assert "2026-11-22T21-08-00-x.jsonl" in shown()


def test_a_folder(typical: Path) -> None:
    folder = typical.parent
    (folder / "other.jsonl").write_text("something else\n")
    (folder / "notes.txt").write_text("")
    os.utime(folder / "other.jsonl", (1, 1))
    output = shown(folder)
    assert output.index("other.jsonl") < output.index("run.jsonl  ")
    assert re.search(r"run\.jsonl +2026-11-22 21:08:00 +ws://localhost:8000 +10 +1 +\S+ KiB", output)
    assert "neither a hangup recording" in output
    rows = json.loads(shown(folder, "--json"))["recordings"]
    assert [row["error"] is None for row in rows] == [False, True]
    assert rows[1] == {
        "file": str(typical),
        "size": typical.stat().st_size,
        "started": HEADER.started,
        "target": "ws://localhost:8000",
        "connections": 10,
        "loops": 1,
        "error": None,
    }
    shown(folder, columns=60)
    for option in (["--conn", "1"], ["--follow"]):
        with pytest.raises(UsageError, match="is a folder"):
            run(folder, *option)


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(HangupError, match="no recording in"):
        run(tmp_path)


def test_standard_input(typical: Path) -> None:
    with Program(["sh", "-c", 'cat "$0" | "$@"', str(typical), *HANGUP, "show", "-", "--json"]) as program:
        assert program.wait() == 0, program.report()
    assert len(json.loads(program.output)["connections"]) == 10


# What is wrong with a recording is said, on stderr, in one line.


def test_bad_files() -> None:
    with pytest.raises(RecordingError):
        run("/nowhere/at-all.jsonl")
    with pytest.raises(ForeignRecording):
        run(__file__)


def test_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"hangup": 99, "started": ""}\n')
    with pytest.raises(VersionError):
        run(path)


def test_torn_and_bad_lines_are_told_on_stderr(typical: Path) -> None:
    with open(typical, "ab") as file:
        file.write(b'{"kind":"\\u001b[31m","at":1}\n?\n{"kind":"fra')
    result = run(typical, "--json")
    document = json.loads(result.stdout)
    assert (document["torn"], document["skipped"]) == (True, 2)
    torn, skipped = result.stderr.splitlines()
    assert "ends in the middle of a line" in torn and "2 lines" in skipped and (
        "the first at "
        f"{len(TYPICAL) + 2}:"
    ) in skipped
    assert "\x1b" not in result.stderr


def test_exit_codes_and_no_traceback(typical: Path) -> None:
    cases: dict[int, list[str]] = {0: [], 1: ["nowhere.jsonl"], 2: ["--conn", "99"]}
    for code, more in cases.items():
        where = [] if code == 1 else [str(typical)]
        with Program([*HANGUP, "show", *where, *more]) as program:
            assert program.wait() == code, program.report()
        if code:
            assert program.output == "" and program.errors.startswith("hangup: ")
            assert program.errors.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no head")
def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    path = recorded.write(tmp_path / "run.jsonl", [handshake(), *(text(1.0, "client", n) for n in range(1, 5000))])
    command = ["sh", "-c", '"$@" | head -1', "sh", *HANGUP, "show", str(path), "--conn", "1"]
    with Program(command) as program:
        assert program.wait() == 0
    assert program.errors == "" and program.output.count("\n") == 1


# Hostile recordings.

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@settings(max_examples=80, deadline=None)
@given(got=st.lists(recorded.events, max_size=10), columns=st.sampled_from([30, 80, 140]))
def test_nothing_in_a_recording_reaches_the_terminal(
    tmp_path_factory: pytest.TempPathFactory, got: list[ev.AnyEvent], columns: int
) -> None:
    header = ev.Header(hangup=1, started="\x1b[31m", target="\x1b]0;title\x07", note="\u202e", mode="[red]")
    path = recorded.write(tmp_path_factory.getbasetemp() / "hostile.jsonl", list(got), header)
    views: list[list[str]] = [[], ["--json"], ["--follow"]]
    for conn in list({event.conn for event in got if event.conn})[:2]:
        views += [["--conn", str(conn)], ["--conn", str(conn), "--json"]]
    for view in views:
        if view == ["--follow"]:
            recorded.write(path, [*got, ev.Stop(at=0.0)], header)
        result = run(path, *view, columns=columns)
        assert result.exit_code == 0
        assert not CONTROL.search(result.output), view
        if "--json" in view:
            json.loads(result.stdout)


def test_markup_is_text(tmp_path: Path) -> None:
    events: list[ev.Event] = [
        handshake(0.1, 1, "/[bold]x[/bold]/:smile:"),
        text(0.2, "client", 1, "[red]no[/red] [link=http://x]y[/link]"),
        end(0.3, "server"),
    ]
    path = recorded.write(tmp_path / "run.jsonl", events)
    assert "/[bold]x[/bold]/:smile:" in shown(path)
    assert "[red]no[/red] [link=http://x]y[/link]" in shown(path, "--conn", "1")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_is_constant(tmp_path: Path) -> None:
    code = """
import os, sys
from hangup.cli import cli
output, sys.stdout = sys.stdout, open(os.devnull, "w")
cli.main(standalone_mode=False)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
output.write(peak.split()[1])
"""
    peaks = []
    for count in (5_000, 30_000):
        path = tmp_path / f"{count}.jsonl"
        with open(path, "wb") as file:
            file.write(ev.dump([HEADER, handshake()]))
            for n in range(1, count + 1):
                file.write(ev.dump([text(n / 1000, "client", n, "x" * 200)]))
        for more in ([], ["--conn", "1"], ["--conn", "1", "--json"]):
            with Program([sys.executable, "-c", code, "show", str(path), *more]) as program:
                assert program.wait() == 0, program.errors
            peaks.append(int(program.output))
    for few, many in zip(peaks[:3], peaks[3:], strict=True):
        assert many < few + 4_000, peaks  # the lines alone are 6 MB more


# Following.


class Growing:
    """A recording that is being written, and ``hangup show --follow`` looking at it."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.journal = Journal(path, HEADER)
        self.program = Program([*HANGUP, "show", str(path), "--follow", *arguments])

    def __enter__(self) -> Growing:
        return self

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.journal.close()

    def write(self, *events: ev.Event) -> None:
        for event in events:
            self.journal.write(event)
        self.journal.flush()


def test_follow(tmp_path: Path) -> None:
    with Growing(tmp_path / "run.jsonl") as growing:
        events = recorded.loop(6)
        growing.write(*events[:4])
        growing.program.wait_for(r"#1 +opened /ws/client-1")
        growing.program.wait_for(r"#1 +the server ended it, with a bare FIN")
        growing.write(*events[4:], ev.FilterEvent(at=9.0, filter="drop-ping", action="on"), ev.Note(at=9.0, text="hey"))
        growing.program.wait_for(r"#6 +the server ended it")
        growing.program.wait_for(r"filter on: drop-ping")
        growing.program.wait_for(r"hey")
        growing.write(handshake(9.5, 7, status=403), ev.Stop(at=10.0))
        assert growing.program.wait() == 0, growing.program.report()
        output = growing.program.output
        assert output.count("loop: connections") == 2  # of 3, then of 6
        assert "#7    the server refused the handshake with HTTP 403" in output
        assert output.count("ended it") == 6


def test_follow_one_connection(tmp_path: Path) -> None:
    with Growing(tmp_path / "run.jsonl", "--conn", "1") as growing:
        growing.write(handshake(), text(0.2, "client", 1, "first"))
        growing.program.wait_for(r"→ 1 +text +5 B +first")
        growing.write(end(0.3, "server"), ev.Stop(at=1.0))
        growing.program.wait_for(r"#1 the server ended it")
        assert growing.program.wait() == 0


def test_follow_for_programs(tmp_path: Path) -> None:
    with Growing(tmp_path / "run.jsonl", "--json") as growing:
        growing.write(*recorded.loop(2), ev.Stop(at=9.0))
        assert growing.program.wait() == 0
    lines = [json.loads(line) for line in growing.program.output.splitlines()]
    assert [(line["conn"], line["ending"]["by"]) for line in lines] == [(1, "server"), (2, "server")]
    with Growing(tmp_path / "next.jsonl", "--json", "--conn", "1") as growing:
        growing.write(*recorded.loop(2), ev.Stop(at=9.0))
        assert growing.program.wait() == 0
    kinds = [json.loads(line)["kind"] for line in growing.program.output.splitlines()]
    assert kinds == ["handshake", "frame", "end", "end"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_follow_is_ended_by_ctrl_c(tmp_path: Path) -> None:
    import signal

    with Growing(tmp_path / "run.jsonl") as growing:
        growing.write(handshake())
        growing.program.wait_for("opened")
        growing.program.stop(signal.SIGINT)
        assert growing.program.errors == ""


def test_follow_in_this_process(typical: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = threading.Event()

    def sleep(seconds: float) -> None:
        slept.set()
        with open(typical, "ab") as file:
            file.write(ev.dump([end(79.0, "server", conn=10), ev.Stop(at=80.0)]))

    recorded.write(typical, TYPICAL[:-1])
    wait: Callable[[float], None] = sleep
    monkeypatch.setattr("hangup.cli.show.printing.time.sleep", wait)
    assert "#10   the server ended it" in shown(typical, "--follow") and slept.is_set()


def test_help_has_an_example() -> None:
    assert "hangup show --follow" in shown("--help")
