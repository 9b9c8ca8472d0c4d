"""What ``hangup convert`` does where it writes many recordings at once: a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

from hangup.cli.counting import complain, counting
from hangup.errors import UsageError
from hangup.fleet.selection import names, selected
from hangup.fleet.subjects import subjects
from hangup.fleet.workers import Workers
from hangup.recording.redaction.redactor import Redactor
from hangup.tables.dataset_writer import write
from hangup.tables.parquet import arrow
from hangup.tables.reading import Wanted
from hangup.tables.schema import LEVELS


def convert_many(
    source: str, target: str, hiding: tuple[str, ...] | None, only: tuple[str, ...], jobs: int | None
) -> None:
    """Writes the tables of all recordings that ``source`` means into the folder ``target``; ``only`` names levels.
    What to hide is as in :class:`~hangup.tables.reading.Wanted`."""
    if "-" in (source, target):
        raise UsageError("Parquet is written from files, into a folder")
    arrow()
    if hiding:
        Redactor(hiding)  # which says what is wrong with them
    levels = tuple(level for level in LEVELS if not only or level in only)
    paths = selected([source])
    those, wanted = subjects(paths, names(paths)), Wanted(levels, hiding)
    with counting("writing") as progress:
        failed = write(those, Path(target), wanted, Workers(jobs or 0), progress)
    complain(failed, len(paths))
