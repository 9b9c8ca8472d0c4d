"""What it costs to be scraped: ``python -m benchmarks.scraping`` (in ``tests/``).

One proxy with ``--metrics``, and one client that echoes 100-byte messages through it, 64 under way. In turn it is left
alone and scraped ten times a second, in the order A B B A, so that whatever else the machine does meets both alike.
Told are ratios of scraped to left alone, the median of all pairs: messages per second, and processor time of the proxy
for each message, which hangs less on who else wants the processor. Beside them the processor time of a scrape by
itself, where a message has come before each, so that there is something new to tell. ``--paths`` opens that many
connections on as many paths first, each with sums of its own, and ends as many more.
"""

from __future__ import annotations

import argparse
import http.client
import select
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.client import Connection
from benchmarks.contestants import Contestant, Process, hangup_with, running
from benchmarks.traffic import message
from hangup.recording.totals import PATHS

MOST = 0.03
"""The share that may be lost."""

PER_SECOND = 10
WINDOW = 64


@dataclass
class Turn:
    """What was measured once: messages, in how many seconds, in how much processor time of the proxy (seconds)."""

    messages: int
    seconds: float
    processor: float
    sizes: list[int]

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds

    @property
    def cost(self) -> float:
        """Processor time for each message, in seconds."""
        return self.processor / self.messages


@dataclass
class Measured:
    """``alone`` and ``scraped`` are pairs; ``each`` is the processor time of one scrape, in seconds."""

    alone: list[Turn]
    scraped: list[Turn]
    each: float

    def ratio(self, what: str) -> tuple[float, float, float]:
        """Of scraped to left alone: the median of all pairs, and between what it lies with 95 % confidence, by their
        order."""
        pairs = zip(self.alone, self.scraped, strict=True)
        ratios = sorted(getattr(b, what) / getattr(a, what) for a, b in pairs)
        aside = max(int(len(ratios) / 2 - 0.98 * len(ratios) ** 0.5), 0)
        return median(ratios), ratios[aside], ratios[-1 - aside]

    def told(self, turns: list[Turn], what: str) -> float:
        """The median."""
        return median(getattr(turn, what) for turn in turns)


class Scraper:
    """Scrapes when it is told to, in a process of its own: nobody else's time is taken."""

    def __init__(self, port: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scraping", "--scrape", str(port)],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self) -> list[int]:
        """Begins, or ends: gives how many bytes came each time."""
        assert self._child.stdin is not None and self._child.stdout is not None
        print(flush=True, file=self._child.stdin)
        return [int(size) for size in self._child.stdout.readline().split()]

    def __enter__(self) -> Scraper:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(20)


def scrape(port: int) -> None:
    """What the scraper does: answers a line at once, and scrapes until the next one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def once() -> int:
        connection.request("GET", "/metrics")
        return len(connection.getresponse().read())

    once()
    on = False
    sizes: list[int] = []
    due = 0.0
    while True:
        if on:
            sizes.append(once())
            due = time.monotonic() + 1 / PER_SECOND
        while not on or time.monotonic() < due:
            if select.select([sys.stdin], [], [], max(due - time.monotonic(), 0.0) if on else None)[0]:
                if not sys.stdin.buffer.raw.readline():  # type: ignore[attr-defined]
                    return
                print(*sizes, flush=True)
                on, sizes, due = not on, [], 0.0


def turn(process: Process, connection: Connection, seconds: float, scraper: Scraper | None = None) -> Turn:
    """Measures once; scraped where there is a scraper."""
    before = process.cpu()
    sizes: list[int] = []
    if scraper is not None:
        scraper.tell()
    done, took = connection.stream(message(100), WINDOW, seconds=seconds)
    if scraper is not None:
        sizes = scraper.tell()
    process.settle()  # what is recorded late belongs to it, too
    return Turn(done, took, process.cpu() - before, sizes)


def one_scrape(process: Process, port: int, connection: Connection, count: int) -> float:
    """The processor time of a scrape, in seconds."""
    http_connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    spent: list[float] = []
    for scraping in (False, True):
        process.settle()
        before = process.cpu()
        for _ in range(count):
            connection.stream(message(100), 1)
            time.sleep(1 / PER_SECOND / 5)  # a text may be given again within some milliseconds
            if scraping:
                http_connection.request("GET", "/metrics")
                http_connection.getresponse().read()
        spent.append(process.cpu() - before)
    http_connection.close()
    return (spent[1] - spent[0]) / count


def measure(rounds: int, seconds: float, paths: int) -> Measured:
    """All of it."""
    alone: list[Turn] = []
    under: list[Turn] = []
    contestant = Contestant("hangup", "hangup", hangup_with("--no-web", "--metrics", "127.0.0.1:0"))
    with running([contestant]) as ports, ExitStack() as stack:
        port, process = ports["hangup"]
        assert process is not None
        metrics = process.told(r"metrics: http://127\.0\.0\.1:(\d+)/")
        for number in range(paths):
            name = "/" + "".join(chr(97 + int(digit)) for digit in str(number))
            stack.enter_context(Connection(port, name)).stream(message(100), 1)
            with Connection(port, name) as one:
                one.stream(message(100), 1)
        connection = stack.enter_context(Connection(port))
        scraper = stack.enter_context(Scraper(metrics))
        connection.stream(message(100), WINDOW, seconds=seconds)
        for number in range(rounds):
            for is_scraped in (False, True) if number % 2 else (True, False):
                if is_scraped:
                    under.append(turn(process, connection, seconds, scraper))
                else:
                    alone.append(turn(process, connection, seconds))
        each = one_scrape(process, metrics, connection, max(10, 10 * rounds))
    return Measured(alone, under, each)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scraping", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="turns of each kind (100)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn (0.5)")
    parser.add_argument("--paths", type=int, default=0, help=f"paths with sums of their own (0; {PATHS} is the most)")
    parser.add_argument("--check", action="store_true", help="exit code 1 where more than 3 % is lost")
    parser.add_argument("--scrape", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.scrape:
        scrape(options.scrape)
        return 0
    found = measure(options.rounds, options.seconds, options.paths)
    sizes = [size for each in found.scraped for size in each.sizes]
    took = sum(each.seconds for each in found.scraped)
    print(f"scraped {len(sizes)} times in {took:.1f} s, {max(sizes, default=0):,} bytes each")
    for what, unit, factor in (("rate", "messages/s", 1.0), ("cost", "processor us/message", 1e6)):
        told = [f"{found.told(turns, what) * factor:12,.2f}" for turns in (found.alone, found.scraped)]
        ratio, least, most = found.ratio(what)
        print(f"{unit:22} left alone {told[0]}  scraped {told[1]}  ratio {ratio:.3f} ({least:.3f} to {most:.3f})")
    share = found.each * PER_SECOND
    print(f"one scrape             {found.each * 1e3:.2f} ms of processor time; ten in a second are {share:.1%} of it")
    return 1 if options.check and (found.ratio("cost")[0] > 1 / (1 - MOST) or share > MOST) else 0


if __name__ == "__main__":
    sys.exit(main())
