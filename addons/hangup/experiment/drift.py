"""Whether the backend is still the one with which the search began.

One that heals by itself, bans who fails too often, or goes down for good makes nonsense of what was tried before and
after. A law that does not hold, or counts that do not speak, may be its doing: so it is asked then.
"""

from __future__ import annotations

from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.trial import Trial


def look_again(arms: Arms) -> Search[None]:
    """The unchanged exchange must fail as before, and with the fix it must stay open; else the verdict says what has
    changed."""
    verdict = arms.verdict
    before = arms.known
    now = Counts()
    outcome = yield from arms.decide(Trial("control"), now)
    what = "as it was recorded"
    if outcome is Outcome.FAILED and verdict.cure and verdict.without.survived:
        before = Counts(verdict.without.failed, verdict.without.survived)
        now = Counts()
        outcome = yield from arms.decide(Trial("control-with-fix", tuple(verdict.cure.split(" + "))), now)
        if outcome is Outcome.FAILED and not now.survived:
            verdict.changed = f"with {verdict.cure} it failed {before} at first, and {now} at the end"
    elif outcome is Outcome.SURVIVED:
        verdict.changed = f"{what} it failed {before} at first, and {now} at the end"
    elif outcome is Outcome.UNRESOLVED and not now.n:
        verdict.changed = f"{what} it failed {before} at first; at the end: {arms.last.another or arms.last.sentence}"
