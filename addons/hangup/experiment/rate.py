"""A limit on how fast messages come: how many at once, how many in a second, and of which kind.

It is told apart from a limit on their number by the same messages, said slower; and what it goes by, by one message
said again and again: at which pace does that stay open for good, and after how many does it end at a higher one? A
window ends it at the first message too many; a bucket of tokens is first used up.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from statistics import median

from msgspec import Struct

from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import selector
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.minimise import minimise_size
from hangup.experiment.pacing import at_most, shown, slower
from hangup.experiment.predict import Claim, of_size
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.experiment.verdict import Minimal
from hangup.filters.library.inject import Inject
from hangup.humanize import plural

RATE = "process/message-rate-limit"

NEAR = 1.08
"""By which factor the pace that fails may differ from the one that stays open, for the boundary to be found."""

TOP = (100.0, 400.0)
"""Messages per second with which it is begun, and where those stay open too. Faster than that no timer is kept."""

LONGEST = 40.0
"""Seconds that one trial of a steady pace may take."""

MOST_KINDS = 4
"""So many kinds of messages are tried one by one."""

ABOVE = 1.35
"""The factor by which a pace must be too high for it to show after how many messages it ends, and so what is counted."""

UNLIKE = "as many messages of one kind, as fast, stay open"

SAFE = 0.8
"""The pace of the fix, as a share of the highest that stays open."""


class Pace(Struct):
    """``burst`` messages at once stay open, one more ends it. ``low`` messages per second stay open for ``count`` of
    them, ``high`` fail. ``kind`` is the selector of those that count, empty for all. ``shape`` is ``gap``,
    ``window``, ``bucket``, or empty where that is not known; ``spans`` the gap or the window in seconds, ``lasting``
    the pace at which the bucket is filled."""

    burst: int
    low: float = 0.0
    high: float = math.inf
    count: int = 0
    kind: str = ""
    shape: str = ""
    lasting: float = 0.0
    spans: float = 0.0


def slow_enough(arms: Arms) -> Search[None]:
    """Before it is called their number: the same messages slower, and slower still where that did not help."""
    for dose in (0, 1):
        tried = arms.named.get("slower")
        if tried is not None and (tried.outcome is Outcome.SURVIVED or dose == 0):
            continue
        trial = slower(arms.case, dose)
        if trial is None or (tried is not None and trial.filters == tried.filters):
            continue
        if tried is not None:
            tried.arm = "slower-at-first"
        yield from _slower(arms, trial, "the same messages, slower still" if dose else "the same messages, slower")


def _slower(arms: Arms, trial: Trial, title: str) -> Search[None]:
    new = arms.add("slower", title, trial, Counts())
    new.outcome = yield from arms.decide(trial, new.counts)


def find(arms: Arms) -> Search[Claim | None]:
    """The law of a pace that is too high; None where none can be told. Puts the fix that changes least into the arms,
    in the place of the one that was found first."""
    case, verdict = arms.case, arms.verdict
    finding = _Finding(arms)
    if not (yield from finding.at_once()):
        return None
    if not (yield from finding.kinds()):
        verdict.ruled_out[RATE] = UNLIKE
        return None
    by_size = yield from finding.goes_by_size()
    yield from finding.smallest()
    if by_size:
        verdict.ruled_out[f"{RATE} (of messages)"] = "as many smaller messages as fast stay open: it may be their bytes"
        return None
    if not (yield from finding.steady()):
        return None
    yield from finding.shape()
    pace = finding.pace
    fix = Trial("slower", (at_most(shown(SAFE * (pace.lasting or pace.low)), pace.kind),))
    if (first := arms.named.get("slower")) is not None:
        first.arm = "slower-at-first"
    yield from _slower(arms, fix, "the same messages, no faster than they may come")
    return finding.claim()


class _Finding:
    """What is found out of a pace, step by step."""

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self.case: Case = arms.case
        self.frames = [frame for frame in self.case.frames if not frame.problems]
        self.numbers = tuple(frame.n for frame in self.frames)
        self.fatal = len(self.numbers)
        """So many of the first messages at once end it."""
        self.pace = Pace(0)
        kinds = Counter(selector(frame) for frame in self.frames)
        first = self.frames[0]
        self.greets = kinds[selector(first)] == 1 and len(self.frames) > 1
        """Whether the first message is like no other: it may be needed for all that comes after it."""
        self.sample: ClientFrame = self.frames[-1]
        self.reaction = max(0.3, 3 * (self.case.reaction or 0.0))
        self.any_kind = True

    def at_once(self) -> Search[bool]:
        """How many messages at once end it."""
        if not (yield from self._fails(self._burst(self.numbers))):
            return False
        asking = minimise_size(0, len(self.numbers))
        try:
            size = next(asking)
            while True:
                size = asking.send((yield from self._fails(self._burst(self.numbers[:size]))))
        except StopIteration as stop:
            self.pace.burst, self.fatal = stop.value
        return self.fatal > 1

    def kinds(self) -> Search[bool]:
        """Whether messages of one kind alone do it as well, and of which."""
        kinds = Counter(selector(frame) for frame in self.frames[1 if self.greets else 0 :])
        tried = [kind for kind, _ in kinds.most_common(MOST_KINDS)]
        fatal = []
        for kind in tried:
            if (yield from self._fails(self._alike(kind))):
                fatal.append(kind)
        if not fatal:
            return False
        self.sample = next(f for f in reversed(self.frames) if selector(f) == fatal[0])
        if len(fatal) < len(tried) or len(tried) < len(kinds):
            self.any_kind = False
        if len(fatal) == 1 < len(tried) == len(kinds):
            self.pace.kind = fatal[0]
            self.pace.burst = sum(selector(f) == fatal[0] for f in self.frames[: self.fatal]) - 1
        return True

    def goes_by_size(self) -> Search[bool]:
        """Whether as many smaller messages stay open: then it goes by bytes, or by what they say."""
        edits = []
        for frame in self.frames:
            small = of_size(frame.payload, len(frame.payload) // 3)
            if split(frame.payload)[1] is MISSING or split(small)[1] is MISSING or 2 * len(small) > len(frame.payload):
                return False
            edits.append((frame.n, Edit(small)))
        chosen = self.numbers[: self.fatal]
        return not (yield from self._fails(self._burst(chosen, tuple(e for e in edits if e[0] in chosen))))

    def smallest(self) -> Search[None]:
        """The fewest of the first messages that end it at the pace at which they were recorded."""
        asking = minimise_size(0, len(self.numbers))
        try:
            size = next(asking)
            while True:
                trial = Trial("frames", frames=self.numbers[:size])
                size = asking.send(size >= self.fatal and (yield from self._fails(trial)))
        except StopIteration as stop:
            fewest = self.numbers[: stop.value[1]]
        self.arms.verdict.minimal = Minimal(fewest, neighbour="the same messages, slower, stay open")

    def steady(self) -> Search[bool]:
        """The pace at which one message, said again and again, ends it, and the one at which it does not."""
        burst, pace = self.pace.burst, self.pace
        pace.count = min(4 * burst + 4, max(2 * burst + 4, 60))
        top = next_top = TOP[0]
        for next_top in TOP:
            if (yield from self._fails(self._again(next_top, pace.count))):
                top = next_top
                break
        else:
            return False
        pace.high, pace.low = top, 0.0
        while not pace.low or pace.high / pace.low > NEAR:
            middle = math.sqrt(pace.high * pace.low) if pace.low else pace.high / 2
            if pace.count / middle > LONGEST:
                return pace.low > 0
            if (yield from self._fails(self._again(middle, pace.count))):
                pace.high = middle
            else:
                pace.low = middle
        return True

    def shape(self) -> Search[None]:
        """After how many messages it ends at a pace that is somewhat too high: at the first one too many, or later."""
        pace, arms = self.pace, self.arms
        if pace.burst < 2:
            pace.shape, pace.spans = "gap", 1 / math.sqrt(pace.low * pace.high)
            return
        fast = ABOVE * pace.high
        trial = self._again(fast, 2 * pace.count)
        after = []
        for left in (2, 1, 0):
            yield from arms.attempt(trial, Counts(), beside=(trial,) * left)
            pulse = arms.last.pulse
            if pulse is not None and pulse.ended:
                own = sum(message for at, message in pulse.client if at <= pulse.age)
                after.append(own - (self.greets and bool(pace.kind)))
        if len(after) < 3:
            return
        if max(after) <= pace.burst + 2:
            pace.shape, pace.spans = "window", pace.burst / math.sqrt(pace.low * pace.high)
            return
        paces = [(n - pace.burst) * fast / (n - 1) for n in after if n > 1]
        if min(after) > pace.burst + 2 and max(paces) <= 1.15 * min(paces) and max(paces) <= pace.high:
            pace.shape, pace.lasting = "bucket", median(paces)

    def claim(self) -> Claim:
        """The law, and fresh exchanges for it."""
        pace = self.pace
        which = f"`{self.sample.kind or pace.kind.removeprefix('kind=')}` messages" if pace.kind else "messages"
        low, high = pace.low, pace.high
        if pace.shape == "bucket":  # what was there at first was used up as well
            share = (pace.count - pace.burst) / (pace.count - 1)
            low, high = low * share, high * share
        between = shown(math.sqrt(low * high))
        if pace.shape == "gap":
            words = f"two {which} of the client come less than {pace.spans:.2g} s apart"
        elif pace.shape == "window":
            words = f"the client sends more than {plural(pace.burst, which[:-1])} within {pace.spans:.2g} s"
        elif pace.shape == "bucket":
            words = (
                f"the client sends more than {shown(pace.lasting):g} {which} a second, after a burst of {pace.burst}"
            )
        else:
            words = f"the client sends more than {between:g} {which} a second, and more than {pace.burst}"
        boundary = (
            f"survives {shown(low):g} messages a second, fails {shown(high):g};"
            f" survives {pace.burst} at once, fails {pace.burst + 1}"
        )
        irrelevant = ["what the messages say"] if self.any_kind else []
        said = ", whatever they say" if self.any_kind else ""
        law = Law(f"it ends when {words}{said}", [Condition(words, boundary)], irrelevant)
        return Claim(law, self._failing, self._surviving)

    # Fresh exchanges.

    def _failing(self, rng: Random) -> Trial:
        """Fewer than were recorded, but all at once; or one again and again, too fast."""
        pace = self.pace
        if rng.random() < 0.5:
            others = [f.n for f in self.frames[1:] if not pace.kind or selector(f) == pace.kind]
            least = pace.burst + (1 if self._first_counts else 2) - 1
            if len(others) > least:
                chosen = rng.sample(others, rng.randint(least, len(others)))
                return self._burst((self.numbers[0], *sorted(chosen)))
        return self._again(shown(pace.high * rng.uniform(1.15, 2.5)), 2 * pace.count)

    def _surviving(self, rng: Random) -> Trial:
        """As many as were recorded, or some of them, but slower; or no more at once than may be; or one again and
        again, not too fast."""
        pace = self.pace
        way = rng.random()
        if way < 0.3:
            count = rng.randint(1, max(1, pace.burst - 1))
            return self._burst((self.numbers[0], *sorted(rng.sample(self.numbers[1:], count))))
        safe = shown((pace.lasting or pace.low) * rng.uniform(0.6, 0.87))
        if way < 0.7:
            least = max(1, min(pace.burst, len(self.numbers) - 1))
            some = sorted(rng.sample(self.numbers[1:], rng.randint(least, len(self.numbers) - 1)))
            return Trial("prediction", (at_most(safe),), frames=(self.numbers[0], *some))
        return self._again(safe, rng.randint(pace.burst + 1, pace.count))

    @property
    def _first_counts(self) -> bool:
        return not self.pace.kind or selector(self.frames[0]) == self.pace.kind

    # Trials.

    def _burst(self, numbers: tuple[int, ...], edits: tuple[tuple[int, Edit], ...] = ()) -> Trial:
        return Trial("at-once", frames=numbers, edits=edits, speed=math.inf, patience=max(0.75, self.reaction + 0.5))

    def _alike(self, kind: str) -> Trial:
        """As many at once as end it, and more, all of one kind; but for the first, if that is like no other."""
        sample = next(f for f in reversed(self.frames) if selector(f) == kind)
        chosen = self.numbers[: self.fatal + self.greets]
        edit = Edit(sample.payload, sample.opcode)
        return self._burst(chosen, tuple((n, edit) for n in chosen[1 if self.greets else 0 :]))

    def _again(self, pace: float, count: int) -> Trial:
        """One message again and again, so many times; after the first of the recorded, if that is like no other."""
        every = round(1 / pace, 6)
        opcode = "text" if self.sample.text else "binary"
        word = str(Inject(from_="client", send=self.sample.payload, as_=opcode, every=every))  # type: ignore[arg-type]
        until = count * every + self.reaction
        first = self.numbers[:1] if self.greets else ()
        return Trial("pace", (word,), frames=first, speed=math.inf, patience=until, within=until)

    def _fails(self, trial: Trial) -> Search[bool]:
        """Whether it fails. A steady failure is asked once, as the law is tried in the end; a flickering one for long
        enough. What comes to nothing did not fail."""
        counts = Counts()
        if self.arms.known.survived:
            return (yield from self.arms.decide(trial, counts)) is Outcome.FAILED
        return (yield from self.arms.attempt(trial, counts)) is Outcome.FAILED
