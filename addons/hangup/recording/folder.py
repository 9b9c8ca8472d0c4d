"""Where recordings lie: how their files are named, which is the newest, and in which file a rotated one goes on."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from hangup.errors import RecordingError

RECORDINGS = Path("recordings")
"""Where recordings are written to, and looked for, as long as nobody says otherwise."""

BISECTS = "bisects"
"""The folder, within that of the recordings, for what experiments make."""


def new_path(folder: str | os.PathLike[str], started: datetime, target: str) -> Path:
    """A name that no file has yet, ``2026-11-22T21-08-00-localhost-8000.jsonl``; makes the folder.

    Raises :class:`~hangup.errors.RecordingError` when there can be no such folder.
    """
    folder = Path(folder)
    _make(folder)
    name = f"{started:%Y-%m-%dT%H-%M-%S}-{_slug(target)}"
    path = folder / f"{name}.jsonl"
    number = 2
    while path.exists():
        path = folder / f"{name}-{number}.jsonl"
        number += 1
    return path


def _make(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise RecordingError(f"cannot make the folder {folder}: {error.strerror or error}") from None


def make_folder(folder: Path) -> None:
    """Makes a folder that git, and so most tools that watch files, leaves alone: a recording holds secrets. Raises
    :class:`OSError` when there can be no such folder."""
    if folder.is_dir():
        return
    within = folder.name == BISECTS
    if within:
        make_folder(folder.parent)
    folder.mkdir(parents=True, exist_ok=True)
    if not within:
        with suppress(OSError):
            (folder / ".gitignore").write_text("*\n")


def for_bisect(record: Path) -> Path:
    """Where a bisect records its trials that was asked to record into ``record``, a folder or a file."""
    return record / BISECTS if record.is_dir() or record.suffix == "" else record


def by_product(recording: Path, what: str) -> Path:
    """Where something is kept that an experiment made of a recording, ``NAME-what``: in a folder of its own beside it,
    as it is no traffic of the person's. Makes the folder; raises :class:`~hangup.errors.RecordingError`."""
    folder = recording.parent if recording.parent.name == BISECTS else recording.parent / BISECTS
    _make(folder)
    return folder / f"{recording.stem}-{what}"


def _slug(target: str) -> str:
    """What stands for a target in a file's name: host and port, or else whatever letters there are."""
    with suppress(ValueError):
        if netloc := urlsplit(target).netloc:
            target = netloc.rpartition("@")[2]
    return re.sub(r"[^A-Za-z0-9.]+", "-", target).strip("-.")[:60].lower() or "recording"


def rotated(path: Path, number: int) -> Path:
    """The name of a rotated recording's file ``number`` (from 1): ``NAME.jsonl``, ``NAME.2.jsonl``, …"""
    return path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def continuation(path: Path | None) -> Path | None:
    """The file that a rotated recording goes on in after ``path``, if it is there already."""
    if path is None:
        return None
    candidates = [rotated(path, 2)]
    if found := re.fullmatch(r"(.+)\.(\d{1,9})", path.stem):
        candidates.append(path.with_name(f"{found[1]}.{int(found[2]) + 1}{path.suffix}"))
    return next((candidate for candidate in candidates if candidate.exists()), None)


def oldest(path: Path) -> Path:
    """Where a recording begins that was written from ``path`` on: the first of its files that is still there."""
    if path.exists():
        return path
    later = re.compile(re.escape(path.stem) + r"\.(\d{1,9})" + re.escape(path.suffix))
    found: list[int] = []
    with suppress(OSError):
        found = [int(named[1]) for each in path.parent.iterdir() if (named := later.fullmatch(each.name))]
    return rotated(path, min(found)) if found else path


def listing(folder: str | os.PathLike[str]) -> list[Path]:
    """The recordings (``*.jsonl``) of a folder, oldest first.

    Raises :class:`~hangup.errors.RecordingError` when it cannot be read, or is not there.
    """
    try:
        found = [path for path in Path(folder).iterdir() if path.suffix == ".jsonl" and path.is_file()]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
    except FileNotFoundError:
        raise RecordingError(f"there is no folder {folder}") from None
    except OSError as error:
        raise RecordingError(f"cannot read {folder}: {error.strerror}") from None


def newest(folder: str | os.PathLike[str] = RECORDINGS) -> Path:
    """The recording that was written to last. The user's own (named by date) come before all others.

    Raises :class:`~hangup.errors.RecordingError` when there is none.
    """
    found = listing(folder) if Path(folder).is_dir() else []
    if not found:
        raise RecordingError(f"there is no recording in {folder} yet: `hangup proxy TARGET` makes one")
    own = [path for path in found if path.name[:1].isdigit()]
    return (own or found)[-1]
