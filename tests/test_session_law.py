"""A session of some seconds, which begins with the client's first message: on a simulated server; and what is none."""

from __future__ import annotations

import json
from random import Random

import pytest

import simulated
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Case


def client(rng: Random, first: float, lasts: float) -> Case:
    """Logs in some time after opening, and then says things all the time."""
    moments = [first, *sorted(first + lasts * rng.uniform(0.05, 0.97) for _ in range(9))]
    said = [json.dumps({"type": "login" if n == 0 else ("set", "get")[n % 2], "n": n}) for n in range(len(moments))]
    both = enumerate(zip(moments, said, strict=True))
    frames = [simulated.frame(2 * n + 1, text, round(at, 3)) for n, (at, text) in both]
    over = first + lasts
    return Case(frames, over, over - frames[-1].at, how="close", code=1008)


def found(case: Case, ends: simulated.Ends, seed: int) -> Verdict:
    return simulated.timed(search(case), case, ends, seed=seed)


@pytest.mark.parametrize("seed", range(6))
def test_it_ends_so_long_after_the_first_message(seed: int) -> None:
    rng = Random(seed)
    first, lasts = rng.uniform(0.1, 1.2), rng.uniform(1.5, 8.0)
    case = client(rng, first, lasts)
    verdict = found(case, lambda said: said[0][0] + lasts if said else None, seed)
    law = verdict.law
    assert law is not None and law.holds and verdict.proved, (law, verdict.standing)
    assert "have passed since the client's first message, whatever is sent after it" in law.sentence, law
    assert abs(float(law.sentence.split("when ")[1].split(" s ")[0]) - lasts) < 0.1 * lasts
    assert verdict.verdict == "unknown/"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["age", "message"])
def test_what_is_no_session(kind: str, seed: int) -> None:
    """An age from the opening on, and a message that takes its time."""
    rng = Random(f"{kind} {seed}")
    first, lasts = rng.uniform(0.1, 1.2), rng.uniform(1.5, 8.0)
    case = client(rng, first, lasts)

    def ends(said: simulated.Arrivals) -> float | None:
        if kind == "age":
            return first + lasts
        moments = [at for at, payload in said if b'"n": 9' in payload]
        wait = case.lifetime - case.frames[-1].at
        return moments[-1] + wait if moments else None

    verdict = found(case, ends, seed)
    assert verdict.law is None or "first message" not in verdict.law.sentence.partition(";")[0], verdict.law
