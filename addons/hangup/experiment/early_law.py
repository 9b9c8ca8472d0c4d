"""The law of a message that comes too early: said later, it does no harm. Mostly the server is not ready for it, or has
not answered what was said before.
"""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import name_within
from hangup.experiment.rate import COUNTED, RATE
from hangup.experiment.sequence_law import TAKES_EFFECT
from hangup.experiment.sequences import ordinal
from hangup.experiment.trial import ClientFrame, Trial
from hangup.experiment.verdict import Minimal
from hangup.filters.library.timing import Delay
from hangup.filters.setting_values import Range

EARLY = 3.0
"""Seconds after opening: what comes later does not come too early."""

FEW = 3
"""Where more messages are needed, it is their number, or their order."""

MOSTLY = 0.75
"""How often the failure must come: what is said near the boundary is late now and then, and stays open."""

LATER = 2.5
"""By so many seconds it is said later."""

STEPS = 7

EXACT, GRAIN = 0.05, 0.04
"""The time is found to this share of it, or to so many seconds where that is more."""


class _Early:
    """The exchange, in which all that the client says from a message on may be said later."""

    def __init__(self, arms: Arms, frame: ClientFrame) -> None:
        self.arms, self.case = arms, arms.case
        self.kind = name_within(frame.kind) or frame.kind or frame.opcode
        frames = self.case.frames
        alike = [i for i, f in enumerate(frames, 1) if (name_within(f.kind) or f.kind or f.opcode) == self.kind]
        harmless = [i for i in alike if frames[i - 1].at < frame.at - TAKES_EFFECT]
        self.place = frames.index(frame) + 1 if harmless else alike[0]
        """Which of the client's messages comes too early, from 1: the first of its kind, as those before one that fails
        fail as well; unless they were survived."""
        self.first = frames[self.place - 1]
        self.numbers = tuple(f.n for f in frames)
        self.heard: list[tuple[bool, int]] = []
        """Of each trial whether it survived, and how many messages of the server's had come before it was said."""

    def later(self, seconds: float, place: int = 0) -> Trial:
        """All from this message on (or from another one) is said so much later."""
        delay = Delay(by=round(seconds, 3), side="client", index=Range(place or self.place))
        return Trial("later", (str(delay),), frames=self.numbers)

    def ask(self, seconds: float, counts: Counts) -> Search[Outcome]:
        """What comes of it twice; unresolved where that is not the same, as it is at the boundary itself."""
        outcomes = set()
        for beside in ((self.later(seconds),), ()):
            outcome = yield from self.arms.attempt(self.later(seconds), counts, beside=beside)
            outcomes.add(outcome)
            pulse = self.arms.last.pulse
            if pulse is not None and outcome is not Outcome.UNRESOLVED:
                before = sum(message and at < self.first.at + seconds for at, message in pulse.server)
                self.heard.append((outcome is Outcome.SURVIVED, before))
        return outcomes.pop() if len(outcomes) == 1 else Outcome.UNRESOLVED

    def since(self) -> Search[ClientFrame | None]:
        """The message after which it comes too early, None for the opening: what lies between goes with it. Where that
        message comes later as well, it is as early as it was."""
        low, high = 0, self.place
        while high - low > 1:
            place = (low + high) // 2
            told = yield from self.arms.decide(self.later(LATER, place), Counts())
            low, high = (low, place) if told is Outcome.SURVIVED else (place, high)
        return self.case.frames[high - 2] if high > 1 else None

    @property
    def awaited(self) -> int:
        """Which message of the server's was there whenever it survived, and never when it failed: from 1, 0 for none.
        """
        with_it = [count for survived, count in self.heard if survived]
        without = [count for survived, count in self.heard if not survived]
        return max(without) + 1 if with_it and without and max(without) < min(with_it) else 0


def early_law(arms: Arms, minimal: Minimal) -> Search[Claim | None]:
    """The law, where the message that is enough stays open when it, and all that follows it, is said later."""
    frame = next((f for f in arms.case.frames if minimal.frames[-1:] == (f.n,)), None)
    many = len(minimal.frames) > FEW
    if arms.live or frame is None or arms.rate < MOSTLY or arms.clients > 1 or many:
        return None
    if frame.at > EARLY and not arms.hurried:
        return None
    early, counts = _Early(arms, frame), Counts()
    told = yield from early.ask(LATER, counts)
    if told is Outcome.UNRESOLVED and counts.survived:
        told = yield from early.ask(LATER, counts := Counts())
    if told is not Outcome.SURVIVED:
        return None
    low, high = 0.0, LATER
    for _ in range(STEPS):
        if high - low <= max(EXACT * (early.first.at + high), GRAIN):
            break
        outcome = yield from early.ask((low + high) / 2, Counts())
        if outcome is Outcome.UNRESOLVED:
            break  # so near to the boundary, it is once early and once late
        low, high = ((low + high) / 2, high) if outcome is Outcome.FAILED else (low, (low + high) / 2)
    if high == LATER:
        return None  # no shorter delay helped: a failure that goes with it may only not have been waited for
    since = yield from early.since()
    verdict = arms.verdict
    verdict.cure, verdict.contrast = early.later(1.5 * high).filters[0], None
    verdict.cause, verdict.without = arms.control, counts
    return _claim(early, since, low, high)


def _claim(early: _Early, since: ClientFrame | None, low: float, high: float) -> Claim:
    begun = early.first.at - (since.at if since is not None else 0.0)
    after = "opening" if since is None else f"the client's `{since.kind or since.opcode}`"
    kind, fix = early.kind, early.later(1.5 * high).filters[0]
    words = f"the client sends `{kind}` less than {begun + (low + high) / 2:.2g} s after {after}"
    boundary = f"survives {begun + high:.2f} s after it, fails {begun + low:.2f} s after it"
    awaited = f", that is, before the server's {ordinal(early.awaited)} message" if early.awaited else ""
    condition = Condition(words, boundary, filter=fix)
    sentence = f"{early.case.ends} when {words}{awaited}; if that is sent later, it stays open"
    law = Law(sentence, [condition], ["what follows it"])

    def made(rng: Random, seconds: float) -> Trial:
        following = [f.n for f in early.case.frames[early.place :]]
        kept = set(rng.sample(following, rng.randint(0, len(following))))
        trial = early.later(seconds)
        return replace(trial, frames=tuple(n for n in early.numbers if n not in following or n in kept))

    away = max(GRAIN, EXACT * high)
    soon, late = max(low - away, 0.0), high + away
    claim = Claim(law, lambda rng: made(rng, soon * rng.random()), lambda rng: made(rng, late * rng.uniform(1.0, 1.6)))
    claim.counts, claim.margin, claim.early, claim.refutes = True, away, True, (RATE, COUNTED)
    if since is None or since is early.case.frames[0]:
        claim.name = "message/order-before-hello"
    else:
        claim.nameless = True
    return claim
