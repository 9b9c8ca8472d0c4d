"""The law of ends that are about no message: with the fix the connection stays open, without it it ends."""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Arms
from hangup.experiment.claim import Claim
from hangup.experiment.frame_law import broken
from hangup.experiment.ladder import REPAIR
from hangup.experiment.law import DROPS, Condition, Law
from hangup.experiment.reversal import BLUNT
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Verdict


def other_law(arms: Arms, verdict: Verdict, trigger: str) -> Claim | None:
    """A law that is about no message: with the fix the connection stays open, without it it ends."""
    case = arms.case
    numbers = tuple(frame.n for frame in case.frames)
    filters = tuple(verdict.cure.split(" + ")) if verdict.cure else ()

    def some(rng: Random) -> tuple[int, ...]:
        return tuple(sorted(rng.sample(numbers, rng.randint(0, len(numbers)))))

    malformed = case.malformed if verdict.cure == REPAIR else ()
    if not filters or (trigger not in ("time", "control", "none") and not malformed):
        return None
    if any(t.arm in BLUNT and t.filters == filters for t in verdict.ladder):
        return None  # that it stays open when nothing is said is no law about what is
    when = f" when {broken(malformed)}" if malformed else f" {verdict.timers[0]}" if verdict.timers else ""
    words = f"without `{verdict.cure}`"
    condition = Condition(words, filter=verdict.cure, with_it=verdict.cause, without=verdict.without)
    begins = case.ends if malformed else DROPS
    law = Law(f"{begins}{when}; with `{verdict.cure}` it stays open", [condition], ["what the client sends"])
    clients = arms.clients
    return Claim(
        law,
        lambda rng: Trial("prediction", frames=some(rng), clients=clients),
        lambda rng: Trial("prediction", filters, frames=some(rng), clients=clients),
    )
