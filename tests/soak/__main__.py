"""Runs it and prints what was seen, each figure beside its bound; the exit code says whether all is within."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from websockets.asyncio.client import connect

from hangup.cli.incomplete import EXIT_CODE
from hangup.recording.events import Frame, Handshake, Note
from hangup.recording.reader import read
from hangup.web.client import Remote
from harness import until
from harness.programs import Program
from harness.proxies import HangupProxy
from harness.remotes import remote_of
from soak.load import Load

MIB = 1 << 20
CLIENTS = 24
GROWTH = 16.0
"""MiB that the proxy may have more at the end than after the first minute, beside KEPT for each connection since."""
KEPT = 700
"""Bytes that a connection which is over may cost for good (``python -m bounds over``)."""
SETTLED = 60.0
FILTERS = ("delay 5ms side=server contains=chat", "drop text=never-there", "rewrite text=never-there to=x")

FILLED = """
import errno, os, sys
from hangup.recorder.journal import Journal
flag, write = sys.argv.pop(1), os.write
def full(fd, data):
    if os.path.exists(flag):
        raise OSError(errno.ENOSPC, "No space left on device")
    return write(fd, data)
os.write = full
Journal.__init__.__kwdefaults__["max_behind"] = 4 << 20
from hangup.cli import main
main()
"""
"""``hangup`` whose disk is full while a file is there, and which keeps little meanwhile, so that there is a loss to be
counted."""


class Samples:
    """The proxy's resident memory (bytes), by the time since the start (seconds)."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.taken: list[tuple[float, int]] = []
        self._begun = time.monotonic()

    async def take(self) -> None:
        """One a second."""
        while True:
            self.taken.append((time.monotonic() - self._begun, self.process.memory_info().rss))
            await asyncio.sleep(1.0)

    def median(self, start: float, end: float) -> float:
        """MiB between two times."""
        return statistics.median(size for at, size in self.taken if start <= at <= end) / MIB


async def events(seconds: float, flag: Path, remote: Remote, backend: Backend) -> None:
    """What happens beside the traffic: each at its share of the time."""
    for text in FILTERS:
        await asyncio.to_thread(remote.post, "filters/add", filter=text, on=False)
    plan: list[tuple[float, str]] = [(0.1, "full"), (0.17, "room"), (0.5, "full"), (0.62, "room")]
    plan += [(0.04 + 0.9 * n / 10, "restart") for n in range(10)]
    plan += [(0.02 + 0.95 * n / 40, f"filter {n}") for n in range(40)]
    begun = time.monotonic()
    for share, what in sorted(plan):
        await asyncio.sleep(max(0.0, begun + share * seconds - time.monotonic()))
        if what == "full":
            flag.touch()
        elif what == "room":
            flag.unlink()
        elif what == "restart":
            await asyncio.to_thread(backend.restart)
        else:
            number = int(what.split()[1])
            action = "off" if number // len(FILTERS) % 2 else "on"
            await asyncio.to_thread(remote.post, f"filters/{action}", filter=str(1 + number % len(FILTERS)))
    await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))


class Backend:
    """The backend as a process, always on the same port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._start()

    def _start(self) -> None:
        self._program = Program([sys.executable, "-m", "soak.backend", str(self.port)])
        self._program.wait_for("listening")

    def restart(self) -> None:
        """Kills it, and starts it again."""
        self._program.kill()
        self._start()

    def kill(self) -> None:
        """The end."""
        self._program.kill()


async def once(proxy: HangupProxy) -> None:
    """One connection, with which the proxy opens what it opens once and for all."""
    async with connect(f"{proxy.url}/ws/first") as made:
        await made.send("hello")
        await made.recv()


async def traffic(seconds: float, proxy: HangupProxy, flag: Path, backend: Backend) -> tuple[Load, Samples]:
    """The load, until it is over."""
    samples = Samples(proxy.pid)
    sampling = asyncio.create_task(samples.take())
    load = Load(f"ws://127.0.0.1:{proxy.port}", CLIENTS, seed=1)
    await events(seconds, flag, remote_of(proxy), backend)
    await load.stop()
    sampling.cancel()
    return load, samples


def missing(files: Sequence[Path], echoes: dict[str, int]) -> tuple[int, int, int]:
    """How many messages that came back to a client are neither in the recording nor counted as lost there, how many are
    counted, and how many lines cannot be read."""
    paths: dict[int, str] = {}
    recorded: dict[str, int] = {}
    lost = bad = 0
    for file in files:
        reader = read(file)
        for batch in reader.batches():
            for event in batch:
                if isinstance(event, Frame):
                    if event.side == "server" and event.fin and event.opcode in ("text", "binary", "continuation"):
                        path = paths.get(event.conn, "")
                        recorded[path] = recorded.get(path, 0) + 1
                elif isinstance(event, Handshake):
                    paths[event.conn] = event.request.target
                elif isinstance(event, Note):
                    lost += event.lost
        bad += reader.skipped + reader.torn
    known = set(paths.values())
    # Where a handshake is lost, its frames are known by no path.
    absent = sum(max(0, count - recorded.get(path, 0)) for path, count in echoes.items())
    absent += sum(path not in known for path in echoes) - recorded.get("", 0)
    return max(0, absent - lost), lost, bad


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description="A long mixed load through one proxy.")
    parser.add_argument("--minutes", type=float, default=30.0)
    seconds = parser.parse_args().minutes * 60
    with tempfile.TemporaryDirectory(prefix="hangup-soak-") as name:
        folder = Path(name)
        flag = folder / "full"
        backend = Backend()
        try:
            command = [sys.executable, "-c", FILLED, str(flag)]
            with HangupProxy(
                f"ws://127.0.0.1:{backend.port}", "--quiet", "--max-size", "64M", record=folder / "run.jsonl",
                command=command,
            ) as proxy:  # fmt: skip
                return judged(seconds, proxy, flag, backend, folder)
        finally:
            backend.kill()


def judged(seconds: float, proxy: HangupProxy, flag: Path, backend: Backend, folder: Path) -> int:
    """Runs the load and prints the table."""
    process = psutil.Process(proxy.pid)
    remote_of(proxy).get("status")
    asyncio.run(once(proxy))
    until(lambda: not any(each.raddr for each in process.net_connections()))
    before = descriptors(process)
    load, samples = asyncio.run(traffic(seconds, proxy, flag, backend))
    deadline = time.monotonic() + 30
    while descriptors(process) > before and time.monotonic() < deadline:
        time.sleep(0.1)  # until the last ones are closed, of which nobody is told
    leaked = descriptors(process) - before
    if leaked > 0:
        all_ = Path(f"/proc/{process.pid}/fd")  # pipes, events and timers are in no list of psutil's
        listed = sorted(os.readlink(each) for each in all_.iterdir()) if all_.is_dir() else process.open_files()
        print("still open:", *process.net_connections(), *listed, sep="\n  ")
    total = samples.taken[-1][0]
    early = [each for each in load.echoes]
    proxy.process.terminate()
    code = proxy.wait()
    files = sorted(folder.glob("run*.jsonl"), key=lambda path: int(path.suffixes[0][1:]) if path.suffixes[1:] else 1)
    absent, lost, bad = missing(files, load.echoes)
    size = sum(file.stat().st_size for file in files) / MIB
    print(
        f"{total:.0f} s, {len(early):,} connections, {sum(load.echoes.values()):,} echoes, "
        f"{len(files)} files of {size:.0f} MiB; the disk full twice, the backend restarted ten times"
    )
    print("ends: " + ", ".join(f"{count:,} {name}" for name, count in load.outcomes.most_common()))
    rows: list[tuple[str, float, float, str]] = [
        ("messages neither recorded nor counted as lost", absent, 0, ""),
        ("lines that cannot be read", bad, 0, ""),
        ("tracebacks on the screen", proxy.errors.count("Traceback"), 0, ""),
        ("descriptors leaked", leaked, 0, ""),
        ("exit code is not as the recording is", code != (EXIT_CODE if lost else 0), 0, ""),
        ("outages that were not told", 2 - proxy.errors.count("No space left on device (traffic"), 0, ""),
    ]
    if total > 2 * SETTLED:
        start, end = samples.median(SETTLED, SETTLED + 15), samples.median(total - 15, total)
        most = GROWTH + KEPT * len(early) * (1 - SETTLED / total) / MIB
        rows.append(("memory at the end, more than after a minute", end - start, most, "MiB"))
        print(f"memory: {samples.median(0, 3):.0f} MiB at first, {start:.0f} after a minute, {end:.0f} at the end, "
              f"{max(each for _, each in samples.taken) / MIB:.0f} at most")  # fmt: skip
    print(f"counted as lost while the disk was full: {lost:,}")
    missed = 0
    for name, value, most, unit in rows:
        missed += value > most
        print(f"{name:46} {value:8.1f} {unit:4} at most {most:.1f}{'' if value <= most else '   MISSED'}")
    if missed:
        print(proxy.errors[-3000:])
    return 1 if missed else 0


def descriptors(process: psutil.Process) -> int:
    """How many files, sockets or handles are open."""
    return process.num_handles() if sys.platform == "win32" else process.num_fds()


sys.exit(main())
