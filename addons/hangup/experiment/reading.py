"""From a recording to a case: which connection failed, how, and what its client did before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from hangup.diagnosis.diagnose import report as report_on
from hangup.diagnosis.report import Report
from hangup.errors import RecordingError
from hangup.experiment.answers import Answers
from hangup.experiment.envelope import with_constants
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import factors
from hangup.experiment.failure import Failure, derive, judge
from hangup.experiment.handshakes import credentials, donated
from hangup.experiment.kept_scripts import LATELY, KeptScripts, with_kinds
from hangup.experiment.last_words import shared_words
from hangup.experiment.message_values import leaves, split
from hangup.experiment.studied_connection import AT_ONCE, any_end, choose, client_rule_of, survivors
from hangup.experiment.trial import Case, ClientFrame
from hangup.messages.farewells import says_goodbye
from hangup.messages.heartbeats import recognise
from hangup.messages.openings import opening
from hangup.recording import loops
from hangup.recording.connections import Connection
from hangup.recording.fates import settle
from hangup.recording.formats import Recording
from hangup.recording.reader import batches
from hangup.recording.redaction.names import is_strong
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.replayable.client_script import Send, Transcript
from hangup.wire.frames import OPCODE_NUMBERS

IDENTITY = ("origin", "cookie", "authorization", "sec-websocket-protocol", "user-agent")
"""Headers by which a server may tell who asks."""

FRAMES_KEPT = 20_000
"""Client messages that a case holds; a longer exchange is cut at its front, the end being what matters."""

KINDS_KEPT = 40


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
    scripts = KeptScripts(conn)
    answers = Answers()
    for events in batches(recording):
        ledger.feed_all(events)
        scripts.feed(events, ledger)
        answers.feed(events)
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
    case.ages = found.ages
    lived = survivors(connections, chosen, found)
    failed = {c.conn for c in connections if c.failed and judge(c, found) is not Outcome.SURVIVED}
    case.harmless = scripts.harmless(chosen.conn, connections, failed, case.frames)
    others = [c for c in alike if judge(c, found) is not Outcome.FAILED and c.conn != chosen.conn]
    case.lived = scripts.lived(others, case.frames)
    with_constants(case)
    case.replies = scripts.replies([*others, chosen], case.asked)  # it may have answered all but the last
    case.donated = donated(transcript.survey.request, lived, chosen.refused)
    case.factors = factors(transcript.survey.request, lived)
    case.answers, case.server_answers = answers.found("server"), answers.found("client")
    if found.by == "client" and not page:
        case.client_rule = rule = client_rule_of(recording, found, connections, chosen)
        if rule is not None and rule.on in ("unanswered", "silence") and case.frames:
            case.reaction = 0.0  # what the client waited for was missing from then on
    case.others = scripts.others(chosen, connections)
    if failure is None and found.by == "server":
        ends = [c for c in alike if judge(c, found) is Outcome.FAILED]
        found = replace(found, words=shared_words(scripts.ended_with(ends)))
    return Reading(case, found, transcript, report, alike, recording)


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
            frame = ClientFrame(step.n or 0, step.opcode, payload, at, beat, faults, "", fragments)
            said["client"].append(replace(frame, compressed=step.packed > 0))
            last_client_at = step.at
        else:
            malformed.update(dict.fromkeys(step.problems))
            pongs += step.opcode == "pong"  # those that answer a ping are in no script
        for each in said.values():
            del each[:-FRAMES_KEPT]
    if chosen.ending.by == "client" and said["client"] and _farewell(said["client"][-1], survey.over - survey.opened):
        said["client"].pop()  # so does this: it has decided to go
    frames = with_kinds(said["client"])
    answers = with_kinds(said["server"])
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
        by=chosen.hung_up_by,
        how=chosen.manner or "",
        code=ending.code,
        reason=ending.reason or "",
        status=chosen.status,
        features=frozenset(name for name, present in features.items() if present),
        server_beats=_pings_of(chosen),
        server_pings=chosen.pings["server"],
        client_pings=chosen.pings["client"],
        client_pongs=pongs,
        wrong_pongs=survey.pongs.wrong,
        server_frames=server_frames,
        overlaps=_overlap(alike),
        lately=_lately(chosen, alike),
        passed=_passed(chosen, alike),
        served_as=_served_as(chosen, alike),
        let_in=_let_in(chosen, alike),
        says_secret=any(map(_names_a_secret, frames)),
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


def _farewell(last: ClientFrame, over: float) -> bool:
    """Whether a client says goodbye with its last message, and goes."""
    return over - last.at <= AT_ONCE and says_goodbye(last.own_kind.name)


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


def _names_a_secret(frame: ClientFrame) -> bool:
    value = split(frame.payload)[1]
    return any(isinstance(key, str) and is_strong(key) for path in leaves(value) for key in path)


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


def _served_as(chosen: Connection, alike: Sequence[Connection]) -> int:
    """The first of these that asked for the same before the chosen one was refused, and was let in."""
    before = (c for c in alike if c.opened is not None and c.first_seen < chosen.first_seen and not c.actions)
    return next((c.conn for c in before if _asked(c) == _asked(chosen)), 0) if chosen.refused else 0


def _asked(connection: Connection) -> tuple[str, ...]:
    """What it asked for, and as whom."""
    return (connection.target, *map(connection.header, IDENTITY))


def _let_in(chosen: Connection, alike: Sequence[Connection]) -> float:
    """How long after an end the same request was accepted, at least, where that is longer than this one waited."""
    if not chosen.refused:
        return 0.0

    def waited(at: float) -> float | None:
        ends = [c.ended for c in alike if c.opened is not None and c.ended is not None and c.ended <= at]
        return at - max(ends) if ends else None

    mine = waited(chosen.first_seen)
    same = (c for c in alike if c.opened is not None and c.target == chosen.target and not c.actions)
    gaps = [gap for c in same if c.opened is not None and (gap := waited(c.opened)) is not None]
    return min(gaps) if mine is not None and gaps and min(gaps) > mine else 0.0


def _priors(report: Report) -> dict[str, float]:
    if report.verdict.startswith(("unknown", "none")):
        return {}
    priors = {report.verdict: report.confidence}
    for verdict in report.also:
        priors[verdict] = max(priors.get(verdict, 0.0), 0.9 * report.confidence)
    for other in report.alternatives:
        priors[other.verdict] = max(priors.get(other.verdict, 0.0), other.confidence)
    return priors
