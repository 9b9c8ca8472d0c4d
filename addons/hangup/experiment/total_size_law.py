"""The law of a total: how many bytes the client may send on one connection, in however many messages.

It looks like a limit on the number of messages, as both are used up by and by. They are told apart by fewer messages
that are larger, and by as many that are smaller; the boundary is found to the byte by the size of the last message.
"""

from __future__ import annotations

import math
from random import Random

from hangup.experiment import rate
from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.minimise import minimise_size
from hangup.experiment.total_trials import Totals, wider
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Minimal

FEWEST = 4
"""Fewer messages cannot be told from one that is too large, once they are made larger."""

LARGER = 2
"""So many times as large as the largest that was recorded a message may be made."""

PACES = (math.inf, math.inf, 1.0)
"""How fast fresh exchanges are said, where they may be said at once."""


def total_size_law(arms: Arms) -> Search[Claim | None]:
    """The law of a limit on all that the client sends, where it is one; None where it is not."""
    total = _Total(arms)
    return (yield from total.find()) if len(total.frames) >= FEWEST else None


class _Total(Totals):
    """What is found out of a total, step by step."""

    def __init__(self, arms: Arms) -> None:
        super().__init__(arms.case)
        self.arms = arms

    def find(self) -> Search[Claim | None]:
        """Where messages of other sizes show that it is not their number, the boundary and the law."""
        if (yield from self._fails(self.trial((self.numbers[0], self.numbers[-1]), {}))) is not False:
            return None
        title = "without the last message, but as many bytes"
        if not (yield from self._shows("one-fewer", title, self.exchange(self.numbers[:-1], self.size(self.numbers)))):
            return None
        few, enough = yield from self._messages()
        if enough <= len(self.frames) / 2:  # much sooner than it was recorded: all at once is something else
            self.speed = 1.0
            few, enough = yield from self._messages()
        if enough < FEWEST:
            return None
        larger = self.exchange(self.numbers[: max(FEWEST - 1, enough // 2)], self.size(self.numbers[:enough]))
        fails = yield from self._shows("fewer-larger", "fewer messages, but as many bytes", larger)
        if larger is None or not larger.edits or not fails:
            return None
        if (yield from self._fails(self.largest_of(larger))) is not False:
            return None
        yield from rate.slow_enough(self.arms)
        if not rate.counts_against(self.arms):
            return None
        low, high = yield from self._boundary(few, enough)
        if (yield from self._counts_characters(low)):
            self.characters = True
            if self.size(self.numbers) != sum(len(frame.payload) for frame in self.frames):
                low, high = yield from self._boundary(few, enough)
        smaller = self.exchange(self.numbers, low)
        if (yield from self._shows("smaller", "as many messages, but fewer bytes", smaller)):
            return None
        return self._claim(low, high)

    def _boundary(self, few: int, enough: int) -> Search[tuple[int, int]]:
        """The largest total that stays open and the smallest that does not."""
        low, high = (self.size(self.numbers[:count]) for count in (few, enough))
        return (yield from carry_out(self.arms, lambda: minimise_size(low, high), self._fails_at, self.of_total))

    def _messages(self) -> Search[tuple[int, int]]:
        """How many of the messages stay open, as they were recorded, and how many do not."""

        def make(count: int) -> Trial:
            return self.trial(self.numbers[:count], {})

        most = len(self.frames)
        return (yield from carry_out(self.arms, lambda: minimise_size(1, most), lambda n: self._fails(make(n)), make))

    def _counts_characters(self, low: int) -> Search[bool]:
        """Whether what stays open with so many bytes does so with more of them, but no more characters."""
        open_ = self.of_total(low)
        wide = {f.n: more for f in self.frames[1:] if f.n in (open_.frames or ()) and (more := wider(f)) is not None}
        if not wide:
            return False
        n = max(wide, key=lambda n: len(wide[n]))
        self.characters = True
        asked = self.exchange(open_.frames or (), self.length_of(open_), {n: wide[n]})
        self.characters = False
        if asked is None or self.length_of(asked) <= low:
            return False
        return (yield from self._fails(asked)) is False

    def _claim(self, low: int, high: int) -> Claim:
        unit, short = ("characters", "characters") if self.characters else ("bytes", "B")
        words = f"the client has sent more than {low:,} {unit} in all"
        condition = Condition(words, f"survives {low:,} {short} in all, fails {high:,} {short}")
        irrelevant = ["the number of messages", "what they contain"]
        law = Law(f"{self.case.ends} when {words}, whatever it says", [condition], irrelevant)
        claim = Claim(
            law,
            lambda rng: self._fresh(rng, high + rng.choice((1, rng.randint(0, high // 2)))),
            lambda rng: self._fresh(rng, low - rng.choice((1, rng.randint(0, low // 2)))),
        )
        claim.edges = [(self.of_total(low), False), (self.of_total(high), True)]
        claim.refutes = (rate.COUNTED,)
        fatal = self.of_total(high)
        last = [edit.payload for n, edit in fatal.edits if fatal.frames and n == fatal.frames[-1]]
        if len(last) == len(fatal.edits) and fatal.frames:
            payload = last[0] if last else None
            opcode = next(frame.opcode for frame in self.frames if frame.n == fatal.frames[-1])
            self.arms.verdict.minimal = Minimal(fatal.frames, payload, opcode if last else "")
        return claim

    def _fresh(self, rng: Random, total: int) -> Trial:
        """Some of the messages, of which some say what others of them said, with so many bytes in all."""
        first, *rest = self.frames
        largest = LARGER * max(self.length(frame.payload) for frame in self.frames)
        least = min(len(rest), math.ceil(total / largest))
        kept = sorted(rng.sample(rest, rng.randint(least, len(rest))), key=lambda frame: frame.n)
        said = {f.n: rng.choice([g for g in rest if g.opcode == f.opcode]).payload for f in kept if rng.random() < 0.5}
        numbers = (first.n, *(frame.n for frame in kept))
        speed = rng.choice(PACES) if self.speed > 1 else self.speed
        while (trial := self.exchange(numbers, total, said, speed)) is None and len(numbers) > 1:
            numbers = numbers[:-1]
        return trial or self.trial(numbers, said, speed)

    def _fails_at(self, total: int) -> Search[bool | None]:
        trial = self.of_total(total)
        if self.length_of(trial) != total:
            return None  # no message can be made larger by so little
        return (yield from self._fails(trial))

    def _fails(self, trial: Trial) -> Search[bool | None]:
        outcome = yield from self.arms.decide(trial, Counts())
        return None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED

    def _shows(self, arm: str, title: str, trial: Trial | None) -> Search[bool]:
        """Whether it can be tried, and fails; people are shown that it was tried."""
        if trial is None:
            return False
        tried = self.arms.add(arm, title, trial, Counts())
        tried.outcome = yield from self.arms.decide(trial, tried.counts)
        return tried.outcome is Outcome.FAILED
