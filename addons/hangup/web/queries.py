"""All that the page can ask of a recording, by the name that stands in the URL."""

from __future__ import annotations

import msgspec

from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.report import Report
from hangup.experiment import document_file
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import what_is_proved
from hangup.recording.folder import BISECTS, RECORDINGS
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.web.comparing import CompareQuery
from hangup.web.entries import ConnectionQuery, EntriesQuery, EntryQuery, FindQuery
from hangup.web.imitating import ImitateQuery
from hangup.web.measuring import StatisticsQuery
from hangup.web.overview import Overview, Ticks
from hangup.web.query import Answer, QueryError, RecordingQuery, Slices, lane_of
from hangup.web.recorded import Recorded
from hangup.web.search import SearchQuery


class WhyQuery(RecordingQuery):
    """What ``hangup why --json`` says, of all connections or of one: also what a bisect has ``proved`` meanwhile."""

    conn: int | None = None

    def answer(self, recorded: Recorded) -> Slices:
        if self.conn is not None:
            lane_of(recorded, self.conn)
        return self._slices(recorded)

    def _slices(self, recorded: Recorded) -> Slices:
        reasons: Reasons = recorded.reasons or Reasons(recorded)
        recorded.reasons = reasons
        while reasons.read():
            yield
        return reasons.answer(self.conn)


class Reasons:
    """The diagnosis of a recording, which goes on from where it was when more is asked for."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._ledger = TrafficLedger(recorded.tail.header)
        self._upto = 0
        self._answers: dict[int | None, Report] = {}
        self._proof: tuple[object, Proof | None] = (None, None)

    def read(self) -> bool:
        """Takes the next lines of those that are in the index; whether there were any."""
        recorded = self._recorded
        end = recorded.tail.read_up_to
        if self._upto >= end:
            return False
        self._answers.clear()
        for place, lines in recorded.tail.lines(self._upto, end):
            self._ledger.feed_all(recorded.index.decode(lines))
            self._upto = place + len(lines)
            return True
        self._upto = end
        return True

    def answer(self, conn: int | None) -> Answer:
        """The report."""
        found = self._answers.get(conn)
        if found is None:
            for known, connection in self._ledger.connections.items():
                connection.kind = self._recorded.index.connection(known).kind
            found = self._answers[conn] = report(self._ledger, conn, self._recorded.name)
        proof = self._newest_proof()
        if conn is not None and all(life.conn != conn for life in Case(self._ledger).victims):
            proof = None
        proved = what_is_proved(found, proof)
        return found.summary() | ({} if proved is None else {"proved": msgspec.to_builtins(proved)})

    def _newest_proof(self) -> Proof | None:
        """What a bisect has found out; looked for anew when its folder has changed."""
        path = self._recorded.path.absolute()
        folders = [(path.parent / BISECTS).absolute(), (RECORDINGS / BISECTS).absolute()]
        state = [folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders]
        if self._proof[0] != state:
            file = document_file.find(path, self._recorded.tail.header.started)
            self._proof = state, document_file.read(file) if file is not None else None
        return self._proof[1]


class FilesQuery(RecordingQuery):
    """Where the recording is: its files, in order."""

    def answer(self, recorded: Recorded) -> Answer:
        return {"files": [str(path.absolute()) for path in recorded.tail.files]}


QUERIES: dict[str, type[RecordingQuery]] = {
    "overview": Overview,
    "ticks": Ticks,
    "connection": ConnectionQuery,
    "entries": EntriesQuery,
    "entry": EntryQuery,
    "find": FindQuery,
    "search": SearchQuery,
    "compare": CompareQuery,
    "statistics": StatisticsQuery,
    "imitate": ImitateQuery,
    "why": WhyQuery,
}
"""Those that have an address."""

_ALL = {**QUERIES, "files": FilesQuery}


def ask(recorded: Recorded, name: str, given: dict[str, str]) -> Answer | Slices:
    """The answer to the query ``name``. Raises :class:`QueryError` for one that is wrong."""
    try:
        query: RecordingQuery = msgspec.convert(given, _ALL[name], strict=False)
    except msgspec.ValidationError as error:
        raise QueryError(f"{name}: {error}") from None
    return query.answer(recorded)
