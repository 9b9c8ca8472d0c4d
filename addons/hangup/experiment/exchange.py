"""The smallest exchange that fails, and the nearest to it that does not: which trials they were.

The minimiser says which of the client's messages are needed; here the trial is found in which just they were said, so
that what is handed on is what was on the wire and not what is thought of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from hangup.experiment.evidence import Counts, Outcome, decide, most_trials
from hangup.experiment.search import BudgetSpent, Minimal, Search, Verdict, search
from hangup.experiment.trial import Case, Result, Trial

Trials = Sequence[tuple[Trial, Result]]
"""What was tried, in order, and what came of it."""

Said = dict[int, tuple[str, bytes]]
"""What the client says in a trial: frame number -> opcode, payload."""


def said(case: Case, trial: Trial) -> Said:
    """What the client says in a trial, before any filter."""
    edits = dict(trial.edits)
    made: Said = {}
    for frame in case.frames:
        if trial.frames is not None and frame.n not in trial.frames:
            continue
        edit = edits.get(frame.n)
        made[frame.n] = (
            (edit.opcode or frame.opcode, edit.payload) if edit is not None else (frame.opcode, frame.payload)
        )
    return made


def smallest(case: Case, verdict: Verdict, trials: Trials) -> Result | None:
    """The last trial that failed and said no more than the verdict's minimal exchange; where there is none, the last
    that failed as it was recorded."""
    minimal = verdict.minimal
    wanted = said(case, Trial("")) if minimal is None else said(case, Trial("", frames=minimal.frames))
    if minimal is not None and minimal.payload is not None and minimal.frames:
        last = minimal.frames[-1]
        wanted[last] = (minimal.opcode or wanted[last][0], minimal.payload)
    return next((result for trial, result in _plain(trials, Outcome.FAILED) if said(case, trial) == wanted), None)


def nearest(case: Case, verdict: Verdict, trials: Trials) -> Result | None:
    """The trial nearest to the smallest exchange that survived: the same messages but for the last one's contents, or
    one message less; where nothing of the kind was tried, the exchange with the cure."""
    minimal = verdict.minimal
    survived = [(said(case, trial), result) for trial, result in _plain(trials, Outcome.SURVIVED)]
    if minimal is not None and minimal.frames:
        frames = list(minimal.frames)
        if minimal.payload is not None:
            size = len(minimal.payload)
            changed = [(words, result) for words, result in survived if list(words) == frames]
            if changed:
                return min(changed, key=lambda found: abs(len(found[0][frames[-1]][1]) - size))[1]
        fewer = [(words, result) for words, result in survived if set(words) < set(frames)]
        if fewer:
            return max(fewer, key=lambda found: len(found[0]))[1]
    if verdict.cure:
        for trial, result in reversed(trials):
            if result.outcome is Outcome.SURVIVED and " + ".join(trial.filters) == verdict.cure:
                return result
    return None


def _plain(trials: Trials, outcome: Outcome) -> Iterator[tuple[Trial, Result]]:
    """Those with this outcome in which no filter was at work, the last first."""
    for trial, result in reversed(trials):
        if result.outcome is outcome and result.conn is not None and not trial.filters:
            yield trial, result


def shrink(case: Case, verdict: Verdict) -> Search[Verdict]:
    """Makes the exchange of a verdict smaller that has none yet: it was reached live, or time is what triggers it.

    The failure is looked for anew, by replay, as a live page's cannot be taken for granted. Returns the verdict, with
    its ``minimal`` if there is one.
    """
    found = Verdict()
    if case.by == "client" or not verdict.reproduced or verdict.minimal is not None:
        return verdict
    yield from search(replace(case, priors={verdict.verdict: 1.0}), rungs=(), verdict=found)
    verdict.minimal = found.minimal
    if verdict.minimal is None and found.reproduced and not found.stopped and case.frames:
        counts = Counts()
        try:
            while decide(counts, found.cause) is None and counts.n < most_trials(found.cause) and counts.unresolved < 3:
                result = yield Trial("frames", frames=())
                counts.add(result.outcome)
        except BudgetSpent:
            return verdict
        if decide(counts, found.cause) is Outcome.FAILED:
            verdict.minimal = Minimal((), neighbour=f"with {verdict.cure} it survives" if verdict.cure else "")
    return verdict
