"""`hangup bisect` on the public faults, by replay or live: is the cause proved, and at what cost?

    cd tests && python -m faults.bisected [--live] [--in-turn] [NAME ...]

By replay each golden recording is bisected against its backend. With ``--live`` the fault's own client is the page,
whose every reconnect is a trial. At the end stands a table in Markdown: connections and seconds, beside those of trying
each filter and each frame in turn, as a person does. That is counted, not run: each filter of the ladder that applies,
and each of the client's messages left out, twice, which is what it takes to believe an outcome that never flickers. A
trial is taken to last as long as the failure takes, and where it was survived as long as that was waited for. With
``--in-turn`` it is run. Either way it ends with a list of what helped, not with a proof.
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
from typing import Any, NamedTuple

import msgspec

from faults.runner import child, command_of
from faults.table import FAULTS, Fault, missing
from hangup.errors import HangupError
from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.exchange import complete
from hangup.experiment.ladder import Rung, donated_rungs
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict, search
from hangup.experiment.server_side import RUNGS
from hangup.experiment.trial import Case, Trial
from hangup.recording.formats import open_recording
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import Budget, ReplayRunner
from hangup.wire.url import parse_target

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


TWICE = 2
"""So often is each thing tried by who tries them in turn."""

SHRINKING = ("frames", "payload", "size")


class Cost(NamedTuple):
    """Connections, and seconds."""

    connections: int
    seconds: float


@dataclass
class Result:
    """What came of one fault."""

    fault: Fault
    verdict: Verdict | None
    summary: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""
    smaller: Cost = field(default_factory=lambda: Cost(0, 0.0))
    """What of it the smallest exchange took."""
    turn: Cost | None = None
    """What trying each filter and each frame in turn takes."""

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


async def bisect(
    fault: Fault, *, fixed: bool = False, seconds: float = 120.0, connections: int = 200, compare: bool = False
) -> Result:
    """Starts the fault's first backend and bisects its golden recording against it; with ``compare`` it tries all that
    could be tried in turn, too."""
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
        runner = ReplayRunner(
            reading.transcript, target, reading.failure, reading.case, MemorySink(), budget=Budget(connections, seconds)
        )
        verdict = await runner.run(complete(reading.case, search(reading.case)))
        took = runner.seconds
        shrinking = [(trial, result) for trial, result in runner.trials if trial.arm in SHRINKING]
        spent = sum(result.lifetime or 0.0 for _, result in shrinking)
        smaller = Cost(sum(trial.clients for trial, _ in shrinking), spent)
        summary = verdict.summary()
        turn = await in_turn(runner, reading.case) if compare else counted(summary, reading)
        return Result(fault, verdict, summary, took, smaller=smaller, turn=turn)


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
            if fault.control:  # nothing failed in its recording
                return Result(fault, None, summary, summary["seconds"])
            reading = read_case(open_recording(str(RECORDINGS / f"{fault.name}.jsonl")))
            smaller = Cost(summary.get("replayed", 0), 0.0)
            turn = counted(summary, reading)
            return Result(fault, None, summary, summary["seconds"], smaller=smaller, turn=turn)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def rungs_of(case: Case) -> list[Rung]:
    """The rungs of the ladder that apply."""
    every = CLIENT_RUNGS if case.by == "client" else [*donated_rungs(case), *RUNGS]
    return [rung for rung in every if (trial := rung.make(case)) is not None and trial.filters]


def one_by_one(case: Case) -> list[Trial]:
    """What a person tries who tries one thing after the other: each filter, and all but one of the messages."""
    trials = [trial for rung in rungs_of(case) if (trial := rung.make(case)) is not None]
    numbers = [frame.n for frame in case.frames]
    return trials + [Trial("frame", frames=tuple(n for n in numbers if n != each)) for each in numbers]


def counted(summary: dict[str, Any], reading: Reading) -> Cost:
    """What trying it all in turn would take."""
    case = reading.case
    trials = one_by_one(case)
    bound = reading.failure.within or 1.5 * case.lifetime + 0.5
    survived = {rung["arm"] for rung in summary.get("ladder", ()) if rung["outcome"] == "survived"}
    held = sum(trial.arm in survived for trial in trials)
    clients = sum(trial.clients for trial in trials)
    seconds = (len(trials) - held) * case.lifetime + held * (bound + 0.25)
    return Cost(TWICE * clients, TWICE * seconds)


async def in_turn(runner: ReplayRunner, case: Case) -> Cost:
    """Tries it all in turn, for its cost."""
    connections, began = runner.connections, runner.seconds
    for trial in one_by_one(case):
        for _ in range(TWICE):
            await runner.carry_out(trial)
    return Cost(runner.connections - connections, runner.seconds - began)


def row(result: Result) -> str:
    """A line of the table."""
    fault, v = result.fault, result.summary
    if not v or not v["reproduced"]:
        said = result.why or f"not reproduced: {v.get('instead') or v.get('stopped')}"
        return f"| {fault.name} | {said} | | | | | |"
    proved = {"sub": "proved", "category": "proved the category", "wrong": "**proved wrongly**", "open": "open"}
    word = proved[result.right] if v["proved"] else "not proved"
    turn = result.turn
    beside = f"{turn.connections} | {turn.seconds:.1f}" if turn is not None else " | "
    smaller = f"{result.smaller.connections}" if result.smaller.connections else ""
    proof = v["connections"] - (0 if "replayed" in v else result.smaller.connections)
    return f"| {fault.name} | {v['verdict']} | {word} | {proof} | {smaller} | {result.seconds:.1f} | {beside} |"


async def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fixed", action="store_true", help="against the mended backends")
    parser.add_argument("--live", action="store_true", help="the clients' own reconnects are the trials")
    parser.add_argument("--in-turn", action="store_true", help="by replay: run each filter and each frame in turn, too")
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
                result = await bisect(fault, fixed=options.fixed, compare=options.in_turn)
        v = result.summary
        said = result.why or "not reproduced"
        if v and v["reproduced"]:
            counts = v["counts"]
            claim = f"{counts['with']} with, {counts['without']} without, p = {counts['p']:.2g}, cure: {v['cure']}"
            said = f"{v['verdict']:<42} {'proved' if v['proved'] else '-':7} {claim}"
        used = v.get("connections", 0)
        print(f"{result.right:9} {fault.name:34} {said}  {used} conns {result.seconds:.0f} s", file=sys.stderr)
        if options.verbose and v:
            print(json.dumps(v, indent=1), file=sys.stderr)
        return result

    results = await asyncio.gather(*(one(fault) for fault in faults))
    how = "run" if options.in_turn else "counted"
    what = "reconnects" if options.live else "connections"
    print(f"| fault | verdict | | {what} to the verdict | for the smallest exchange | seconds ", end="")
    print(f"| each filter and frame in turn, {how}: connections | seconds |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for result in results:
        print(row(result))
    proved = [r for r in results if r.summary.get("proved")]
    print(f"\n{len(proved)} proved, {sum(r.right == 'wrong' for r in proved)} of them wrongly.")
    print("These recordings are short. Of long ones, what the smallest exchange takes: `python -m faults.minimal`.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
