"""A report written to a file, or into memory, by a program that has no command line: redacted, with the proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hangup.errors import RecordingError
from hangup.experiment.summing_up import Explanation
from hangup.processes.tshark import open_recording
from hangup.recording.events import AnyEvent, Header
from hangup.recording.redaction.redactor import Redactor
from hangup.system import open_private
from hangup.web.explaining import Explaining
from hangup.web.report import HtmlWriter


class RecordingFile:
    """A recording in a file, as :class:`~hangup.web.explaining.Readable`. Raises :class:`RecordingError`."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.recording = open_recording(path, name=path.name)

    @property
    def header(self) -> Header:
        """The recording's header."""
        return self.recording.header

    def events(self, doing: str = "") -> Iterator[AnyEvent]:
        """All events, anew each time."""
        return iter(self.recording)


def explained(path: Path) -> Explanation:
    """What a report says first, without secrets."""
    return _explain(RecordingFile(path), Redactor())[1]


def write_report(path: Path, out: BinaryIO) -> Explanation:
    """Writes the HTML report of the recording at ``path`` to ``out``, and gives what it says first."""
    source, redactor = RecordingFile(path), Redactor()
    header, told = _explain(source, redactor)
    writer = HtmlWriter(out, header, told, name=source.name, hidden=lambda: redactor.hidden)
    try:
        for event in redactor.events(source.events()):
            writer.write(event)
        writer.finish()
    finally:
        writer.close()
    return told


def save_report(path: Path, target: Path) -> Explanation:
    """The same into a file, with the folder for it. Raises :class:`RecordingError` when it cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        with open_private(target) as out:
            return write_report(path, out)
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None


def _explain(source: RecordingFile, redactor: Redactor) -> tuple[Header, Explanation]:
    explaining = Explaining(source)
    explaining.teach(redactor)
    redactor.learn(explaining.watch(source.events()), source.header)
    header = redactor.header(source.header)
    return header, explaining.explain(header, redactor)
