"""``python -m faults.bisected``: bisects the golden recordings against their living backends.

Only what the server, or something in front of it, ends can be told by replay; what the page itself ends needs the page:
with ``--live`` each fault's own client reconnects through ``hangup bisect --live``, and each reconnect is a trial.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from faults.runner import child, command_of
from faults.table import FAULTS, Fault, missing
from hangup.errors import HangupError
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict, search
from hangup.peer.lab import Budget, Lab
from hangup.peer.tape import Tape
from hangup.recording.formats import open_recording
from hangup.wire.url import parse_target

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


@dataclass
class Result:
    """What came of one fault."""

    fault: Fault
    verdict: Verdict | None
    summary: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""

    @property
    def right(self) -> str:
        """``sub`` for the right subcategory, ``category``, ``wrong`` or ``open``."""
        verdict = self.summary.get("verdict", "unknown/")
        if verdict.startswith("unknown"):
            return "open"
        if verdict in (self.fault.verdict, *self.fault.also):
            return "sub"
        categories = {v.partition("/")[0] for v in (self.fault.verdict, *self.fault.also)}
        return "category" if verdict.partition("/")[0] in categories else "wrong"


async def bisect(fault: Fault, *, fixed: bool = False, seconds: float = 120.0, connections: int = 200) -> Result:
    """Starts the fault's first backend and bisects its golden recording against it."""
    server = next(iter(fault.backends.values()))
    if reason := missing(server):
        return Result(fault, None, why=f"skipped: {reason}")
    try:
        reading = read_case(open_recording(str(RECORDINGS / f"{fault.name}.jsonl")))
    except HangupError as error:
        return Result(fault, None, why=str(error))
    if reading.failure.by == "client":
        return Result(fault, None, why="the client ended it: --live")
    form = msgspec.json.encode(fault.golden_shape()).decode()
    arguments = command_of(server, "--port", "0", "--shape", form)
    async with child("backend", arguments, {"FIXED": "1" if fixed else "0"}) as origin:
        found = await origin.wait_for(r"^ready (\d+)")
        target = parse_target(f"ws://127.0.0.1:{found[1]}")
        lab = Lab(
            reading.transcript, target, reading.failure, reading.case, Tape(), budget=Budget(connections, seconds)
        )
        verdict = await lab.run(search(reading.case))
        return Result(fault, verdict, verdict.summary(), lab.seconds)


async def bisect_live(fault: Fault, *, client: str = "", seconds: float = 60.0, served: bool = False) -> Result:
    """Starts the fault's backend, ``hangup bisect --live`` and the fault's client, and waits for the verdict.

    With ``served`` the golden recording's server takes the backend's place (``--serve``).
    """
    backend = next(iter(fault.backends))
    client = client or fault.clients_of(backend)[0]
    server, page = fault.backends[backend], fault.clients[client]
    if reason := missing(server, page):
        return Result(fault, None, why=f"skipped: {reason}")
    shape = fault.golden_shape()
    form = msgspec.json.encode(shape).decode()
    env = {"FIXED": "0"}
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hangup-live-"))
        if served:
            words = ["bisect", str(RECORDINGS / f"{fault.name}.jsonl"), "--serve"]
        else:
            arguments = command_of(server, "--port", "0", "--shape", form)
            origin = await stack.enter_async_context(child("backend", arguments, env))
            found = await origin.wait_for(r"^ready (\d+)")
            words = ["bisect", "--live", f"ws://127.0.0.1:{found[1]}"]
        words += ["--listen", "127.0.0.1:0", "--record", folder]
        words += ["--seconds", str(seconds), "--json"]
        command = [sys.executable, "-m", "hangup", *words]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None and process.stdout is not None
        try:
            while True:
                line = (await process.stderr.readline()).decode()
                if not line:
                    return Result(fault, None, why="the proxy did not start")
                if match := re.search(r"listening on (\S+)", line):
                    break
            told = asyncio.create_task(process.stderr.read())
            arguments = command_of(page, "--url", f"ws://{match[1]}", "--shape", form)
            play = server.scenario or fault.scenario
            if play is not None and "frontend" in page.file:
                arguments += ["--scenario", json.dumps(play(shape, False))]
            await stack.enter_async_context(child(f"client {client}", arguments, env))
            try:
                async with asyncio.timeout(seconds + 10):
                    output = await process.stdout.read()
            except TimeoutError:
                process.send_signal(signal.SIGINT)
                output = await process.stdout.read()
            summary = json.loads(output)
            if "FAULTS_SHOW" in os.environ:
                print((await told).decode())
            told.cancel()
            return Result(fault, None, summary, summary["seconds"])
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fixed", action="store_true", help="against the mended backends")
    parser.add_argument("--live", action="store_true", help="the clients' own reconnects are the trials")
    parser.add_argument("--client", default="", help="with --live: another client than that of the golden recording")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    faults = [f for name, f in FAULTS.items() if not options.names or any(name.startswith(n) for n in options.names)]
    gate = asyncio.Semaphore(options.jobs)

    async def one(fault: Fault) -> Result:
        async with gate:
            if options.live:
                result = await bisect_live(fault, client=options.client)
            else:
                result = await bisect(fault, fixed=options.fixed)
        v = result.summary
        said = result.why or "not reproduced"
        if v and v["reproduced"]:
            counts = v["counts"]
            claim = f"{counts['with']} with, {counts['without']} without, p = {counts['p']:.2g}, cure: {v['cure']}"
            said = f"{v['verdict']:<42} {'proved' if v['proved'] else '-':7} {claim}"
        used = v.get("connections", 0)
        print(f"{result.right:9} {fault.name:34} {said}  {used} conns {result.seconds:.0f} s", flush=True)
        if options.verbose and v:
            print(json.dumps(v, indent=1))
        return result

    results = await asyncio.gather(*(one(fault) for fault in faults))
    proved = [r for r in results if r.summary.get("proved")]
    print(f"\n{len(proved)} proved, {sum(r.right == 'wrong' for r in proved)} of them wrongly")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
