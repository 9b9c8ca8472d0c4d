"""What hangup starts never outlives it, and what asks it to end leaves a whole recording, whatever the signal."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from hangup.processes import guard
from hangup.processes.job_object import KILL_ON_JOB_CLOSE, JobObject
from hangup.processes.tied import Tie
from harness import DEADLINE
from harness.peers import RawServer, open_websocket
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, surroundings
from test_run_command import TOLD, Terminal, gone, running, script

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")

LISTENER = """
import signal, socket, subprocess, sys, time
STUBBORN = len(sys.argv) > 2
if STUBBORN:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("listens", server.getsockname()[1], child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def backend(tmp_path: Path) -> Callable[..., str]:
    def command(port: str = "0", *words: str) -> str:
        file = tmp_path / "backend.py"
        file.write_text(LISTENER)
        return shlex.join([sys.executable, str(file), port, *words])

    return command


def free(port: int) -> bool:
    """Waits until a port can be listened on."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return True
        except OSError:
            time.sleep(0.01)
    return False


@posix
@pytest.mark.parametrize("words", [[], ["stubborn"]], ids=["obedient", "stubborn"])
def test_a_backend_does_not_outlive_a_proxy_that_is_killed(backend: Callable[..., str], words: list[str]) -> None:
    with HangupProxy("ws://127.0.0.1:9", "--no-web", "--backend-cmd", backend("0", *words)) as proxy:
        found = proxy.wait_for(r"\| listens (\d+) (\d+)")
        child = psutil.Process(int(found[2]))
        parent = child.parent()
        assert parent is not None
        proxy.kill()
        assert gone(child.pid) and gone(parent.pid) and free(int(found[1]))


@posix
def test_a_backend_of_check_does_not_outlive_it(tmp_path: Path, backend: Callable[..., str]) -> None:
    """It takes no WebSockets, so that the check waits for it."""
    recording = Path(__file__).parents[1] / "recordings"
    file = sorted(recording.glob("[a-z]*.jsonl"))[0]
    line = [*HANGUP, "check", str(file), "--start", backend("{port}", "stubborn")]
    with Program(line, environment=surroundings(), cwd=tmp_path) as check:
        until = time.monotonic() + DEADLINE
        while not (found := [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path / "backend.py") in _line(p)]):
            assert time.monotonic() < until, check.report()
            time.sleep(0.01)
        check.kill()
        assert all(gone(each.pid) for each in found)


def _line(process: psutil.Process) -> list[str]:
    return [] if "guard.py" in " ".join(process.info["cmdline"] or []) else process.info["cmdline"] or []


@posix
def test_a_command_of_run_does_not_outlive_it(tmp_path: Path) -> None:
    with running(tmp_path, script(tmp_path, TOLD)) as program:
        pid = int(program.wait_for(r"ready (\d+)")[1])
        program.kill()
        assert gone(pid)


@posix
@pytest.mark.parametrize("leads", [True, False], ids=["a job of its own", "within another's job"])
def test_nor_does_a_command_at_a_terminal(tmp_path: Path, leads: bool) -> None:
    """There it shares hangup's group: of a job that is all hangup's, all ends; else the command and what it started."""
    (tmp_path / ".env").write_text("VITE_WS_BASE=ws://127.0.0.1:9/ws\n")
    inner = shlex.join(script(tmp_path, TOLD))
    options = ["--no-web", "--listen", "127.0.0.1:0", "--record", str(tmp_path / "run.jsonl")]
    line = [*HANGUP, "run", *options, "--", "sh", "-c", f"{inner}; true"]
    told = f"{shlex.join(line)}; echo other goes on; sleep 600"
    terminal = Terminal(line if leads else ["sh", "-c", told], tmp_path)
    try:
        pid = int(terminal.wait_for(r"ready (\d+)")[1])
        shell = psutil.Process(pid).parent()
        assert shell is not None
        hangup = shell.parent()
        assert hangup is not None and (hangup.pid == terminal.pid) == leads
        hangup.kill()
        assert gone(pid) and gone(shell.pid)
        if not leads:
            terminal.wait_for("other goes on")
    finally:
        terminal.close()


@posix
def test_the_fixture_of_a_suite_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    source = f"""
import time
from pathlib import Path
from hangup.testing import Proxy
proxy = Proxy("ws://127.0.0.1:9", Path({str(tmp_path / "run.jsonl")!r}))
print("started", proxy._process.pid, proxy.url, flush=True)
time.sleep(600)
"""
    with Program([sys.executable, "-c", source], environment=surroundings(), cwd=tmp_path) as suite:
        pid = int(suite.wait_for(r"started (\d+)")[1])
        suite.kill()
        assert gone(pid)
    assert _lines(tmp_path / "run.jsonl")[-1]["kind"] == "stop", "it was asked to end, and had the time to"


@posix
def test_what_is_tied_is_as_it_would_be_alone(tmp_path: Path) -> None:
    """Its process id, environment, signals, descriptors, exit code, and the error when it cannot be started."""
    shell = "echo $$; env; ls /dev/fd | wc -l; printf '%s,' \"$@\"; kill -s PIPE $$"
    words = ["sh", "-c", shell, "sh", "a b", "", "c"]
    environment = {"A": "\udcff", "PATH": os.environ["PATH"], "LANG": "C"}
    shown = []
    for tie in (None, Tie(words, "own", environment)):
        line, options = (tie.words, tie.options) if tie else (words, {"env": environment})
        process = subprocess.Popen(line, stdout=subprocess.PIPE, **options)
        if tie:
            tie.begun(process.pid)
        said, _ = process.communicate()
        assert process.returncode == -signal.SIGPIPE
        shown.append(said.replace(str(process.pid).encode(), b"PID"))
        if tie:
            tie.release()
    assert shown[0] == shown[1]
    for program, number in ((str(tmp_path / "none"), 2), (str(tmp_path), 13)):
        tie = Tie([program], "own")
        process = subprocess.Popen(tie.words, **tie.options)
        with pytest.raises(OSError) as caught:
            tie.begun(process.pid)
        assert caught.value.errno == number and process.wait() == 127


@posix
def test_a_watcher_goes_when_there_is_nothing_to_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    tie = Tie(["true"], "own")
    process = subprocess.Popen(tie.words, process_group=0, **tie.options)
    tie.begun(process.pid)
    watchers = [p for p in psutil.process_iter(["cmdline"]) if tie.words[3:] == (p.info["cmdline"] or [])[3:]]
    assert len(watchers) >= 1
    process.wait()
    assert all(gone(each.pid) for each in watchers)
    tie.release()


@posix
@pytest.mark.parametrize("proc", [True, False])
def test_descendants_are_told(proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not proc:
        monkeypatch.setattr(guard, "_parents", guard._parents_by_ps)
        if not os.path.exists("/bin/ps"):
            pytest.skip("there is no ps")
    code = "import subprocess, sys; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); c.wait()"
    with Program([sys.executable, "-c", code]) as program:
        below = int(program.wait_for(r"(\d+)")[1])
        try:
            assert guard.descendants(program.pid) == [below] and program.pid in guard.descendants(os.getpid())
        finally:
            os.kill(below, signal.SIGKILL)


class Kernel32:
    """What JobObject calls; ``said`` are the calls, with the limits as a number."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.said: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            if name == "SetInformationJobObject":
                handle, kind, limits, size = arguments
                arguments = (handle, kind, limits._obj.BasicLimitInformation.LimitFlags)
            self.said.append((name, *arguments))
            return 0 if name == self.refuses else {"CreateJobObjectW": 11, "OpenProcess": 22}.get(name, 1)

        return call


def test_on_windows_a_job_ends_with_its_handle() -> None:
    api = Kernel32()
    job = JobObject(4242, api)
    assert job.held and api.said == [
        ("CreateJobObjectW", None, None),
        ("SetInformationJobObject", 11, 9, KILL_ON_JOB_CLOSE),
        ("OpenProcess", 0x101, False, 4242),
        ("AssignProcessToJobObject", 11, 22),
        ("CloseHandle", 22),
    ]
    job.end()
    job.close()
    job.close()
    assert api.said[5:] == [("TerminateJobObject", 11, 1), ("CloseHandle", 11)]


@pytest.mark.parametrize(
    "refuses", ["CreateJobObjectW", "SetInformationJobObject", "OpenProcess", "AssignProcessToJobObject"]
)
def test_on_windows_a_job_that_is_refused_ends_nothing(refuses: str) -> None:
    api = Kernel32(refuses)
    job = JobObject(1, api)
    job.end()
    job.close()
    assert not job.held and "TerminateJobObject" not in [each[0] for each in api.said]


# Signals.


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@posix
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_a_proxy_ends_in_order(number: signal.Signals) -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        client, upstream = open_websocket(proxy.address, "/ws"), server.accept("/ws")
        proxy.stop(number)
        assert "recording: " in proxy.output and proxy.errors == ""
        *_, end, stop = _lines(proxy.recording)
        assert stop["kind"] == "stop" and end["kind"] == "end"
        client.close()
        upstream.close()


@posix
def test_a_proxy_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    """Also when it has something to say meanwhile, which nobody can read any more."""
    record = tmp_path / "run.jsonl"
    with RawServer() as server:
        words = ["proxy", server.url, "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--record", str(record)]
        terminal = Terminal([*HANGUP, *words], tmp_path)
        port = int(terminal.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[1])
        terminal.wait_for("control on")
        client, upstream = open_websocket(("127.0.0.1", port), "/ws"), server.accept("/ws")
        os.close(terminal.screen)
        _, status = os.waitpid(terminal.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        kinds = [each.get("kind") for each in _lines(record)]
        assert kinds[-1] == "stop" and "end" in kinds
        client.close()
        upstream.close()


@posix
def test_under_nohup_it_goes_on_without_its_terminal(tmp_path: Path) -> None:
    words = [*HANGUP, "proxy", "ws://127.0.0.1:9", "--listen", "127.0.0.1:0", "--no-web", "--record", str(tmp_path)]
    with Program(["sh", "-c", f"trap '' HUP; exec {shlex.join(words)}"], environment=surroundings()) as proxy:
        proxy.wait_for("recording to")
        proxy.process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            proxy.process.wait(0.3)
        proxy.stop()


@posix
@pytest.mark.parametrize("number", [signal.SIGQUIT])
def test_run_passes_it_on_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, script(tmp_path, TOLD.replace("signal.SIGHUP", "signal.SIGQUIT"))) as program:
        program.wait_for("ready")
        program.process.send_signal(number)
        assert program.wait() == 40 + number, program.report()
        assert _lines(tmp_path / "run.jsonl")[-1]["kind"] == "stop"


@posix
def test_a_run_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VITE_WS_BASE=ws://127.0.0.1:9/ws\n")
    line = [*HANGUP, "run", "--no-web", "--listen", "127.0.0.1:0", "--record", str(tmp_path / "run.jsonl"), "--"]
    terminal = Terminal([*line, "sleep", "600"], tmp_path)
    terminal.wait_for("recording to")
    command = None
    until = time.monotonic() + DEADLINE
    while command is None and time.monotonic() < until:
        command = next((c for c in psutil.Process(terminal.pid).children() if c.name() == "sleep"), None)
    os.close(terminal.screen)
    os.waitpid(terminal.pid, 0)
    assert command is not None and gone(command.pid)
    assert _lines(tmp_path / "run.jsonl")[-1]["kind"] == "stop"


@posix
def test_a_proxy_whose_output_nobody_reads_any_more_goes_on(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    with RawServer() as server:
        words = ["proxy", server.url, "--listen", "127.0.0.1:0", "--no-web", "--record", str(record)]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process: subprocess.Popen[str] = subprocess.Popen([*HANGUP, *words], **pipe)  # type: ignore[call-overload]
        assert process.stdout is not None and process.stderr is not None
        said = ""
        while "recording to" not in said:
            said += process.stdout.readline()
        process.stdout.close()
        port = int(said.partition("listening on 127.0.0.1:")[2].split()[0])
        for _ in range(2):
            client, upstream = open_websocket(("127.0.0.1", port), "/ws"), server.accept("/ws")
            client.close()
            upstream.close()
        process.terminate()
        assert process.wait(DEADLINE) == 0 and process.stderr.read() == ""
        assert [each.get("kind") for each in _lines(record)].count("handshake") == 2
        assert _lines(record)[-1]["kind"] == "stop"
