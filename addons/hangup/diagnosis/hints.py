"""What to change, and where, on the stack that was recognised."""

from __future__ import annotations

from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.stack import Stack
from hangup.humanize import duration

ANY = "any"
SILENCE = "{silence}"
"""Stands in a cause's file for the silence before the ends."""


def hint(case: Case, verdict: str, stack: Stack) -> str:
    """A sentence or two on what to change; empty when there is nothing to say."""
    cause = causes.known().get(verdict)
    if cause is None:
        return ""
    server = "uvicorn" if stack.server in ("uvicorn", "hypercorn", "granian") else stack.server
    text = next((cause.fix[name] for name in (server, stack.protocol, stack.proxy, ANY) if name in cause.fix), "")
    if SILENCE in text:
        idle = [min(pair) for pair in zip(case.since_frame("client"), case.since_frame("server"), strict=True)]
        text = text.replace(SILENCE, duration(middle(idle)))
    return text
