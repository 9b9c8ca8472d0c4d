"""Tables that were read once are kept, so that the next question of the same recordings need not read them again.

A piece of the work is one file for each of its tables, and beside them a list of the recordings that they are of, each
with its key: its path, size and time of change, and how it was read. What has changed since has another key, and its
old rows are passed over. The folder is the user's alone, and what is in it is as free of secrets as what is shown.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from hangup import __version__
from hangup.errors import RecordingError
from hangup.fleet.subjects import Subject
from hangup.system import make_private_folder, state_folder
from hangup.tables.parquet import Sink
from hangup.tables.reading import Wanted, read_all
from hangup.tables.schema import Level, form, tables_of

BYTES = 4 << 30
"""So much is kept; what was used longest ago goes first."""

ABANDONED = 86_400.0
"""Seconds after which a piece that is not complete is nobody's any more."""

_KEY = re.compile(r"[0-9a-f]{32}")


class Kept(Struct):
    """What is known of a piece: its recordings' keys, those that could not be read, and where its tables are."""

    level: Level
    keys: list[str]
    failed: dict[str, str] = {}


class Work(Struct, frozen=True):
    """A piece of work: recordings, called by their keys, what is wanted of them, and where their tables go."""

    subjects: tuple[Subject, ...]
    level: Level
    hiding: tuple[str, ...] | None
    folder: str


def key_of(subject: Subject, level: Level, hiding: Sequence[str] | None) -> str:
    """The key of a recording as it is now. Raises :class:`~hangup.errors.RecordingError` when it is gone."""
    stamps = [_stamp(subject.path)]
    if level == "findings" and subject.proof:
        stamps.append(_stamp(subject.proof))
    told = msgspec.json.encode((form(), __version__, level, hiding, stamps))
    return blake2b(told, digest_size=16).hexdigest()


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        stat = os.stat(path)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from None
    return path, stat.st_size, stat.st_mtime_ns


def work(piece: Work) -> str:
    """Reads a piece, and answers with the name of its folder; the folder is there only once it is complete."""
    name = uuid.uuid4().hex
    making, made = Path(piece.folder, f".{name}"), Path(piece.folder, name)
    try:
        make_private_folder(making)
        sink = Sink()
        sink.begin({table.name: making / f"{table.name}.parquet" for table in tables_of(piece.level)})
        failed = read_all(sink.add, piece.subjects, Wanted((piece.level,), piece.hiding))
        sink.end()
        kept = Kept(piece.level, [subject.name for subject in piece.subjects], dict(failed))
        (making / "kept.json").write_bytes(msgspec.json.encode(kept))
        making.rename(made)
    except OSError as error:
        raise RecordingError(f"cannot write {making}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return name


class Cache:
    """The pieces in a folder: by default one of the user's own. Raises :class:`~hangup.errors.RecordingError`."""

    def __init__(self, folder: Path | None = None) -> None:
        try:
            self.folder = folder or state_folder() / "tables"
            make_private_folder(self.folder)
        except (OSError, RuntimeError) as error:
            raise RecordingError(f"cannot keep tables: {error}") from None
        self._kept: dict[str, Kept] = {}
        self._where: dict[str, str] = {}
        self.used: set[str] = set()
        for name in sorted(os.listdir(self.folder)):
            if _KEY.fullmatch(name):
                self.take(name)

    def take(self, name: str) -> None:
        """Learns what is in a piece."""
        try:
            kept = msgspec.json.decode((self.folder / name / "kept.json").read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            return
        self._kept[name] = kept
        for key in kept.keys:
            self._where[key] = name

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Which of these are not there."""
        return [key for key in keys if key not in self._where]

    def files(self, keys: Iterable[str], level: Level) -> dict[str, list[Path]]:
        """The files of each table of a level in which the rows of these recordings are."""
        pieces = sorted({self._where[key] for key in keys if key in self._where})
        self.used.update(pieces)
        found: dict[str, list[Path]] = {}
        for table in tables_of(level):
            paths = [self.folder / piece / f"{table.name}.parquet" for piece in pieces]
            found[table.name] = [path for path in paths if path.exists()]
        return found

    def failed(self, keys: Iterable[str]) -> dict[str, str]:
        """Which of these could not be read, and why."""
        found = {}
        for key in keys:
            kept = self._kept.get(self._where.get(key, ""))
            if kept is not None and key in kept.failed:
                found[key] = kept.failed[key]
        return found

    def tidy(self) -> None:
        """Deletes the pieces that were used longest ago, beyond :data:`BYTES`, and what was never completed."""
        for name in self.used:
            with suppress(OSError):
                os.utime(self.folder / name)
        ages: list[tuple[float, str]] = []
        for name in os.listdir(self.folder):
            with suppress(OSError):
                age = os.stat(self.folder / name).st_mtime
                if _KEY.fullmatch(name):
                    ages.append((age, name))
                elif _KEY.fullmatch(name[1:]) and time.time() - age > ABANDONED:
                    shutil.rmtree(self.folder / name, ignore_errors=True)
        total = 0
        for _, name in sorted(ages, reverse=True):
            with suppress(OSError):
                total += sum(path.stat().st_size for path in (self.folder / name).iterdir())
            if total > BYTES and name not in self.used:
                shutil.rmtree(self.folder / name, ignore_errors=True)
