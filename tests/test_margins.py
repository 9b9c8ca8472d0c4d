"""How long a trial must stay open to have survived, on made-up failures that come now sooner, now later."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from hangup.experiment.failure import Failure
from hangup.experiment.margins import ADDED, Margins, bound, least, wide

Draw = Callable[[Random], float]

JITTERY: dict[str, Draw] = {
    "steady": lambda rng: rng.gauss(1, 0.001),
    "5 % spread": lambda rng: rng.gauss(1, 0.05),
    "10 % spread": lambda rng: rng.gauss(1, 0.1),
    "25 % spread": lambda rng: abs(rng.gauss(1, 0.25)),
    "half to one and a half": lambda rng: rng.uniform(0.5, 1.5),
    "anything up to it": lambda rng: rng.random(),
    "log-normal": lambda rng: rng.lognormvariate(0, 0.3),
    "at random": lambda rng: rng.expovariate(1),
    "looked at now and then": lambda rng: 1 + rng.uniform(0, 0.2),
}


@pytest.mark.parametrize("name", JITTERY)
@pytest.mark.parametrize("usual", [0.05, 2.0, 60.0])
def test_hardly_any_failure_is_taken_for_a_survival(name: str, usual: float) -> None:
    """Less than 1 % of them, from three that were seen on; and far less as more are seen."""
    rng = Random(f"{name} {usual}")
    for seen in (3, 4, 6, 10):
        missed = 0
        for _ in range(3000):
            margins = Margins(Failure("server"), usual * JITTERY[name](rng))
            for _ in range(seen):
                margins.add(usual * JITTERY[name](rng))
            missed += usual * JITTERY[name](rng) > margins.survived
        assert missed < 30, f"{missed} of 3000 after {seen}"


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_minute_needs_a_few_seconds_more(seed: int) -> None:
    rng = Random(seed)
    margins = Margins(Failure("server", within=90.5, ages=(60.0, 60.02)), 60.0)
    assert margins.survived == margins.unchanged == wide(60.02), "nothing is known yet of its spread"
    for most in (None, None, 75, 69, 66, 65):
        margins.add(rng.gauss(60.0, 0.02))
        assert most is None or 61.5 < margins.survived < most
    assert margins.unchanged > 90, "what comes late now and then must show in the controls"


def test_the_spread_of_what_is_seen_widens_it() -> None:
    margins = Margins(Failure("server", within=9.5, ages=(6.0, 6.0)), 6.0)
    for each in (6.0, 6.1, 6.0):
        margins.add(each)
    before = margins.survived
    margins.add(8.8)
    assert margins.survived > max(8.8 + 1, before + 2)
    assert margins.failure.within is not None and margins.failure.within >= margins.survived


def test_a_machines_own_delays_are_allowed_for() -> None:
    assert bound([0.01, 0.01, 0.012]) >= 0.01 + ADDED
    assert bound([60.0] * 50) >= 60 + least(60)


def test_what_a_person_has_said_stays() -> None:
    margins = Margins(Failure("server", within=2.0), 1.0)
    for _ in range(9):
        margins.add(1.0)
    assert margins.survived == margins.unchanged == 2.25 and margins.failure.within == 2.0
    margins = Margins(Failure("server", within=2.0, ages=(1.0, 1.0)), 1.0, survive=0.2)
    margins.add(1.4)
    assert margins.survived == pytest.approx(1.6)
