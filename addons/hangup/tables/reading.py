"""Recordings in, rows out: what the tables say of each, made by the one reading and freed of secrets."""

from __future__ import annotations

import gc
import re
from collections.abc import Sequence

from msgspec import Struct

from hangup.errors import HangupError
from hangup.fleet.subjects import Subject
from hangup.processes.tshark import open_recording
from hangup.recording.formats import Recording
from hangup.recording.redaction.placeholders import unnumbered
from hangup.recording.redaction.redactor import Redactor
from hangup.tables.connection_rows import Add, add_connections
from hangup.tables.message_rows import add_messages
from hangup.tables.schema import Level

UNKNOWN_DAY = "unknown"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Wanted(Struct, frozen=True):
    """What is to be read of recordings. ``hiding`` are further patterns of secrets; None: nothing is hidden."""

    levels: tuple[Level, ...]
    hiding: tuple[str, ...] | None = ()


def day_of(started: str) -> str:
    """The day of a recording that was ``started`` then, as it is in the name of a folder."""
    return found[0] if (found := _DAY.match(started)) else UNKNOWN_DAY


def read_rows(add: Add, subject: Subject, wanted: Wanted) -> str:
    """Adds the rows of one recording. Answers with what is wrong with it where it cannot be read; what was understood
    of it before is there."""
    try:
        source = open_recording(subject.path, name=subject.name)
        _add_rows(add, source, subject, wanted)
    except HangupError as error:
        return str(error).removeprefix(f"{subject.name} ")
    return ""


def _add_rows(add: Add, source: Recording, subject: Subject, wanted: Wanted) -> None:
    redactor = None if wanted.hiding is None else Redactor(wanted.hiding)
    target = source.header.target
    learned = False
    if redactor is not None:
        redactor.learn([], source.header)
        target = unnumbered(redactor.vault.text(target, url=True))
        if "messages" in wanted.levels or "findings" in wanted.levels:
            redactor.learn((event for batch in source.batches() for event in batch), source.header)
            learned = True
    head = subject.name, day_of(source.header.started), target
    if "connections" in wanted.levels:
        add_connections(add, source, head, redactor, learned)
    if "messages" in wanted.levels:
        add_messages(add, source, head, None if redactor is None else redactor.vault)
    if "findings" in wanted.levels:
        from hangup.tables.finding_rows import add_finding  # all causes take long to import

        add_finding(add, subject, head, redactor)


def read_all(add: Add, subjects: Sequence[Subject], wanted: Wanted) -> list[tuple[str, str]]:
    """The rows of some recordings; the names of those that could not be read, each with what is wrong with it."""
    was = gc.isenabled()
    gc.disable()  # what reading makes has no cycles, and to look for them takes as long as reading
    failed = []
    try:
        for subject in subjects:
            if error := read_rows(add, subject, wanted):
                failed.append((subject.name, error))
            gc.collect(0)
    finally:
        if was:
            gc.enable()
    return failed
