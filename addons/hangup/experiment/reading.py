"""From a recording to a case: which connection failed, how, and what its client did before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from hangup.diagnosis.diagnose import report as report_on
from hangup.diagnosis.report import Report
from hangup.errors import RecordingError
from hangup.experiment.answers import Answers, Reply, replies
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import factors
from hangup.experiment.failure import Failure, derive, judge
from hangup.experiment.handshakes import credentials, donated
from hangup.experiment.last_words import PROMPT, Words, shared_words, words_of
from hangup.experiment.message_trials import name_within
from hangup.experiment.studied_connection import any_end, choose, client_rule_of, survivors
from hangup.experiment.trial import Case, ClientFrame, OtherConnection
from hangup.messages.heartbeats import recognise
from hangup.messages.kind import Discriminators
from hangup.messages.openings import opening
from hangup.recording import loops
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent
from hangup.recording.fates import settle
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.reader import batches
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.replayable.client_script import Hear, ScriptReader, Send, Transcript
from hangup.wire.frames import OPCODE_NUMBERS

FRAMES_KEPT = 20_000
"""Client messages that a case holds; a longer exchange is cut at its front, the end being what matters."""


HARMLESS_KEPT = 60
"""Harmless messages of each kind that are kept of other connections."""

LATELY = 10.0
"""Seconds."""

KINDS_KEPT = 40
SAID_KEPT, ENDED_KEPT = 24, 12
"""So many of a server's last messages are kept, of so many connections that ended."""

OTHERS_KEPT = 4
"""Connections that were there beside the one that is studied."""

LIVED_KEPT = 6
LIVED_MESSAGES = 64
"""So many connections that did not fail are kept, and of each so many first messages."""

SCRIPTS_KEPT = 64
"""Connections whose scripts are kept while the recording is read; one that is chosen of the others is read again."""


class Reading(Struct):
    """What an experiment starts from. ``report`` is what reading the recording alone makes of it."""

    case: Case
    failure: Failure
    transcript: Transcript
    report: Report
    connections: list[Connection]
    """Those of the same client, page and path as the one that is studied."""
    recording: Recording

    def transcript_of(self, conn: int) -> Transcript:
        """That of another connection of the recording."""
        return Transcript(self.recording, conn)


def read_case(
    recording: Recording, conn: int | None = None, failure: Failure | None = None, *, page: bool = False
) -> Reading:
    """Reads a recording, once. ``conn`` is the connection to study, by default the last that failed. With ``page`` the
    page itself is at hand, and is asked why it hangs up; else it is read by which rule it does.

    Raises :class:`RecordingError` when there is none.
    """
    ledger = TrafficLedger(recording.header)
    scripts = _Scripts(conn)
    answers, servers = Answers(), Answers("client")
    for events in batches(recording):
        ledger.feed_all(events)
        scripts.feed(events, ledger)
        answers.feed(events)
        servers.feed(events)
    settle(ledger)
    chosen = choose(ledger, conn)
    connections = list(ledger.connections.values())
    alike = [
        c
        for c in connections
        if c.path == chosen.path and c.origin == chosen.origin and loops.host(c.client) == loops.host(chosen.client)
    ]
    found = failure or derive([chosen] if conn is not None else alike) or derive([chosen])
    if found is None and chosen.untold and chosen.opened is not None:
        found = any_end(alike)
    if found is None:
        raise RecordingError(f"connection {chosen.conn} did not fail: {chosen.ending.sentence}")
    stopped_at = ledger.last_at if ledger.stopped else None
    read = scripts.readers.get(chosen.conn)
    transcript = Transcript(recording, chosen.conn, read=read, connection=chosen, stopped_at=stopped_at)
    report = report_on(ledger)
    case = _case(transcript, chosen, alike, report)
    lived = survivors(connections, chosen, found)
    failed = {c.conn for c in connections if c.failed and judge(c, found) is not Outcome.SURVIVED}
    case.harmless = scripts.harmless(chosen.conn, connections, failed, {f.kind for f in case.frames})
    others = [c for c in alike if judge(c, found) is not Outcome.FAILED and c.conn != chosen.conn]
    case.lived = scripts.lived(others, case.frames)
    case.replies = scripts.replies([*others, chosen], case.asked)  # it may have answered all but the last
    case.donated = donated(transcript.survey.request, lived, chosen.refused)
    case.factors = factors(transcript.survey.request, lived)
    case.answers, case.server_answers = answers.found, servers.found
    if found.by == "client" and not page:
        case.client_rule = rule = client_rule_of(recording, found, connections, chosen)
        if rule is not None and rule.on in ("unanswered", "silence") and case.frames:
            case.reaction = 0.0  # what the client waited for was missing from then on
    case.others = scripts.others(chosen, connections)
    if failure is None and found.by == "server" and found.words == frozenset():
        ends = [c for c in alike if judge(c, found) is Outcome.FAILED]
        found = replace(found, words=shared_words(scripts.ended_with(ends)))
    return Reading(case, found, transcript, report, alike, recording)


class _Scripts:
    """The scripts of those connections that may be the one to study: of the open ones, and the last of each way to
    end. ``only`` is that one, where somebody has said which."""

    def __init__(self, only: int | None) -> None:
        self.only = only
        self.readers: dict[int, ScriptReader] = {}
        self._ended: dict[tuple[object, ...], int] = {}
        self._over: set[int] = set()
        self._said: dict[int, list[Hear]] = {}
        """The last messages of the server's on connections that ended lately."""

    def feed(self, events: Iterable[AnyEvent], ledger: Ledger) -> None:
        """Takes events, of which the ledger knows already."""
        for event in events:
            conn = event.conn
            if conn <= 0 or (self.only is not None and conn != self.only):
                continue
            reader = self.readers.get(conn)
            if reader is None:
                if conn in self._over:
                    continue
                reader = self.readers[conn] = ScriptReader(conn)
            reader.feed(event)
        for conn in [conn for conn in self.readers if conn not in self._over]:
            connection = ledger.connections[conn]
            if connection.ended is None:
                continue
            self._over.add(conn)
            heard = [s for s in self.readers[conn].last_steps() if isinstance(s, Hear) and s.data is not None]
            self._said[conn] = [s for s in heard if s.opcode in ("text", "binary")][-SAID_KEPT:]
            while len(self._said) > ENDED_KEPT:
                self._said.pop(next(iter(self._said)))
            ending = connection.ending
            way = connection.route, ending.by, connection.manner, ending.code, connection.status
            if (earlier := self._ended.get(way)) is not None:
                self.readers.pop(earlier, None)
            self._ended[way] = conn
        while len(self.readers) > SCRIPTS_KEPT:
            self.readers.pop(next(iter(self.readers)))

    def others(self, chosen: Connection, connections: Sequence[Connection]) -> tuple[OtherConnection, ...]:
        """Those that were there shortly before the end of the chosen one, and what their clients had said by then."""
        over = chosen.ended if chosen.ended is not None else chosen.last_seen
        found: list[tuple[float, OtherConnection]] = []
        for c in connections:
            gone = inf if c.ended is None else c.ended
            if c.conn == chosen.conn or c.kind != "app" or c.opened is None or c.opened >= over:
                continue
            reader = self.readers.get(c.conn)
            if reader is None or gone < over - LATELY:
                continue
            said = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.at <= over]
            frames = [ClientFrame(s.n or 0, s.opcode, s.message or b"", s.at - c.opened) for s in said]
            left = gone <= over and c.ending.by == "client"
            did = max([c.opened, *(s.at for s in said), *([gone] if gone <= over else [])])
            found.append((over - did, OtherConnection(c.conn, c.path, tuple(_with_kinds(frames)), left)))
        found.sort(key=lambda each: each[0])
        return tuple(other for _, other in found[:OTHERS_KEPT])

    def ended_with(self, connections: Sequence[Connection]) -> Iterable[list[Words]]:
        """The words of the server's messages on each of these, of which the last came right before its end; none of
        one on which none did."""
        for c in connections:
            if c.conn in self._said and c.end is not None:
                said = [s for s in self._said[c.conn] if s.at <= c.end]
                late = said and c.end - said[-1].at <= PROMPT
                yield [words_of(s.data or b"") for s in said] if late else []

    def replies(self, connections: Sequence[Connection], asked: Sequence[ClientFrame]) -> tuple[Reply, ...]:
        """How the server's messages were answered on these connections."""
        readers = [self.readers[c.conn] for c in connections if c.conn in self.readers][-LIVED_KEPT:]
        return replies([reader.last_steps() for reader in readers], [(f.opcode, f.payload) for f in asked])

    def lived(
        self, connections: Sequence[Connection], own: Sequence[ClientFrame]
    ) -> tuple[tuple[ClientFrame, ...], ...]:
        """What was said on these connections, the latest first; kinds are told together with those of ``own``."""
        learned = Discriminators()
        for frame in own:
            learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
        found: list[list[ClientFrame]] = []
        for connection in reversed(connections):
            reader = self.readers.get(connection.conn)
            if reader is None or len(found) >= LIVED_KEPT:
                continue
            steps = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.message is not None]
            frames = [ClientFrame(s.n or 0, s.opcode, s.message or b"", s.at) for s in steps[:LIVED_MESSAGES]]
            found.append(frames)
            for frame in frames:
                learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
        kind = learned.kind
        return tuple(
            tuple(replace(f, kind=kind(OPCODE_NUMBERS.get(f.opcode, 1), f.payload).text) for f in frames)
            for frames in found
        )

    def harmless(
        self, chosen: int, connections: Sequence[Connection], failed: set[int], kinds: set[str]
    ) -> dict[str, tuple[bytes, ...]]:
        """Messages of other connections after which they stayed open, by kind, the latest first. ``failed`` are the
        numbers of those that may have ended as the one that is studied."""
        found: dict[str, dict[bytes, None]] = {}
        learned = Discriminators()
        said = []
        for connection in connections:
            reader = self.readers.get(connection.conn)
            if reader is None or connection.conn == chosen:
                continue
            sent = [s for s in reader.last_steps() if isinstance(s, Send) and s.begins and s.message is not None]
            said += sent[:-1] if connection.conn in failed else sent  # the last one may be what ended it
        for step in said:
            learned.feed(OPCODE_NUMBERS.get(step.opcode, 1), step.message or b"")
        names = {name for kind in kinds if (name := name_within(kind))}
        for step in reversed(said):
            kind = learned.kind(OPCODE_NUMBERS.get(step.opcode, 1), step.message or b"").text
            if (kind in kinds or name_within(kind) in names) and len(found.setdefault(kind, {})) < HARMLESS_KEPT:
                found[kind][step.message or b""] = None
        return {kind: tuple(payloads) for kind, payloads in found.items()}


def _case(transcript: Transcript, chosen: Connection, alike: Sequence[Connection], report: Report) -> Case:
    survey = transcript.survey
    said: dict[str, list[ClientFrame]] = {"client": [], "server": []}
    server_frames = 0
    last_server_at = last_client_at = survey.opened
    malformed: dict[str, None] = {}
    pongs = 0
    for step in transcript.steps():
        if chosen.ending.by == "client" and isinstance(step, Send) and step.opcode == "close":
            break  # what it may still say after that is no cause of it
        at = round(step.at - survey.opened, 6)
        if not isinstance(step, Send):
            server_frames += 1
            last_server_at = step.at
            if step.data is not None and step.opcode in ("text", "binary"):
                said["server"].append(ClientFrame(step.n, step.opcode, step.data, at))
        elif step.begins:
            payload = step.message or b""
            beat = recognise(OPCODE_NUMBERS.get(step.opcode, 1), payload)
            faults, fragments = _faults(step), max(step.fragments, 1)
            said["client"].append(ClientFrame(step.n or 0, step.opcode, payload, at, beat, faults, "", fragments))
            last_client_at = step.at
        else:
            malformed.update(dict.fromkeys(step.problems))
            pongs += step.opcode == "pong"  # those that answer a ping are in no script
        for each in said.values():
            del each[:-FRAMES_KEPT]
    frames = _with_kinds(said["client"])
    answers = _with_kinds(said["server"])
    answer = answers[-1] if answers else None
    first = {each.kind: each for each in reversed(answers)}
    last = {each.kind: each for each in answers}
    ends = {each.n: each for each in (*first.values(), *last.values())}
    headers = {name.lower(): value for name, value in survey.request.headers}
    features = {
        "extensions": "sec-websocket-extensions" in headers,
        "subprotocol": "sec-websocket-protocol" in headers,
        "cookie": "cookie" in headers,
        "origin": "origin" in headers,
        "query": "?" in survey.request.target,
    }
    ending = chosen.ending
    return Case(
        frames=frames,
        lifetime=survey.lifetime,
        reaction=max(0.0, survey.over - last_client_at) if frames else None,
        by=ending.by,
        how=chosen.manner or "",
        code=ending.code,
        reason=ending.reason or "",
        status=chosen.status,
        features=frozenset(name for name, present in features.items() if present),
        server_beats=_pings_of(chosen),
        server_pings=chosen.pings["server"],
        client_pings=chosen.pings["client"],
        client_pongs=pongs,
        server_frames=server_frames,
        overlaps=_overlap(alike),
        lately=_lately(chosen, alike),
        passed=_passed(chosen, alike),
        replied=last_server_at > last_client_at,
        answer=answer,
        asked=tuple(sorted(ends.values(), key=lambda each: each.n))[:KINDS_KEPT],
        asked_often=Counter(each.kind for each in answers),
        answer_kinds=len({each.kind for each in answers}),
        answer_reaction=max(0.0, survey.over - answer.at - survey.opened) if answer is not None else None,
        subprotocols=tuple(w.strip() for w in headers.get("sec-websocket-protocol", "").split(",") if w.strip()),
        failed_checks=chosen.checks,
        echoed=chosen.subprotocol or "",
        opening=opening(chosen.subprotocol or "", (f.kind for f in frames), answers[0].kind if answers else ""),
        pause=max(chosen.traffic.pause, survey.over - chosen.traffic.at) if chosen.looked_into is not None else None,
        junk=chosen.junk.get("server", ""),
        malformed=tuple(malformed),
        doubled=_doubled(chosen.path),
        credentials=credentials(survey.request),
        request=survey.request,
        priors=_priors(report),
    )


def _with_kinds(frames: list[ClientFrame]) -> list[ClientFrame]:
    """The same messages of one side, each with its kind, as the messages together tell it."""
    learned = Discriminators()
    for frame in frames:
        learned.feed(OPCODE_NUMBERS.get(frame.opcode, 1), frame.payload)
    return [replace(f, kind=learned.kind(OPCODE_NUMBERS.get(f.opcode, 1), f.payload).text) for f in frames]


def _doubled(path: str) -> str:
    found = re.search(r"(/[^/]+)\1(?=/|$)", path)
    return found[0] if found else ""


def _faults(step: Send) -> tuple[str, ...]:
    payload, found = step.message, dict.fromkeys(step.problems)
    if payload is None and step.packed:
        found["deflate"] = None
    if payload is not None and step.opcode == "text":
        try:
            payload.decode()
        except UnicodeDecodeError:
            found["invalid-utf8"] = None
    return tuple(found)


def _pings_of(connection: Connection) -> int:
    """How many heartbeats of its own the server sent."""
    beats = connection.traffic.beats.get(("server", "app"))
    return 0 if beats is None else beats.sent


def _overlap(connections: Sequence[Connection]) -> bool:
    """Whether one client asked for another of these while one was open."""
    spans = sorted((c.asked, inf if c.ended is None else c.ended) for c in connections if c.asked is not None)
    return any(later[0] < earlier[1] for earlier, later in zip(spans, spans[1:], strict=False))


def _lately(chosen: Connection, alike: Sequence[Connection]) -> int:
    at = chosen.first_seen
    return sum(c.opened is not None and c.conn != chosen.conn and at - LATELY <= c.first_seen <= at for c in alike)


def _passed(chosen: Connection, alike: Sequence[Connection]) -> bool:
    """Whether another of these said more than this one, and lived: its messages alone end nothing."""
    lived = 2 * (chosen.lifetime or 0.0) + 0.3
    return any(
        c.lifetime is not None and c.lifetime > lived and c.frames["client"] > chosen.frames["client"] for c in alike
    )


def _priors(report: Report) -> dict[str, float]:
    if report.verdict.startswith(("unknown", "none")):
        return {}
    priors = {report.verdict: report.confidence}
    for verdict in report.also:
        priors[verdict] = max(priors.get(verdict, 0.0), 0.9 * report.confidence)
    for other in report.alternatives:
        priors[other.verdict] = max(priors.get(other.verdict, 0.0), other.confidence)
    return priors
