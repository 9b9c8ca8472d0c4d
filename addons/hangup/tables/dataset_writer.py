"""A set of Parquet files, written from recordings by several processes."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from hangup import __version__
from hangup.errors import HangupError, RecordingError, UsageError
from hangup.fleet.subjects import Subject
from hangup.fleet.workers import Workers
from hangup.processes.tshark import open_recording
from hangup.recording.redaction.placeholders import Vault, unnumbered
from hangup.tables.dataset import ABOUT, About, is_dataset
from hangup.tables.parquet import Sink, arrow, partition
from hangup.tables.reading import Wanted, day_of, read_all
from hangup.tables.schema import PARTITIONS, TABLES, form

LARGEST = 40
"""So many recordings at most are put into one file of each table."""

Progress = Callable[[int, int], None]


class Part(Struct, frozen=True):
    """A piece of the work: recordings of one partition, which is a path within ``folder``, and the part's number."""

    subjects: tuple[Subject, ...]
    wanted: Wanted
    folder: str
    partition: str
    number: int


def write(
    subjects: Sequence[Subject], target: Path, wanted: Wanted, workers: Workers, progress: Progress
) -> list[tuple[str, str]]:
    """Writes the tables that are wanted of these recordings into the folder ``target``, which is there only once it is
    complete; an older set of the same name is replaced. Which recordings could not be read, and why.

    Raises :class:`~hangup.errors.UsageError` where something else has that name, and
    :class:`~hangup.errors.RecordingError`.
    """
    arrow()
    if target.exists() and not is_dataset(target):
        raise UsageError(f"{target} is there, and is no folder of Parquet files that hangup has written")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None
    failed: list[tuple[str, str]] = []
    try:
        parts = _parts(subjects, wanted, str(making))
        done = 0
        for number, wrong in workers.carry_out(write_part, parts, __name__):
            failed += wrong
            done += len(parts[number].subjects)
            progress(done, len(subjects))
        about = About(__version__, form(), wanted.hiding is not None, len(subjects) - len(failed), _names(wanted))
        (making / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
        if len(failed) < len(subjects):
            _put(making, target)
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return sorted(failed)


def _put(making: Path, target: Path) -> None:
    if not target.exists():
        making.rename(target)
        return
    old = making.with_name(f"{making.name}.old")
    target.rename(old)
    try:
        making.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _names(wanted: Wanted) -> list[str]:
    return [table.name for table in TABLES.values() if table.level in wanted.levels]


def _parts(subjects: Sequence[Subject], wanted: Wanted, folder: str) -> list[Part]:
    """The work in pieces, each of one partition."""
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        day, target = "unknown", ""
        with suppress(HangupError):
            header = open_recording(subject.path).header
            day, target = day_of(header.started), header.target
            if wanted.hiding is not None:
                target = unnumbered(Vault(wanted.hiding).text(target, url=True))
        groups[partition(day, target)].append(subject)
    return [
        Part(tuple(mine[at : at + LARGEST]), wanted, folder, where, at // LARGEST)
        for where, mine in sorted(groups.items())
        for at in range(0, len(mine), LARGEST)
    ]


def write_part(part: Part) -> list[tuple[str, str]]:
    """Writes one piece; which of its recordings could not be read, and why."""
    sink = Sink(without=PARTITIONS)
    paths = {name: Path(part.folder, name, part.partition, f"part-{part.number}.parquet") for name in TABLES}
    sink.begin(paths)
    failed = read_all(sink.add, part.subjects, part.wanted)
    sink.end()
    return failed
