"""Answers to questions about many recordings: read what is not there yet, by several processes, and ask the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hangup.fleet.subjects import Subject
from hangup.fleet.workers import Workers, shares
from hangup.tables.cache import Cache, Work, key_of, work
from hangup.tables.database import Answer, Asked, Database, duckdb, levels_of
from hangup.tables.parquet import arrow
from hangup.tables.schema import Level

Progress = Callable[[int, int], None]
"""Told how many recordings have been read, of how many."""

WORKER = "hangup.tables.cache"


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
    return Database(files, names).answer(asked), failed


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
