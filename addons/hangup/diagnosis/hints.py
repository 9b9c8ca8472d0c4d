"""What to change, and where, on the stack that was recognised."""

from __future__ import annotations

from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.signs.idle_times import evident_silence
from hangup.diagnosis.stack import Stack
from hangup.humanize import duration

SILENCE = "{silence}"
"""Stands in a cause's file for the silence before the ends that the evidence speaks of."""


def hint(case: Case, verdict: str, stack: Stack) -> str:
    """A sentence or two on what to change; empty when there is nothing to say."""
    cause = causes.known().get(verdict)
    if cause is None:
        return ""
    server = "uvicorn" if stack.server in ("uvicorn", "hypercorn", "granian") else stack.server
    names = (server, stack.protocol, stack.proxy)
    text = cause.advice(names, heartbeat=case.once(last_is_a_heartbeat), by_client=case.closer == "client")
    if SILENCE in text:
        text = text.replace(SILENCE, duration(case.once(evident_silence)))
    return text


def last_is_a_heartbeat(case: Case) -> bool:
    """Whether the client's last message was a heartbeat, on most of the connections that ended so."""
    last = [life.last_message("client") for life in case.victims]
    return 2 * sum(message is not None and message.shape.beat is not None for message in last) > len(last)
