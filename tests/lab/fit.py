"""Fits what each sign weighs, and says how good the result is on what it has not seen.

``cd tests && uv run --group fit python -m lab.fit --from DIR`` writes ``addons/hangup/diagnosis/weights.json``;
``--table`` prints, instead, how good ``hangup why`` is on programs, faults and stacks that took no part in the fit. DIR
is what ``python -m lab.record`` has recorded.

The model is a conditional logit: of the hypotheses about a recording, and the unknown, each has a score, its bias and
its signs' strengths times their factors, and a share in proportion to the exponential of that. The factors maximise
the shares of what is right, are never negative (but the unknown's, which is no hypothesis about signs), and are drawn
to the mean of their sign, so that what was learned of one cause helps another that shares the sign.

How sure one may be is fitted as well (:mod:`lab.calibration`), on programs that were held out of the fit for that, and
in a table always within what is fitted on: what is judged has no part in either.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.confusion import GOLDEN, thinned  # noqa: E402
from faults.table import FAULTS  # noqa: E402
from hangup.diagnosis import weights  # noqa: E402
from hangup.diagnosis.case import Case  # noqa: E402
from hangup.diagnosis.findings import UNKNOWN, Hypothesis  # noqa: E402
from hangup.diagnosis.hypotheses import hypotheses  # noqa: E402
from hangup.diagnosis.ranking import Ranking  # noqa: E402
from hangup.errors import HangupError  # noqa: E402
from hangup.recording.events import Event, Header  # noqa: E402
from hangup.recording.reader import read  # noqa: E402
from hangup.recording.traffic_ledger import look_into  # noqa: E402
from lab.calibration import Answer, calibration  # noqa: E402
from lab.judged import Judged, table  # noqa: E402
from lab.laid_out import everything  # noqa: E402
from layouts import header  # noqa: E402

WRITTEN = Path(weights.__file__).with_name("weights.json")

TO_MEAN = 1.0
"""How strongly a cause's factor is drawn to its sign's mean."""

TO_START = 0.3
"""How strongly a sign's mean is drawn to where it starts."""

WAYS = ("way-of-ending:", "kind-of-close-code:")
"""How the unknown's signs begin that say only in which way it ended: they speak for nothing by themselves."""

TO_NOTHING = 0.3
"""How strongly biases are drawn to none."""


EVENLY = 0.2
"""How much of a recording's weight asks that all names that are right of it are likely, and not only one of them."""

INNER = 3
"""In so many parts the programs are held out to calibrate."""

LAID_OUT = 0.06
"""What a recording counts for that no program made, or that is only a part of one."""


class Example(NamedTuple):
    """A recording's hypotheses, each with its signs, and what is right. ``folder`` is empty for one that is not of the
    lab, ``real`` is whether a program made the whole of it."""

    folder: Path | None
    label: dict[str, Any]
    found: list[Hypothesis]
    weight: float = 1.0
    real: bool = True

    @property
    def right(self) -> list[bool]:
        """Which of the hypotheses are."""
        names = [self.label["cause"], *self.label.get("alternatives", [])]
        exact = [each.verdict in names for each in self.found]
        if self.folder is not None and self.label.get("open_set") or not any(exact):
            return [each.verdict == UNKNOWN for each in self.found]
        return exact


def looked_at(header: Header, events: Iterable[Event], label: dict[str, Any], most: int | None) -> Example | None:
    """What the rules make of these, or of the first so many connections; None if nothing failed on those yet."""
    case = Case(look_into(header, events if most is None else thinned(events, most)))
    if most is not None and not case.victims:
        return None
    return Example(None, label, hypotheses(case), real=most is None)


def examples(folder: Path) -> Iterator[Example]:
    """All of the lab, whole and thinned to a connection or two (for what is right is right of fewer, too)."""
    for path in sorted(folder.glob("*/label.json")):
        label = json.loads(path.read_text("utf-8"))
        for most in (None, 1, 2, 3):
            try:
                recording = read(path.with_name("recording.jsonl"))
                found = looked_at(recording.header, recording, label, most)
            except HangupError as error:
                print(f"{path.parent.name}: {error}", file=sys.stderr)
                break
            if found is not None:
                yield found._replace(folder=path.parent, weight=1.0 if most is None else LAID_OUT)


def laid_out_by_hand() -> Iterator[Example]:
    """See :mod:`lab.laid_out`; whole, and a connection or two of each."""
    for events, label in everything():
        told = header()
        told.lacks = label.get("lacks", [])
        for most in (None, 1, 2, 3):
            if (found := looked_at(told, events, label, most)) is not None:
                yield found._replace(weight=LAID_OUT * label.get("times", 1) * (2 if most is None else 1), real=False)


def golden() -> Iterator[Example]:
    """The recordings of the fault set."""
    for fault in FAULTS.values():
        path = GOLDEN / f"{fault.name}.jsonl"
        if path.exists():
            recording = read(path)
            label = {"cause": fault.verdict, "alternatives": list(fault.also)}
            for most in (None, 3):
                if (found := looked_at(recording.header, recording, label, most)) is not None:
                    yield found


def merged(given: Iterable[Example]) -> list[Example]:
    """Those that say the same as one: what they count for is added up."""
    found: dict[object, Example] = {}
    for each in given:
        key = tuple((h.verdict, frozenset(h.signs.items())) for h in each.found), tuple(each.right), each.real
        known = found.get(key)
        found[key] = each if known is None else known._replace(weight=known.weight + each.weight)
    return list(found.values())


def fit(given: Sequence[Example]) -> weights.Weights:
    """The weights that fit these best."""
    import numpy as np
    from scipy.optimize import minimize, minimize_scalar
    from scipy.sparse import csr_matrix

    columns: dict[tuple[str, str], int] = {}
    rows, cols, values, right, of = [], [], [], [], []
    row = 0
    for number, each in enumerate(given):
        for hypothesis, good in zip(each.found, each.right, strict=True):
            for sign, strength in [("", 1.0), *hypothesis.signs.items()]:
                rows.append(row)
                cols.append(columns.setdefault((hypothesis.verdict, sign), len(columns)))
                values.append(strength)
            right.append(good)
            of.append(number)
            row += 1
    count = len(columns)
    matrix = csr_matrix((values, (rows, cols)), shape=(row, count))
    of_, right_ = np.array(of), np.array(right)
    starts = np.searchsorted(of_, np.arange(len(given)))
    scale = np.array([each.weight for each in given])
    evenly = right_ / np.add.reduceat(right_.astype(float), starts)[of_]
    names = sorted({sign for _, sign in columns if sign})
    place = {sign: n for n, sign in enumerate(names)}
    kind = np.array([place.get(sign, -1) if verdict != UNKNOWN else -2 for verdict, sign in columns])
    shared = kind >= 0
    free_to_be = [verdict == UNKNOWN and (not sign or sign.startswith(WAYS)) for verdict, sign in columns]
    bounds = [
        (None, None) if free or not sign else (0.0, 6.0) for free, (_, sign) in zip(free_to_be, columns, strict=True)
    ]
    bounds += [(0.0, 6.0)] * len(names)

    def loss(x: Any) -> tuple[float, Any]:
        theta, means = x[:count], x[count:]
        scores = matrix @ theta
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[of_])
        share = odds / np.add.reduceat(odds, starts)[of_]
        good = np.maximum(np.add.reduceat(share * right_, starts), 1e-12)
        # Of several names that are right, none is to starve: a part of what is wanted is shared out evenly.
        wanted = (1 - EVENLY) * np.where(right_, share / good[of_], 0.0) + EVENLY * evenly
        value = -(scale * (1 - EVENLY) * np.log(good)).sum()
        value -= EVENLY * (scale[of_] * evenly * np.log(np.maximum(share, 1e-12))).sum()
        slope = matrix.T @ (scale[of_] * (share - wanted))
        away = np.where(shared, theta - means[np.maximum(kind, 0)], 0.0)
        free = np.where(shared, 0.0, theta)
        value += TO_MEAN * (away**2).sum() + TO_NOTHING * (free**2).sum()
        value += TO_START * ((means - weights.START) ** 2).sum()
        pull = np.zeros_like(means)
        np.add.at(pull, kind[shared], away[shared])
        slope = slope + 2 * TO_MEAN * away + 2 * TO_NOTHING * free
        return value, np.concatenate([slope, 2 * TO_START * (means - weights.START) - 2 * TO_MEAN * pull])

    start = np.concatenate([np.where(shared, weights.START, 0.0), np.full(len(names), weights.START)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 400}).x
    result = weights.Weights(signs={name: round(float(found[count + n]), 3) for name, n in place.items()})
    for (verdict, sign), n in columns.items():
        value = round(float(found[n]), 3)
        if sign:
            result.causes.setdefault(verdict, {})[sign] = value
        else:
            result.bias[verdict] = value
    # How common the unknown is, is for the recordings of real programs to say, not for what was laid out.
    real = np.array([each.real for each in given])
    unknowns = np.zeros(row)
    for (verdict, sign), n in columns.items():
        if (verdict, sign) == (UNKNOWN, ""):
            unknowns = np.asarray(matrix[:, n].todense()).ravel()

    def lost(shift: float) -> float:
        scores = matrix @ found[:count] + shift * unknowns
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[of_])
        share = odds / np.add.reduceat(odds, starts)[of_]
        good = np.add.reduceat(share * right_, starts)
        return float(-np.log(np.maximum(good, 1e-12))[real].sum())

    result.bias[UNKNOWN] += round(float(minimize_scalar(lost, bounds=(-2.0, 2.0), method="bounded").x), 3)
    return result


def use(found: weights.Weights) -> None:
    """Has ``hangup why`` weigh by these."""
    weights.fitted = lambda: found  # type: ignore[assignment]


def said(given: Iterable[Example]) -> Iterator[Answer]:
    """What is said of each whole recording of a program, by the weights that are in use."""
    for each in given:
        if each.folder and each.real:
            ranking = Ranking(each.found)
            names = [ranking.names()[0], *(other.verdict for other in ranking.alternatives())]
            yield Answer(Judged(each.label, names, ranking.sure), ranking.belief)


def parted(given: Sequence[Example], by: str, folds: int) -> Iterator[tuple[list[Example], list[Example]]]:
    """What to fit on, and the recordings that take no part in that: each group, by a key of the labels, once."""
    groups = sorted({each.label[by] for each in given if each.folder})
    random.Random(1).shuffle(groups)
    for fold in range(min(folds, len(groups))):
        out = set(groups[fold::folds])
        yield (
            [each for each in given if not each.folder or each.label[by] not in out],
            [each for each in given if each.folder and each.label[by] in out],
        )


def confidence(given: Sequence[Example]) -> tuple[float, float]:
    """How sure one may be: from what weights say of programs that took no part in their fit. Other weights are in use
    afterwards."""
    answers: list[Answer] = []
    for seen, unseen in parted(given, "program", INNER):
        use(fit(seen))
        answers += said(unseen)
    return calibration(answers)


def calibrated(given: Sequence[Example]) -> weights.Weights:
    """The weights that fit these best, and how sure one may be by them."""
    found = fit(given)
    found.calibration = confidence(given)
    return found


def held_out(given: Sequence[Example], by: str, folds: int) -> list[Judged]:
    """What is said of each recording by weights and a calibration in which no recording of its group took part."""
    splits = list(parted(given, by, folds))
    # Forked, a process has what is given in its memory already; where nothing can be forked (Windows) it is sent over.
    way = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context(way), _given, (splits,)) as pool:
        return [judged for found in pool.map(_fold, range(len(splits))) for judged in found]


_SPLITS: list[tuple[list[Example], list[Example]]] = []


def _given(splits: list[tuple[list[Example], list[Example]]]) -> None:
    _SPLITS[:] = splits


def _fold(number: int) -> list[Judged]:
    seen, unseen = _SPLITS[number]
    use(calibrated(seen))
    return [answer.judged for answer in said(unseen)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.fit", description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="where lab.record has put them")
    parser.add_argument("--table", action="store_true", help="judge by what was not seen, and write nothing")
    parser.add_argument("--calibrate", action="store_true", help="keep the weights, fit only how sure one may be")
    given = parser.parse_args()
    known = [*examples(given.folder), *merged([*golden(), *laid_out_by_hand()])]
    if not given.table:
        found = weights.fitted() if given.calibrate else calibrated(known)
        if given.calibrate:
            found.calibration = confidence(known)
        count = sum(each.real and each.folder is not None for each in known)
        print(f"calibration {found.calibration}, from {count} recordings")
        text = json.dumps(json.loads(weights.encoded(found)), indent=1, sort_keys=True)
        WRITTEN.write_text(text + "\n", "utf-8")
        return
    for title, by, folds in (
        ("no recording of the program took part in the fit", "program", 10),
        ("no recording of the fault, on any stack, took part in the fit", "fault", 10),
        ("no recording of the stack took part in the fit", "stack", 99),
    ):
        print(f"\n### Held out: {title}\n")
        print("\n".join(table(held_out(known, by, folds))), flush=True)


if __name__ == "__main__":
    main()
