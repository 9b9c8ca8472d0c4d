"""Says what the lab has: ``cd tests && python -m lab.list``, or with ``--into DIR`` what was recorded there."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import lab.faults  # noqa: F401  (fills the table)
from lab.table import FAULTS


def table() -> None:
    """The programs, and counts by cause and by stack."""
    causes: dict[str, list[str]] = defaultdict(list)
    stacks: Counter[str] = Counter()
    for entry in FAULTS.values():
        causes[entry.cause].append(entry.name)
        stacks.update(entry.stacks)
        kind = f"  kind {entry.kind}" if entry.kind else ""
        print(f"{entry.cause:44} {entry.name:44} {', '.join(entry.stacks)}{kind}")
    faults = [entry for entry in FAULTS.values() if not entry.healthy]
    print(
        f"\n{len(FAULTS)} entries: {len(faults)} faults with {len(causes)} verdicts "
        f"({sum(entry.open_set for entry in faults)} open-set), {len(FAULTS) - len(faults)} healthy; "
        f"{sum(len(entry.stacks) for entry in FAULTS.values())} programs"
    )
    print("by stack: " + ", ".join(f"{name} {count}" for name, count in stacks.most_common()))


def recorded(folder: Path) -> None:
    """Counts of what was recorded, by cause and by stack."""
    labels = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/label.json"))]
    for field in ("cause", "stack", "client"):
        print(f"by {field}:")
        for name, count in Counter(label[field] for label in labels).most_common():
            print(f"  {count:5} {name}")
    print(f"{len(labels)} recordings of {len({label['program'] for label in labels})} programs")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.list", description="List the lab's programs.")
    parser.add_argument("--into", type=Path, help="count the recordings of this folder instead")
    options = parser.parse_args()
    recorded(options.into) if options.into else table()


if __name__ == "__main__":
    main()
