"""Which clock ends a connection: its age, somebody's idle time, or a count of messages?

Each of these is a quantity of a trial: how long it was open, how long before its end the client last spoke, and so on.
The one that is the same at the end of every trial, however the traffic was varied, and that no trial lived through
before, is the clock. So trials that were made for another reason tell too, and few need be made for this alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from itertools import repeat
from math import comb
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.law import DROPS

PROMPT = 0.1
"""What a count ends is over within so many seconds of the last message."""

OFTEN = 3

SHORTEST = 0.3
"""A clock of less than so many seconds cannot be told from the machine's own delays."""

Moments = tuple[tuple[float, bool], ...]
"""When a side spoke (seconds from opening), and whether that was a message or a control frame."""


class Clock(enum.Enum):
    """What is measured."""

    AGE = "age"
    COUNT = "count"
    CLIENT_MESSAGES = "client-messages"
    CLIENT = "client"
    SERVER_MESSAGES = "server-messages"
    SERVER = "server"
    EITHER = "either"


_WORDS = {
    Clock.AGE: "{} after it was opened, whatever is sent",
    Clock.COUNT: "after {} from the client",
    Clock.CLIENT_MESSAGES: "{} after the client's last message; its control frames do not count",
    Clock.CLIENT: "{} after the client's last frame, of any kind",
    Clock.SERVER_MESSAGES: "{} after the server's last message; its control frames do not count",
    Clock.SERVER: "{} after the server's last frame, of any kind",
    Clock.EITHER: "{} after the last frame of either side",
}


class Timer(Struct, frozen=True):
    """A clock and where it stands at the end: ``at`` is in seconds, for a count in messages. Of the client's messages
    it may be that ``only`` those of one kind set it back, or all ``but`` those of one. It may not run before the client
    has said something (``started``): a protocol's session begins with a message."""

    clock: Clock
    at: float
    only: str = ""
    but: str = ""
    started: bool = False

    def __str__(self) -> str:
        return self._words + (", once the client has said something" if self.started else "")

    @property
    def _words(self) -> str:
        if self.clock is Clock.COUNT:
            amount = f"{self.at:g} message" + ("s" if self.at != 1 else "")
        else:
            amount = f"{self.at:.2g} s" if self.at < 10 else f"{self.at:.0f} s"
        if self.only:
            return f"{amount} after the client's last `{self.only}` message"
        if self.but:
            return f"{amount} after the client's last message other than `{self.but}`"
        return _WORDS[self.clock].format(amount)

    @property
    def silence(self) -> str:
        """What is not sent while it runs, as a subject: *nothing*, say."""
        return f"no `{self.only}` message" if self.only else f"nothing but `{self.but}`" if self.but else "nothing"

    def set_back_by(self, kind: str) -> bool:
        """Whether the client's messages of a kind set it back, where it goes by kinds; else no."""
        return bool(kind) and (kind == self.only if self.only else bool(self.but) and kind != self.but)

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {"clock": self.clock.value, "at": round(self.at, 3), "says": f"{DROPS} {self}"}


_PLAIN = [Timer(clock, 0.0) for clock in Clock]
_IDLE = [clock for clock in Clock if clock not in (Clock.AGE, Clock.COUNT)]


class Pulse(Struct, frozen=True):
    """When either side spoke in a trial, but for what belongs to its end. ``age`` is how long it was open, in seconds;
    ``ended`` whether that was the failure, and not the end of the trial. ``kinds`` are what the client's messages were,
    each in the place of its moment."""

    age: float
    ended: bool
    client: Moments = ()
    server: Moments = ()
    kinds: tuple[str, ...] = ()


def fitting(pulses: Sequence[Pulse], rate: float = 1.0) -> list[Timer]:
    """The clocks that agree with all of these. Where the failure flickers, it comes at this ``rate`` only when a clock
    has run out."""
    if not any(pulse.ended for pulse in pulses):
        return []
    found = [replace(timer, at=at) for timer in _PLAIN if (at := _fit(timer, pulses, rate)) is not None]
    if found:
        return found
    kinds = sorted({kind for pulse in pulses for kind in pulse.kinds if kind})
    # What was seen to set it back is known of; of what else does nobody knows more.
    some = [Timer(Clock.CLIENT_MESSAGES, 0.0, only=kind) for kind in kinds if len(kinds) > 2]
    some += [Timer(Clock.CLIENT_MESSAGES, 0.0, but=kind) for kind in kinds if len(kinds) > 1]
    begun = [replace(timer, started=True) for timer in (*map(Timer, _IDLE, repeat(0.0)), *some)]
    for more in (some, begun):
        found = [replace(timer, at=at) for timer in more if (at := _fit(timer, pulses, rate)) is not None]
        if found:
            break
    return found


def tolerance(seconds: float) -> float:
    """By how much two measurements of one clock may differ on a busy machine."""
    return max(0.12, 0.12 * seconds)


def measured(timer: Timer, pulses: Sequence[Pulse]) -> list[float]:
    """What such a clock showed at the end of those that failed."""
    return [[*_gaps(pulse, timer)][-1] for pulse in pulses if pulse.ended]


def expired_by(seconds: float) -> float:
    """When (seconds) a clock that runs for ``seconds`` has run out on any machine: what is still open then has no such
    clock. A trial that is to survive is watched for longer: by :func:`~hangup.experiment.margins.least`."""
    return seconds + min(tolerance(seconds), 0.3 + 0.01 * seconds)


SELDOM = 0.02
"""How likely it must be that a failure which flickers stayed away as often as it did."""


def _by_chance(failed: int, stayed_open: int, rate: float) -> bool:
    """Whether so many may have stayed open by chance when their clock ran out, as the failure flickers."""
    n = failed + stayed_open
    return not stayed_open or sum(comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(failed + 1)) >= SELDOM


def _fit(timer: Timer, pulses: Sequence[Pulse], rate: float) -> float | None:
    if timer.clock is Clock.COUNT:
        return _count(pulses, rate)
    if timer.clock is Clock.SERVER_MESSAGES and not any(message for pulse in pulses for _, message in pulse.server):
        return None  # without a single one it cannot be told from the age
    ends: list[float] = []
    lived: list[float] = []
    longest: list[float] = []
    for pulse in pulses:
        if timer.started and begins(pulse) is None:
            if pulse.ended:
                return None
            continue
        *gaps, last = _gaps(pulse, timer)
        if pulse.ended:
            ends.append(last)
        else:
            gaps.append(last)
        lived += gaps
        longest.append(max(gaps, default=0.0))
    at = median(ends)
    slack = tolerance(at)
    if at < SHORTEST or any(abs(end - at) > slack for end in ends):
        return None
    if not _by_chance(len(ends), sum(gap > expired_by(at) for gap in longest), rate):
        return None
    # Who is silent for just so long again and again, and lives, keeps time and has no clock.
    regular = sum(abs(gap - at) < 0.03 + 0.01 * at for gap in lived)
    return None if regular >= max(OFTEN, sum(gap > at / 2 for gap in lived) / 2) else at


def _count(pulses: Sequence[Pulse], rate: float) -> float | None:
    """The message after which it ends is one of those just before the end: some may have been under way already."""
    least, most = 1, 1 << 62
    lived: list[int] = []
    for pulse in pulses:
        said = [at for at, message in pulse.client if message]
        if pulse.ended:
            most = min(most, len(said))
            least = max(least, 1 + sum(at < pulse.age - PROMPT for at in said))
        else:
            lived.append(len(said))
    if rate < 1.0:  # who has said as many and lives was spared, if that may be
        beyond = sum(many >= most for many in lived)
        if not _by_chance(sum(pulse.ended for pulse in pulses), beyond, rate):
            return None
        lived = [many for many in lived if many < most]
    least = max([least, *(1 + many for many in lived)])
    return float(least) if least <= most else None


def begins(pulse: Pulse) -> float | None:
    """When the client said its first message, if it said one."""
    return next((at for at, message in pulse.client if message), None)


def _gaps(pulse: Pulse, timer: Timer) -> Iterator[float]:
    """The times between what sets the clock back, from when it begins to run to the end."""
    before = (begins(pulse) or 0.0) if timer.started else 0.0
    for at in sorted(_moments(pulse, timer)):
        if at >= before:
            yield at - before
            before = at
    yield pulse.age - before


def _moments(pulse: Pulse, timer: Timer) -> Iterator[float]:
    clock = timer.clock
    if timer.only or timer.but:
        said = zip(pulse.client, pulse.kinds, strict=True)
        return (at for (at, _), kind in said if timer.set_back_by(kind))
    sides: list[Moments] = []
    if clock in (Clock.CLIENT, Clock.CLIENT_MESSAGES, Clock.EITHER):
        sides.append(pulse.client)
    if clock in (Clock.SERVER, Clock.SERVER_MESSAGES, Clock.EITHER):
        sides.append(pulse.server)
    messages_only = clock in (Clock.CLIENT_MESSAGES, Clock.SERVER_MESSAGES)
    return (at for side in sides for at, message in side if message or not messages_only)
