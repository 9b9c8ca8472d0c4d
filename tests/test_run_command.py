"""``hangup run``: what the command is given, its signals, its exit code, and that nothing of it is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from websockets.sync.server import ServerConnection, serve

from hangup.cli import cli
from hangup.cli.config import Config
from hangup.cli.run import command
from hangup.cli.run.env_files import Environment
from hangup.errors import CommandError, HangupError, UsageError
from hangup.wire.url import parse_target
from harness import DEADLINE, node
from harness.peers import RawServer
from harness.programs import Program
from harness.proxies import HANGUP, home

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals")

# Values.


def redirected(value: str | None, target: str | None = None, configured: str | None = None) -> command.Redirected:
    process = {} if value is None else {"VITE_WS_BASE": value}
    environment = Environment(Path("/nowhere"), process)
    return command.redirect(["VITE_WS_BASE"], environment, target, Config(target=configured))[0]


@pytest.mark.parametrize(
    ("value", "origin", "through"),
    [
        ("ws://localhost:8000", "ws://localhost:8000", "ws://localhost:9000"),
        ("ws://localhost:8000/", "ws://localhost:8000", "ws://localhost:9000/"),
        ("ws://127.0.0.1:8000/ws", "ws://127.0.0.1:8000", "ws://127.0.0.1:9000/ws"),
        ("wss://host/base?x=1&y=a/b", "wss://host:443", "ws://localhost:9000/base?x=1&y=a/b"),
        ("wss://host?x=1", "wss://host:443", "ws://localhost:9000?x=1"),
        (" WS://[::1]:8000/a%20b ", "ws://[::1]:8000", "ws://localhost:9000/a%20b"),
        ("http://localhost:8000/api", "ws://localhost:8000", "http://localhost:9000/api"),
        ("https://host/api", "wss://host:443", "http://localhost:9000/api"),
    ],
)
def test_a_value_keeps_its_path(value: str, origin: str, through: str) -> None:
    found = redirected(value)
    assert (found.target.origin, found.through("127.0.0.1", 9000)) == (origin, through)


def test_the_target_option_goes_first_and_the_configured_one_last() -> None:
    assert redirected("ws://a/x", "ws://b/y").value == "ws://b/y"
    assert redirected("/x?a=1", "wss://b:9/y").value == "wss://b:9/x?a=1", "a path is joined to it"
    assert redirected(None, "ws://b").value == "ws://b"
    assert redirected(None, configured="ws://c").value == "ws://c"
    assert redirected("ws://a", configured="ws://c").value == "ws://a"
    assert redirected("ws://a").through("192.168.0.7", 80) == "ws://192.168.0.7:80"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, r"neither in the environment nor in \.env, \.env\.local, .* of /nowhere .*--env-var .*--target"),
        ("", "empty in the environment"),
        ("/ws", "relative to the page.*--target"),
        ("localhost:8000", r"not a WebSocket URL.*did you mean ws://localhost:8000\?"),
        ("ftp://x", "VITE_WS_BASE, from the environment: not a WebSocket URL"),
        ("ws://a:b@c", "no user and password"),
        ("ws://h:99999", "not a URL"),
    ],
)
def test_a_value_that_leads_nowhere(value: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        redirected(value)
    assert "\n" not in str(caught.value)


def test_several_variables_lead_to_one_backend() -> None:
    environment = Environment(Path("/nowhere"), {"A": "ws://h:1/ws", "B": "http://h:1/api", "C": "ws://h:2"})
    found = command.redirect(["A", "B", "A"], environment, None, Config())
    assert [each.through("127.0.0.1", 9) for each in found] == ["ws://localhost:9/ws", "http://localhost:9/api"]
    with pytest.raises(UsageError, match="A leads to ws://h:1 and C to ws://h:2: one backend at a time"):
        command.redirect(["A", "C"], environment, None, Config())


def test_another_name_is_proposed() -> None:
    environment = Environment(Path("/nowhere"), {"VITE_SOCKET": "wss://h/x"})
    with pytest.raises(UsageError, match=r"is it --env-var VITE_SOCKET \(the environment: wss://h/x\)\?"):
        command.redirect(["VITE_WS_BASE"], environment, None, Config())


def test_the_first_port_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(command, "FIRST_PORT", port)
        backend = parse_target("ws://localhost:1")
        free = command.free_port("127.0.0.1", backend)
        assert free > port
        monkeypatch.setattr(command, "PORTS_TRIED", 1)
        assert command.free_port("127.0.0.1", backend) == 0
    monkeypatch.setattr(command, "FIRST_PORT", free)
    assert command.free_port("127.0.0.1", parse_target(f"ws://localhost:{free}")) == 0, "the backend is not up yet"


@pytest.mark.parametrize(
    ("arguments", "error", "code", "says"),
    [
        (["--", "no-such-command"], CommandError, 127, "'no-such-command': it is not on the PATH"),
        (["--", "./no-such"], CommandError, 127, "there is no such file"),
        (["--", "/etc/passwd"], CommandError, 126, "cannot start '/etc/passwd'"),
        (["--", "true"], UsageError, 2, "VITE_WS_BASE is neither"),
        (["--target", "x", "--", "true"], UsageError, 2, "not a WebSocket URL"),
        (["--backend-log", "-", "--", "true"], UsageError, 2, "standard input belongs to the command"),
        (["--target", "ws://x", "--web", "x", "--no-web", "--", "true"], UsageError, 2, "either --web or --no-web"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    error: type[HangupError],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITE_WS_BASE", raising=False)
    done = CliRunner().invoke(cli, ["run", *arguments])
    assert isinstance(done.exception, error) and done.exception.exit_code == code
    assert says in str(done.exception) and "\n" not in str(done.exception)


# Runs.

SURROUNDINGS = {"HOME": str(home()), "XDG_STATE_HOME": str(home() / "state")}

PAGE = """
import asyncio, os, sys, websockets
async def main():
    async with websockets.connect(os.environ["VITE_WS_BASE"]) as socket:
        await socket.send("hello")
        print("answered", await socket.recv())
asyncio.run(main())
sys.exit(7)
"""

TOLD = """
import os, signal, sys, time
def told(number, frame):
    print("told", signal.Signals(number).name, flush=True)
    sys.exit(40 + number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, told)
print("ready", os.getpid(), flush=True)
while True:
    signal.pause()
"""


def script(folder: Path, text: str) -> list[str]:
    path = folder / "page.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def running(folder: Path, words: list[str], *options: str, target: str = "ws://127.0.0.1:9/ws") -> Program:
    """``hangup run``, in a folder whose .env leads to ``target``."""
    (folder / ".env").write_text(f"VITE_WS_BASE={target}\n")
    record = ["--record", str(folder / "run.jsonl")]
    line = [*HANGUP, "run", "--no-web", "--listen", "127.0.0.1:0", *record, *options, "--", *words]
    return Program(line, environment=SURROUNDINGS, cwd=folder)


def gone(pid: int) -> bool:
    """Waits until a process has ended; nobody may be there to bury it."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says what it hears."""

    def repeat(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(repeat, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1]
        server.shutdown()


def test_the_command_talks_to_its_backend_through_the_proxy(tmp_path: Path, echo: int) -> None:
    with running(tmp_path, script(tmp_path, PAGE), target=f"ws://127.0.0.1:{echo}/ws/me?x=1") as program:
        assert program.wait() == 7, program.report()
    assert program.output == "answered hello\n", "stdout is the command's"
    assert re.search(r"VITE_WS_BASE=ws://127\.0\.0\.1:\d+/ws/me\?x=1  \(was ws://.*, from \.env\)", program.errors)
    assert "1 connection\n" in program.errors and "Traceback" not in program.errors
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    (request,) = (line["request"]["target"] for line in lines if line.get("kind") == "handshake")
    assert request == "/ws/me?x=1" and lines[-1]["kind"] == "stop"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on_and_the_exit_code_back(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, script(tmp_path, TOLD)) as program:
        program.wait_for("ready")
        program.process.send_signal(number)
        assert program.wait() == 40 + number, program.report()
        assert f"told {number.name}" in program.output and "recording: " in program.errors


def test_a_command_that_is_killed_gives_128_and_its_signal(tmp_path: Path) -> None:
    with running(tmp_path, [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) as program:
        assert program.wait() == 137, program.report()


STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("left", child.pid, flush=True)
"""


def test_what_it_leaves_behind_is_ended(tmp_path: Path) -> None:
    """Even what will not be told (an ignored signal is inherited)."""
    with running(tmp_path, script(tmp_path, STUBBORN)) as program:
        pid = int(program.wait_for(r"left (\d+)")[1])
        assert program.wait() == 0, program.report()
        assert gone(pid)


SERVER = """
import { writeFileSync } from "node:fs";
console.log("serving", process.pid, process.ppid, process.env.VITE_WS_BASE, process.argv.slice(2).join(" "));
setInterval(() => {}, 1000);
"""


@pytest.mark.real
def test_npm_and_all_that_it_started_end(tmp_path: Path) -> None:
    if why := node.problem("vite", folder=node.WEB):
        pytest.skip(why)
    (tmp_path / "server.mjs").write_text(SERVER)
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"dev": "node server.mjs --mode staging; true"}}))
    (tmp_path / ".env.staging").write_text("VITE_WS_BASE=ws://127.0.0.1:10/staging\n")
    with running(tmp_path, ["npm", "run", "dev"]) as program:
        found = program.wait_for(r"serving (\d+) (\d+) (\S+) --mode staging")
        assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/staging", found[3]) and ":10/" not in found[3]
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() != 0, program.report()
        assert gone(int(found[1])) and gone(int(found[2]))
        assert "Traceback" not in program.errors and "recording: " in program.errors


class Terminal:
    """A program that leads a session of its own, on a terminal of its own."""

    def __init__(self, words: list[str], folder: Path) -> None:
        import pty

        self.seen = ""
        self.pid, self.screen = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe(words[0], words, {**os.environ, **SURROUNDINGS, "TERM": "dumb", "COLUMNS": "300"})

    def wait_for(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + DEADLINE
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < until, self.seen
            try:
                self.seen += os.read(self.screen, 1 << 16).decode(errors="replace")
            except OSError:
                raise AssertionError(f"{pattern} did not come: {self.seen}") from None
        return found

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def wait(self) -> int:
        with_rest = self.rest()
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        assert "Traceback" not in with_rest
        return os.waitstatus_to_exitcode(status)

    def rest(self) -> str:
        """All that comes until its last user has left the terminal."""
        try:
            while piece := os.read(self.screen, 1 << 16):
                self.seen += piece.decode(errors="replace")
        except OSError:
            pass
        return self.seen

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.screen)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[[list[str]], Terminal]]:
    opened: list[Terminal] = []

    def start(words: list[str]) -> Terminal:
        (tmp_path / ".env").write_text("VITE_WS_BASE=ws://127.0.0.1:9/ws\n")
        line = [*HANGUP, "run", "--no-web", "--listen", "127.0.0.1:0", "--record", str(tmp_path / "run.jsonl"), "--"]
        opened.append(Terminal([*line, *words], tmp_path))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


ASKS = """
import sys
print("name?", flush=True)
print("hello", input(), flush=True)
"""


def test_the_command_has_the_terminal(terminal: Callable[[list[str]], Terminal], tmp_path: Path) -> None:
    run = terminal([*script(tmp_path, ASKS + TOLD)])
    run.wait_for(r"name\?")
    run.type("Ada\n")
    run.wait_for("hello Ada")
    run.wait_for("ready")
    run.type("\x03")
    run.wait_for("told SIGINT")
    assert run.wait() == 40 + signal.SIGINT
    assert run.seen.count("told") == 1 and "recording: " in run.seen


def test_with_a_terminal_too_all_of_it_ends(terminal: Callable[[list[str]], Terminal], tmp_path: Path) -> None:
    """A shell that passes nothing on, and what it started."""
    inner = " ".join(script(tmp_path, TOLD))
    run = terminal(["sh", "-c", f"trap : TERM; {inner}; exit 3"])
    pid = int(run.wait_for(r"ready (\d+)")[1])
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait() == 3, run.seen
    assert gone(pid) and "told SIGTERM" in run.seen


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with RawServer() as server, running(tmp_path, ["true"], "--listen", f"127.0.0.1:{server.port}") as program:
        assert program.wait() == 1
        assert re.fullmatch(r"hangup: 127\.0\.0\.1:\d+ is taken by another program.*\n", program.errors)
        assert not program.output
