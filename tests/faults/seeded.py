"""``cd tests && uv run python -m faults.seeded [--seeds N] [--only NAME] [--family NAME] [--verbose]``

Runs the whole search (ladder, reversal, shrinking, boundary, predictions) against planted backends, many seeds each,
and holds what is proved against what was planted. A law is right when the exchanges that it makes up, of which it says
that they fail or stay open, do so when nothing flickers; a proof without a law, when it names the cause and its fix is
one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.planted import TABLE, Planted  # noqa: E402
from faults.world import Plant, World, ends  # noqa: E402
from hangup.experiment import law_search as searching  # noqa: E402
from hangup.experiment.claim import Claim  # noqa: E402
from hangup.experiment.evidence import Outcome  # noqa: E402
from hangup.experiment.exchange import complete  # noqa: E402
from hangup.experiment.search import search  # noqa: E402
from hangup.experiment.trial import Result, Trial  # noqa: E402
from hangup.experiment.verdict import Verdict  # noqa: E402
from simulated import carried_out  # noqa: E402

MOST = 900
"""Connections of one search."""

HELD = 40
"""Exchanges of either kind against which a law is held."""

RIGHT = 0.97
"""So many of them must come out as it says."""


@contextmanager
def watched(claims: list[Claim]) -> Iterator[None]:
    """Takes down the claims that are put to the test."""
    predict = searching.predict

    def listening(arms: object, claim: Claim, *more: object, **named: object) -> object:
        claims.append(claim)
        return predict(arms, claim, *more, **named)  # type: ignore[arg-type]

    searching.predict = listening  # type: ignore[assignment]
    try:
        yield
    finally:
        searching.predict = predict


@dataclass
class Run:
    """One search, and what is to be said of it."""

    seed: int
    verdict: Verdict
    plant: Plant
    said: str
    """``right``, ``wrong``, ``unresolved`` or ``not reproduced``."""
    why: str = ""
    named: bool = True
    exact: bool = False
    trials: list[tuple[Trial, Result]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


def run(planted: Planted, seed: int, most: int = MOST) -> Run:
    """One search against one planted backend."""
    rng = Random(f"{planted.name} {seed}")
    plant = planted.make(rng)
    world = World(plant, Random(f"chance {planted.name} {seed}"))
    claims: list[Claim] = []
    trials: list[tuple[Trial, Result]] = []
    with watched(claims):
        verdict = _carried_out(plant, world, trials, most)
    if not verdict.reproduced:
        return Run(seed, verdict, plant, "not reproduced", trials=trials)
    exact = plant.exact is not None and plant.exact(verdict)
    if not verdict.proved:
        return Run(seed, verdict, plant, "unresolved", exact=exact, trials=trials)
    why = _wrong(plant, verdict, claims)
    named = verdict.verdict.startswith(plant.names) if plant.names else False
    return Run(seed, verdict, plant, "wrong" if why else "right", why, named, exact, trials, claims)


def _carried_out(plant: Plant, world: World, trials: list[tuple[Trial, Result]], most: int) -> Verdict:
    def play(trial: Trial) -> Result:
        result = world.play(trial)
        trials.append((trial, result))
        return result

    return carried_out(complete(plant.case, search(plant.case)), play, most)


def _wrong(plant: Plant, verdict: Verdict, claims: list[Claim]) -> str:
    """What is wrong with a proof; empty where nothing is."""
    if not plant.caused:
        return f"nothing that is said makes it fail, but {_law(verdict)}"
    claim = next((c for c in reversed(claims) if c.law is verdict.law), None)
    if claim is None:
        if not verdict.verdict.startswith(plant.names):
            return f"no law, and it is not {verdict.verdict}"
        cure = tuple(verdict.cure.split(" + ")) if verdict.cure else ()
        if cure and ends(plant, Trial("cure", cure)) is not Outcome.SURVIVED:
            return f"{verdict.cure} is no fix"
        return ""
    rng = Random(1)
    for fails, make in ((Outcome.FAILED, claim.failing), (Outcome.SURVIVED, claim.surviving)):
        if make is None:
            continue
        found = [(trial, ends(plant, trial)) for trial in (make(rng) for _ in range(HELD))]
        missed = [(trial, outcome) for trial, outcome in found if outcome is not fails]
        if len(missed) > (1 - RIGHT) * HELD:
            trial, outcome = missed[0]
            what = trial.edits[-1][1].payload[:80] if trial.edits else (trial.filters, trial.frames)
            return f"{_law(verdict)}: {len(missed)}/{HELD} of those that should be {fails.value}, as {what!r}"
    return ""


def _law(verdict: Verdict) -> str:
    return verdict.law.sentence[:160] if verdict.law is not None else verdict.verdict


@dataclass
class Line:
    """All runs of one planted backend."""

    planted: Planted
    runs: list[Run] = field(default_factory=list)

    def count(self, said: str) -> int:
        return sum(run.said == said for run in self.runs)

    def __str__(self) -> str:
        n = len(self.runs)
        exact = f"{sum(r.exact for r in self.runs)}/{n}" if any(r.plant.exact for r in self.runs) else ""
        trials = median(r.verdict.connections for r in self.runs)
        misnamed = sum(r.said == "right" and not r.named for r in self.runs)
        counts = [self.count(said) for said in SAID]
        words = f"{self.planted.family:11} {self.planted.name:24} " + " ".join(f"{c:6}" for c in counts)
        return f"{words} {misnamed:6} {exact:>7} {trials:7g}"


SAID = ("right", "wrong", "unresolved", "not reproduced")
HEAD = f"{'family':11} {'planted':24}  right  wrong  unres norepr misnam   exact  trials"


def table(
    seeds: int, chosen: Callable[[Planted], bool], tell: Callable[[str], None], first: int = 0, verbose: bool = False
) -> list[Line]:
    """Runs what is chosen, and tells it line by line."""
    lines = []
    tell(HEAD)
    for planted in TABLE:
        if not chosen(planted):
            continue
        line = Line(planted, [run(planted, seed) for seed in range(first, first + seeds)])
        lines.append(line)
        tell(str(line))
        for each in line.runs:
            if each.said == "wrong" or verbose:
                v = each.verdict
                why, how = each.why or _law(v), v.stopped or v.changed
                tell(f"    seed {each.seed}: {each.said}: {v.verdict}: {why} [{how}]")
    return lines


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="faults.seeded")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--family", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    began = perf_counter()

    def chosen(planted: Planted) -> bool:
        return options.only in planted.name and options.family in planted.family

    def tell(text: str) -> None:
        print(text, flush=True)

    lines = table(options.seeds, chosen, tell, options.first, options.verbose)
    for family in dict.fromkeys(line.planted.family for line in lines):
        runs = [run for line in lines if line.planted.family == family for run in line.runs]
        counts = {said: sum(r.said == said for r in runs) for said in SAID}
        tell(f"{family}: {len(runs)} runs, " + ", ".join(f"{n} {said}" for said, n in counts.items()))
    tell(f"{perf_counter() - began:.0f} s")
    return 1 if any(line.count("wrong") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
