"""From a recording to a report: collect the signs, ask every rule, weigh what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hangup.diagnosis import hints, sentences, steps, timeline
from hangup.diagnosis.case import Case
from hangup.diagnosis.collector import Collector, collect
from hangup.diagnosis.confidence import NAMED, shares, worth
from hangup.diagnosis.findings import Evidence, Hypothesis, Trigger
from hangup.diagnosis.reactions import reaction
from hangup.diagnosis.report import Alternative, Report
from hangup.diagnosis.rules import RULES, words
from hangup.diagnosis.stack import stack_of
from hangup.recording import loops
from hangup.recording.events import Event, Header, Side

BEAT = "heartbeat/app-ping-kills"

ALTERNATIVES = 5
LEAST = 0.02
"""Confidence below which a runner-up is not worth a line."""

SHOWN_ALWAYS = 2
"""So many runners-up are listed, however unlikely."""


def diagnose(header: Header, events: Iterable[Event], only: int | None = None, recording: str = "") -> Report:
    """The report on a recording. ``only`` asks about the ending of one connection; ``recording`` is its name."""
    return report(collect(header, events), only, recording)


def hypotheses(case: Case) -> list[Hypothesis]:
    """Everything that the rules come up with, one hypothesis a verdict, the likeliest first."""
    found: dict[str, Hypothesis] = {}
    added: list[Hypothesis] = []
    for rule in RULES:
        for hypothesis in rule(case):
            known = found.get(hypothesis.verdict)
            if hypothesis.adds:
                added.append(hypothesis)
            elif known is None:
                found[hypothesis.verdict] = hypothesis
            else:
                known.merge(hypothesis)
    for hypothesis in added:
        if hypothesis.verdict in found:
            found[hypothesis.verdict].merge(hypothesis)
    said = list(words.spoken(case))
    for hypothesis in said:
        known = found.get(hypothesis.verdict)
        if known is not None:
            known.merge(hypothesis)
        elif hypothesis.score > 0:
            alone = found[hypothesis.verdict] = Hypothesis(
                hypothesis.verdict, 0.5 * _timing(case), closer=hypothesis.closer, trigger=hypothesis.trigger
            )
            alone.merge(hypothesis)
    everything = list(found.values())
    words.contradicted(said, everything)
    words.by_stack(case, everything)
    return sorted(everything, key=lambda h: (-h.score, h.verdict))


def _timing(case: Case) -> float:
    """What the timing of the ends gives to causes that look at it; one that is only named gets a part of it too."""
    side: Side = "server" if case.closer == "client" else "client"
    found = reaction(case, side) if case.mode in ("cut", "close") else None
    return found.weight if found is not None else 0.0


def report(
    collector: Collector, only: int | None = None, recording: str = "", shown: Collector | None = None
) -> Report:
    """The report on what was collected. ``shown`` may be the same recording redacted, to quote messages from."""
    case = Case(collector, only)
    quoted = case if shown is None else Case(shown, only)
    ranked = hypotheses(case)
    found = shares(ranked)
    _likeliest_first(ranked, found)
    confident = [worth(share) for share in found]
    first = ranked[0] if ranked else None
    sure = confident[0] if confident else 0.0
    if first is not None and first.also:
        # Two names of one thing do not compete.
        sure = min(
            0.98,
            worth(
                min(1.0, sum(s for h, s in zip(ranked, found, strict=True) if h is first or h.verdict in first.also))
            ),
        )
    whole = sum(
        share for h, share in zip(ranked, found, strict=True) if first is not None and h.category == first.category
    )
    enough = sure >= NAMED or (whole >= 0.5 and sure >= 0.5 * NAMED)
    named = first is not None and enough and first.category != "unknown"
    alternatives = [
        Alternative(h.verdict, confidence, _ordered(h)[:3])
        for h, confidence in list(zip(ranked, confident, strict=True))[1 if named else 0 :]
        if h.category != "unknown"
    ]
    alternatives = [a for n, a in enumerate(alternatives) if a.confidence >= LEAST or n < SHOWN_ALWAYS][:ALTERNATIVES]
    if named and first is not None:
        verdict, closer, trigger, also = first.verdict, first.closer, first.trigger, first.also
        evidence = _ordered(first, ranked[1:4])
        if verdict == "message/not-json" and BEAT in also:
            # A bare `ping` that a JSON reader dies of: the heartbeat is what a person asks about, and drops, first.
            also = (verdict, *(other for other in also if other != BEAT))
            alternatives = [a for a in alternatives if a.verdict != BEAT]
            alternatives.insert(0, Alternative(verdict, round(0.25 * sure, 3), evidence[:3]))
            verdict, sure = BEAT, round(0.75 * sure, 3)
    else:
        verdict, also = "unknown/", ()
        closer = case.closer or "unknown"
        trigger = first.trigger if first is not None else Trigger()
        evidence = (
            _ordered(first) if first is not None and first.category == "unknown" else sentences.what_happened(case)
        )
        # How sure we are that no cause can be named.
        sure = round(
            1.0 - max((c for h, c in zip(ranked, confident, strict=True) if h.category != "unknown"), default=0.0), 3
        )
    stack = stack_of(case)
    result = Report(
        verdict=verdict,
        confidence=sure,
        closer=closer
        if closer in ("client", "server", "proxy")
        else "none"
        if verdict.startswith("none/")
        else "unknown",
        trigger=trigger,
        evidence=evidence,
        alternatives=alternatives,
        next=steps.after(quoted, verdict, alternatives, trigger, recording),
        also=also,
        amplifier=sentences.amplifier(case),
        connections=_counts(case),
        loop=_loop(case),
        hint=hints.hint(case, also[0] if verdict == BEAT and also else verdict, stack),
        stack=stack,
        notes=sentences.notes(case),
        recording=recording,
    )
    result.conn, result.timeline = timeline.around(quoted, result.trigger)
    result.sentence = sentences.sentence(case, result)
    return result


def _likeliest_first(ranked: list[Hypothesis], found: list[float]) -> None:
    """Puts the best hypothesis of the likeliest category first, if it is not much behind the best of all."""
    if not ranked or ranked[0].category == "unknown":
        return
    masses: dict[str, float] = {}
    for hypothesis, share in zip(ranked, found, strict=True):
        masses[hypothesis.category] = masses.get(hypothesis.category, 0.0) + share
    best = max(masses, key=lambda category: masses[category])
    at = next(n for n, hypothesis in enumerate(ranked) if hypothesis.category == best)
    if at and found[at] >= 0.6 * found[0] and masses[best] > 1.3 * masses[ranked[0].category]:
        ranked.insert(0, ranked.pop(at))
        found.insert(0, found.pop(at))


def _ordered(hypothesis: Hypothesis, rivals: Sequence[Hypothesis] = ()) -> list[Evidence]:
    """The evidence, the strongest first; what speaks for the rivals as well tells less."""
    shared = {sign.text for rival in rivals for sign in rival.evidence if sign.weight > 0}

    def strength(sign: Evidence) -> float:
        return abs(sign.weight) * (0.4 if sign.text in shared else 1.0)

    return sorted(hypothesis.evidence, key=strength, reverse=True)


def _counts(case: Case) -> dict[str, int]:
    return {
        "all": len(case.collector.ledger.connections),
        "dropped": sum(len(group.lives) for group in case.groups),
        "alike": case.count,
        "lived": len(case.survivors),
    }


def _loop(case: Case) -> str:
    found = loops.find(case.collector.ledger.connections.values(), now=case.last_at)
    mine = {life.conn for life in case.victims}
    best = max(found, key=lambda loop: len(mine.intersection(loop.conns)), default=None)
    return best.sentence if best is not None and mine.intersection(best.conns) else ""
