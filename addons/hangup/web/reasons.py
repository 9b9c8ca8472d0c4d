"""Why the connections of a recording ended, as the page is told: by the diagnosis that ``hangup why`` makes.

The index knows all connections already. What went over those that are worth a look is read from where it stands in the
file, and nothing else is read again.
"""

from __future__ import annotations

import msgspec

from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.report import Report
from hangup.experiment import document_file
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import what_is_proved
from hangup.recording.fates import settle
from hangup.recording.folder import BISECTS, RECORDINGS
from hangup.recording.traffic_ledger import FIRST_KEPT, LAST_KEPT, TrafficLedger, worth_a_look
from hangup.web.query import Answer, RecordingQuery, Slices, lane_of
from hangup.web.recorded import Recorded


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
        if self.conn is None or reasons.looked.has(self.conn):
            return reasons.answer(self.conn)
        apart = Looked(recorded, self.conn)
        while apart.read():
            yield
        return reasons.answer(self.conn, apart)


class Looked:
    """What was looked into of the connections that are worth a look, which goes on from where it was when more is asked
    for. With ``conn``, that one is among them, and nothing that is recorded later."""

    def __init__(self, recorded: Recorded, conn: int | None = None) -> None:
        self._recorded = recorded
        self._conn = conn
        self._ledger = TrafficLedger(recorded.tail.header)
        self._upto = 0
        self._end = 0
        self._connections = 0
        self._wanted: set[int] | None = None
        """None for all, as long as there are not too many."""
        self._up_to_now()

    def _up_to_now(self) -> None:
        self._end = self._recorded.tail.read_up_to
        known = self._recorded.index.ledger.connections
        if len(known) != self._connections:
            self._connections = len(known)
            order = [number for number in known if number > 0]
            few = len(order) <= FIRST_KEPT + LAST_KEPT
            self._wanted = None if few else worth_a_look(order, self._conn)

    def read(self) -> bool:
        """Takes the next lines of those that are in the index; whether there were any."""
        if self._conn is None:
            self._up_to_now()
        if self._upto >= self._end:
            return False
        index, wanted = self._recorded.index, self._wanted
        start = self._upto if wanted is None else index.next_of(wanted, self._upto)
        self._upto, end = self._end, self._end
        if start is not None:
            for place, lines in self._recorded.tail.lines(start, end):
                found = index.decode(lines)
                if wanted is not None:
                    found = [event for event in found if event.conn in wanted or not event.conn]
                self._ledger.feed_all(found)
                self._upto = place + len(lines)
                break
        return True

    def has(self, conn: int) -> bool:
        """Whether this one was looked into."""
        connection = self._ledger.connections.get(conn)
        return connection is not None and connection.looked_into is not None

    def among_all(self) -> TrafficLedger:
        """That, and all other connections. Until this is asked again, of whatever was looked into."""
        every = self._recorded.index.ledger
        settle(every)
        return self._ledger.among(every)


class Reasons:
    """The diagnosis of a recording."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self.looked = Looked(recorded)
        self._answers: dict[int | None, Report] = {}
        self._victims: set[int] | None = None
        self._proof: tuple[object, Proof | None] = (None, None)

    def read(self) -> bool:
        """Takes the next lines, if there are any."""
        more = self.looked.read()
        if more:
            self._answers.clear()
            self._victims = None
        return more

    def answer(self, conn: int | None, apart: Looked | None = None) -> Answer:
        """The report, of all or of one connection, which may have been looked into ``apart``."""
        found = self._answers.get(conn)
        if found is None:
            ledger = (apart or self.looked).among_all()
            found = self._answers[conn] = report(ledger, conn, self._recorded.name)
        proof = self._newest_proof()
        if proof is not None and conn is not None and conn not in self._like_most():
            proof = None
        proved = what_is_proved(found, proof)
        return found.summary() | ({} if proved is None else {"proved": msgspec.to_builtins(proved)})

    def _like_most(self) -> set[int]:
        """The connections that ended in the way that the diagnosis of all is about."""
        if self._victims is None:
            self._victims = {life.conn for life in Case(self.looked.among_all()).victims}
        return self._victims

    def _newest_proof(self) -> Proof | None:
        """What a bisect has found out; looked for anew when its folder has changed."""
        path = self._recorded.path.absolute()
        folders = [(path.parent / BISECTS).absolute(), (RECORDINGS / BISECTS).absolute()]
        state = [folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders]
        if self._proof[0] != state:
            file = document_file.find(path, self._recorded.tail.header.started)
            self._proof = state, document_file.read(file) if file is not None else None
        return self._proof[1]
