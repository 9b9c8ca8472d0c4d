"""A set of Parquet files that ``hangup convert`` has written: what is in it, and answers from it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from hangup.errors import RecordingError, UsageError
from hangup.tables.database import Answer, Asked, Database, levels_of
from hangup.tables.schema import TABLES, form

ABOUT = "_hangup.json"
"""What says that a folder is such a set; readers of Parquet pass over names that begin so."""

class About(Struct):
    """What stands in :data:`ABOUT`."""

    version: str
    form: str
    redacted: bool
    recordings: int
    tables: list[str]


def is_dataset(path: Path) -> bool:
    """Whether a folder is a set of files that :func:`write` has made."""
    return (path / ABOUT).is_file()


def files_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each table that was written. Raises :class:`~hangup.errors.RecordingError` where it is no such
    set."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.MsgspecError):
        raise RecordingError(f"{folder} is no folder of Parquet files that hangup has written") from None
    if about.form != form():
        raise RecordingError(f"{folder} was written by hangup {about.version}, whose tables differ: convert again")
    return {name: sorted((folder / name).rglob("*.parquet")) for name in about.tables if name in TABLES}


def ask_dataset(folder: Path, asked: Asked) -> Answer:
    """Asks such a set. Raises :class:`~hangup.errors.UsageError` where a table is not in it."""
    levels = levels_of(asked.sql)
    files = files_of(folder)
    if missing := [table.name for table in TABLES.values() if table.level in levels and table.name not in files]:
        raise UsageError(f"{folder} was written without {', '.join(missing)}: `hangup convert --only` says of what")
    return Database(files, hive=True).answer(asked)
