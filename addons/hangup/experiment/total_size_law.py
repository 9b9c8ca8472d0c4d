"""The law of a total: how many bytes the client may send on one connection, in however many messages.

It looks like a limit on the number of messages, as both are used up by and by. They are told apart by fewer messages
that are larger, and by as many that are smaller; the boundary is found to the byte by the size of the last message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from hangup.experiment import rate
from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, Path, at, join, leaves, put, split
from hangup.experiment.minimise import minimise_size
from hangup.experiment.size_law import SHORT, of_size
from hangup.experiment.trial import ClientFrame, Edit, Trial, messages
from hangup.experiment.verdict import Minimal

LARGER = 2
"""So many times as large as the largest that was recorded a message may be made."""

PACES = (math.inf, math.inf, 1.0)
"""How fast fresh exchanges are said, where they may be said at once."""


def total_size_law(arms: Arms) -> Search[Claim | None]:
    """The law of a limit on all that the client sends, where it is one; None where it is not."""
    total = _Total(arms)
    return (yield from total.find()) if len(total.frames) > 1 else None


class _Total:
    """What is known of a total. ``speed`` is that of its trials, ``characters`` says that these are counted."""

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self.frames = [frame for frame in arms.case.frames if not frame.problems]
        self.numbers = tuple(frame.n for frame in self.frames)
        self.speed, self.characters = math.inf, False

    def find(self) -> Search[Claim | None]:
        """Where messages of other sizes show that it is not their number, the boundary and the law."""
        title = "without the last message, but as many bytes"
        if not (yield from self._shows("one-fewer", title, self.exchange(self.numbers[:-1], self._size(self.numbers)))):
            return None
        few, enough = yield from self._messages()
        if enough <= len(self.frames) / 2:  # much sooner than it was recorded: all at once is something else
            self.speed = 1.0
            few, enough = yield from self._messages()
        larger = self.exchange(self.numbers[: max(1, enough // 2)], self._size(self.numbers[:enough]))
        if not (yield from self._shows("fewer-larger", "fewer messages, but as many bytes", larger)):
            return None
        yield from rate.slow_enough(self.arms)
        if not rate.counts_against(self.arms):
            return None
        low, high = yield from self._boundary(few, enough)
        if (yield from self._counts_characters(low)):
            self.characters = True
            low, high = yield from self._boundary(few, enough)
        smaller = self.exchange(self.numbers, low)
        if (yield from self._shows("smaller", "as many messages, but fewer bytes", smaller)):
            return None
        return self._claim(low, high)

    def _boundary(self, few: int, enough: int) -> Search[tuple[int, int]]:
        """The largest total that stays open and the smallest that does not."""
        low, high = (self._size(self.numbers[:count]) for count in (few, enough))
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
        wide = {f.n: more for f in self.frames[1:] if f.n in (open_.frames or ()) and (more := _wider(f)) is not None}
        if not wide:
            return False
        n = max(wide, key=lambda n: len(wide[n]))
        self.characters = True
        asked = self.exchange(open_.frames or (), self._length_of(open_), {n: wide[n]})
        self.characters = False
        return asked is not None and (yield from self._fails(asked)) is False

    def _claim(self, low: int, high: int) -> Claim:
        unit, short = ("characters", "characters") if self.characters else ("bytes", "B")
        words = f"the client has sent more than {low:,} {unit} in all"
        condition = Condition(words, f"survives {low:,} {short} in all, fails {high:,} {short}")
        irrelevant = ["the number of messages", "what they contain"]
        law = Law(f"{self.arms.case.ends} when {words}, whatever it says", [condition], irrelevant)
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
        largest = LARGER * max(self._length(frame.payload) for frame in self.frames)
        least = min(len(rest), math.ceil(total / largest))
        kept = sorted(rng.sample(rest, rng.randint(least, len(rest))), key=lambda frame: frame.n)
        said = {f.n: rng.choice([g for g in rest if g.opcode == f.opcode]).payload for f in kept if rng.random() < 0.5}
        numbers = (first.n, *(frame.n for frame in kept))
        speed = rng.choice(PACES) if self.speed > 1 else self.speed
        while (trial := self.exchange(numbers, total, said, speed)) is None and len(numbers) > 1:
            numbers = numbers[:-1]
        return trial or self.trial(numbers, said, speed)

    # Trials.

    def of_total(self, total: int) -> Trial:
        """As many of the messages as have no more bytes in all, the last one larger for what is missing."""
        count = max(n for n in range(1, len(self.frames) + 1) if n == 1 or self._size(self.numbers[:n]) <= total)
        numbers = self.numbers[:count]
        return self.exchange(numbers, total, even=False) or self.trial(numbers, {})

    def exchange(
        self,
        numbers: tuple[int, ...],
        total: int,
        said: Mapping[int, bytes] | None = None,
        speed: float | None = None,
        *,
        even: bool = True,
    ) -> Trial | None:
        """These messages, with so many bytes in all; None where they cannot be made so small, or no larger. ``said``
        are other payloads of some of them. What is added goes to all but the first alike, or else to the last."""
        says = {f.n: f.payload for f in self.frames if f.n in numbers} | dict(said or {})
        later = [f for f in self.frames if f.n in numbers and _resizable(f.opcode, says[f.n])]
        later = [f for f in later if f.n != self.numbers[0]] or later
        if sum(map(self._length, says.values())) > total:
            says |= {f.n: _shorter(says[f.n]) for f in later}
        spare = total - sum(map(self._length, says.values()))
        if spare < 0 or (spare and not later):
            return None
        for frame in later if even else ():
            says[frame.n] = self._larger(says[frame.n], spare // len(later))
        if later:
            payload = says[later[-1].n]
            says[later[-1].n] = self._larger(payload, total - sum(map(self._length, says.values())))
        return self.trial(numbers, says, speed)

    def trial(self, numbers: tuple[int, ...], says: Mapping[int, bytes], speed: float | None = None) -> Trial:
        """These messages, some of which say something else."""
        speed = self.speed if speed is None else speed
        changed = [f for f in self.frames if says.get(f.n, f.payload) != f.payload]
        edits = tuple((f.n, Edit(says[f.n], f.opcode)) for f in changed)
        patience = max(0.75, 0.5 + 3 * (self.arms.case.reaction or 0.0)) if speed == math.inf else None
        return Trial("in-all", frames=numbers, edits=edits, speed=speed, patience=patience)

    def _fails_at(self, total: int) -> Search[bool | None]:
        trial = self.of_total(total)
        if self._length_of(trial) != total:
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

    # Sizes.

    def _length(self, payload: bytes) -> int:
        return len(payload.decode(errors="replace")) if self.characters else len(payload)

    def _size(self, numbers: tuple[int, ...]) -> int:
        return sum(self._length(frame.payload) for frame in self.frames if frame.n in numbers)

    def _larger(self, payload: bytes, more: int) -> bytes:
        return of_size(payload, len(payload) + more)  # what is added is one byte a character

    def _length_of(self, trial: Trial) -> int:
        return sum(self._length(payload) for _, payload in messages(self.arms.case, trial))


def _resizable(opcode: str, payload: bytes) -> bool:
    """Whether more may be added to a message: spaces after JSON, or the same again where it is of ASCII."""
    return opcode == "text" and bool(payload) and (payload.isascii() or split(payload)[1] is not MISSING)


def _shorter(payload: bytes) -> bytes:
    """The same with its longest text left out, where it is JSON and has a long one."""
    head, value = split(payload)
    path = _longest(value)
    return payload if path is None else join(head, put(value, path, ""))


def _wider(frame: ClientFrame) -> bytes | None:
    """The same, with its longest text in letters that have two bytes each."""
    head, value = split(frame.payload)
    path = _longest(value) if frame.text else None
    return None if path is None else join(head, put(value, path, "é" * len(at(value, path))))


def _longest(value: object) -> Path | None:
    texts = [path for path in leaves(value) if isinstance(at(value, path), str) and len(at(value, path)) > SHORT]
    return max(texts, key=lambda path: len(at(value, path)), default=None)
