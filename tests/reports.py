"""Reports for tests: made of events or by the command, and read again without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hangup.cli import cli
from hangup.diagnosis.diagnose import report
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Explanation, sum_up
from hangup.recording.events import AnyEvent, Header
from hangup.recording.traffic_ledger import look_into

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)


def explained(events: Iterable[AnyEvent], header: Header, proof: Proof | None = None) -> Explanation:
    """What is said of these events."""
    ledger = look_into(header, events)
    found = report(ledger, recording="run.jsonl")
    return Explanation(found, sum_up(found, header, ledger.connections, ledger.last_at, proof), proof)


def convert(source: Path, target: Path, *options: str) -> Result:
    """``hangup convert``."""
    return CliRunner().invoke(cli, ["convert", str(source), str(target), *options], catch_exceptions=False)


def converted(source: Path, target: Path, *options: str) -> str:
    """The report of a recording, as text."""
    assert convert(source, target, *options).exit_code == 0
    return target.read_text(encoding="utf-8")


def data_of(text: str) -> Any:
    """What is embedded in a report."""
    (found,) = DATA.findall(text)
    return json.loads(found)
