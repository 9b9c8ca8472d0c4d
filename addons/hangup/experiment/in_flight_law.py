"""The law of a message that comes while an earlier one is not answered yet.

It looks like a pace that is too high: the same messages, slower, stay open. They are told apart by the same messages
as fast as can be, of which each waits only until few enough are unanswered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from statistics import median

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.pacing import FEWEST
from hangup.experiment.rate_law import LIMITS, Rated
from hangup.experiment.timers import Pulse
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Minimal
from hangup.filters.library.timing import MaxUnanswered
from hangup.filters.setting_values import Range
from hangup.humanize import plural

MOSTLY, OFTEN = 0.25, 2
"""The share of the client's messages that must be answered (the last ones before the end have no answer), and so many
times as often as the client may the server speak."""

SOON = 0.1
"""Seconds that an answer may take: hardly any limit of a pace is on so short a time."""

WAITS, LEAST = 4.0, 0.2
"""An answer is waited for so many times as long as answers take, and at least so many seconds."""


def answer_time(pulses: Sequence[Pulse]) -> float | None:
    """Seconds from a message of the client's to the next one of the server's, by the median; None where most have none,
    or the server speaks so often that none can be told to be an answer."""
    taken: list[float] = []
    asked = said = 0
    for pulse in pulses:
        answers = [at for at, message in pulse.server if message]
        questions = [at for at, message in pulse.client if message]
        asked, said = asked + len(questions), said + len(answers)
        taken += [after[0] - at for at in questions if (after := [t for t in answers if t >= at])]
    return median(taken) if len(taken) >= MOSTLY * asked > 0 and said <= OFTEN * asked else None


def in_flight_law(arms: Arms, rated: Rated) -> Search[Claim | None]:
    """The law, where ``rated.fatal`` of the messages at once end the connection, and all of them do not where one less
    is unanswered at any time, however fast the answers come. Then as many messages as end it came in the time that an
    answer takes; where that is long, a limit of a shorter time may allow it."""
    takes = answer_time(arms.pulses)
    if takes is None or takes > SOON or rated.fatal - rated.greets < 2 or len(rated.numbers) < FEWEST:
        return None
    turns = _Turns(rated, takes)
    trial = turns.in_turn(rated.numbers)
    tried = arms.add("in-turn", f"no more than {turns.most} unanswered, but as fast as that goes", trial, Counts())
    tried.outcome = yield from arms.decide(trial, tried.counts)
    if tried.outcome is not Outcome.SURVIVED:
        return None
    # Is it so of all, or must only the first be answered before anything else is said?
    if rated.greets and (yield from arms.decide(turns.after_the_first(), Counts())) is not Outcome.FAILED:
        return None
    if (before := arms.named.get("slower")) is not None:
        before.arm = "slower-at-first"
    title = f"the same messages, no more than {turns.most} unanswered"
    fixed = arms.add("slower", title, Trial("slower", (turns.fix,)), Counts())
    fixed.outcome = yield from arms.decide(Trial("slower", (turns.fix,)), fixed.counts)
    if fixed.outcome is not Outcome.SURVIVED:
        return None
    arms.verdict.minimal = Minimal(rated.numbers[: rated.fatal], neighbour=f"{title}, stay open")
    return turns.claim()


class _Turns:
    """The trials, and the law. ``takes`` is how long an answer takes, in seconds."""

    def __init__(self, rated: Rated, takes: float) -> None:
        self.rated = rated
        self.most = rated.fatal - 1 - rated.greets
        """So many may be unanswered."""
        self.timeout = round(max(LEAST, WAITS * takes), 2)
        self.fix = str(MaxUnanswered(side="client", most=self.most, timeout=self.timeout))

    def in_turn(self, numbers: Sequence[int], word: str = "") -> Trial:
        """These messages, each as soon as it may be said."""
        until = len(numbers) * self.timeout + self.rated.reaction + 0.5
        return Trial(
            "in-turn", (word or self.fix,), frames=tuple(numbers), speed=math.inf, patience=until, within=until
        )

    def after_the_first(self) -> Trial:
        """All at once, as soon as the first is answered."""
        word = MaxUnanswered(side="client", most=1, timeout=self.timeout, index=Range(1, 2))
        return self.in_turn(self.rated.numbers, str(word))

    def at_once(self, numbers: Sequence[int]) -> Trial:
        """These messages at once."""
        return Trial(
            "at-once", frames=tuple(numbers), speed=math.inf, patience=max(0.75, self.rated.reaction + 0.5)
        )

    def claim(self) -> Claim:
        """The law, and fresh exchanges for it."""
        most = self.most
        words = (
            "the client sends a message before the one before it is answered"
            if most == 1
            else f"more than {plural(most, 'message')} of the client are unanswered at once"
        )
        condition = Condition(words, f"survives {most} unanswered, fails {most + 1}", filter=self.fix)
        irrelevant = ["how many messages there are", "how fast they are sent once others are answered"]
        law = Law(f"{self.rated.case.ends} when {words}", [condition], irrelevant)
        claim = Claim(law, self._failing, self._surviving)
        claim.refutes, claim.nameless = LIMITS, True
        return claim

    def _some(self, rng: Random, least: int, most: int) -> tuple[int, ...]:
        first, *rest = self.rated.numbers
        count = rng.randint(min(least - 1, len(rest)), min(most - 1, len(rest)))
        return (first, *sorted(rng.sample(rest, count)))

    def _failing(self, rng: Random) -> Trial:
        return self.at_once(self._some(rng, self.rated.fatal, len(self.rated.numbers)))

    def _surviving(self, rng: Random) -> Trial:
        if self.rated.fatal > 2 and rng.random() < 0.4:
            return self.at_once(self._some(rng, 1, self.rated.fatal - 1))
        return self.in_turn(self._some(rng, self.rated.fatal, len(self.rated.numbers)))
