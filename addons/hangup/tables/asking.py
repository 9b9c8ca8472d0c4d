"""Answers to questions about many recordings: read what is not there yet, by several processes, and ask the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from hangup.errors import UsageError
from hangup.fleet.judging import Subject
from hangup.fleet.workers import Workers, shares
from hangup.tables.cache import Cache, Work, key_of, work
from hangup.tables.database import Answer, Database, duckdb, levels_of
from hangup.tables.dataset import files_of
from hangup.tables.parquet import arrow
from hangup.tables.schema import TABLES, Level

Progress = Callable[[int, int], None]
"""Told how many recordings have been read, of how many."""

WORKER = "hangup.tables.cache"


class Asked(Struct, frozen=True):
    """A question: a SELECT, and at most how many rows of the answer (0: all)."""

    sql: str
    rows: int = 0


def ask_files(folder: Path, asked: Asked) -> Answer:
    """Asks a set of Parquet files that ``hangup convert`` has written."""
    levels = levels_of(asked.sql)
    files = files_of(folder)
    if missing := [table.name for table in TABLES.values() if table.level in levels and table.name not in files]:
        raise UsageError(f"{folder} was written without {', '.join(missing)}: `hangup convert --only` says of what")
    return _answer(Database(files, hive=True), asked)


def ask_recordings(
    subjects: Sequence[Subject],
    asked: Asked,
    hiding: tuple[str, ...] | None,
    workers: Workers,
    cache: Cache,
    progress: Progress,
) -> tuple[Answer, dict[str, str]]:
    """Asks recordings. The answer, and which of them could not be read, with what is wrong with each."""
    arrow(), duckdb()
    levels = levels_of(asked.sql)
    files: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    failed: dict[str, str] = {}
    for level in levels:
        keys = {key_of(subject, level, hiding): subject for subject in subjects}
        _read(keys, level, hiding, workers, cache, progress)
        files |= cache.files(keys, level)
        names |= {key: subject.name for key, subject in keys.items()}
        failed |= {keys[key].name: error for key, error in cache.failed(keys).items()}
    cache.tidy()
    return _answer(Database(files, names), asked), failed


def _read(
    keys: Mapping[str, Subject],
    level: Level,
    hiding: tuple[str, ...] | None,
    workers: Workers,
    cache: Cache,
    progress: Progress,
) -> None:
    missing = cache.missing(keys)
    size = shares(len(missing), workers.count)
    pieces = []
    for at in range(0, len(missing), size):
        some = missing[at : at + size]
        mine = tuple(Subject(keys[key].path, key, keys[key].proof) for key in some)
        pieces.append(Work(mine, level, hiding, str(cache.folder)))
    done = 0
    for number, name in workers.carry_out(work, pieces, WORKER):
        cache.take(name)
        done += len(pieces[number].subjects)
        progress(done, len(missing))


def _answer(database: Database, asked: Asked) -> Answer:
    try:
        return database.ask(asked.sql, asked.rows)
    finally:
        database.close()
