"""The law of a connection that ends when nobody has spoken for so long: how long that is, held against pauses that were
not tried.

What stays open is predicted of pauses up to just below it; of the others it is predicted when they end: so long after
the last frame, wherever that was put.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from hangup.experiment.arms import Arms
from hangup.experiment.claim import Claim
from hangup.experiment.law import DROPS, Condition, Law
from hangup.experiment.margins import least
from hangup.experiment.timers import Clock, measured
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Verdict
from hangup.filters.library.inject import Inject
from hangup.filters.library.keepalive import Keepalive
from hangup.filters.text import parse

SHORTEST = 1.0
"""Seconds: of a shorter pause it cannot be said when exactly it was too long."""

NEAR = 0.04
"""The share of itself by which the longest pause that is tried is shorter than the one that ends it."""

AT_LEAST = 0.25
"""The same in seconds, where that is more: who looks at its clock has its own grain."""

LONG = 60
"""Characters of a fix that are not said twice."""

STEADY = 0.025
"""By which share of itself what was measured may vary, and it can be said when it ends."""


def idle_law(arms: Arms, verdict: Verdict) -> Claim | None:
    """That law; None where a clock may run that no speech sets back, or the fix does not speak now and then."""
    timers = verdict.timers
    if not timers or any(t.clock in (Clock.AGE, Clock.COUNT) for t in timers) or " + " in verdict.cure:
        return None
    cure = parse(verdict.cure) if verdict.cure else None
    if not isinstance(cure, Keepalive | Inject) or cure.every is None:
        return None
    found = measured(timers[0], arms.pulses)
    low, high = min(found), max(found)
    if low < SHORTEST:
        return None
    steady = high - low <= max(STEADY * low, 0.1)
    near = low - max(NEAR * low, AT_LEAST) if steady else 0.6 * low
    words = f"{timers[0].silence} is sent for {high:.3g} s"
    boundary = f"silence: survives {near:.3g} s, fails {high:.3g} s"
    condition = Condition(words, boundary, filter=verdict.cure, with_it=verdict.cause, without=verdict.without)
    kept = f"with `{verdict.cure}` it stays open"
    if len(verdict.cure) > LONG:  # it is shown by itself
        kept = f"a message every {cure.every:.3g} s keeps it open"
    of_a_kind = "else " if timers[0].only or timers[0].but else ""
    law = Law(f"{DROPS} {timers[0]}; {kept}", [condition], [f"what {of_a_kind}the client sends"])
    told = steady and not _unasked(arms, timers[0].clock, low)
    numbers = [frame.n for frame in arms.case.frames]
    besides = [f.n for f in arms.case.frames if of_a_kind and not timers[0].set_back_by(f.own_kind.text)]
    first = tuple(numbers[:1]) if timers[0].started else ()
    begins = arms.case.frames[0].at if first else 0.0
    some: Callable[[Random], Trial] = lambda rng: Trial("prediction", frames=_some(numbers, rng, first))  # noqa: E731
    failing = _failing(cure, low, high, lambda rng: _some(besides, rng, first), begins) if told else some

    def surviving(rng: Random) -> Trial:
        every = near if rng.random() < 0.4 else near * rng.uniform(0.4, 1)
        return Trial("prediction", (str(replace(cure, every=round(every, 2))),), frames=_some(numbers, rng, first))

    claim = Claim(law, failing, surviving)
    claim.margin = low - near
    return claim


def _unasked(arms: Arms, clock: Clock, low: float) -> bool:
    """Whether the server sets the clock back by itself, so that nobody can say when it runs out."""
    counts = clock in (Clock.SERVER, Clock.SERVER_MESSAGES, Clock.EITHER)
    return counts and any(at > low / 2 for pulse in arms.pulses if pulse.ended for at, _ in pulse.server)


def _some(numbers: list[int], rng: Random, first: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Some of these messages, and the ``first`` in any case."""
    return tuple(sorted({*first, *rng.sample(numbers, rng.randint(0, len(numbers)))}))


def _failing(
    cure: Keepalive | Inject, low: float, high: float, besides: Callable[[Random], tuple[int, ...]], begins: float
) -> Callable[[Random], Trial]:
    """Something is said once, some time after the clock ``begins`` to run, and nothing after it but messages of no
    account (``besides``): it ends so long after that, and not as it was recorded."""
    if isinstance(cure, Inject):
        once = replace(cure, every=None, at=0.0)
    elif cure.send is not None:
        once = Inject(from_="client", send=cure.send, at=0.0)
    else:
        once = Inject(from_="client", send=b"", as_="ping", at=0.0)
    earliest, latest = begins + max(0.4, 0.05 * low), begins + max(0.8, 0.2 * low)

    def make(rng: Random) -> Trial:
        at = round(rng.uniform(earliest, latest), 2)
        patience = round(at + high + 2 * least(high), 3)
        filters = (str(replace(once, at=at)),)
        return Trial("prediction", filters, frames=besides(rng), patience=patience, otherwise=round(low + at / 2, 3))

    return make
