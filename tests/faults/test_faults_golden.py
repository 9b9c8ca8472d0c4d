"""The golden recordings are there, small, readable, and end as the table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.record import GOLDEN_LIMIT
from faults.table import FAULTS
from hangup.recording import reader
from hangup.recording.connections import Connection
from hangup.recording.ledger import Ledger

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


def connections(name: str) -> list[Connection]:
    ledger = Ledger()
    for event in reader.read(RECORDINGS / f"{name}.jsonl"):
        ledger.feed(event)
    assert ledger.stopped and not ledger.lost
    return list(ledger.connections.values())


def test_one_for_each_fault() -> None:
    assert {path.stem for path in RECORDINGS.glob("[a-z]*.jsonl")} >= set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_small_and_without_a_trace_of_this_machine(name: str) -> None:
    data = (RECORDINGS / f"{name}.jsonl").read_bytes()
    assert len(data) <= GOLDEN_LIMIT
    assert b"eyJ" not in data, "a token that was not redacted"
    assert str(Path.home()).encode() not in data


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.control])
def test_faults_end_as_the_table_says(name: str) -> None:
    fault = FAULTS[name]
    backend = next(iter(fault.backends.values()))
    ended = [c for c in connections(name) if c.ending.by != "proxy" and c.ending.how != "none" or c.refused]
    assert len(ended) >= min(3, fault.connections)
    for connection in ended:
        ending = connection.ending
        assert ending.by == fault.closer, ending.sentence
        how, _, number = backend.ends.partition(" ")
        if how == "refused":
            assert connection.status == int(number)
        elif how == "fin":  # a kernel makes a RST of it when the client had just sent something
            assert ending.how in ("fin", "rst")
        elif how:
            assert ending.how == how
            assert not number or ending.code == int(number)
        if how != "refused":
            low, high = fault.lifetime
            assert connection.lifetime is not None
            assert low - 0.1 <= connection.lifetime <= high + 0.5


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.control])
def test_controls_live(name: str) -> None:
    live = [c for c in connections(name) if c.ending.by == "proxy" or c.ending.how == "none" and not c.refused]
    assert live
    assert max(c.last_seen - (c.opened or 0.0) for c in live) > 2.0
