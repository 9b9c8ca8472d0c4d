"""The law of a pace that is too high: in words, with its boundary, and with fresh exchanges to hold it against.

Of messages: a gap between two, a window, or a bucket that is filled again. Of bytes, where larger messages do not go
through as often.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random

from msgspec import Struct

from hangup.experiment.claim import Claim
from hangup.experiment.ladder import selector
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.pacing import at_most, shown
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.filters.library.inject import Inject
from hangup.filters.text import parse
from hangup.humanize import plural

SAFE = 0.8
"""The pace of the fix, as a share of the highest that stays open."""


LIMITS = ("process/message-rate-limit", "process/message-count-limit")

AT_ONCE = 0.03
"""Two messages that come within so many seconds may be read together, in one segment: that is no rate."""


class Pace(Struct):
    """``burst`` messages at once stay open, one more ends it. ``low`` messages per second stay open for ``count`` of
    them, ``high`` fail. ``kind`` is the selector of those that count, empty for all. ``shape`` is ``gap``,
    ``window``, ``bucket``, or empty where that is not known; ``spans`` the gap or the window in seconds. ``size`` is
    that of the message (bytes) where it goes by bytes, else 0."""

    burst: int
    low: float = 0.0
    high: float = math.inf
    count: float = 0
    kind: str = ""
    shape: str = ""
    spans: float = 0.0
    size: int = 0


class Rated:
    """What is known of a pace that is too high, and the trials that ask for it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.frames = [frame for frame in self.case.frames if not frame.problems]
        self.numbers = tuple(frame.n for frame in self.frames)
        self.fatal = self.in_order = len(self.numbers)
        """So many of the first messages at once end it; ``in_order`` is the same whichever kinds of them count."""
        self.at_once_bytes = (0, 0)
        """So many bytes at once stay open, and so many do not, where it goes by bytes."""
        self.pace = Pace(0)
        kinds = Counter(selector(frame) for frame in self.frames)
        first = self.frames[0]
        self.greets = kinds[selector(first)] == 1 and len(self.frames) > 1
        """Whether the first message is like no other: it may be needed for all that comes after it."""
        self.sample: ClientFrame = self.frames[-1]
        self.reaction = max(0.3, 3 * (self.case.reaction or 0.0))
        self.any_kind = True
        self.last = ""
        """The selector of the only messages with which it ends, where others count as well."""
        self.sizes_tried = False
        """Whether larger messages made no difference."""

    @property
    def _held(self) -> float:
        """How many messages like the one that is said again and again stay open at once."""
        if not self.pace.size:
            return self.pace.burst
        return self.at_once_bytes[0] / self.pace.size

    @property
    def _edges(self) -> tuple[float, float]:
        """The highest pace that stays open for good, and the lowest that fails in the end."""
        pace = self.pace
        if pace.shape != "bucket":
            return pace.low, pace.high
        said = pace.count + self.reaction * pace.low
        share = (said - self._held) / (said - 1)
        return pace.low * share, pace.high * share

    @property
    def fix(self) -> str:
        """The filter with which it stays open."""
        pace = SAFE * self._edges[0]
        if self.pace.size:
            rate = pace * self.pace.size
            room = self.at_once_bytes[0] - max(len(frame.payload) for frame in self.frames)
            if self.pace.spans and room > 0:
                rate = min(rate, room / self.pace.spans)  # what is let through is whole messages
            return str(parse(f"throttle {int(rate)} side=client"))
        return at_most(shown(pace), self.pace.kind)

    def claim(self) -> Claim:
        """The law, and fresh exchanges for it."""
        pace = self.pace
        if pace.size:
            return self._of_bytes()
        what = f"`{_name(pace.kind)}` message" if pace.kind else "message"
        low, high = self._edges
        between = f"{shown(math.sqrt(low * high)):g} {what}s a second"
        if pace.shape == "gap":
            words = f"two {what}s from the client come less than {pace.spans:.2g} s apart"
        elif pace.shape == "window":
            words = f"the client sends more than {plural(pace.burst, what)} within {pace.spans:.2g} s"
        elif pace.shape == "bucket":
            words = f"the client sends more than {between} once a burst of {pace.burst} is exceeded"
        else:
            words = f"the client sends more than {between}, and more than {pace.burst}"
        boundary = (
            f"survives {shown(low):g} {what}s a second, fails {shown(high):g};"
            f" survives {pace.burst} at once, fails {pace.burst + 1}"
        )
        if self.last:
            words += f", and the last of them is `{_name(self.last)}`"
        whatever = self.any_kind and self.sizes_tried
        irrelevant = ["the content of the messages"] if whatever else []
        said = ", whatever they contain" if whatever else ""
        law = Law(f"{self.case.ends} when {words}{said}", [Condition(words, boundary)], irrelevant)
        claim = Claim(law, self._failing, self._surviving)
        if pace.shape == "gap" and pace.spans < AT_ONCE:
            claim.refutes = LIMITS  # nobody allows so many a second: it is that the two are read at once
        return claim

    def _of_bytes(self) -> Claim:
        pace = self.pace
        low, high = (int(edge * pace.size) for edge in self._edges)
        least, most = self.at_once_bytes
        words = f"the client sends more than {int(math.sqrt(low * high)):,} B a second once {least:,} B have been sent"
        if pace.shape == "window":
            words = f"the client sends more than {least:,} B within {pace.spans:.2g} s"
        boundary = (
            f"survives {low:,} B a second, fails {high:,} B; survives {least:,} B at once, fails {most:,} B"
        )

        def fresh(rng: Random, share: float) -> Trial:
            payload = padded(self.sample, rng.choice((1, 2, 3))) or self.sample.payload
            size = len(payload)
            return self._again(share / size, pace.count * pace.size / size, payload)

        return Claim(
            Law(f"{self.case.ends} when {words}", [Condition(words, boundary)], ["how many messages there are"]),
            lambda rng: fresh(rng, pace.high * pace.size * rng.uniform(1.15, 1.6)),
            lambda rng: fresh(rng, low * rng.uniform(0.6, 0.87)),
        )

    # Fresh exchanges.

    def _failing(self, rng: Random) -> Trial:
        """Fewer than were recorded, but all at once; or one again and again, too fast."""
        pace = self.pace
        if rng.random() < 0.5:
            pool = [f for f in self.frames[1:] if not pace.kind or selector(f) == pace.kind]
            least = pace.burst - (1 if self._first_counts else 0)  # before the last one
            ends = [i for i, f in enumerate(pool) if i >= least and self.last in ("", selector(f))]
            if ends:
                last = rng.choice(ends)
                chosen = rng.sample([f.n for f in pool[:last]], rng.randint(least, last))
                return self._burst((self.numbers[0], *sorted(chosen), pool[last].n))
        return self._again(shown(pace.high * rng.uniform(1.15, 2.5)), 2 * pace.count)

    def _surviving(self, rng: Random) -> Trial:
        """As many as were recorded, or some of them, but slower; or no more at once than may be; or one again and
        again, not too fast."""
        pace, rest = self.pace, self.numbers[1:]
        way = rng.random()
        if way < 0.3 and pace.burst > 1:
            chosen = rng.sample(rest, rng.randint(1, pace.burst - 1))
            return self._burst((self.numbers[0], *sorted(chosen)))
        safe = shown(self._edges[0] * rng.uniform(0.6, 0.87))
        if way < 0.7:
            chosen = rng.sample(rest, rng.randint(min(pace.burst, len(rest)), len(rest)))
            return Trial("prediction", (at_most(safe),), frames=(self.numbers[0], *sorted(chosen)))
        return self._again(safe, rng.randint(pace.burst + 1, int(pace.count)))

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

    def _again(self, pace: float, count: float, payload: bytes | None = None) -> Trial:
        """One message again and again, so many times; after the first of the recorded, if that is like no other."""
        every = round(1 / pace, 6)
        opcode = "text" if self.sample.text else "binary"
        said = self.sample.payload if payload is None else payload
        word = str(Inject(from_="client", send=said, as_=opcode, every=every))  # type: ignore[arg-type]
        until = count * every + self.reaction
        first = self.numbers[:1] if self.greets else ()
        return Trial("pace", (word,), frames=first, speed=math.inf, patience=until, within=until)


def _name(selector: str) -> str:
    """A kind as it is said in a sentence."""
    return selector.removeprefix("kind=").strip("'")


def padded(frame: ClientFrame, times: int) -> bytes | None:
    """The same message, so many times as large, which says the same; None where spaces at its end would matter."""
    if not frame.text or split(frame.payload)[1] is MISSING:
        return None
    return frame.payload.ljust(times * len(frame.payload))
