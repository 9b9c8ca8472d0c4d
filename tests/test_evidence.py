"""The sequential test: right as often as it says, with few trials where failures are steady."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.experiment.evidence import Counts, Outcome, claim, decide, fisher, most_trials, rate


def test_a_steady_failure_needs_two_trials_of_each_kind() -> None:
    control = Counts(failed=2)
    assert decide(Counts(failed=1), control) is None
    assert decide(Counts(failed=2), control) is Outcome.FAILED
    assert decide(Counts(survived=1), control) is None
    assert decide(Counts(survived=2), control) is Outcome.SURVIVED


def test_a_flickering_control_makes_survivals_weigh_little() -> None:
    control = Counts(failed=5, survived=5)
    assert 0.3 < rate(control) < 0.5
    assert decide(Counts(survived=4), control) is None
    assert decide(Counts(survived=12), control) is Outcome.SURVIVED


def test_outcomes_that_disagree_are_never_rounded() -> None:
    control = Counts(failed=4)
    arm = Counts(failed=3, survived=3)
    assert decide(arm, control) is not Outcome.SURVIVED
    assert most_trials(control) <= 10


@pytest.mark.parametrize("true_rate", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_errors_stay_within_what_is_promised(true_rate: float) -> None:
    wrong = undecided = 0
    for seed in range(400):
        random = Random(seed)
        control = Counts()
        while control.failed < 3 or control.n < 3:
            control.add(Outcome.FAILED if random.random() < true_rate else Outcome.SURVIVED)
        for sound in (True, False):
            arm = Counts()
            verdict = None
            while verdict is None and arm.n < most_trials(control):
                fails = random.random() < (0.0 if sound else true_rate)
                arm.add(Outcome.FAILED if fails else Outcome.SURVIVED)
                verdict = decide(arm, control)
            undecided += verdict is None
            wrong += verdict is (Outcome.FAILED if sound else Outcome.SURVIVED)
    assert wrong <= 0.04 * 800, f"{wrong} of 800"
    assert undecided <= 0.1 * 800


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fishers_test_is_a_probability_and_falls_with_the_evidence(a: int, b: int, c: int, d: int) -> None:
    p = fisher(Counts(a, b), Counts(c, d))
    assert 0 <= p <= 1
    assert fisher(Counts(a + 1, b), Counts(c, d + 1)) <= p + 1e-12 or not (a + b and c + d)


def test_fishers_test_against_known_values() -> None:
    assert fisher(Counts(5, 0), Counts(0, 5)) == pytest.approx(1 / 252)
    assert fisher(Counts(3, 1), Counts(1, 3)) == pytest.approx(17 / 70)
    assert claim(Counts(5, 0), Counts(0, 5)) == "failed 5 of 5 trials with the cause, 0 of 5 without it (p = 0.004)"
