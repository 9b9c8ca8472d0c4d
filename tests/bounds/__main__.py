"""``cd tests && uv run python -m bounds``: the whole table, each figure beside its bound.

It takes some minutes. Round trips are by the clock, and say something only on a machine that has nothing else to do;
the longest turn is in processor time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bounds import many, refusals, retained
from bounds.bombs import MIB, bomb, explode, longest_turn, recordings
from hangup.recording.reader import read
from harness.proxies import HANGUP

MEMORY, LATENCY = 64.0, 50.0
KEPT = 700
Row = tuple[str, float, float, str]


def bombs() -> Iterator[Row]:
    """Through the proxy, with and without a filter."""
    filtered = ("--filter", "drop text=never-there")
    rewriting = ("--filter", "rewrite text=never-there to=x")
    for name, sent, options in (
        ("one message of 64 MiB", [bomb(64 * MIB)], ()),
        ("one message of 900 MiB", [bomb(900 * MIB)], ()),
        ("a thousand messages of 1 MiB", [bomb(MIB)] * 1000, ()),
        ("one message, a filter", [bomb(64 * MIB)], filtered),
        ("a thousand, a filter", [bomb(MIB)] * 1000, filtered),
        ("a thousand, a filter that rewrites", [bomb(MIB)] * 1000, rewriting),
    ):
        effect = explode(sent, *options)
        yield f"{name}: the longest turn", longest_turn(b"".join(sent), *options[1:]), LATENCY, "ms of CPU"
        yield f"{name}: memory", effect.memory, MEMORY, "MiB more"
        yield f"{name}: others' round trip, p99", effect.p99, LATENCY, "ms"


def refused() -> Iterator[Row]:
    """Refused handshakes, whose bodies inflate to a gigabyte or have no end."""
    for name, answer in (
        ("gzip", lambda: refusals.sized(refusals.gzipped(1024), "gzip")),
        ("deflate", lambda: refusals.sized(refusals.gzipped(1024)[10:-8], "deflate")),
        ("brotli", lambda: refusals.sized(refusals.brotli(1024), "br")),
        ("zstd", lambda: refusals.sized(refusals.zstandard(1024), "zstd")),
    ):
        yield f"refused with 1 GiB of {name}: memory", refusals.refuse(answer).memory, MEMORY, "MiB more"
    endless = refusals.refuse(lambda: refusals.chunked(1 << 30), enough=1024 * MIB)
    yield "refused with a body without an end: memory", endless.memory, MEMORY, "MiB more"
    asked = refusals.refuse(lambda: refusals.sized(b"", "identity"), body=1024 * MIB)
    yield "a handshake with a body of 1 GiB: memory", asked.memory, MEMORY, "MiB more"


def files() -> Iterator[Row]:
    """Exports and imports."""
    with tempfile.TemporaryDirectory(prefix="hangup-bounds-") as folder:
        idle = run("recordings", folder)[1]
        for path in recordings(Path(folder)):
            for suffix in (".har", ".pcapng", ".html", ".md", ".jsonl"):
                out = Path(folder, f"out{suffix}")
                _, peak = run("convert", str(path), str(out))
                yield f"{path.name} to {suffix}: memory", peak - idle, MEMORY, "MiB more"
                out.unlink(missing_ok=True)
            yield f"{path.name}, shown: memory", run("show", str(path))[1] - idle, MEMORY, "MiB more"


def over() -> Iterator[Row]:
    """What a finished connection costs a running proxy."""
    for name, options, deflate in (
        ("plain", (), False),
        ("with a filter", ("--filter", "drop text=never-there"), False),
        ("with deflate and a filter", ("--filter", "drop text=never-there"), True),
    ):
        yield f"a finished connection, {name}", retained.retained(2500, *options, deflate=deflate), KEPT, "bytes"


def busy() -> Iterator[Row]:
    """A recording of 200,000 connections."""
    with tempfile.TemporaryDirectory(prefix="hangup-bounds-") as folder:
        path = Path(folder, "many.jsonl")
        many.write(path, 200_000)
        plain = took(lambda: decode(path))
        ours = took(lambda: sum(1 for _ in read(path)))
        print(f"decoding takes {plain:.1f} s of processor time, the recording's own reader {ours:.1f} s")
        for command, most in (("show", 3.0), ("why", 6.0)):
            cpu, peak = run(command, str(path))
            yield f"{command}: times decoding its lines", cpu / plain, most, ""
            yield f"{command}: times reading it", cpu / ours, most, ""
            yield f"{command}: memory", peak, 200.0, "MiB"


def decode(path: Path) -> None:
    """Every line, as any program would."""
    with open(path, "rb") as file:
        for line in file:
            json.loads(line)


def took(work: Callable[[], object]) -> float:
    """Processor time in seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def run(*arguments: str) -> tuple[float, float]:
    """Processor time (seconds) and the most resident memory (MiB) of a command."""
    process = psutil.Popen([*HANGUP, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cpu, peak = 0.0, 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
            cpu = sum(process.cpu_times()[:2])
        except psutil.Error:
            break
        time.sleep(0.005)  # between two looks at its memory, of which nobody is told
    process.wait()
    return cpu, peak / MIB


def main() -> None:
    """Prints the rows; the exit code says whether each is within its bound."""
    parts = {"bombs": bombs, "refused": refused, "files": files, "over": over, "busy": busy}
    parser = argparse.ArgumentParser(description="Measures what hangup may cost.")
    parser.add_argument("part", nargs="*", choices=[*parts, []], help="only these")
    chosen = parser.parse_args().part or list(parts)
    missed = 0
    for part in chosen:
        for name, value, most, unit in parts[part]():
            missed += value > most
            print(f"{name:52} {value:9.1f} {unit:9} at most {most:g}{'' if value <= most else '   MISSED'}", flush=True)
    sys.exit(bool(missed))


main()
