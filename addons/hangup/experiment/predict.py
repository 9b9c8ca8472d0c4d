"""Holding a law against exchanges that nobody has tried. One that predicts them all is worth calling proved; one miss,
and it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Law
from hangup.experiment.trial import Case, Trial, messages
from hangup.humanize import printable

OF_EACH = 4
"""Fresh exchanges that are predicted to fail, and as many to survive."""

TOO_LATE = 0.3
"""By this share of the distance to a boundary in time may anything be late, and the exchange is still what it was meant
to be."""

SPARE = 3
"""So many more are made for those that came to nothing."""

AGAIN = 2
"""So often is one tried again that was not."""

SHOWN = 160
"""Characters of a filter that are shown."""


LONGEST = 240.0
"""No law is held against exchanges one at a time where those would take longer than so many seconds."""


def test(arms: Arms, claim: Claim, seed: int = 0) -> Search[None]:
    """Makes fresh exchanges, half of which the law says will fail, and tries them in random order. Where a law misses
    that was tried side by side with others, one trial may have done something to the other (a server that knows both by
    the same id): then it is held against others, one at a time."""
    together = arms.together
    yield from _test(arms, claim, seed)
    law, costs = claim.law, arms.costs
    if arms.live or law.holds or arms.together == together or OF_EACH * (costs.failing + costs.surviving) > LONGEST:
        return
    arms.alone = True
    law.right = law.predicted = 0
    law.missed.clear()
    claim.stayed.clear()
    claim.harmless.clear()
    for condition in law.conditions:
        condition.with_it, condition.without = Counts(), Counts()
    yield from _test(arms, claim, seed + 1)


def _test(arms: Arms, claim: Claim, seed: int) -> Search[None]:
    rng = Random(seed)
    order = _several(claim, claim.failing, True, rng)
    if claim.surviving is not None:
        order += _several(claim, claim.surviving, False, rng)
    rng.shuffle(order)
    law = claim.law
    spare = SPARE
    for number, (trial, fails) in enumerate(order):  # which may grow
        expected = Outcome.FAILED if fails else Outcome.SURVIVED
        outcome = yield from _outcome(arms, trial, expected, (later for later, _ in order[number + 1 :]))
        for _ in range(AGAIN):
            if outcome is expected or arms.last.late < TOO_LATE * claim.margin:
                break
            outcome = yield from _outcome(arms, trial, expected, ())  # it was not the exchange that it should have been
        said = "fail" if fails else "stay open"
        if outcome is Outcome.UNRESOLVED and not fails and (whole := _whole(arms.case, trial)) != trial:
            # What is left out of it may be missed: with all that the client said before.
            outcome = yield from _outcome(arms, whole, expected, ())
        if outcome is Outcome.UNRESOLVED:
            # It bears nothing out: with too few that do, the law does not hold.
            other = arms.last.another or "its outcomes disagree"
            law.missed.append(f"{_described(arms.case, trial)}: expected to {said}, but inconclusive: {other}")
            make = claim.failing if fails else claim.surviving
            if spare and make is not None:
                if arms.last.another and not claim.gentle:
                    claim.gentle = True
                    edges = {trial for trial, _ in claim.edges}
                    for later in range(number + 1, len(order)):
                        if order[later][1] is fails and order[later][0] not in edges:
                            order[later] = make(rng), fails
                order.append((make(rng), fails))
                spare -= 1
            continue
        law.predicted += 1
        if claim.age is not None:
            _hold_age(arms, law, claim.age, outcome, _described(arms.case, trial))
            continue
        for condition in law.conditions:
            (condition.with_it if fails else condition.without).add(outcome)
        if outcome is expected:
            law.right += 1
            if not fails and trial.edits:
                claim.harmless.append(trial.edits[-1][1])
            continue
        if fails and trial.edits:
            claim.stayed.append(trial.edits[-1][1].payload)
        happened = "stayed open" if fails else "failed"
        law.missed.append(f"{_described(arms.case, trial)}: expected to {said}, but it {happened}")


def _whole(case: Case, trial: Trial) -> Trial:
    """The same with all that the client said before its last message."""
    if not trial.frames:
        return trial
    return replace(trial, frames=tuple(frame.n for frame in case.frames if frame.n <= trial.frames[-1]))


def _hold_age(arms: Arms, law: Law, age: tuple[float, float], outcome: Outcome, trial: str) -> None:
    """Whether it was still open at the one age, and over at the other."""
    open_at, over_at = age
    lived = arms.last.lifetime or 0.0
    early, late = lived < open_at, outcome is not Outcome.FAILED or lived > over_at
    before, past = (Outcome.FAILED if each else Outcome.SURVIVED for each in (early, not late))
    for condition in law.conditions:
        condition.with_it.add(past)
        condition.without.add(before)
    if early or late:
        law.missed.append(
            f"{trial}: expected to end at the age of {open_at:.2f} to {over_at:.2f} s, but ended at "
            f"{lived:.2f} s"
        )
    else:
        law.right += 1


def _several(claim: Claim, make: Callable[[Random], Trial], fails: bool, rng: Random) -> list[tuple[Trial, bool]]:
    """Exchanges that differ as far as there are so many, else some of them again; first those at the edge."""
    count = 2 * OF_EACH if claim.surviving is None else OF_EACH
    edges = [trial for trial, failing in claim.edges if failing is fails]
    made = [make(rng) for _ in range(4 * count)]
    found = list(dict.fromkeys([*edges[: count - 1], *made]))
    return [(trial, fails) for trial in (found + made)[:count]]


def _outcome(arms: Arms, trial: Trial, expected: Outcome, later: Iterable[Trial]) -> Search[Outcome]:
    """What comes of it; where the failure flickers, or it was a surprise, it is tried again until that speaks."""
    counts = Counts()
    if not arms.known.survived:
        if (yield from arms.attempt(trial, counts, beside=tuple(later))) is expected:
            return expected
    return (yield from arms.decide(trial, counts))


def _described(case: Case, trial: Trial) -> str:
    if trial.neighbours:
        each = trial.neighbours[0]
        frames = ", ".join(map(str, each.frames or ())) or "none"
        return f"beside connection {each.conn} with its frames {frames}{', which leaves' if each.leaves else ''}"
    if trial.before or len(trial.edits) > 1:
        said = [payload for _, payload in messages(case, trial)][-4:]
        return f"with {' '.join(printable(each[:60].decode(errors='backslashreplace'), 40) for each in said)}"
    if trial.edits:
        payload = trial.edits[-1][1].payload
        return f"with {printable(payload[:120].decode(errors='backslashreplace'), 80)!r}"
    if trial.filters:
        return f"with {printable(' + '.join(trial.filters), SHOWN)}"
    if trial.frames is not None:
        return f"with client frames {', '.join(map(str, trial.frames)) or 'none'}"
    return "as it was recorded"
