"""What we say of a verdict in words of our own, outside of what was recorded."""

from __future__ import annotations

import re

from hangup.diagnosis import causes
from hangup.diagnosis.report import Report

_NAME = re.compile(r"(?:none|unknown|amplifier)/[a-z-]{0,40}")


def named(verdict: str) -> str:
    """A verdict, if it is one of ours: a file of a bisect may say anything."""
    return verdict if verdict in causes.known() or _NAME.fullmatch(verdict) else "a cause without a name"


def sureness(report: Report) -> str:
    """How sure it is, where a cause is named."""
    return "" if report.category == "unknown" else f", {report.confidence:.0%} sure"
