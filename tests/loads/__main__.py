"""``python -m loads`` (in tests/): 1,000 replayed clients over two workers, held against the backend's own counts; and
what they cost, beside a locustfile by hand in the same run. It takes some eight minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from loads.measuring import BY_HAND, HANGUP, Cost, Run, backend, cost, load
from loads.recording import record

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loads", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=["drops", "slows", "cost", "memory"], default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hangup-loads-") as name:
        folder = Path(name)
        with backend("plain") as plain:
            slow = record(plain.url, folder / "client.jsonl", orders=40, pause=1.0)
            fast = record(plain.url, folder / "quick.jsonl", orders=500, pause=0.001)
        good = True
        if given.only in (None, "drops"):
            good &= drops(slow, folder, given.clients)
        if given.only in (None, "slows"):
            good &= slows(slow, folder, given.clients)
        if given.only in (None, "cost"):
            good &= costs(fast, folder, given.rounds)
        if given.only in (None, "memory"):
            memory(slow, folder, given.clients)
    sys.exit(0 if good else 1)


def drops(recording: Path, folder: Path, clients: int) -> bool:
    """A backend that drops who orders while more than so many are connected."""
    limit = clients * 6 // 10
    with backend("drops", limit) as of:
        run = _run(recording, of.url, folder, clients, 85)
        counts = of.counts()
    found = [each for each in run.summary.get("failures", []) if each["failure"].startswith("by=server")]
    dropped, begins = run.of("END", "Failure Count"), found[0]["onset"] if found else None
    print(f"drops beyond {limit} clients, {clients} clients over two workers")
    print(f"  ended by the backend   Locust {dropped:,}, the backend's own count {counts['dropped']:,}")
    opened = run.of("CONNECT") - run.of("CONNECT", "Failure Count")
    print(f"  handshakes             Locust {opened:,}, the backend's own count {counts['opened']:,}")
    print(f"  ids, sessions          {counts['ids']:,} different ids of {clients:,} clients, "
          f"{counts['sessions']:,} sessions, {counts['foreign']:,} orders with another's session")
    print(f"  begins at              {begins['clients'] if begins else 'not found'} connected clients")
    return (
        dropped == counts["dropped"] > 0
        and counts["ids"] == clients
        and counts["foreign"] == 0
        and begins is not None
        and abs(begins["clients"] - limit) <= max(3, limit // 10)
    )


def slows(recording: Path, folder: Path, clients: int) -> bool:
    """A backend whose answers take a millisecond longer for each client beyond so many."""
    limit = clients // 2
    with backend("slows", limit) as of:
        run = _run(recording, of.url, folder, clients, 85)
    found = run.summary.get("slowing")
    print(f"slows down beyond {limit} clients, {clients} clients over two workers")
    print(f"  {found}; {run.summary.get('levels')}")
    return found is not None and abs(found["clients"] - limit) <= limit // 4


def _run(recording: Path, target: str, folder: Path, clients: int, seconds: int) -> Run:
    rate = max(1, clients // 20)
    words = ["-u", str(clients), "-r", str(rate), "-t", f"{seconds}s", "--processes", "2", "--once"]
    return load(recording, target, folder, *words)


def costs(recording: Path, folder: Path, rounds: int, clients: int = 50, seconds: float = 6.0) -> bool:
    """As many orders as possible, by turns with `hangup load` and by hand."""
    ours: list[Cost] = []
    theirs: list[Cost] = []
    with backend("plain") as of:
        users = ["--headless", "-u", str(clients), "-r", str(clients)]
        words = [*HANGUP, "load", str(recording), of.url, "--speed", "max", "--sample", "0", *users]
        by_hand = [*BY_HAND, "-H", of.url, *users]
        for _ in range(rounds):
            ours.append(cost(words, of, clients, seconds, {}, folder))
            theirs.append(cost(by_hand, of, clients, seconds, {"ORDERS": "500", "PAUSE": "0"}, folder))
    print(f"{clients} clients that order without a pause, medians of {rounds} rounds")
    for name, found in (("hangup load", ours), ("by hand", theirs)):
        rate, cpu = median(each.orders for each in found), median(each.cpu for each in found)
        print(f"  {name:12} {2 * rate:8,.0f} messages a second, {5e5 * cpu:6.1f} µs of processor time for a message")
    rate = median(each.orders for each in ours) / median(each.orders for each in theirs)
    cpu = median(each.cpu for each in theirs) / median(each.cpu for each in ours)
    print(f"  {rate:.2f} times as many messages a second, {cpu:.2f} times as many for the same processor time")
    return cpu >= 1.5


def memory(recording: Path, folder: Path, clients: int) -> None:
    """What a connected client takes."""
    print(f"memory of {clients} connected clients, beside that of {clients // 10}")
    with backend("plain") as of:
        for name, words, environment in (
            ("hangup load", [*HANGUP, "load", str(recording), of.url, "--stay", "--sample", "0"], {}),
            ("by hand", [*BY_HAND, "-H", of.url], {"ORDERS": "100000", "PAUSE": "1"}),
        ):
            found = []
            for many in (clients // 10, clients):
                users = ["--headless", "-u", str(many), "-r", str(max(1, clients // 10))]
                found.append(cost([*words, *users], of, many, 5.0, environment, folder).memory)
            each = (found[1] - found[0]) / (clients - clients // 10)
            print(f"  {name:12} {each / 1024:6.1f} KiB for a client, {found[1] / 2**20:6.1f} MiB in all")


if __name__ == "__main__":
    main()
