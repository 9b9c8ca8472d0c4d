"""What ``hangup why`` makes of the golden recordings: the bars, as ``python -m faults.confusion`` counts them."""

from __future__ import annotations

import pytest

from faults import confusion
from faults.confusion import GOLDEN, Judged, golden, score
from faults.table import FAULTS

pytestmark = pytest.mark.skipif(not any(GOLDEN.glob("a*.jsonl")), reason="there are no golden recordings")


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return golden(GOLDEN)


def test_every_fault_is_there(judged: list[Judged]) -> None:
    assert {j.fault for j in judged} == set(FAULTS)


def test_the_right_cause_is_found(judged: list[Judged]) -> None:
    counts = score(judged)
    assert counts["faults"] == 20 and counts["controls"] == 4
    assert counts["category first"] >= 19
    assert counts["category among three"] == 20
    assert counts["subcategory first"] >= 18
    assert counts["wrong and sure"] == 0
    assert counts["controls none/"] == 4


@pytest.mark.parametrize("how", ["thin", "jitter", "thin-jitter"])
def test_with_less_to_go_by(how: str) -> None:
    found = golden(GOLDEN, how)
    # Cut off before all clients were back, the one restart is a restart.
    cut = [j for j in found if j.fault == "healthy-one-restart" and "thin" in how]
    assert all(j.report.verdict == "process/restart" or j.right for j in cut)
    counts = score([j for j in found if j not in cut])
    assert counts["category first"] >= 17
    assert counts["wrong and sure"] == 0
    assert counts["controls none/"] == 4 - len(cut)


def test_closer_and_trigger(judged: list[Judged]) -> None:
    right = [
        j
        for j in judged
        if not j.control
        and j.report.closer == FAULTS[j.fault].closer
        and j.report.trigger.kind == FAULTS[j.fault].trigger
    ]
    assert len(right) >= 18, [
        (j.fault, j.report.closer, j.report.trigger.kind) for j in judged if not j.control and j not in right
    ]


def test_the_tables_can_be_printed(capsys: pytest.CaptureFixture[str], judged: list[Judged]) -> None:
    confusion.print_confusion(judged)
    confusion.print_categories(judged)
    confusion.print_reliability(judged)
    printed = capsys.readouterr().out
    assert all(fault in printed for fault in FAULTS)
    assert "mean said" in printed
