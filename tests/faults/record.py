"""Recordings of the fault set: the golden ones, and as many variants as wanted with their verdicts beside them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from faults.runner import Failed, Run, Skipped, run
from faults.shape import Shape
from faults.table import FAULTS, Fault
from hangup.recording.events import dump
from hangup.recording.reader import read
from hangup.recording.redaction.redactor import Redactor

GOLDEN_LIMIT = 60 * 1024
"""Bytes that a golden recording may have."""

MENDED_FOR = 4.0
"""Seconds that a mended fault is watched for."""


@dataclass(frozen=True)
class Variant:
    """One run of a fault: on which programs, and in which shape."""

    fault: Fault
    backend: str
    client: str
    shape: Shape
    fixed: bool = False

    @property
    def name(self) -> str:
        """A file name that says it all."""
        return f"{self.fault.name}-{self.backend}-{self.client}-{self.shape.seed}"


def shape_for(fault: Fault, seed: int) -> Shape:
    """A shape that this fault can be shown in: what its golden shape sets for the fault's sake is kept."""
    shape = Shape.of_seed(seed)
    rng = random.Random(f"fault {fault.name} {seed}")
    kept: dict[str, object] = {}
    if fault.codes:
        kept["code"], kept["reason"] = rng.choice(fault.codes)
    if fault.cause == "D4":
        kept["deflate"] = True
    if fault.cause == "C1":
        kept["deadline"] = 1.6 * shape.deadline
        kept["chatter"] = max(0.4, shape.chatter)
        kept["news"] = 0
    if fault.cause == "E1":
        kept["limit"] = min(shape.limit, 4096) if seed % 4 else shape.limit
    return msgspec.structs.replace(shape, **kept)


def plan(count: int, seed: int) -> list[Variant]:
    """So many variants, over all faults in turn, every stack of a fault before any is used again."""
    rng = random.Random(f"variants {seed}")
    decks: dict[str, list[tuple[str, str]]] = {}
    out: list[Variant] = []
    faults = list(FAULTS.values())
    while len(out) < count:
        fault = faults[len(out) % len(faults)]
        if not decks.get(fault.name):
            backends = list(fault.backends)
            rng.shuffle(backends)
            decks[fault.name] = [(name, rng.choice(fault.clients_of(name))) for name in backends]
        backend, client = decks[fault.name].pop()
        out.append(Variant(fault, backend, client, shape_for(fault, seed * 10_000 + len(out) + 1)))
    return out


async def one(variant: Variant, path: Path | None) -> Run | str:
    """Runs one, recorded when there is a path; a sentence where that could not be done.

    Tried twice, since a busy machine can spoil a run.
    """
    result: Run | str = ""
    for _ in range(2):
        if path is not None:
            path.unlink(missing_ok=True)
        try:
            result = await run(
                variant.fault,
                backend=variant.backend,
                client=variant.client,
                shape=variant.shape,
                record=path,
                fixed=variant.fixed,
                seconds=MENDED_FOR if variant.fixed else None,
            )
        except Skipped as error:
            return f"skipped: {error}"
        except Failed as error:
            result = f"failed: {error}"
            continue
        problems = result.problems()
        if path is not None and (seen := handshakes(path)) < (known := result.opens + refusals(result)):
            problems.append(f"the recording has {seen} handshakes of {known}")
        if not problems:
            return result
        result = "unlike the table: " + "; ".join(problems[:4])
    return result


def handshakes(path: Path) -> int:
    """How many handshakes a recording has."""
    return sum(b'"kind":"handshake"' in line[:40] for line in path.read_bytes().splitlines())


def refusals(result: Run) -> int:
    """How many handshakes the client saw refused."""
    return sum(end["how"] == "refused" for end in result.ends)


async def golden(folder: Path, only: list[str], jobs: int) -> int:
    """Records the golden ones anew, redacted; returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [fault for fault in FAULTS.values() if not only or fault.name in only]

    async def record(fault: Fault) -> str:
        variant = Variant(fault, next(iter(fault.backends)), next(iter(fault.clients)), fault.golden_shape())
        path = folder / f"{fault.name}.jsonl"
        fresh = folder / f".{fault.name}.new.jsonl"
        try:
            result = await one(variant, fresh)
            if isinstance(result, str):
                return f"{fault.name}: {result}"
            redact(fresh)
            if (size := fresh.stat().st_size) > GOLDEN_LIMIT:
                return f"{fault.name}: failed: {size} bytes are too many"
            fresh.chmod(0o644)
            fresh.replace(path)
            return f"{fault.name}: {size} bytes, {result.summary()}"
        finally:
            fresh.unlink(missing_ok=True)

    lines = await gather(jobs, [record(fault) for fault in chosen])
    return 1 if any("failed" in line or "unlike" in line for line in lines) else 0


async def variants(folder: Path, count: int, seed: int, jobs: int, resume: bool = False) -> int:
    """Records variants, and ``verdicts.jsonl`` beside them with what each must be called; returns the exit code.

    With ``resume``, what was recorded before is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "verdicts.jsonl"
    done: list[dict[str, object]] = []

    async def record(variant: Variant) -> str:
        path = folder / f"{variant.name}.jsonl"
        summary = "recorded before"
        if not (resume and path.exists()):
            result = await one(variant, path)
            if isinstance(result, str):
                path.unlink(missing_ok=True)
                return f"{variant.name}: {result}"
            summary = result.summary()
        fault = variant.fault
        done.append(
            {
                "recording": path.name,
                "fault": fault.name,
                "verdict": fault.verdict,
                "also": fault.also,
                "closer": fault.closer,
                "trigger": fault.trigger,
                "backend": variant.backend,
                "client": variant.client,
                "seed": variant.shape.seed,
            }
        )
        return f"{variant.name}: {summary}"

    lines = await gather(jobs, [record(v) for v in plan(count, seed)])
    done.sort(key=lambda line: str(line["recording"]))
    index.write_text("".join(json.dumps(line) + "\n" for line in done), "utf-8")
    print(f"{len(done)} of {count} recorded; {index}")
    return 1 if any(": failed" in line or ": unlike" in line for line in lines) else 0


async def verify(only: list[str], jobs: int, all_stacks: bool, seed: int | None, fixed: bool) -> int:
    """Runs faults without the proxy and prints in what they are unlike the table; returns the exit code."""
    work: list[Awaitable[str]] = []

    async def check(variant: Variant) -> str:
        result = await one(variant, None)
        return f"{variant.name}: {result if isinstance(result, str) else result.summary()}"

    for fault in FAULTS.values():
        if (only and not any(fault.name.startswith(name) for name in only)) or (fixed and not fault.mend):
            continue
        for n, backend in enumerate(fault.backends if all_stacks else list(fault.backends)[:1]):
            shape = shape_for(fault, seed + n) if seed else fault.golden_shape()
            clients = fault.clients_of(backend)
            work.append(check(Variant(fault, backend, clients[n % len(clients)], shape, fixed)))
    lines = await gather(jobs, work)
    return 1 if any(": failed" in line or ": unlike" in line for line in lines) else 0


async def gather(jobs: int, work: Iterable[Awaitable[str]]) -> list[str]:
    """Awaits all, so many at once, printing each result as it comes."""
    turn = asyncio.Semaphore(jobs)

    async def in_turn(task: Awaitable[str]) -> str:
        async with turn:
            line = await task
        print(line, flush=True)
        return line

    return await asyncio.gather(*(in_turn(task) for task in work))


def redact(path: Path) -> None:
    """Redacts a recording in place, as an export would. The faults know no real secret; this is for the habit."""
    reader = read(path)
    redactor = Redactor()
    redactor.learn(reader, reader.header)
    reader = read(path)
    header = redactor.header(reader.header)
    path.write_bytes(dump([header, *redactor.events(reader)]))


__all__ = ["Variant", "golden", "plan", "shape_for", "variants", "verify"]
