"""The fit: it learns from examples which signs matter, and what it made holds on what it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layouts
from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.findings import UNKNOWN, Hypothesis
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.ranking import Ranking
from hangup.diagnosis.weights import Weights, calibrated, fitted
from hangup.recording.traffic_ledger import look_into
from lab import laid_out
from lab.calibration import Answer, calibration
from lab.fit import WAYS, Example, fit, held_out, merged, parted
from lab.judged import Judged, calibration_error

FRESH = range(9_000, 9_040)


def example(cause: str, **signs: dict[str, float]) -> Example:
    found = [Hypothesis(name.replace("__", "/").replace("_", "-")) for name in signs]
    for hypothesis, seen in zip(found, signs.values(), strict=True):
        for sign, strength in seen.items():
            hypothesis.says(sign, strength, "")
    return Example(None, {"cause": cause}, [*found, Hypothesis(UNKNOWN)])


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


def test_what_says_the_same_counts_as_often_as_it_is_said() -> None:
    pytest.importorskip("scipy")
    told = example("message/schema", message__schema={"said": 1.0}, process__crash={})
    other = example("process/crash", message__schema={"said": 1.0}, process__crash={})
    one = merged([told, other, told, told])
    assert [each.weight for each in one] == [3.0, 1.0]
    assert merged([told, told._replace(real=False)]) == [told, told._replace(real=False)]
    assert fit(one).signs["said"] == pytest.approx(fit([told, told, told, other]).signs["said"], abs=0.1)


def answers(belief: float, right: int, wrong: int, said: str = "message/schema") -> list[Answer]:
    label = {"cause": "message/schema"}
    other = said if said.startswith("unknown") else "message/encoding"
    found = [Answer(Judged(label, [said], belief), belief)] * right
    return found + [Answer(Judged(label, [other], belief), belief)] * wrong


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_to(**given: Any) -> None:
        monkeypatch.setattr("hangup.diagnosis.weights.fitted", lambda: Weights(**given))

    return set_to


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_one_is_as_sure_as_such_answers_are_right(share: float, weighed: Callable[..., None]) -> None:
    pytest.importorskip("scipy")
    right = [(belief, round(2000 * min(0.99, belief * share + (1 - share)))) for belief in (0.4, 0.55, 0.7, 0.9)]
    given = [each for belief, count in right for each in answers(belief, count, 2000 - count)]
    weighed(calibration=calibration(given))
    assert [calibrated(belief) for belief, _ in right] == pytest.approx([n / 2000 for _, n in right], abs=0.06)
    judged = [each.judged._replace(confidence=calibrated(each.belief)) for each in given]
    assert calibration_error(judged, lambda each: each.right) < 0.05
    assert calibrated(0.0) < calibrated(0.5) < calibrated(1.0) < 1.0


def test_answers_that_name_nothing_say_nothing_of_how_sure_one_may_be() -> None:
    pytest.importorskip("scipy")
    told = answers(0.6, 90, 10)
    assert calibration([*told, *answers(0.6, 0, 500, "unknown/")]) == calibration(told)


def test_the_calibration_error_is_the_mean_distance_of_what_is_said_from_what_is_right() -> None:
    said = [each.judged for each in [*answers(0.65, 9, 1), *answers(0.95, 20, 10)]]
    assert calibration_error(said, lambda each: each.right) == pytest.approx((10 * 0.25 + 30 * (0.95 - 2 / 3)) / 40)
    assert calibration_error(said, Judged.category) == pytest.approx((10 * 0.35 + 30 * 0.05) / 40)


def test_what_is_named_and_what_is_left_share_the_belief(weighed: Callable[..., None]) -> None:
    found = [Hypothesis("process/crash"), Hypothesis("message/schema"), Hypothesis(UNKNOWN)]
    bias = {"process/crash": 1.0, "message/schema": 0.0, UNKNOWN: -1.0}
    weighed(bias=bias)
    plain = Ranking(found)
    weighed(bias=bias, calibration=(1.0, 1.0))
    surer = Ranking(found)
    assert plain.names() == surer.names() == ("process/crash", ()) and plain.belief == surer.belief
    assert plain.sure == round(plain.belief, 3) < surer.sure
    assert sum(surer.shares) == pytest.approx(1.0, abs=0.001) and surer.shares[0] == pytest.approx(surer.sure)
    assert surer.shares[1] / surer.shares[2] == pytest.approx(plain.shares[1] / plain.shares[2])


def test_what_is_held_out_has_no_part_in_the_fit_nor_in_the_calibration(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    given = [example("message/schema", message__schema={"said": 1.0}, process__crash={})] * 4
    for number in range(12):
        label = {"cause": "process/crash", "program": f"p{number}", "stack": f"s{number % 2}"}
        found = example("process/crash", message__schema={"said": 1.0}, process__crash={}).found
        given.append(Example(tmp_path, label, found))
    for seen, unseen in parted(given, "stack", 9):
        assert {each.label["stack"] for each in unseen}.isdisjoint(
            each.label["stack"] for each in seen if each.folder is not None
        )
        assert len(seen) + len(unseen) == len(given)
    # The label that each of them has alone could only be known from itself.
    told = held_out(given, "program", 4)
    assert sorted(each.label["program"] for each in told) == sorted(f"p{n}" for n in range(12))
    alone = held_out([each for each in given if each.label.get("program") in (None, "p0")], "program", 4)
    assert [each.said[0] for each in alone] != ["process/crash"]


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
