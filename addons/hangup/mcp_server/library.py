"""The recordings of one folder, as they may be told: by name, without their secrets, each read once as long as it is as
it was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from hangup.diagnosis.for_others import for_others
from hangup.diagnosis.report import Report
from hangup.errors import RecordingError, UsageError
from hangup.experiment.summing_up import Proved, what_is_proved
from hangup.humanize import printable
from hangup.recording import loops
from hangup.recording.choice import Choice
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, Header
from hangup.recording.fates import settle_all
from hangup.recording.folder import listing, newest
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import look_into_again
from hangup.web.explaining import proof_of
from hangup.web.listing import row
from hangup.web.report_file import RecordingFile, write_report

KEPT = 4
"""So many recordings are kept in mind."""

BLOCK = 1000
"""Events that are read at a time."""


class Overview(Struct):
    """The connections of a recording, without secrets: those that fit, all there are, the loops, and the end."""

    fitting: list[Connection]
    total: int
    loops: list[Loop]
    last_at: float


class TellableRecording:
    """A recording without its secrets. Raises :class:`RecordingError` when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._file = RecordingFile(path)
        self._redactor = Redactor()
        self._redactor.learn(self._file.events(), self._file.header)
        self._ledger: Ledger | None = None

    @property
    def header(self) -> Header:
        """Its header."""
        return self._redactor.header(self._file.header)

    def events(self) -> Iterator[AnyEvent]:
        """All events."""
        return self._redactor.events(self._file.events())

    def overview(self, choice: Choice) -> Overview:
        """Its connections."""
        ledger = self._known()
        known = list(ledger.connections.values())
        found = loops.find(known, now=ledger.last_at)
        return Overview(list(choice.fitting(known, found, ledger.last_at)), len(known), found, ledger.last_at)

    def connection(self, conn: int) -> Connection:
        """One of them. Raises :class:`UsageError` when there is no such one."""
        found = self._known().connections.get(conn)
        if found is None:
            raise UsageError(f"{printable(self.name, 100)} has no connection {conn}")
        return found

    def _known(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger()
            for event in self.events():
                self._ledger.feed(event)
            settle_all(list(self._ledger.connections.values()), self._ledger.last_at, self._ledger.stopped)
        return self._ledger

    def why(self, conn: int | None) -> tuple[Report, Proved | None]:
        """Why its connections ended, or that one; and what a bisect of it has proved."""
        source, redactor = self._file, self._redactor
        if conn is not None:
            self.connection(conn)
        ledger = look_into_again(source.header, lambda: batches(source.events()), conn)
        _, proof = proof_of(source.recording, conn, ledger)
        if proof is not None:
            proof.teach(redactor.vault)
            proof = proof.redacted(redactor.vault)
        found, _ = for_others(ledger, redactor, source.header, source.events(), conn, str(self.path))
        return found, what_is_proved(found, proof)

    def write_report(self, out: BinaryIO) -> None:
        """The HTML report."""
        write_report(self.path, out)


def batches(events: Iterable[AnyEvent]) -> Iterator[list[AnyEvent]]:
    """The events, many at a time."""
    batch: list[AnyEvent] = []
    for event in events:
        batch.append(event)
        if len(batch) == BLOCK:
            yield batch
            batch = []
    yield batch


class Library:
    """The recordings of ``folder``; nothing outside of it is ever read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: OrderedDict[tuple[str, int, int], TellableRecording] = OrderedDict()

    def rows(self) -> list[dict[str, Any]]:
        """What there is, the newest first."""
        return [self._row(path) for path in reversed(self._listing())]

    def _row(self, path: Path) -> dict[str, Any]:
        found = row(path)
        target = found.get("target")
        if isinstance(target, str):
            found["target"] = Redactor().vault.text(target, url=True)
        return found | {"file": path.name}

    def paths(self) -> list[Path]:
        """The files of all recordings."""
        return self._listing()

    def _listing(self) -> list[Path]:
        inside = self.folder.resolve()
        return [path for path in listing(self.folder) if path.resolve().parent == inside]

    def path(self, name: str) -> Path:
        """The file of a recording by its name, or the beginning of it; the newest for an empty one.

        Raises :class:`UsageError` when there is none.
        """
        if not name:
            return newest(self.folder)
        known = self._listing()
        exact = [path for path in known if name in (path.name, path.stem)]
        found = exact or [path for path in known if path.name.startswith(name)]
        if len(found) != 1:
            why = "several names begin like this" if found else "there is no recording of this name"
            raise UsageError(f"{printable(name, 100)}: {why}; the tool `recordings` lists them")
        return found[0]

    def read(self, name: str) -> TellableRecording:
        """A recording by its name, as :meth:`path` has it. Raises :class:`RecordingError` for one that is broken."""
        path = self.path(name)
        try:
            status = path.stat()
        except OSError as error:
            raise RecordingError(f"cannot read {path.name}: {error.strerror or error}") from None
        key = str(path), status.st_size, status.st_mtime_ns
        found = self._kept.pop(key, None) or TellableRecording(path)
        self._kept[key] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found
