"""Of the recording of a load test: which cause began at which load."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from hangup.cli.screen import safe
from hangup.diagnosis.diagnose import report
from hangup.humanize import duration
from hangup.load import summary
from hangup.load.onset import Slowing
from hangup.load.summary import Failing, begins, slowing_line
from hangup.recording.formats import Recording
from hangup.recording.traffic_ledger import TrafficLedger


class CauseUnderLoad(Struct):
    """A failure of a load test, and what most probably causes it; an empty ``verdict`` where none was recorded."""

    failing: Failing
    verdict: str = ""
    confidence: float = 0.0


class UnderLoad(Struct):
    """What a load test found. ``connected`` is how many clients were connected at most."""

    connected: int
    causes: list[CauseUnderLoad]
    slowing: Slowing | None = None

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def under_load(recording: Recording, ledger: TrafficLedger) -> UnderLoad | None:
    """What stands beside a recording of a load test; None for another recording."""
    if recording.path is None or recording.header.mode != "load":
        return None
    found = summary.read(summary.beside(recording.path))
    if found is None:
        return None
    causes = []
    for each in found.failures:
        conn = next((conn for _, conn in each.examples if conn in ledger.connections), None)
        if conn is None:
            causes.append(CauseUnderLoad(each))
            continue
        alone = report(ledger, conn)
        causes.append(CauseUnderLoad(each, alone.verdict, alone.confidence))
    return UnderLoad(found.connected, causes, found.slowing)


def show(screen: Console, found: UnderLoad) -> None:
    """Prints it."""
    screen.print(Text("under load", "bold") + Text(f"  {found.connected:,} clients were connected at most", "dim"))
    for each in found.causes:
        failing = each.failing
        lag = f" (median: {duration(failing.lag / 1000)})" if failing.lag is not None else ""
        named = each.verdict and not each.verdict.startswith("unknown/")
        line = safe(f"{failing.count:,} × {failing.key}{lag}")
        if named:
            line.append_text(Text.assemble("  ", safe(each.verdict, "bold red"), f"  {each.confidence:.0%} sure"))
        screen.print(Padding(line, (0, 0, 0, 2), expand=False))
        told = begins(failing.onset) if failing.onset is not None else "does not depend on how many are connected"
        screen.print(Padding(safe(told, "dim"), (0, 0, 0, 4), expand=False))
    if found.slowing is not None:
        screen.print(Padding(safe(slowing_line(found.slowing)), (0, 0, 0, 2), expand=False))
    screen.print()
