"""How good `hangup why` is on recordings of the lab, of which none took part in the making of its rules.

``cd tests && python -m lab.judged --from DIR`` prints the tables; ``--wrong`` names what was wrong above 0.8, by cause.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hangup.diagnosis.diagnose import diagnose
from hangup.errors import HangupError
from hangup.recording.events import Event
from hangup.recording.reader import read
from lab.wordless import wordless

SURE = 0.8
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


class Judged(NamedTuple):
    """What is true of a recording, and what was said of it: the verdicts in their order, and how sure the first is."""

    label: dict[str, Any]
    said: list[str]
    confidence: float

    @property
    def names(self) -> list[str]:
        """The verdicts that are right."""
        return [self.label["cause"], *self.label.get("alternatives", [])]

    @property
    def fault(self) -> bool:
        """Whether something was wrong for which there is a word."""
        return not self.label.get("open_set") and not self.label["cause"].startswith("none/")

    @property
    def unknown(self) -> bool:
        """Whether no cause was named."""
        return self.said[0].startswith("unknown/")

    def category(self, most: int = 1) -> bool:
        """Whether the category is right, of the first so many."""
        right = {name.partition("/")[0] for name in self.names}
        return any(name.partition("/")[0] in right for name in self.said[:most])

    @property
    def right(self) -> bool:
        """Whether the verdict that is named is right, and not only its category."""
        return self.said[0] in self.names

    @property
    def wrongly_sure(self) -> bool:
        """Whether a wrong category was named with more than 0.8."""
        return not self.unknown and self.confidence > SURE and not self.category()


def judged(
    folder: Path, step: int = 1, change: Callable[[Iterable[Event]], Iterable[Event]] = iter
) -> Iterator[Judged]:
    """All recordings of a folder, or each so many-th; ``change`` is done to their events before."""
    for path in sorted(folder.glob("*/label.json"))[::step]:
        try:
            recording = read(path.with_name("recording.jsonl"))
            report = diagnose(recording.header, change(recording))
        except HangupError:
            continue  # is being written just now
        said = [report.verdict, *(other.verdict for other in report.alternatives)]
        yield Judged(json.loads(path.read_text("utf-8")), said, report.confidence)


def share(part: int, whole: int) -> str:
    """``72 % (66 of 92)``."""
    return f"{100 * part / whole:.0f} % ({part} of {whole})" if whole else "none"


def calibration_error(named: Sequence[Judged], right: Callable[[Judged], bool]) -> float:
    """The expected calibration error: by how much what is said is off from how often it is right, on average over bins
    of a tenth, each in proportion to its answers. Answers that name no cause claim nothing and are not counted."""
    off = 0.0
    for low in range(10):
        within = [each for each in named if min(int(10 * each.confidence), 9) == low]
        off += abs(sum(right(each) - each.confidence for each in within))
    return off / max(len(named), 1)


def table(found: Sequence[Judged]) -> Iterator[str]:
    """The figures, as Markdown."""
    faults = [each for each in found if each.fault]
    healthy = [each for each in found if each.label["cause"].startswith("none/")]
    unnamed = [each for each in found if each.label.get("open_set")]
    named = [each for each in found if not each.unknown]
    programs = len({each.label["program"] for each in found})
    stacks = len({each.label["stack"] for each in found})
    yield f"{len(found)} recordings of {programs} programs on {stacks} stacks"
    yield "| measure | `hangup why` |"
    yield "|---|---|"
    yield f"| category first | {share(sum(e.category() for e in faults), len(faults))} |"
    yield f"| category among the first three | {share(sum(e.category(3) for e in faults), len(faults))} |"
    yield f"| subcategory first | {share(sum(e.right for e in faults), len(faults))} |"
    yield f"| no cause named (`unknown/`) | {share(sum(e.unknown for e in faults), len(faults))} |"
    yield f"| wrong above 0.8 | {share(sum(e.wrongly_sure for e in found), len(found))} |"
    quiet = [e for e in unnamed if e.unknown or e.confidence < 0.5]
    yield f"| faults without a word for them: `unknown/`, or below 0.5 | {share(len(quiet), len(unnamed))} |"
    blamed = [e for e in healthy if not e.unknown and not e.category() and e.confidence > 0.5]
    yield f"| healthy ones that are blamed above 0.5 | {share(len(blamed), len(healthy))} |"
    barred = [e for e in found if e.said[0] in e.label.get("never_sure", []) and e.confidence > 0.5]
    yield f"| named above 0.5 what a person who knows would not | {share(len(barred), len(found))} |"
    yield f"| expected calibration error, of the verdict | {calibration_error(named, lambda e: e.right):.3f} |"
    yield f"| expected calibration error, of the category | {calibration_error(named, Judged.category):.3f} |"
    yield ""
    yield "| it says | and the verdict is right | and the category is right |"
    yield "|---|---|---|"
    for low, high in zip(BINS, BINS[1:], strict=False):
        within = [each for each in named if low <= each.confidence < high]
        if within:
            verdict, category = (sum(e.right for e in within), sum(e.category() for e in within))
            yield (
                f"| {low:.1f} to {min(high, 1.0):.1f} | {share(verdict, len(within))} "
                f"| {share(category, len(within))} |"
            )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.judged", description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="where lab.record has put them")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th")
    parser.add_argument("--wrong", action="store_true", help="also what was wrong above 0.8")
    parser.add_argument("--without-words", action="store_true", help="see :mod:`lab.wordless`")
    given = parser.parse_args()
    found = list(judged(given.folder, given.every, wordless if given.without_words else iter))
    print("\n".join(table(found)))
    if given.wrong:
        wrong: dict[str, Counter[str]] = defaultdict(Counter)
        for each in found:
            if each.wrongly_sure:
                wrong[each.label["cause"]][each.said[0]] += 1
        for cause, names in sorted(wrong.items()):
            print(f"{cause}: " + ", ".join(f"{name} {count}" for name, count in names.most_common()))


if __name__ == "__main__":
    main()
