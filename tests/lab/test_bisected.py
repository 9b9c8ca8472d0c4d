"""`python -m lab.bisected` in short: real programs, bisected, and their fix put before their own client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import lab.faults  # noqa: F401  (fills the table)
from lab.bisected import Result, chosen, judged, table, usual_life
from lab.running import missing, preload
from lab.table import FAULTS, program


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "stack", "words"),
    [
        ("fragments-are-not-understood", "raw", "a message comes in more than one frame"),
        pytest.param(
            *("text-that-is-not-utf8", "websockets", "a text message that is not valid UTF-8"),
            marks=pytest.mark.experiment,
        ),
    ],
)
def test_a_program_is_bisected_and_its_client_stays_connected(fault: str, stack: str, words: str) -> None:
    one = program(FAULTS[fault], stack, 100_043)
    if why := missing(one):
        pytest.skip(why)
    preload()
    result = asyncio.run(judged(one, 120))
    assert result.proved and result.lawful and result.right, result.line()
    assert words in result.summary["law"]["sentence"]
    assert result.helps and result.returns and not result.refuted


def test_each_fault_once_before_one_comes_again() -> None:
    programs = list(chosen(40, 1, "", ""))
    assert len({one.fault.name for one in programs}) == 40
    assert {one.fault.name for one in chosen(99, 1, "", "", "client")} == {
        fault.name for fault in FAULTS.values() if fault.closer == "client"
    }


def test_what_is_counted() -> None:
    fault = FAULTS["over-the-servers-limit"]
    right = Result(program(fault, "ws", 1), "", _said(True, "message/oversize", 0.9), 12.0, True, True)
    wrong = Result(program(fault, "ws", 2), "", _said(True, "message/schema", 0.9), 30.0, False, True)
    open_ = Result(program(fault, "ws", 3), "", _said(False, "unknown/", None), 20.0)
    made = table([right, wrong, open_], replayed=True)
    counted = ("keep it away | 2 of 3 (67 %)", "client refutes | 1 of 2 (50 %)", "above 0.8 | 1 of 2 (50 %)")
    for line in (*counted, "| 20, 30 |"):
        assert line in made, made


def _said(proved: bool, verdict: str, confidence: float | None) -> dict[str, object]:
    law = {"sentence": "it ends", "predictions": [8, 8]} if proved else None
    return {
        "proved": proved, "verdict": verdict, "verdict_confidence": confidence, "law": law, "reproduced": True,
        "connections": 30,
    }


def test_how_long_a_connection_lives(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    events = [
        {"kind": "handshake", "at": 1.0, "conn": 1},
        {"kind": "end", "at": 1.5, "conn": 1},
        {"kind": "handshake", "at": 2.0, "conn": 2},
        {"kind": "end", "at": 4.25, "conn": 2},
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert usual_life(path) == 2.25
