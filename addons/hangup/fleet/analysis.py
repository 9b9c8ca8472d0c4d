"""One recording of many: what ``why`` says of it, as short as it takes to see what it has in common with others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.for_others import for_others
from hangup.diagnosis.report import Report
from hangup.errors import HangupError
from hangup.experiment import document_file
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Proved, what_is_proved
from hangup.fleet.subjects import Subject
from hangup.processes.tshark import open_recording
from hangup.recording.connections import Connection
from hangup.recording.redaction.placeholders import unnumbered
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.release import release_of
from hangup.recording.traffic_ledger import TrafficLedger, look_into_again


class Analysis(Struct, kw_only=True):
    """What is known of a recording. ``first`` and ``last`` are when the first and the last of the connections that
    dropped began to end, in seconds from ``started``; ``dropped`` is how many these are, ``law`` what was proved.

    ``error`` says why it could not be analysed; then the rest is empty.
    """

    recording: str
    started: str = ""
    target: str = ""
    verdict: str = ""
    confidence: float = 0.0
    proved: bool = False
    law: str = ""
    sentence: str = ""
    fix: str = ""
    closer: str = ""
    trigger: str = ""
    path: str = ""
    release: str = ""
    mode: str = ""
    code: int | None = None
    conn: int | None = None
    frame: int | None = None
    connections: int = 0
    dropped: int = 0
    loop: str = ""
    first: float | None = None
    last: float | None = None
    also: tuple[str, ...] = ()
    evidence: list[str] = []
    error: str = ""

    @property
    def category(self) -> str:
        """The part of the verdict before the slash."""
        return self.verdict.partition("/")[0]


def analyse_all(piece: tuple[Sequence[Subject], Sequence[str] | None]) -> list[Analysis]:
    """Analyses some recordings one after the other; what to hide is as for :func:`analyse`."""
    mine, hiding = piece
    return [analyse(subject, hiding) for subject in mine]


def analyse(subject: Subject, hiding: Sequence[str] | None = None, redactor: Redactor | None = None) -> Analysis:
    """Analyses a recording; what is wrong with it is in the answer. ``hiding`` are further patterns of secrets, none of
    which, nor any other secret, is in the answer then; None keeps them all. A ``redactor`` that has learned all of the
    recording need not do so again."""
    try:
        source = open_recording(subject.path, name=subject.name)
        ledger = look_into_again(source.header, source.batches)
        proof = document_file.read(Path(subject.proof)) if subject.proof else None
    except HangupError as error:
        return Analysis(recording=subject.name, error=str(error).removeprefix(f"{subject.name} "))
    if redactor is None and hiding is not None:
        redactor = Redactor(hiding)
        redactor.learn(_events(source), source.header)
    if redactor is not None and proof is not None:
        proof.teach(redactor.vault)
        proof = proof.redacted(redactor.vault)
    if redactor is None or not redactor.vault.secrets:
        told = report(ledger, recording=subject.name)
    else:
        told, _ = for_others(ledger, redactor, source.header, _events(source), recording=subject.name)
    found = analysis_of(subject.name, ledger, told, proof)
    return found if redactor is None else _redacted(found, redactor)


def analysis_of(name: str, ledger: TrafficLedger, told: Report, proof: Proof | None = None) -> Analysis:
    """What a report, and the proof where there is one, say of a recording in short."""
    case = Case(ledger)
    proved = what_is_proved(told, proof)
    found = Analysis(
        recording=name,
        started=ledger.header.started,
        target=ledger.header.target,
        verdict=told.verdict,
        confidence=told.confidence,
        sentence=told.sentence,
        fix=told.hint,
        closer=told.closer,
        trigger=told.trigger.kind,
        conn=told.conn if told.conn is not None else told.trigger.conn,
        frame=told.trigger.frame,
        connections=told.connections.get("all", 0),
        loop=told.loop,
        also=told.also,
        evidence=[sign.text for sign in told.evidence if sign.weight >= 0],
    )
    if proved is not None:
        _say_what_is_proved(found, proved)
    victims = case.victims
    if victims and case.group is not None:
        found.path, found.mode, found.code = case.group.route or "/", case.mode, case.code
        found.release = next(filter(None, map(_release, victims)), "")
        ends = [life.end if life.end is not None else life.began for life in victims]
        found.first, found.last, found.dropped = min(ends), max(ends), len(victims)
    return found


def _say_what_is_proved(found: Analysis, proved: Proved) -> None:
    """Nothing is guessed any more where it is proved."""
    found.proved, found.verdict, found.confidence = True, proved.verdict, 1.0
    found.law = proved.law or proved.sentence
    found.sentence, found.fix = proved.sentence, proved.fix


def _release(life: Connection) -> str:
    answer = life.traffic.response
    return "" if answer is None else release_of(answer.headers)


def _redacted(found: Analysis, redactor: Redactor) -> Analysis:
    """What the report does not go over by itself; and no numbers, which say nothing beyond one recording."""
    text = redactor.vault.text
    found.target, found.path = text(found.target, url=True), text(found.path, url=True)
    found.release = text(found.release)
    found.evidence = list(map(unnumbered, found.evidence))
    for name in ("target", "law", "sentence", "fix", "path", "release", "loop"):
        setattr(found, name, unnumbered(getattr(found, name)))
    return found


def _events(source: Any) -> Any:
    return (event for batch in source.batches() for event in batch)
