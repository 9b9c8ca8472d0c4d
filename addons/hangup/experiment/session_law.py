"""The law of a session that lasts so long: it begins with the client's first message, and nothing prolongs it. Who says
nothing has none, and is left alone.
"""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Arms
from hangup.experiment.claim import Claim
from hangup.experiment.law import DROPS, Condition, Law
from hangup.experiment.margins import least
from hangup.experiment.rate import COUNTED, RATE
from hangup.experiment.timers import Clock, Pulse, Timer, begins, expired_by, measured, tolerance
from hangup.experiment.trial import Trial
from hangup.filters.text import parse

SHORTEST = 1.0
"""Seconds: of a shorter session it cannot be said that nothing prolongs it."""

ENDS = 4
"""So many ends must have been seen, of exchanges with different numbers of messages."""

SPOKE_ON = 0.2
"""The client must have spoken for this share of the session after it began: that is what prolongs others."""

EARLIER = 0.25
"""By this share of it what should stay open is over before it would end."""


def session_law(arms: Arms) -> Claim | None:
    """That law, where all that was tried agrees with it; None where something does not, or an age explains it too."""
    case = arms.case
    ended = [pulse for pulse in arms.pulses if pulse.ended]
    if arms.live or case.by != "server" or not case.frames or len(ended) < ENDS:
        return None
    timer = Timer(Clock.AGE, 0.0, started=True)
    spoke = [begins(pulse) for pulse in arms.pulses]
    quiet = [pulse for pulse, first in zip(arms.pulses, spoke, strict=True) if first is None]
    if not quiet or any(pulse.ended for pulse in quiet):
        return None
    found = measured(timer, arms.pulses)
    low, high = min(found), max(found)
    lived = [pulse.age - first for pulse, first in zip(arms.pulses, spoke, strict=True) if first and not pulse.ended]
    if low < SHORTEST or high - low > tolerance(low) or max(lived, default=0.0) > expired_by(low):
        return None
    if max(pulse.age for pulse in quiet) < low or not _spoke_on(ended, low):
        return None
    first = case.frames[0]
    words = f"{high:.2g} s have passed since the client's first message"
    condition = Condition(words, f"survives {(1 - EARLIER) * low:.2f} s after it, fails {high:.2f} s")
    law = Law(f"{DROPS} when {words}, whatever is sent after it; without a message it stays open", [condition])
    law.irrelevant = ["what the client sends after its first message", "how often"]
    rest = [frame.n for frame in case.frames[1:]]

    def later(rng: Random) -> tuple[float, str, tuple[int, ...]]:
        """By how much all that is said is said later, and what that is."""
        by = round(rng.uniform(0.05, 0.35) * low, 2)
        some = tuple(sorted(rng.sample(rest, rng.randint(0, len(rest)))))
        return by, str(parse(f"delay {by}s side=client")), (first.n, *some)

    def failing(rng: Random) -> Trial:
        by, delay, frames = later(rng)
        over = first.at + by + high + 2 * least(high)
        too_early = round(first.at + low + by / 2, 3)
        return Trial("prediction", (delay,), frames=frames, patience=round(over, 3), otherwise=too_early)

    def surviving(rng: Random) -> Trial:
        by, delay, frames = later(rng)
        if rng.random() < 0.4:
            return Trial("prediction", (delay,), frames=(), patience=round(first.at + by + high + 2 * least(high), 3))
        over = first.at + by + (1 - EARLIER * rng.uniform(1.0, 2.0)) * low
        return Trial("prediction", (delay,), frames=frames, patience=round(over, 3))

    claim = Claim(law, failing, surviving)
    claim.margin, claim.nameless, claim.refutes = EARLIER * low, True, (COUNTED, RATE)
    return claim


def _spoke_on(ended: list[Pulse], low: float) -> bool:
    """Whether the client said more after its first message in several of these, and not as much each time."""
    spans = [max(at for at, _ in pulse.client) - (begins(pulse) or 0.0) for pulse in ended if pulse.client]
    counts = {sum(message for _, message in pulse.client) for pulse in ended}
    return sum(span > SPOKE_ON * low for span in spans) >= 2 and len(counts) > 1
