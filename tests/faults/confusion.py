"""How good is ``hangup why``? Judges recordings whose cause is known, and prints the tables.

``python -m faults.confusion`` (from ``tests/``) judges the golden recordings: as they are, thinned to the first three
connections, and with clocks that jitter. With a folder of variants (``python -m faults variants --out FOLDER``) it
judges those too and prints how much a stated confidence is worth. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.table import FAULTS  # noqa: E402
from hangup.diagnosis.diagnose import diagnose  # noqa: E402
from hangup.diagnosis.report import Report  # noqa: E402
from hangup.recording import reader  # noqa: E402
from hangup.recording.events import Event, Header  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[2] / "recordings"
SURE = 0.8
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.01)
TOLERANCE = 0.15


@dataclass
class Judged:
    """One recording, what it is and what it was called."""

    name: str
    fault: str
    expected: tuple[str, ...]
    report: Report

    @property
    def category(self) -> bool:
        """Whether the first verdict's category is right."""
        return self.report.category in {e.partition("/")[0] for e in self.expected}

    @property
    def right(self) -> bool:
        """Whether the first verdict is right."""
        return self.report.verdict in self.expected or (
            self.report.category == "none" and any(e.startswith("none/") for e in self.expected)
        )

    @property
    def among_three(self) -> bool:
        """Whether the right category is among the first three."""
        names = [self.report.verdict, *(a.verdict for a in self.report.alternatives)]
        wanted = {e.partition("/")[0] for e in self.expected}
        return bool(wanted & {name.partition("/")[0] for name in names[:3]})

    @property
    def control(self) -> bool:
        """Whether nothing may be blamed."""
        return self.expected[0].startswith("none/")

    @property
    def badly_wrong(self) -> bool:
        """Wrong, and sure of it."""
        return not self.right and self.report.category != "unknown" and self.report.confidence > SURE


def thinned(events: Iterable[Event], connections: int = 3) -> Iterator[Event]:
    """The first connections only."""
    return (event for event in events if event.conn <= connections)


def jittered(events: Iterable[Event], seed: int, spread: float = 0.008) -> Iterator[Event]:
    """The same on a clock that began at another time, runs a little fast, and is read with an error."""
    rng = random.Random(f"jitter {seed}")
    offset, rate = rng.uniform(0, 100), rng.uniform(0.97, 1.03)
    for event in events:
        event.at = offset + event.at * rate + rng.uniform(-spread, spread)
        yield event


def judge(path: Path, fault: str, expected: tuple[str, ...], how: str = "") -> Judged:
    """Judges one recording, changed in a way: ``thin``, ``jitter``, or both."""
    found = reader.read(path)
    header: Header = found.header
    events: Iterable[Event] = found
    if "thin" in how:
        events = thinned(events)
    if "jitter" in how:
        events = jittered(events, sum(map(ord, path.name)))
    return Judged(path.name, fault, expected, diagnose(header, events, recording=path.name))


def golden(folder: Path, how: str = "") -> list[Judged]:
    """The fault set's golden recordings."""
    return [
        judge(folder / f"{fault.name}.jsonl", fault.name, (fault.verdict, *fault.also), how)
        for fault in FAULTS.values()
        if (folder / f"{fault.name}.jsonl").exists()
    ]


def variants(folder: Path, how: str = "") -> list[Judged]:
    """The recordings of a folder with ``verdicts.jsonl``."""
    lines = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text("utf-8").splitlines()]
    return [
        judge(folder / line["recording"], line["fault"], (line["verdict"], *line["also"]), how)
        for line in lines
        if (folder / line["recording"]).exists()
    ]


def score(judged: list[Judged]) -> dict[str, int]:
    """The counts that the bars are about."""
    faults = [j for j in judged if not j.control]
    controls = [j for j in judged if j.control]
    return {
        "faults": len(faults),
        "category first": sum(j.category for j in faults),
        "category among three": sum(j.among_three for j in faults),
        "subcategory first": sum(j.right for j in faults),
        "wrong and sure": sum(j.badly_wrong for j in judged),
        "controls": len(controls),
        "controls none/": sum(j.report.category == "none" for j in controls),
        "unknown": sum(j.report.category == "unknown" for j in judged),
    }


def reliability(judged: list[Judged]) -> list[tuple[float, float, int, float, float]]:
    """For each bin of stated confidence: its bounds, how many, the mean said, the share that was right."""
    rows = []
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = [j for j in judged if j.report.category != "unknown" and low <= j.report.confidence < high]
        if inside:
            said = sum(j.report.confidence for j in inside) / len(inside)
            rows.append((low, min(high, 1.0), len(inside), said, sum(j.right for j in inside) / len(inside)))
    return rows


def print_confusion(judged: list[Judged]) -> None:
    """Each fault with what it was called, and how sure."""
    by_fault: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        by_fault[j.fault].append(j)
    for fault, rows in by_fault.items():
        called = Counter(j.report.verdict for j in rows)
        right = sum(j.right for j in rows)
        words = []
        for verdict, count in called.most_common(5):
            sure = sum(j.report.confidence for j in rows if j.report.verdict == verdict) / count
            mark = "" if any(j.right for j in rows if j.report.verdict == verdict) else " (!)"
            times = f" x{count}" if len(rows) > 1 else ""
            words.append(f"{verdict}{mark}{times} {sure:.2f}")
        print(f"  {fault:32} {right:3}/{len(rows):<3} {', '.join(words)}")


def print_categories(judged: list[Judged]) -> None:
    """The confusion of categories as a matrix."""
    names = sorted({j.expected[0].partition("/")[0] for j in judged} | {j.report.category for j in judged})
    table: Counter[tuple[str, str]] = Counter()
    for j in judged:
        wanted = {e.partition("/")[0] for e in j.expected}
        truth = j.report.category if j.report.category in wanted else j.expected[0].partition("/")[0]
        table[truth, j.report.category] += 1
    print(f"  {'true, said':18}" + "".join(f"{name[:9]:>10}" for name in names))
    for truth in names:
        row = [table[truth, said] for said in names]
        if any(row):
            print(f"  {truth:18}" + "".join(f"{n or '.':>10}" for n in row))


def print_reliability(judged: list[Judged]) -> float:
    """The reliability table; returns the largest distance between said and true in a bin of five or more."""
    worst = 0.0
    print("  said         count  mean said  true")
    for low, high, count, said, true in reliability(judged):
        off = abs(said - true)
        worst = max(worst, off) if count >= 5 else worst
        mark = "  off" if off > TOLERANCE and count >= 5 else ""
        print(f"  {low:.1f} to {high:.1f}  {count:7}  {said:9.2f}  {true:.2f}{mark}")
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults.confusion", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of variants with their verdicts.jsonl")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="folder of the golden recordings")
    parser.add_argument("--how", action="append", default=[], help="as-is, thin, jitter, thin-jitter (repeatable)")
    parser.add_argument("--wrong", action="store_true", help="list what was judged wrongly")
    options = parser.parse_args()
    missed = False
    ways = options.how or ["as-is", "thin", "jitter", "thin-jitter"]
    for how in ways:
        judged = golden(options.golden, how)
        if judged:
            counts = score(judged)
            print(f"golden recordings, {how}: " + ", ".join(f"{k} {v}" for k, v in counts.items()))
            if how == "as-is":
                print_confusion(judged)
            share = 16 if how == "as-is" else 14
            missed |= counts["category first"] < share * counts["faults"] / 20 or counts["wrong and sure"] > 0
            missed |= counts["controls none/"] < counts["controls"]
            if options.wrong:
                tell_wrong(judged)
    everything: list[Judged] = []
    for folder in options.folders:
        for how in ways:
            judged = variants(folder, how)
            print(f"\n{folder.name}, {how}: " + ", ".join(f"{k} {v}" for k, v in score(judged).items()))
            print_confusion(judged)
            if options.wrong:
                tell_wrong(judged)
            if how == "as-is":
                everything += judged
    if everything:
        print(f"\ncategories, {len(everything)} recordings")
        print_categories(everything)
        print("\nreliability")
        missed |= print_reliability(everything) > TOLERANCE
    return 1 if missed else 0


def tell_wrong(judged: list[Judged]) -> None:
    """What was judged wrongly, the surest first."""
    for j in sorted((j for j in judged if not j.right), key=lambda j: -j.report.confidence):
        others = ", ".join(f"{a.verdict} {a.confidence:.2f}" for a in j.report.alternatives[:3])
        print(f"    {j.name}: {j.report.verdict} {j.report.confidence:.2f}, not {j.expected[0]} ({others})")


if __name__ == "__main__":
    sys.exit(main())
