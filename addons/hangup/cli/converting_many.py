"""What ``hangup convert`` does where it writes many recordings at once: a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

from hangup.cli.counting import complain, counting
from hangup.errors import UsageError
from hangup.fleet.judging import subjects
from hangup.fleet.selection import names, selected
from hangup.fleet.workers import Workers
from hangup.recording.redaction.redactor import Redactor
from hangup.tables.dataset import write
from hangup.tables.parquet import arrow


def convert_many(source: str, target: str, hiding: tuple[str, ...] | None, jobs: int | None) -> None:
    """Writes the tables of all recordings that ``source`` means into the folder ``target``; what to hide is as in
    :class:`~hangup.tables.reading.Wanted`."""
    if "-" in (source, target):
        raise UsageError("Parquet is written from files, into a folder")
    arrow()
    if hiding:
        Redactor(hiding)  # which says what is wrong with them
    paths = selected([source])
    with counting("writing") as progress:
        failed = write(subjects(paths, names(paths)), Path(target), hiding, Workers(jobs or 0), progress)
    complain(failed, len(paths))
