"""Minimal means minimal: planted triggers at random places among many frames, on a simulated server.

``python -m faults.minimal`` (from ``tests/``) prints the table: how many connections the smallest exchange takes, one
message being the trigger or two that are both needed, with payloads up to 4 KiB.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from math import log2
from random import Random
from statistics import median

from hangup.experiment.exchange import complete
from hangup.experiment.search import search
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Minimal
from simulated import case, run

Messages = list[tuple[str, bytes]]

COUNTS = (10, 30, 100, 300, 1000)
LARGEST = 4096
MARKS = (b'"first"', b'"second"')


@dataclass
class Found:
    """What came of one: ``frames`` are the connections that the frames took, ``payload`` those for what is in one."""

    planted: tuple[int, ...]
    minimal: Minimal | None
    frames: int
    payload: int

    @property
    def right(self) -> bool:
        """Whether it is one-minimal: just the planted frames; and a single one is a message as well-formed as the
        client's own that holds what was planted, beside a harmless one that does not."""
        minimal = self.minimal
        if minimal is None or minimal.frames != self.planted:
            return False
        payload = minimal.payload
        if len(self.planted) > 1 or payload is None:
            return True
        told = json.loads(payload)
        return MARKS[0] in payload and told["type"] == "chat" and MARKS[0].decode() not in minimal.neighbour


def fails(messages: Messages, planted: int) -> bool:
    """A server that stumbles over a message, once it has met all that were planted."""
    return all(any(mark in payload for _, payload in messages) for mark in MARKS[:planted])


def planted(count: int, pair: bool, random: Random) -> tuple[Case, tuple[int, ...]]:
    """A client that says ``count`` messages, and the numbers of the frames that matter. The end comes some time after
    the last of them, so that nothing points at it."""
    places = sorted(random.sample(range(count), 2 if pair else 1))
    payloads = []
    for index in range(count):
        message = {"type": "chat", "id": index, "text": "x" * random.randrange(64)}
        if index in places:
            fields = {f"key{k}": "y" * random.randrange(300) for k in range(random.randrange(12))}
            message |= {"extra": {**fields, MARKS[places.index(index)].decode()[1:-1]: 1}}
        payloads.append(json.dumps(message)[:LARGEST] if index not in places else json.dumps(message))
    assert max(map(len, payloads)) <= LARGEST
    made = case(*payloads, lifetime=3.0, reaction=1.0)
    return made, tuple(made.frames[place].n for place in places)


def measure(count: int, pair: bool, seed: int, rate: float = 1.0) -> Found:
    """One search."""
    made, frames = planted(count, pair, Random(f"{count} {pair} {seed}"))
    used = {"frames": 0, "payload": 0}

    def hangs_up(messages: Messages, trial: Trial) -> bool:
        if trial.arm in used:
            used[trial.arm] += 1
        return fails(messages, len(frames))

    verdict = run(complete(made, search(made)), made, hangs_up, rate=rate, seed=seed, most=5000)
    return Found(frames, verdict.minimal, used["frames"], used["payload"])


def main() -> int:
    """The table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1.0, help="how often it fails where it would")
    options = parser.parse_args()
    print("| frames | log2 | trigger | one-minimal | connections, median | most | and for the payload, median |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    wrong = 0
    for pair in (False, True):
        for count in COUNTS:
            found = [measure(count, pair, seed, options.rate) for seed in range(options.seeds)]
            used = [each.frames for each in found]
            right = sum(each.right for each in found)
            wrong += len(found) - right
            payload = "" if pair else f"{median(each.payload for each in found):g}"
            kind = "two, both needed" if pair else "one message"
            print(
                f"| {count} | {log2(count):.1f} | {kind} | {right}/{len(found)} | {median(used):g} | {max(used)} "
                f"| {payload} |"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
