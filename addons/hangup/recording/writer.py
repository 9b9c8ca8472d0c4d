"""A recording that is there as a whole, written at once; what grows while a program runs is the journal's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hangup.errors import RecordingError
from hangup.recording.events import Event, Header, encoder
from hangup.system import open_private


def write(path: Path, header: Header, events: Iterable[Event]) -> None:
    """Writes a new file, readable by its owner only. Raises :class:`~hangup.errors.RecordingError` when it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_private(path) as file:
            file.write(encoder.encode(header) + b"\n")
            for event in events:
                file.write(encoder.encode(event) + b"\n")
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from None


def write_private(path: Path, data: bytes) -> None:
    """Writes a file anew, readable by its owner only, whoever could read one that was there. Raises
    :class:`~hangup.errors.RecordingError` when it cannot."""
    try:
        path.unlink(missing_ok=True)
        with open_private(path) as file:
            file.write(data)
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from None
