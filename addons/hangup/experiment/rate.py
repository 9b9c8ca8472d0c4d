"""A limit on how fast messages come: how many at once, how many in a second, and of which kind.

It is told apart from a limit on their number by the same messages, said slower; and what it goes by, by one message
said again and again: at which pace does that stay open for good, and after how many does it end at a higher one? A
window ends it at the first message too many; a bucket of tokens is first used up.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.in_flight_law import in_flight_law
from hangup.experiment.ladder import selector
from hangup.experiment.minimise import minimise_size
from hangup.experiment.pacing import FEWEST, slower
from hangup.experiment.rate_law import Rated, padded
from hangup.experiment.total_trials import Totals, shorter
from hangup.experiment.trial import Edit, Trial
from hangup.experiment.verdict import Minimal
from hangup.filters.text import parse

COUNTED, RATE = "process/message-count-limit", "process/message-rate-limit"

NEAR = 1.08
"""By which factor the pace that fails may differ from the one that stays open, for the boundary to be found."""

TOP = (100.0, 400.0)
"""Messages per second with which it is begun, and where those stay open too. Faster than that no timer is kept."""

LONGEST = 40.0
"""Seconds that one trial of a steady pace may take."""

CONTROLS = 6
"""So often the unchanged exchange must have failed, before what stays open twice is believed to stay open."""

MOST_KINDS = 4
"""So many kinds of messages are tried one by one."""

AT_ONCE = 20
"""So many of the messages that are said again and again are as many bytes as end it at once."""

ABOVE = 1.35
"""The factor by which a pace must be too high to show after how many messages it ends, and so what is counted."""

TOGETHER = "all messages at once stay open"
UNLIKE = "as many messages of one kind, just as fast, stay open"
EARLY = "as many messages, just as fast, stay open some time after opening"
SLOWLY = "messages sent as slowly as possible end it too"
ALONE = "the last message alone ends it too"
IN_TURN = "faster messages stay open, each as soon as the one before it is answered"
NO_PACE = (IN_TURN, TOGETHER, UNLIKE, EARLY, SLOWLY, ALONE)
"""Why it is no pace, though slower messages stay open."""

ALIKE = 1.15
"""The factor by which paces that are reckoned from counts may differ, and be one."""


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
    claim = yield from _find(arms)
    if claim is None:
        arms.verdict.minimal = None  # it was made smaller for a pace that it is not
    return claim


def _find(arms: Arms) -> Search[Claim | None]:
    verdict = arms.verdict
    while not arms.known.survived and arms.control.n < CONTROLS:  # does it flicker?
        yield from arms.attempt(Trial("control"), arms.control)
    if sum(not frame.problems for frame in arms.case.frames) < FEWEST:
        return None
    alone = arms.named.get("suspect-only")
    if alone is not None and alone.outcome is Outcome.FAILED:
        verdict.ruled_out[RATE] = ALONE
        return None
    finding = _Finding(arms)
    if not (yield from finding.at_once()):
        verdict.ruled_out[RATE] = TOGETHER
        return None
    if (claim := (yield from in_flight_law(arms, finding))) is not None:
        verdict.ruled_out[RATE] = IN_TURN
        return claim
    if not (yield from finding.kinds()):
        verdict.ruled_out[RATE] = UNLIKE
        return None
    yield from finding.size_matters()
    yield from finding.smallest()
    if not (yield from finding.steady()):
        verdict.ruled_out[RATE] = SLOWLY
        return None
    if not (yield from finding.later_too()):
        verdict.ruled_out[RATE] = EARLY
        return None
    yield from finding.shape()
    first = arms.named.get("slower")
    if first is not None:
        first.arm = "slower-at-first"
    yield from _slower(arms, Trial("slower", (finding.fix,)), "the same messages, no faster than allowed")
    fixed = arms.named["slower"]
    if fixed.outcome is not Outcome.SURVIVED:  # the pace is not what was found
        fixed.arm = "slower-but-too-fast"
        if first is not None:
            first.arm, arms.named["slower"] = "slower", first
        return None
    return finding.claim()


def shown_by(arms: Arms) -> bool:
    """Whether what was tried shows that it is the pace: slower messages stay open, and nothing speaks against it."""
    tried = arms.named.get("slower")
    slow = tried is not None and tried.outcome is Outcome.SURVIVED and " + ".join(tried.filters) == arms.verdict.cure
    return slow and arms.verdict.ruled_out.get(RATE) not in NO_PACE


def counts_against(arms: Arms) -> bool:
    """Whether the same messages end it when they are slower, too, where that can be tried."""
    tried = arms.named.get("slower")
    return tried.outcome is Outcome.FAILED if tried is not None else slower(arms.case) is None


class _Finding(Rated):
    """What is found out of a pace, step by step."""

    def __init__(self, arms: Arms) -> None:
        super().__init__(arms.case)
        self.arms = arms

    def at_once(self) -> Search[bool]:
        """How many messages at once end it."""
        if not (yield from self._fails(self._burst(self.numbers), sure=True)):
            return False
        self.fatal = self.in_order = yield from self._fewest(self._burst, 0, self.fatal)
        self.pace.burst = self.fatal - 1
        return self.fatal > 1

    def _fewest(self, make: Callable[[tuple[int, ...]], Trial], low: int, high: int) -> Search[int]:
        """How many of the first messages are enough, where ``low`` are too few and ``high`` are not."""
        asking = minimise_size(low, high)
        try:
            size = next(asking)
            while True:
                size = asking.send((yield from self._fails(make(self.numbers[:size]))))
        except StopIteration as stop:
            most: int = stop.value[1]
            return most

    def kinds(self) -> Search[bool]:
        """Whether messages of one kind alone do it as well, and of which."""
        kinds = Counter(selector(frame) for frame in self.frames[1 if self.greets else 0 :])
        tried = [kind for kind, _ in kinds.most_common(MOST_KINDS)]
        fatal = []
        for kind in tried:
            if (yield from self._fails(self._alike(kind), sure=True)):
                fatal.append(kind)
        if not fatal:
            return False
        self.sample = next(f for f in reversed(self.frames) if selector(f) == fatal[0])
        if len(fatal) < len(tried) or len(tried) < len(kinds):
            self.any_kind = False
        if len(fatal) == 1 < len(tried) == len(kinds):
            # Do only these count, or do all, and it is looked at with these only?
            alone = tuple(f.n for f in self.frames[: self.fatal] if selector(f) == fatal[0])
            greeting = self.numbers[:1] if self.greets else ()
            if (yield from self._fails(self._burst((*greeting, *alone)))):
                self.pace.kind, self.pace.burst = fatal[0], len(alone) - 1
            else:
                self.last = fatal[0]
                yield from self._before(self.numbers[self.fatal - 1])
        return True

    def _before(self, last: int) -> Search[None]:
        """How many messages there must have been before this one."""
        make: Callable[[tuple[int, ...]], Trial] = lambda numbers: self._burst((*numbers, last))  # noqa: E731
        self.pace.burst = yield from self._fewest(make, 0, self.fatal - 1)
        self.fatal = self.pace.burst + 1

    def size_matters(self) -> Search[None]:
        """Whether as many messages stay open when they are larger, but say the same: else it goes by their bytes,
        where the largest of them stays open alone."""
        open_ = self.frames[: self.in_order - 1]
        for times in (3, 2):
            edits = {f.n: more for f in open_ if (more := padded(f, times)) is not None}
            if 2 * len(edits) < len(open_) or not edits:
                return
            larger = tuple((n, Edit(more)) for n, more in edits.items())
            if not (yield from self._fails(self._burst(tuple(f.n for f in open_), larger))):
                self.sizes_tried = True
                return
            n, most = max(edits.items(), key=lambda each: len(each[1]))
            if not (yield from self._fails(self._burst((n,), ((n, Edit(most)),)))):
                yield from self._by_bytes()
                return
        # The largest may hardly be larger: then as many that are smaller are asked.
        smaller = {f.n: less for f in self.frames if len(less := shorter(f.payload)) <= len(f.payload) / 2}
        alike = tuple((n, Edit(less)) for n, less in smaller.items())
        if alike and not (yield from self._fails(self._burst(self.numbers, alike), sure=True)):
            yield from self._by_bytes()

    def _by_bytes(self) -> Search[None]:
        """It goes by bytes: how many at once stay open, whichever messages they are of. What is said again and again
        is a small one then, of which many are needed."""
        self.fatal, self.last, self.pace.kind = self.in_order, "", ""
        self.pace.burst = self.fatal - 1
        totals = Totals(self.case)
        low, high = (totals.size(self.numbers[:count]) for count in (self.fatal - 1, self.fatal))
        self.at_once_bytes = yield from carry_out(
            self.arms,
            lambda: minimise_size(low, high),
            lambda total: self._fails(totals.of_total(total)),
            totals.of_total,
        )
        able = [frame for frame in self.frames if padded(frame, 2) is not None]
        small = min(able, key=lambda frame: len(frame.payload), default=self.sample)
        self.sample = replace(small, payload=small.payload.ljust(high // AT_ONCE))
        self.pace.size = len(self.sample.payload)

    def smallest(self) -> Search[None]:
        """The fewest of the first messages that end it at the pace at which they were recorded."""
        make: Callable[[tuple[int, ...]], Trial] = lambda numbers: Trial("frames", frames=numbers)  # noqa: E731
        fewest = yield from self._fewest(make, self.fatal - 1, len(self.numbers))
        self.arms.verdict.minimal = Minimal(self.numbers[:fewest], neighbour="the same messages, slower, stay open")

    def steady(self) -> Search[bool]:
        """The pace at which one message, said again and again, ends it, and the one at which it does not."""
        burst, pace = self._held, self.pace
        pace.count = min(4 * burst + 4, max(2 * burst + 4, 60))
        for pace.high in TOP:
            if (yield from self._fails(self._again(pace.high, pace.count))):
                break
        else:
            return False
        while not pace.low or pace.high / pace.low > NEAR:
            middle = math.sqrt(pace.high * pace.low) if pace.low else pace.high / 2
            if pace.count / middle > LONGEST:
                return pace.low > 0
            if (yield from self._fails(self._again(middle, pace.count))):
                pace.high = middle
            else:
                pace.low = middle
        return True

    def later_too(self) -> Search[bool]:
        """Whether as many at once end it also when the server has had time: else they only came too early. The time is
        that by which as many were said at a pace that stays open. Once, a clock may have ticked in between."""
        late = (self.fatal + 1) / self.pace.low
        for wait in (late, 1.37 * late):
            trial = self._burst(self.numbers)
            filters = (str(parse(f"delay {wait:.3f}s side=client")),)
            trial = replace(trial, filters=filters, patience=wait + (trial.patience or 0.0))
            if (yield from self._fails(trial)):
                return True
        return False

    def shape(self) -> Search[None]:
        """After how many messages it ends at a pace that is somewhat too high: at the first one too many, or later."""
        pace, arms, held = self.pace, self.arms, self._held
        if held < 2:
            pace.shape, pace.spans = "" if pace.size else "gap", 1 / math.sqrt(pace.low * pace.high)
            return
        fast = ABOVE * pace.high
        trial = self._again(fast, 2 * pace.count)
        after = []
        for _ in range(3):  # one after the other: the windows of a clock are met at other moments each time
            yield from arms.attempt(trial, Counts())
            pulse = arms.last.pulse
            if pulse is not None and pulse.ended:
                said = sum(message for at, message in pulse.client if at <= pulse.age)
                after.append(said - (self.greets and not self._first_counts))
        if len(after) < 3:
            return
        if max(after) <= held + 2:
            pace.shape, pace.spans = "window", held / math.sqrt(pace.low * pace.high)
            return
        paces = [(n - held) * fast / (n - 1) for n in after if n > 1]
        if min(after) > held + 2 and max(paces) <= ALIKE * min(paces) and max(paces) <= pace.high:
            # What was there at first was used up as well, in the trials that found the pace.
            pace.shape = "bucket"

    def _fails(self, trial: Trial, sure: bool = False) -> Search[bool]:
        """Whether it fails. Where the failure is steady once is enough, as the law is tried in the end, but a network
        that stumbles lets more through: so what stays open is asked twice. A flickering one, or where one must be
        ``sure``, is asked for long enough. What comes to nothing did not fail."""
        counts = Counts()
        if sure or self.arms.known.survived:
            return (yield from self.arms.decide(trial, counts)) is Outcome.FAILED
        while not counts.failed and counts.survived < 2 and counts.unresolved < 3:
            yield from self.arms.attempt(trial, counts, beside=() if counts.n else (trial,))
        return counts.failed > 0
