"""`hangup bisect` on programs of the lab: is a law proved, is its name right, and does its fix stop the real client's
loop?

    cd tests && python -m lab.bisected [--programs N] [--only NAME] [--stack NAME] [--jobs N] [--into FILE]

Each fault is taken on a stack drawn from the seed (every stack of it before one comes again) and recorded. Where the
client does not end it, that is bisected by replay against the same backend; else the client is bisected live. Where a
fix is proved it is put as a filter before the program's own client, which must stay connected, and is taken away, after
which it must be dropped again, with a close code of the recording: a second bug behind the first is another failure.
The label never reaches hangup. Printed are a line for each program and, at the end, the figures in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lab.faults  # noqa: F401  (fills the table)
from harness.proxies import HANGUP, surroundings
from lab.checking import Watch, problems
from lab.running import Failed, backend, frontend, missing, preload, record, recorded
from lab.table import FAULTS, Program, program

SURE = 0.8
"""Confidence from which on a wrong name counts."""

WATCHED = 3.0
"""So many times its usual life, in seconds, is a client watched with the fix, and three seconds more."""

CONDITIONS = {"message", "control", "header", "age", "idle", "count", "rate", "connection"}
"""Triggers that a replay of the client can bring about, or keep from coming."""


@dataclass
class Result:
    """What came of a program. ``helps`` is whether the fix stopped the client's loop, ``returns`` whether that came
    back without it; None where it was not tried."""

    program: Program
    why: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    helps: bool | None = None
    returns: bool | None = None

    @property
    def replayed(self) -> bool:
        """Whether it is for a replay; else the client is asked, live."""
        return self.program.label.closer != "client"

    @property
    def provable(self) -> bool:
        """Whether a trial can bring the failure about and keep it away."""
        return self.conditional and self.program.label.told

    @property
    def conditional(self) -> bool:
        """Whether it hangs on something that the client does, whether or not it can be known what would be right."""
        return self.program.label.trigger in CONDITIONS

    @property
    def proved(self) -> bool:
        """Whether bisect claims a proof."""
        return bool(self.summary.get("proved"))

    @property
    def lawful(self) -> bool:
        """Whether that proof is of a law which predicted."""
        return self.proved and self.summary.get("law") is not None

    @property
    def sure(self) -> bool:
        """Whether it is sure of a name."""
        return (self.summary.get("verdict_confidence") or 0.0) > SURE

    @property
    def right(self) -> bool:
        """Whether the name is right."""
        label = self.program.label
        return self.summary.get("verdict") in (label.cause, *label.alternatives)

    @property
    def refuted(self) -> bool:
        """Whether the real client tells that the proof was none."""
        return self.proved and (self.helps is False or self.returns is False)

    def as_json(self) -> dict[str, Any]:
        """For ``--into``."""
        kept = ("verdict", "verdict_confidence", "proved", "cure", "law", "counts", "connections", "stopped", "instead")
        return {
            "program": self.program.folder,
            "label": self.program.label.cause,
            "property": self.program.label.property,
            "why": self.why,
            "seconds": round(self.seconds, 1),
            "helps": self.helps,
            "returns": self.returns,
        } | {key: self.summary.get(key) for key in kept}

    def line(self) -> str:
        """For people."""
        if not self.summary:
            return f"{self.program.folder:58} {self.why}"
        said = self.summary
        law = (said.get("law") or {}).get("sentence", "")
        outcome = "proved" if said["proved"] else "unproved" if said["reproduced"] else "not reproduced"
        name = "right" if self.right else f"label {self.program.label.cause}"
        fix = {None: "", True: "fix helps", False: "FIX DOES NOT HELP"}[self.helps]
        fix += ", NOT NEEDED" if self.returns is False else ""
        cost = f"{self.seconds:.0f} s, {said['connections']} connections"
        confidence = said.get("verdict_confidence") or 0.0
        named = f"{said['verdict']} {confidence:.2f} ({name})"
        return f"{self.program.folder:58} {outcome:14} {named}; {fix or '-'}; {cost}; {law}"


def chosen(count: int, seed: int, only: str, stack: str, closer: str = "") -> Iterator[Program]:
    """So many programs with a fault: each fault once on a stack of its own choice, then again on others."""
    rng = random.Random(f"bisected {seed}")
    faults = [fault for fault in FAULTS.values() if not fault.healthy and only in fault.name]
    faults = [fault for fault in faults if closer in ("", fault.closer)]
    decks = {fault.name: rng.sample(fault.stacks, len(fault.stacks)) for fault in faults}
    rng.shuffle(faults)
    given = 0
    while given < count and any(decks.values()):
        for n, fault in enumerate(faults):
            deck = decks[fault.name]
            while deck:
                drawn = deck.pop()
                if stack in ("", drawn):
                    if given < count:
                        yield program(fault, drawn, seed * 100_000 + n)
                    given += 1
                    break


async def bisected(words: list[str], folder: Path, beside: Callable[[int], AbstractAsyncContextManager[None]]) -> Any:
    """What ``hangup bisect`` with these words says; with ``--live`` a client runs ``beside`` it, given its port."""
    process = await asyncio.create_subprocess_exec(
        *HANGUP,
        "bisect",
        *words,
        "--json",
        "--record",
        str(folder / "trials"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **surroundings()},
    )
    assert process.stderr is not None
    said = b""
    try:
        async with AsyncExitStack() as stack:
            while "--live" in words:
                line = await process.stderr.readline()
                said += line
                if found := re.search(rb"listening on \S+:(\d+)", line):
                    await stack.enter_async_context(beside(int(found[1])))
                    break
                if not line:
                    break
            out, rest = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not out:
        raise Failed(f"bisect: {(said + rest).decode()[-300:]}")
    return json.loads(out)


def codes_in(path: Path, closer: str) -> tuple[int, ...]:
    """The close codes with which this side ended connections in a recording; 0 where there was none."""
    watch = Watch(path)
    watch.read()
    return tuple({one.code for one in watch.ended if one.closer == closer and one.status == 101})


async def loops(chosen: Program, port: int, path: Path, filters: list[str], seconds: float) -> bool:
    """Whether the program's own client is dropped as was planned, with these filters, within so many seconds."""
    words = [word for text in filters for word in ("--filter", text)]
    async with recorded(chosen, port, path, words) as (watch, _):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            watch.read()
            if not problems(chosen.expected, watch):
                return True
    return False


def usual_life(path: Path) -> float:
    """The longest time, in seconds, from a handshake to an end of its connection."""
    begun: dict[int, float] = {}
    longest = 0.0
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event.get("kind") == "handshake":
            begun[event["conn"]] = event["at"]
        elif event.get("kind") == "end" and event["conn"] in begun:
            longest = max(longest, event["at"] - begun[event["conn"]])
    return longest


async def judged(one: Program, seconds: float) -> Result:
    """Records it, bisects it, tries the fix."""
    result = Result(one)
    if why := missing(one):
        result.why = f"skipped: {why}"
        return result
    with tempfile.TemporaryDirectory(prefix="bisected-") as name:
        folder = Path(name)
        try:
            path = await record(one, folder) / "recording.jsonl"
            async with backend(one, folder / "server.log") as port:
                began = time.monotonic()
                target = f"ws://127.0.0.1:{port}"
                words = [str(path), target] if result.replayed else ["--live", target, "--listen", "127.0.0.1:0"]
                budget = ["--seconds", str(seconds)]
                result.summary = await bisected([*words, *budget], folder, lambda port: frontend(one, port))
                result.seconds = time.monotonic() - began
                if result.proved and result.summary["cure"]:
                    watched = usual_life(path) * WATCHED + 3.0
                    filters = result.summary["cure"].split(" + ")
                    wait = max(watched, one.expected.seconds)
                    # A second bug behind the first is another failure, which has another code if it has any.
                    codes = codes_in(path, one.expected.closer)
                    alike = replace(one, expected=replace(one.expected, codes=codes))
                    result.helps = not await loops(alike, port, folder / "with.jsonl", filters, watched)
                    result.returns = await loops(alike, port, folder / "without.jsonl", [], wait)
        except (Failed, OSError, RuntimeError, AssertionError) as error:
            result.why = f"{type(error).__name__}: {str(error)[:200]}"
    return result


def share(part: int, whole: int) -> str:
    """``34 of 40 (85 %)``."""
    return f"{part} of {whole}" + (f" ({100 * part / whole:.0f} %)" if whole else "")


def table(results: list[Result], replayed: bool) -> str:
    """The figures, of those by replay or of the others."""
    tried = [result for result in results if result.summary and result.replayed is replayed]
    provable = [result for result in tried if result.provable]
    conditional = [result for result in tried if result.conditional]
    proofs = [result for result in tried if result.proved]
    put = [result for result in proofs if result.helps is not None]
    sure = [result for result in tried if result.sure]
    unnamed = [result for result in provable if result.program.fault.open_set]
    rows = [
        ("law proved, where a trial can bring the failure about and keep it away", share(
            sum(result.lawful for result in provable), len(provable))),
        ("... with those where nothing in the traffic tells what would be right", share(
            sum(result.lawful for result in conditional), len(conditional))),
        ("... of these, faults that no name fits", share(sum(result.lawful for result in unnamed), len(unnamed))),
        ("proofs that the program's own client refutes", share(sum(result.refuted for result in put), len(put))),
        ("name right, where its confidence is above 0.8", share(sum(result.right for result in sure), len(sure))),
        ("not reproduced", share(sum(not result.summary["reproduced"] for result in tried), len(tried))),
    ]
    if tried:
        seconds = [result.seconds for result in tried]
        connections = [result.summary["connections"] for result in tried]
        rows += [
            ("seconds, median and longest", f"{statistics.median(seconds):.0f}, {max(seconds):.0f}"),
            ("connections, median and most", f"{statistics.median(connections):.0f}, {max(connections)}"),
        ]
    how = " by replay" if replayed else ", live"
    lines = [f"| {len(tried)} programs{how} | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)]
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> list[Result]:
    """All of them, so many at once."""
    preload()
    turn = asyncio.Semaphore(options.jobs)
    results: list[Result] = []

    async def one(each: Program) -> None:
        async with turn:
            result = await judged(each, options.seconds)
        results.append(result)
        print(result.line(), flush=True)
        if options.into is not None:
            with options.into.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result.as_json()) + "\n")

    async with asyncio.TaskGroup() as tasks:
        for each in chosen(options.programs, options.seed, options.only, options.stack, options.closer):
            tasks.create_task(one(each))
    return results


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bisected", description="Bisect programs with known faults.")
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--only", default="", metavar="NAME", help="only faults with this in their name")
    parser.add_argument("--stack", default="")
    parser.add_argument("--closer", default="", help="only what is ended by this side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=240.0, help="budget of each bisect")
    parser.add_argument("--into", type=Path, help="a file for the results, one a line in JSON")
    options = parser.parse_args()
    if options.programs < 1 or options.jobs < 1:
        print("bisected: --programs and --jobs must be 1 or more", file=sys.stderr)
        return 2
    results = asyncio.run(run(options))
    if not results:
        print("bisected: no fault is called so; python -m lab.list shows them", file=sys.stderr)
        return 2
    for replayed in (True, False):
        print(table(results, replayed) + "\n")
    return 1 if any(result.refuted for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
