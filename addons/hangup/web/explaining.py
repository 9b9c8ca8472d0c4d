"""What an export says of a recording before it shows it: the diagnosis, the proof where there is one, and their sum."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import report as report_on
from hangup.diagnosis.for_others import for_others
from hangup.experiment import document_file
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Explanation, sum_up
from hangup.recording.choice import only
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import Recording
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import TrafficLedger

BLOCK = 1000
"""Events that are looked into at a time."""


class Readable(Protocol):
    """A recording that may be gone over more than once. ``name`` is as the user gave it."""

    @property
    def name(self) -> str: ...
    @property
    def header(self) -> Header: ...
    @property
    def recording(self) -> Recording: ...

    def events(self, doing: str) -> Iterator[AnyEvent]:
        """All events; ``doing`` is what they are read for."""


class Explaining:
    """Takes the events of ``recording`` (those of connection ``conn``, if one is named) in passes, and explains them.

    ``bisect`` is the document of a bisect that the user named; without one it is looked for. ``say`` is told which one
    was found.
    """

    def __init__(
        self,
        recording: Readable,
        conn: int | None = None,
        bisect: Path | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._say = say
        self._recording = recording
        self._conn = conn
        self._ledger = TrafficLedger(recording.header)
        self._proof = self._read(bisect)

    def teach(self, redactor: Redactor) -> None:
        """Lets the redactor meet what the proof may tell: its own secrets, and those of all connections."""
        if self._proof is None:
            return
        if self._conn is not None:
            redactor.learn(self._recording.events("looking for secrets"))
        self._proof.teach(redactor.vault)

    def watch(self, events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
        """Passes the events on as they are, and looks into them."""
        block: list[AnyEvent] = []
        for event in events:
            block.append(event)
            if len(block) == BLOCK:
                self._ledger.feed_all(block)
                block = []
            yield event
        self._ledger.feed_all(block)

    def explain(self, header: Header, redactor: Redactor | None) -> Explanation:
        """What is said of what was watched, all of it. ``header`` is the export's, and ``redactor`` has learned."""
        name = os.path.basename(self._recording.name)
        proof, shown = self._proof, self._ledger
        if redactor is None:
            report = report_on(self._ledger, recording=name)
        else:
            events = only(self._recording.events("redacting"), self._conn)
            report, shown = for_others(self._ledger, redactor, self._recording.header, events, recording=name)
            proof = proof and proof.redacted(redactor.vault)
            redactor.forget_counts()  # it is counted where it is written
        if proof is not None:
            proof.leave_out_libraries()
        return Explanation(report, sum_up(report, header, shown.connections, shown.last_at, proof), proof)

    def _read(self, given: Path | None) -> Proof | None:
        if given is not None:
            return document_file.read(given)
        path, proof = proof_of(self._recording.recording)
        if path is not None:
            self._say(f"using the proof in {path}")
        return proof


def proof_of(
    recording: Recording, conn: int | None = None, ledger: TrafficLedger | None = None
) -> tuple[Path, Proof] | tuple[None, None]:
    """What the newest bisect of a recording found, and where that is written; None and None where there was none.

    With ``conn`` only if that connection is one of those in the ``ledger`` that ended as what was tried did.
    """
    path = recording.path
    found = document_file.find(path, recording.header.started) if path is not None else None
    if found is None:
        return None, None
    if conn is not None and ledger is not None and all(life.conn != conn for life in Case(ledger).victims):
        return None, None
    return found, document_file.read(found)
