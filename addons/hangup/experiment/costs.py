"""What trials cost, in seconds; and what is tried beside one that takes long, before it is asked for.

A search decides after each trial what to try next. Where one takes a minute that is too late: while it is waited for,
those that are likely to come next are carried out with it (:attr:`Trial.beside`), at the price of some connections
that turn out not to have been needed. Who carries them out does so only where company is known to be harmless.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hangup.experiment.evidence import Counts, fisher
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import PROOF

CONNECTING = 0.05
"""Seconds that any trial takes."""

RECONNECTING = 1.0
"""Seconds that a page takes to come back."""

LONG = 1.0
"""From so many seconds on it is worth trying more than was asked for."""

TWICE = 2
"""So many trials mostly decide an arm."""

CONTROLS = 3
"""So many controls, beside those that have shown the failure, are mostly enough for a proof."""


class Costs(Struct, frozen=True):
    """Seconds that a trial takes which fails, and one which survives."""

    failing: float
    surviving: float

    def expected(self, fails: float) -> float:
        """Of a trial that fails with this probability."""
        return fails * self.failing + (1 - fails) * self.surviving

    @property
    def unit(self) -> float:
        """The seconds by which it is measured whether information is worth its price."""
        return max(self.failing, self.surviving / 3)

    @property
    def long(self) -> bool:
        """Whether time is dearer than connections."""
        return self.failing >= LONG


def rungs_ahead(
    chosen: str, trials: Mapping[str, Trial], gains: Mapping[str, float], fails: float
) -> tuple[Trial, ...]:
    """What goes well beside the first two trials of the rung ``chosen``, which fails with probability ``fails``: where
    it will probably survive, what a reversal of it needs; and the rungs that tell most after it."""
    again = [*[trials[chosen]] * TWICE, *[Trial("control")] * CONTROLS] if fails < 0.5 else []
    others = sorted((name for name in trials if name != chosen), key=lambda name: -gains[name])
    return (*again, *(trials[name] for name in others if gains[name] > 0 for _ in range(TWICE)))


Turn = tuple[Trial, Counts]
"""A trial that is repeated, and what came of it so far."""


def turns_ahead(failing: Turn, surviving: Turn, trial: Trial | None = None) -> tuple[Trial, ...]:
    """The trials that are still needed beside ``trial`` for a proof, if all goes as expected: one of the two arms
    fails, the other one does not."""
    (cause, failed), (cure, survived) = failing, surviving
    with_cause, without = Counts(failed.failed, failed.survived), Counts(survived.failed, survived.survived)
    needed: list[Trial] = []
    while fisher(with_cause, without) >= PROOF and len(needed) < 12:
        needed += [cause, cure]
        with_cause.failed += 1
        without.survived += 1
    if trial is not None and trial in needed:
        needed.remove(trial)
    return tuple(needed)
