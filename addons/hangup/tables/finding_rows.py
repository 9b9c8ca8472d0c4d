"""Rows of what ``hangup why`` says of recordings, one each."""

from __future__ import annotations

from hangup.errors import RecordingError
from hangup.fleet.analysis import Analysis, analyse
from hangup.fleet.subjects import Subject
from hangup.recording.redaction.redactor import Redactor
from hangup.tables.connection_rows import Add, Clock


def add_finding(add: Add, subject: Subject, head: tuple[str, str, str], redactor: Redactor | None) -> None:
    """Adds a recording's row to ``findings``; the ``redactor`` has met all of its secrets. Raises
    :class:`~hangup.errors.RecordingError` where it has none."""
    found = analyse(subject, redactor=redactor)
    if found.error:
        raise RecordingError(found.error)
    add_analysis(add, found, head)


def add_analysis(add: Add, found: Analysis, head: tuple[str, str, str]) -> None:
    """Adds the row that says this."""
    clock = Clock(found.started)
    add("findings", (
        *head, found.verdict, found.category, found.confidence, found.proved, found.law or None, found.sentence,
        found.closer, found.path or None, found.release or None, found.mode or None, found.code, found.trigger,
        found.conn, found.frame, found.connections, found.dropped, found.first, found.last, clock(found.first),
        clock(found.last), found.loop or None, found.fix or None, list(found.also), found.evidence,
    ))  # fmt: skip
