"""What stands between the ends: each contestant is a process that listens on 127.0.0.1."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

TESTS = Path(__file__).resolve().parents[1]
MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
HANGUP = [str(Path(sys.executable).with_name("hangup"))]
LISTENING = re.compile(r"listening (?:on|at) \S*:(\d+)")
RECORDING = "recording.jsonl"
START = 60.0  # seconds a process has to tell its port


class Process:
    """A started program that has told its port; ``scratch`` is its own folder, removed with it."""

    def __init__(self, name: str, command: list[str], scratch: Path):
        self.name = name
        self.log = scratch / "output.log"
        self.recording = scratch / RECORDING
        self._read = 0
        with self.log.open("wb") as log:
            # In tests/, so that `-m benchmarks.…` is found.
            self.popen = subprocess.Popen(
                command, cwd=TESTS, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.ps = psutil.Process(self.popen.pid)
        self.port = 0
        self.problem = ""

    def wait(self) -> None:
        """Until it listens; when it does not, ``problem`` says why."""
        deadline = time.monotonic() + START
        while not (told := LISTENING.search(text := self.log.read_text(errors="replace"))):
            if self.popen.poll() is not None or time.monotonic() > deadline:
                self.problem = "did not start: " + (text.strip().splitlines() or ["no word from it"])[-1]
                return
            time.sleep(0.02)  # each contestant says in its log that it listens, and in no other way
        self.port = int(told[1])

    def told(self, pattern: str) -> int:
        """The number that it said, as the pattern's first group."""
        deadline = time.monotonic() + START
        while not (found := re.search(pattern, self.log.read_text(errors="replace"))):
            assert self.popen.poll() is None and time.monotonic() < deadline, self.log.read_text(errors="replace")
            time.sleep(0.02)  # said in its log, and in no other way
        return int(found[1])

    def _tree(self) -> list[psutil.Process]:
        return [self.ps, *self.ps.children(recursive=True)]

    def rss(self) -> int:
        """Resident memory of the process and its children, in bytes."""
        return sum(each.memory_info().rss for each in self._tree())

    def cpu(self) -> float:
        """Processor time used so far by the process and its children, in seconds."""
        return sum(sum(each.cpu_times()[:2]) for each in self._tree())

    def settle(self, limit: float = 60.0) -> float:
        """Waits until the process has nothing left to do, and returns how many seconds that took: a recorder
        that lags must not do so at the cost of who comes next."""
        start = time.monotonic()
        last, quiet = self.cpu(), start
        while quiet - start < limit:
            time.sleep(0.05)  # between two looks at its processor time, of which nobody is told
            now = self.cpu()
            if now - last < 0.015:
                break
            last, quiet = now, time.monotonic()
        return quiet - start

    def lost(self) -> int:
        """How many events the recording, if there is one, says since the last call to be without."""
        if not self.recording.exists():
            return 0
        with self.recording.open("rb") as lines:
            lines.seek(self._read)
            notes = [json.loads(line) for line in lines if line.startswith(b'{"kind":"note"')]
            self._read = lines.tell()
        return sum(note.get("lost", 0) for note in notes)

    def stop(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


@dataclass(frozen=True)
class Contestant:
    """``command`` is given the server's port and a scratch folder; ``None`` is nothing in between."""

    name: str
    title: str
    command: Callable[[int, Path], list[str]] | None
    slow: bool = False  # gets a fraction of the million messages
    only: tuple[str, ...] = ()  # the measures it takes part in; empty: all
    never: tuple[str, ...] = ()
    needs: str = ""  # an option that `hangup proxy --help` must know

    def takes_part(self, measure: str) -> bool:
        if measure in self.never or (self.only and measure not in self.only):
            return False
        return not self.needs or self.needs in hangup_help()


@cache
def hangup_help() -> str:
    return subprocess.run([*HANGUP, "proxy", "--help"], cwd=TESTS, capture_output=True, text=True).stdout


def _relay(*options: str) -> Callable[[int, Path], list[str]]:
    return lambda port, _: [sys.executable, "-m", "benchmarks.relay", *options, str(port)]


def _mitmdump(target: str) -> Callable[[int, Path], list[str]]:
    # As kind as can be: nothing is printed for a message, nothing is written.
    def command(port: int, scratch: Path) -> list[str]:
        options = ["--set", f"confdir={scratch}", "--set", "flow_detail=0", "--listen-host", "127.0.0.1"]
        return [MITMDUMP, "--mode", f"reverse:{target}://127.0.0.1:{port}", "--listen-port", "0", *options]

    return command


def hangup_with(*options: str) -> Callable[[int, Path], list[str]]:
    """The command of a proxy with these options."""

    def command(port: int, scratch: Path) -> list[str]:
        to = ["--listen", "127.0.0.1:0", "--record", str(scratch / RECORDING), "--quiet"]
        return [*HANGUP, "proxy", f"ws://127.0.0.1:{port}", *to, *options]

    return command


CONTESTANTS = [
    Contestant("direct", "direct", None),
    Contestant("relay", "bare asyncio relay", _relay()),
    Contestant("relay-protocol", "asyncio relay, protocols", _relay("--protocol")),
    # Its time grows with the square of a message: 64 MiB take a minute, 200 MiB ten.
    Contestant("stock", "stock mitmproxy, WebSocket", _mitmdump("http"), slow=True, never=("memory-one",)),
    Contestant("stock-tcp", "stock mitmproxy, raw TCP", _mitmdump("tcp")),
    Contestant("hangup", "hangup, recording", hangup_with(), needs="--record"),
    Contestant("uvloop", "hangup --uvloop", hangup_with("--uvloop"), needs="--uvloop"),
    Contestant(
        "filter",
        "hangup, a filter that never matches",
        hangup_with("--filter", "drop text=never-there"),
        only=("echo-64", "rtt"),
        needs="--filter",
    ),
    Contestant(
        "filter-json",
        "hangup, a JSON match on every message",
        hangup_with("--filter", "drop json=$.pad==tick"),
        only=("echo-64", "rtt"),
        needs="--filter",
    ),
]


@contextmanager
def running(contestants: list[Contestant]) -> Iterator[dict[str, tuple[int, Process | None]]]:
    """An echo server and these contestants before it: name -> port and process. All end with the block."""
    with tempfile.TemporaryDirectory(prefix="hangup-benchmark-") as folder:
        processes: dict[str, Process] = {}

        def start(name: str, command: Callable[[int, Path], list[str]], port: int) -> Process:
            scratch = Path(folder, name)
            scratch.mkdir()
            processes[name] = process = Process(name, command(port, scratch), scratch)
            return process

        try:
            server = start("server", lambda *_: [sys.executable, "-m", "benchmarks.echo_server"], 0)
            server.wait()
            if server.problem:
                raise RuntimeError(f"the echo server {server.problem}")
            for each in contestants:
                if each.command:
                    start(each.name, each.command, server.port)
            for process in processes.values():
                process.wait()
            ports: dict[str, tuple[int, Process | None]] = {"server": (server.port, server)}
            for each in contestants:
                process_or_none = processes.get(each.name)
                ports[each.name] = (process_or_none or server).port, process_or_none
            yield ports
        finally:
            for process in reversed(processes.values()):
                process.stop()
