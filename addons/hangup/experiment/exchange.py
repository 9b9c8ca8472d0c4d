"""The smallest exchange that fails, and the nearest to it that does not: which trials they were.

The minimiser says which of the client's messages are needed; here the trial is found in which just they were said, so
that what is handed on is what was on the wire and not what is thought of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hangup.experiment import shrinking
from hangup.experiment.arms import Arms, Search
from hangup.experiment.climb import TRIES
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.trial import Case, Result, Trial
from hangup.experiment.verdict import BudgetSpent, Minimal, Verdict

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
    """Those with this outcome in which no filter was at work and nothing was said in addition, at the recorded pace,
    the last first."""
    for trial, result in reversed(trials):
        plain = not (trial.filters or trial.before) and trial.speed == 1
        if result.outcome is outcome and result.conn is not None and plain:
            yield trial, result


def complete(case: Case, searching: Search[Verdict]) -> Search[Verdict]:
    """A search by replay, and after it the smallest exchange where it found none: also where time ends the connection,
    or no explanation stands out, it helps to know what need not be said."""
    verdict = yield from searching
    return (yield from shrink(case, verdict, verdict.cause))


def shrink(case: Case, verdict: Verdict, control: Counts | None = None) -> Search[Verdict]:
    """Makes the exchange of a verdict smaller that has none yet. Returns the verdict, with its ``minimal`` if there is
    one.

    ``control`` is how often the exchange failed by replay. Without it, it must be seen anew: that a page fails says
    little of a replay of it.
    """
    if case.asks_client or verdict.minimal is not None or not verdict.reproduced or verdict.stopped:
        return verdict
    if case.overlaps or not case.frames:  # it takes two, or there is nothing to leave away
        return verdict
    arms = Arms(case, False, Verdict(ladder=verdict.ladder))
    try:
        if control is None or control.failed < 2:
            yield from _control(arms)
        else:
            arms.control = Counts(control.failed, control.survived)
        if arms.control.failed >= 2:
            yield from _smaller(arms, verdict)
        else:
            seldom = f"it happened {arms.control.failed} of {arms.control.n} times"
            never = f"it does not happen: {arms.last.sentence}"
            verdict.unshrunk = arms.last.untried or (seldom if arms.control.failed else never)
    except BudgetSpent as spent:
        if not arms.control.failed:
            verdict.unshrunk = arms.last.untried or str(spent)
    verdict.minimal = arms.verdict.minimal
    if control is not None:
        verdict.connections += arms.verdict.connections
    return verdict


def _control(arms: Arms) -> Search[None]:
    c = arms.control
    while c.failed < (2 if not c.survived else 4) and c.survived < TRIES and c.unresolved < 3:
        yield from arms.attempt(Trial("control"), c)


def _smaller(arms: Arms, verdict: Verdict) -> Search[None]:
    silent = next((tried for tried in verdict.ladder if tried.arm == "silence"), None)
    if silent is not None and silent.outcome is Outcome.FAILED:
        # That is known: what is wanted is one trial in which nothing is said, to be kept.
        counts = Counts()
        while not counts.failed and counts.n + counts.unresolved < 5:
            yield from arms.attempt(Trial("frames", frames=()), counts)
        arms.verdict.minimal = Minimal(()) if counts.failed else None
    else:
        # What is in a message matters where a message may be the cause.
        contents = verdict.trigger == "frame" or verdict.verdict.startswith("unknown")
        yield from shrinking.shrink(arms, verdict.verdict, count=not contents)
    minimal = arms.verdict.minimal
    if minimal is not None and not minimal.frames and verdict.cure:
        minimal.neighbour = f"with {verdict.cure} it stays open"
