"""From a recording to a report: read the signs, ask every cause, weigh what they say."""

from __future__ import annotations

from collections.abc import Iterable

from hangup.diagnosis import hints, sentences, steps, timeline
from hangup.diagnosis.case import Case
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.ranking import Ranking
from hangup.diagnosis.report import Report
from hangup.recording.events import AnyEvent, Header
from hangup.recording.fates import loops_in
from hangup.recording.loops import Loop
from hangup.recording.traffic_ledger import TrafficLedger, look_into

CLOSERS = ("client", "server", "proxy")


def diagnose(header: Header, events: Iterable[AnyEvent], only: int | None = None, recording: str = "") -> Report:
    """The report on a recording. ``only`` asks about the ending of one connection; ``recording`` is its name."""
    return report(look_into(header, events), only, recording)


def report(
    ledger: TrafficLedger, only: int | None = None, recording: str = "", shown: TrafficLedger | None = None
) -> Report:
    """The report on what is known. ``shown`` may be the same recording redacted, to quote messages from."""
    case = Case(ledger, only)
    quoted = case if shown is None else Case(shown, only)
    ranking = Ranking(hypotheses(case))
    first = ranking.first
    known = ranking.named or bool(first.evidence)
    verdict, also = ranking.names()
    if ranking.named:
        closer, evidence, sure = first.closer, ranking.evidence(), ranking.sure
        if case.closer == "unknown":
            closer = case.closer  # what is named explains an end; it does not show whose it was
    else:
        closer, sure = case.closer, 0.0  # that nothing can be named is no claim to be sure of
        evidence = ranking.evidence() if known else sentences.what_happened(case)
    trigger = first.trigger
    alternatives = ranking.alternatives()
    stack = case.stack
    fine = verdict in steps.AS_IT_SHOULD
    loop = _loop(case) if not verdict.startswith("none/") else None
    conn, marks = timeline.around(quoted, trigger)
    result = Report(
        verdict=verdict,
        confidence=sure,
        closer=closer if closer in CLOSERS else "none" if verdict.startswith("none/") else "unknown",
        trigger=trigger,
        evidence=evidence,
        alternatives=alternatives,
        next=steps.after(quoted, (verdict, *also), alternatives, trigger, recording),
        also=also,
        amplifier="" if fine or (loop is not None and loop.backing_off) else sentences.amplifier(case),
        parts=ranking.parts(),
        connections=_counts(case),
        loop=loop.sentence if loop is not None else "",
        hint=next((text for name in ranking.akin() if (text := hints.hint(case, name, stack))), ""),
        stack=stack,
        timeline=marks,
        conn=conn,
        notes=sentences.notes(case),
        recording=recording,
    )
    result.sentence = sentences.sentence(case, result, known, first.exact)
    return result


def _counts(case: Case) -> dict[str, int]:
    return {
        "all": len(case.ledger.known()),
        "analysed": len(case.ledger.known()) - case.ledger.passed_over,
        "dropped": sum(len(group.lives) + len(group.beside) for group in case.groups),
        "alike": case.count,
        "lived": len(case.survivors),
    }


def _loop(case: Case) -> Loop | None:
    """The loop that is spoken of, if there is one."""
    found = loops_in(case.ledger, case.last_at)
    mine = {life.conn for life in case.victims}
    best = max(found, key=lambda loop: len(mine.intersection(loop.conns)), default=None)
    return best if best is not None and mine.intersection(best.conns) else None
