"""What a list of recordings says of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hangup.errors import HangupError
from hangup.processes.tshark import open_recording
from hangup.recording import loops
from hangup.recording.ledger import Ledger


def row(path: Path) -> dict[str, Any]:
    """What a list of recordings says of one."""
    found: dict[str, Any] = {"file": str(path), "size": path.stat().st_size}
    try:
        source = open_recording(path)
        ledger = Ledger()
        for event in source:
            ledger.feed(event)
    except HangupError as error:
        return found | {"error": str(error).removeprefix(f"{path} ")}
    header = source.header
    return found | {
        "started": header.started,
        "target": header.target,
        "connections": len(ledger.connections),
        "loops": len(loops.find(ledger.connections.values(), now=ledger.last_at)),
        "error": None,
    }
