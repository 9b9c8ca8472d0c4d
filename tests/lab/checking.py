"""Whether a recording shows what its program was meant to show. Reads the lines by itself, without hangup's own
account."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.table import Expected


@dataclass
class Seen:
    """One connection of a recording. ``closer`` is whose CLOSE, FIN or RST came first; ``code`` 0 when no CLOSE came
    first."""

    conn: int
    status: int = 0
    closer: str = ""
    code: int = 0
    how: str = ""
    frames: int = 0


class Watch:
    """Follows a recording while it is written."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self.seen: dict[int, Seen] = {}
        self.torn = b""

    def read(self) -> None:
        """Takes in the lines that were added."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.at)
            data = file.read()
        self.at += len(data)
        *lines, self.torn = (self.torn + data).split(b"\n")
        for line in lines:
            if line.startswith(b'{"kind":'):
                self.line(json.loads(line))

    def line(self, event: dict[str, Any]) -> None:
        if "conn" not in event:
            return
        this = self.seen.setdefault(event["conn"], Seen(event["conn"]))
        match event["kind"]:
            case "handshake":
                this.status = (event.get("response") or {}).get("status", 0)
                if this.status != 101 and event.get("side"):
                    this.closer = event["side"]
            case "frame":
                this.frames += 1
                if event.get("opcode") == "close" and not this.closer:
                    data = base64.b64decode(event["base64"]) if "base64" in event else event.get("text", "").encode()
                    code = int.from_bytes(data[:2], "big") if len(data) > 1 else 1005
                    this.closer, this.code, this.how = event["side"], code, "close"
            case "end" if not event.get("by"):
                if not this.closer:
                    this.closer, this.how = event["side"], event["how"]

    @property
    def ended(self) -> list[Seen]:
        """Connections that are over, or were never opened."""
        return [one for one in self.seen.values() if one.closer in ("client", "server") or one.status not in (0, 101)]


def problems(expected: Expected, watch: Watch) -> list[str]:
    """In what the recording is unlike what was planned; nothing when it may be labelled."""
    ended = watch.ended
    opened = [one for one in watch.seen.values() if one.status == 101]
    account = (
        ", ".join(sorted({f"{one.closer} {one.how} {one.code or ''}{one.status}" for one in ended})) or "none ended"
    )
    if expected.most is not None:
        if len(opened) < 1:
            return ["never opened"]
        return [f"{len(ended)} ended: {account}"] if len(ended) > expected.most else []
    if expected.unanswered:
        fitting = [one for one in watch.seen.values() if one.status == 0]
    elif expected.statuses:
        fitting = [one for one in ended if one.status in expected.statuses]
    else:
        fitting = [
            one
            for one in ended
            if one.status == 101
            and one.closer == expected.closer
            and (not expected.codes or one.code in expected.codes)
        ]
    if len(fitting) < expected.least:
        return [f"{len(fitting)} of {len(watch.seen)} ended as planned, not {expected.least}: {account}"]
    return []


__all__ = ["Seen", "Watch", "problems"]
