"""The fit: it learns from examples which signs matter, and what it made holds on what it has not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

import layouts
from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.findings import UNKNOWN
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.weights import fitted
from hangup.recording.traffic_ledger import look_into
from lab import laid_out
from lab.fit import WAYS, Example, fit

FRESH = range(9_000, 9_040)


def example(cause: str, **signs: dict[str, float]) -> Example:
    found = [(name.replace("__", "/").replace("_", "-"), each) for name, each in signs.items()]
    return Example(None, {"cause": cause}, [*found, (UNKNOWN, {})], 1.0)


def test_a_sign_that_tells_weighs_and_one_that_does_not_does_not() -> None:
    pytest.importorskip("scipy")
    told = {"tells": 1.0, "always": 1.0}
    known = [example("message/schema", message__schema=told, process__crash={"always": 1.0}) for _ in range(20)]
    known += [example("process/crash", message__schema={"always": 1.0}, process__crash=told) for _ in range(20)]
    found = fit(known)
    assert found.causes["message/schema"]["tells"] > 2 * found.causes["message/schema"]["always"]
    assert all(factor >= 0 for signs in found.causes.values() for factor in signs.values())


def test_what_a_rare_cause_lacks_it_takes_from_those_that_share_the_sign() -> None:
    pytest.importorskip("scipy")
    known = [example("message/schema", message__schema={"said": 1.0}, process__crash={}) for _ in range(40)]
    known += [example("process/crash", message__schema={}, process__crash={}) for _ in range(20)]
    known += [example("message/oversize", message__oversize={"said": 1.0}, process__crash={})]
    found = fit(known)
    assert found.causes["message/oversize"]["said"] > 1.0


def test_the_committed_weights_are_of_the_vocabulary_and_never_negative() -> None:
    found = fitted()
    assert set(found.bias) <= {*causes.known(), UNKNOWN} and set(found.causes) <= set(found.bias)
    for cause, signs in found.causes.items():
        for sign, factor in signs.items():
            assert factor >= 0 or (cause == UNKNOWN and sign.startswith(WAYS)), (cause, sign)


def test_every_sign_of_every_layout_has_been_weighed() -> None:
    """Whoever adds a sign fits anew."""
    found = fitted()
    for name in layouts.LAYOUTS:
        for hypothesis in hypotheses(Case(look_into(layouts.header(), layouts.build(name)))):
            assert set(hypothesis.signs) <= set(found.causes[hypothesis.verdict]), (name, hypothesis.verdict)


def test_ends_without_a_cause_are_seldom_given_one() -> None:
    said = [diagnose(layouts.header(), laid_out.at_random(seed)) for seed in FRESH]
    blamed = [report for report in said if report.category not in ("unknown", "none")]
    sure = [(report.verdict, report.confidence) for report in blamed if report.confidence > 0.8]
    named = [report for report in blamed if report.confidence > 0.5]
    assert len(sure) <= 2 and len(named) <= 10, (sure, len(named))


def test_words_are_believed() -> None:
    right = wrong = 0
    for make, phrases in ((laid_out.said, laid_out.SAID), (laid_out.logged, laid_out.LOGGED)):
        for phrase, cause in phrases.items():
            report = diagnose(layouts.header(), make(phrase, 9_001))
            right += cause in (report.verdict, *report.also)
            wrong += report.category not in (cause.partition("/")[0], "unknown") and report.confidence > 0.8
    assert right >= 0.75 * (len(laid_out.SAID) + len(laid_out.LOGGED)) and wrong <= 2, (right, wrong)


def test_the_weights_travel_with_the_package() -> None:
    assert (Path(layouts.__file__).parents[1] / "addons" / "hangup" / "diagnosis" / "weights.json").is_file()
