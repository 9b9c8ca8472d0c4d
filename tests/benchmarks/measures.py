"""What is measured: each measure is one function, run against one contestant, giving one sample."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import psutil

from benchmarks.client import Broken, Connection
from benchmarks.contestants import Process
from benchmarks.traffic import message

MIB = 1 << 20
Sample = dict[str, float]
"""``value`` in the measure's unit; other keys stand beside it in the report."""


@dataclass(frozen=True)
class Scale:
    """How much of everything. ``share`` is what part of ``frames`` a slow contestant gets."""

    rounds: int = 11
    seconds: float = 0.5
    large: int = 64 * MIB
    large_rounds: int = 3
    connections: int = 8
    volume: int = 200 * MIB
    frames: int = 1_000_000
    idle: int = 2_000
    hold: float = 5.0
    share: float = 1.0

    @property
    def large_mib(self) -> int:
        return self.large // MIB

    @property
    def volume_mib(self) -> int:
        return self.volume // MIB


FULL = Scale()
QUICK = Scale(
    rounds=5, seconds=0.3, large=16 * MIB, connections=3, volume=50 * MIB, frames=100_000, idle=500, hold=0.5
)


@dataclass(frozen=True)
class Subject:
    """One contestant as it runs; ``process`` is ``None`` when nothing stands in between."""

    port: int
    process: Process | None
    scale: Scale


# Speed


def echo(subject: Subject, window: int) -> Sample:
    with Connection(subject.port) as connection:
        connection.stream(message(100), window, count=window)
        done, took = connection.stream(message(100), window, seconds=subject.scale.seconds)
    return {"value": done / took, "messages": window + done}


def round_trip(subject: Subject) -> Sample:
    with Connection(subject.port) as connection:
        connection.round_trips(message(100), count=20)
        times = connection.round_trips(message(100), seconds=subject.scale.seconds, count=20)
    return {"value": statistics.median(times) * 1e6, "p99": statistics.quantiles(times, n=100)[98] * 1e6}


def bulk(subject: Subject, binary: bool = False) -> Sample:
    with Connection(subject.port) as connection:
        connection.stream(message(65536, binary), 8, count=8)
        done, took = connection.stream(message(65536, binary), 8, seconds=subject.scale.seconds)
    return {"value": done * 65536 / MIB / took, "messages": 8 + done}


def large(subject: Subject, binary: bool = False) -> Sample:
    with Connection(subject.port) as connection:
        connection.stream(message(100), 1)
        return {"value": connection.stream(message(subject.scale.large, binary), 1)[1]}


# Memory


@contextmanager
def growth(process: Process) -> Iterator[Callable[[], float]]:
    """Watches resident memory; yields a function that gives the highest growth so far, in MiB."""
    idle = peak = process.rss()
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        with suppress(psutil.Error):  # it died; the client tells
            while not over.wait(0.02):
                peak = max(peak, process.rss())

    def so_far() -> float:
        return (max(peak, process.rss()) - idle) / MIB

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield so_far
    finally:
        over.set()
        thread.join()


def memory(subject: Subject, size: int = 65536, binary: bool = False) -> Sample:
    assert subject.process
    count = max(1, subject.scale.volume // size)
    with growth(subject.process) as so_far:
        for _ in range(subject.scale.connections):
            with Connection(subject.port) as connection:
                connection.stream(message(size, binary), 8, count=count)
        return {"value": so_far(), "traffic": subject.scale.connections * count * size / MIB}


def small_frames(subject: Subject) -> Sample:
    assert subject.process
    count = int(subject.scale.frames * subject.scale.share)
    with growth(subject.process) as so_far, Connection(subject.port) as connection:
        connection.stream(message(20), 64, count=count // 10)
        first = so_far()
        connection.stream(message(20), 64, count=count - count // 10)
        total = so_far()
    return {"value": total, "after the first tenth": total - first, "frames": count}


def idle(subject: Subject) -> Sample:
    """Opens them all, lets them be, then every one has to echo; memory is taken before that."""
    assert subject.process
    count = subject.scale.idle
    before = subject.process.rss()
    alive = 0
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(subject.port)) for _ in range(count)]
        time.sleep(subject.scale.hold)  # being idle is what is measured
        grown = subject.process.rss() - before
        for connection in connections:
            try:
                connection.stream(message(100), 1)
                alive += 1
            except (Broken, OSError):
                pass
    return {"value": grown / count / 1024, "alive": alive / count, "connections": count}


@dataclass(frozen=True)
class Measure:
    name: str
    title: str  # formatted with the Scale
    unit: str
    run: Callable[[Subject], Sample]
    more_is_better: bool = False
    memory: bool = False  # one round, a fresh process each, nothing to measure without a process
    large: bool = False
    optional: bool = False  # only when asked for by name
    digits: int = 0


VOLUME = "{0.connections} connections of {0.volume_mib} MiB"
MEASURES = [
    Measure("echo-64", "100-byte messages, 64 under way", "messages/s", lambda s: echo(s, 64), True),
    Measure("echo-16", "100-byte messages, 16 under way", "messages/s", lambda s: echo(s, 16), True),
    Measure("rtt", "round trip of one 100-byte message, median / p99", "µs", round_trip),
    Measure("bulk-text", "64 KiB messages, JSON text", "MiB/s", bulk, True),
    Measure("bulk-binary", "64 KiB messages, random bytes", "MiB/s", lambda s: bulk(s, True), True),
    Measure("large-text", "one {0.large_mib} MiB message, JSON text", "s", large, large=True, digits=2),
    Measure(
        "large-binary",
        "one {0.large_mib} MiB message, random bytes",
        "s",
        lambda s: large(s, True),
        large=True,
        digits=2,
    ),
    Measure("memory", f"{VOLUME} in 64 KiB messages, JSON text", "MiB more", memory, memory=True, digits=1),
    Measure(
        "memory-binary",
        f"{VOLUME} in 64 KiB messages, random bytes",
        "MiB more",
        lambda s: memory(s, binary=True),
        memory=True,
        optional=True,
        digits=1,
    ),
    Measure(
        "memory-one",
        f"{VOLUME} in one message each",
        "MiB more",
        lambda s: memory(s, s.scale.volume),
        memory=True,
        optional=True,
        digits=1,
    ),
    Measure("frames", "{0.frames:,} 20-byte messages", "MiB more", small_frames, memory=True, digits=1),
    Measure("idle", "{0.idle:,} idle connections", "KiB each", idle, memory=True, digits=1),
]
