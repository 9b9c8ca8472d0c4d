"""A recording that is kept with a test suite: without secrets, as it is committed, and there only once it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp

from hangup.errors import RecordingError
from hangup.recording import events
from hangup.recording.connections import Connection
from hangup.recording.ledger import Ledger
from hangup.recording.reader import Reader, read
from hangup.recording.redaction.redactor import Redactor


def keep(recording: Path, cassette: Path, *, redact: bool = True) -> None:
    """Writes the recording to ``cassette``. Raises :class:`RecordingError` for one without a connection, which could
    not be played, and where it cannot be written."""
    source = read(recording)
    if not any(each.answered is not None for each in _connections(source)):
        raise RecordingError(f"{cassette.name} is not written: no connection was opened through the server's url")
    redactor = Redactor()
    header = source.header
    if redact:
        redactor.learn(source, header)
        header = redactor.header(header)
    try:
        cassette.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = mkstemp(prefix=f".{cassette.name}.", dir=cassette.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(events.encode(header) + b"\n")
            for event in redactor.events(source) if redact else source:
                file.write(events.encode(event) + b"\n")
        os.chmod(name, 0o644 if redact else 0o600)
        os.replace(name, cassette)
    except OSError as error:
        raise RecordingError(f"cannot write {cassette}: {error.strerror or error}") from None


def _connections(source: Reader) -> list[Connection]:
    ledger = Ledger()
    for event in source:
        ledger.feed(event)
    return list(ledger.connections.values())
