"""Laws of ends on which nothing that a client does has any effect: each connection ends at one age, or sooner or later
by itself. Nothing takes them away, so they are held against exchanges that are changed in many ways at once.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median

from hangup.experiment.arms import Arms, pings_arrive
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Outcome
from hangup.experiment.handshake_laws import refusals
from hangup.experiment.ladder import BROKEN_PING, BROKEN_PONG, control_frames
from hangup.experiment.law import DROPS, Condition, Law
from hangup.experiment.timers import SHORTEST, Clock
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import PROOF, Verdict

GRAIN, EXACT = 0.12, 0.05
"""By so many seconds, or this share of it where that is more, an age may be missed."""

BEGIN = 0.5
"""Within this share of an age do the exchanges begin that the law of it is held against."""

WHICHEVER = "whichever of its recorded messages the client sends, and also if it sends none"

PROBES = (BROKEN_PING.name, BROKEN_PONG.name)
"""Rungs that are survived by an end of their own."""

ANSWERED = "answer-control-pings"
PONG_AWAITED = ("heartbeat/control-pong-missing", "heartbeat/pong-mismatch")
"""What hardly ends a connection whose pings are answered all the same."""

ENDS = 5
"""So many ends must have been seen, before it is said that they keep to no clock."""


def unconditional(arms: Arms, verdict: Verdict) -> Claim | None:
    """The law where nothing that was tried made any difference; None where something did."""
    if verdict.cure or verdict.p < PROOF or arms.control.survived or arms.clients > 1:
        return None
    if any(tried.counts.survived and tried.arm not in PROBES for tried in verdict.ladder):
        return None
    if arms.case.how == "refused" or arms.case.badly_answered:
        return refusals(arms, verdict)
    return _age(arms, verdict) if verdict.timers and not _of_many_ages(arms) else _whenever(arms)


def _of_many_ages(arms: Arms) -> bool:
    """Whether others that ended so were recorded at other ages: what ends this exchange at one age each time is then
    what the server does in it, and not how long it is open."""
    shortest, longest = arms.case.ages or (0.0, 0.0)
    return longest - shortest > 2 * max(GRAIN, EXACT * longest)


def _age(arms: Arms, verdict: Verdict) -> Claim | None:
    """One age, though the traffic was varied: silence, and speaking again and again."""
    ends = [pulse for pulse in arms.pulses if pulse.ended]
    age = next((timer.at for timer in verdict.timers if timer.clock is Clock.AGE), 0.0)
    # Where the server never speaks, how long it was silent is the age.
    same = {Clock.AGE} if any(pulse.server for pulse in arms.pulses) else {Clock.AGE, Clock.SERVER}
    if not {Clock.AGE} <= {timer.clock for timer in verdict.timers} <= same or age < SHORTEST or len(ends) < 3:
        return None
    at = median(pulse.age for pulse in ends)
    slack = max(GRAIN, EXACT * at)
    words = f"it has been open for {at:.2g} s" if at < 10 else f"it has been open for {at:.0f} s"
    condition = Condition(words, f"survives {at - slack:.2f} s, fails {at + slack:.2f} s")
    law = Law(f"{DROPS} when {words}, {WHICHEVER}", [condition], ["what the client sends, and how often"])
    verdict.contrast = f"for longer than {at:.2g} s", "before"
    claim = Claim(law, _varied(arms, at), None)
    claim.age = at - slack, at + slack
    if (answered := arms.named.get(ANSWERED)) is not None and answered.outcome is Outcome.FAILED:
        claim.refutes = () if _pongs_are_lost(arms) else PONG_AWAITED
    return claim


def _pongs_are_lost(arms: Arms) -> bool:
    """Whether the server takes no notice of a pong that nobody could accept, though it does of such a ping."""
    pong = arms.named.get(BROKEN_PONG.name)
    return pong is not None and pong.outcome is Outcome.FAILED and pings_arrive(arms)


def _whenever(arms: Arms) -> Claim | None:
    """It ends by itself, sooner or later: in silence, and however often the client speaks."""
    ends = [pulse.age for pulse in arms.pulses if pulse.ended]
    silent = [t for name in ("silence", "clock-silence") if (t := arms.named.get(name)) is not None]
    if len(ends) < ENDS or (arms.case.frames and not any(t.outcome is Outcome.FAILED for t in silent)):
        return None
    shortest, longest = arms.case.ages or (min(ends), max(ends))
    ages = f"{min(*ends, shortest):.2g} to {max(*ends, longest):.2g} s"
    sentence = f"{DROPS} {ages} after opening, {WHICHEVER}"
    law = Law(sentence, [Condition("nothing that the client sends")], ["what the client sends, and how often"])
    return Claim(law, _varied(arms, median(ends)), None)


def _varied(arms: Arms, age: float) -> Callable[[Random], Trial]:
    """Exchanges in which the client says more or less than it did, within so many seconds. They begin at times of their
    own: what ends all connections at one moment, again and again, ends those that begin together at one age as well."""
    numbers = tuple(frame.n for frame in arms.case.frames)

    def fresh(rng: Random) -> Trial:
        some = tuple(sorted(rng.sample(numbers, rng.randint(0, len(numbers)))))
        every = round(max(0.1, age * rng.uniform(0.15, 0.45)), 2)
        beat = (f"inject from=client as=ping send='' every={every:g}s",) if rng.random() < 0.5 else ()
        held = control_frames(arms.case) if rng.random() < 0.5 else ()
        return Trial("prediction", (*held, *beat), frames=some, rest=round(rng.uniform(0, BEGIN * age), 2))

    return fresh
