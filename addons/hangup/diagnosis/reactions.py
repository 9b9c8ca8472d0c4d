"""Does the end follow a message of one side, and which messages are the deadly ones?

Two questions, asked of counts: do more ends come so soon after a message than chance would have it
(:func:`reaction`), and what do the last messages have in common that those which did no harm have not
(:class:`EndingContrast`)?
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import WINDOWS, spread, surprise
from hangup.humanize import duration
from hangup.messages.shapes import OTHER, Shape
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary


@dataclass
class Reaction:
    """Ends that come soon after a message of ``side``: ``hits``, of ``tries`` connections, within ``window`` seconds.

    ``chance`` is the probability that a random moment lies so soon after a message; ``weight`` what follows from it.
    """

    side: Side
    window: float
    chance: float
    weight: float
    tries: int
    hits: list[tuple[Connection, MessageSummary]]

    @property
    def text(self) -> str:
        """In words."""
        delays = [life.since(message.at) for life, message in self.hits]
        low, high = duration(min(delays)), duration(max(delays))
        when = low if low == high else f"{low} to {high}"
        usual = f"; at a random moment {self.chance:.0%} would" if self.chance < 0.95 else ""
        count = f"{len(self.hits)} of {self.tries}" if self.tries > 1 else "the one"
        return f"{count} ended {when} after a message from the {self.side}{usual}"


_MOST = (6.0, 6.0, 5.0, 3.5, 2.5)
"""The weight that ends within each window may have: the later the end, the less it need be a consequence."""


def reaction(case: Case, side: Side) -> Reaction | None:
    """The window after messages of ``side`` into which surprisingly many ends fall, or None."""
    lives = [life for life in case.victims if life.open_since is not None]
    delays = case_delays(lives, side)
    best: Reaction | None = None
    for number, window in enumerate(WINDOWS):
        hits = [(life, message) for life, message, delay in delays if delay <= window]
        if not hits:
            continue
        chance = case.chance(side, window)
        weight = min(surprise(len(hits), len(lives), chance) - 0.35 * number, _MOST[number])
        more = best is not None and len(hits) > len(best.hits) and weight >= best.weight - 0.5
        if best is None or more or weight > best.weight + 0.3:
            best = Reaction(side, window, chance, weight, len(lives), hits)
    if best is not None and _by_age(best):
        best.weight *= 0.2
    return best


def _by_age(found: Reaction) -> bool:
    """Whether the ends keep a time of their own, and the messages fall before them as it happens."""
    delays = spread([life.since(message.at) for life, message in found.hits])
    return len(found.hits) > 2 and delays > 0.02 and spread([life.lasted for life, _ in found.hits]) < 0.25 * delays


def case_delays(lives: list[Connection], side: Side) -> list[tuple[Connection, MessageSummary, float]]:
    """Each connection's last message of a side with the seconds from it to the end."""
    found = []
    for life in lives:
        message = life.last_message(side)
        if message is not None:
            delay = life.since(message.at)
            if math.isfinite(delay):
                found.append((life, message, delay))
    return found


def _align(found: Reaction) -> None:
    """Where one shape is last nearly always, it is the deadly one also where another message slipped in behind it."""
    shapes = Counter(message.shape for _, message in found.hits)
    common, count = shapes.most_common(1)[0]
    if count == len(found.hits) or count < 0.5 * len(found.hits):
        return
    for at, (life, last) in enumerate(found.hits):
        if last.shape is common:
            continue
        for message in reversed(life.traffic.recent):
            if message.side == found.side and message.data and message.shape is common:
                if life.since(message.at) <= found.window + 0.1:
                    found.hits[at] = (life, message)
                break


@dataclass
class Trait:
    """Something that a message can be. ``fatal`` of ``hits`` last messages are, ``safe`` of ``safe_all`` others."""

    fatal: int
    hits: int
    safe: int
    safe_all: int
    weight: float

    @property
    def decisive(self) -> bool:
        """Whether nearly all of the last messages have it and hardly any other."""
        return self.fatal >= 0.7 * self.hits and self.safe <= 0.34 * self.fatal


class EndingContrast:
    """The last messages before the ends against all others of that side on the route."""

    def __init__(self, case: Case, found: Reaction) -> None:
        self.case = case
        self.found = found = replace(found, hits=list(found.hits))
        _align(found)
        self.fatal = [message for _, message in found.hits]
        self.by_shape = Counter(message.shape for message in self.fatal)
        totals = case.shapes(found.side)
        self.total = sum(count.count for count in totals.values())
        hit = {life.conn for life, _ in found.hits}
        # The last message of one that ended later than the others may be its end's cause all the same.
        doubtful = Counter(
            message.shape
            for life in case.victims
            if life.conn not in hit and (message := life.last_message(found.side)) is not None
        )
        # What never arrived can do no harm.
        kept: Counter[Shape] = Counter()
        for life in case.same_route:
            kept.update(life.traffic.halves[found.side].kept)
        self.safe: dict[Shape, int] = {}
        for shape, count in totals.items():
            left = count.count - self.by_shape.get(shape, 0) - doubtful.get(shape, 0) - kept.get(shape, 0)
            if left > 0:
                self.safe[shape] = left
        self.safe_all = sum(self.safe.values())
        self.largest_safe = self._largest_safe()

    def _largest_safe(self) -> int:
        """The size of the largest message that arrived and was not the last."""
        last = {life.conn: message for life, message in self.found.hits}
        sizes = [0]
        for life in self.case.same_route:
            half, mine = life.traffic.halves[self.found.side], last.get(life.conn)
            for shape, count in half.shapes.items():
                may_be_it = mine is not None and shape in (mine.shape, OTHER) and count.largest <= mine.size
                if shape not in half.kept and not may_be_it:
                    sizes.append(count.largest)
            for message in life.traffic.recent:
                if message.side == self.found.side and message.data and message.shape not in half.kept:
                    if mine is None or message.n != mine.n:
                        sizes.append(message.size)
        return max(sizes)

    @property
    def shape(self) -> Shape:
        """The commonest shape of the last messages."""
        return self.by_shape.most_common(1)[0][0]

    @property
    def one_shape(self) -> bool:
        """Whether nearly all of the last messages have one shape."""
        return self.by_shape[self.shape] >= 0.7 * len(self.fatal)

    def trait(self, has: Callable[[Shape], bool]) -> Trait:
        """How often a trait of the shape is fatal, and how often not."""
        fatal = sum(has(message.shape) for message in self.fatal)
        return self._weigh(fatal, sum(n for shape, n in self.safe.items() if has(shape)))

    def _weigh(self, fatal: int, safe: int) -> Trait:
        hits = len(self.fatal)
        if not fatal or not self.safe_all:
            return Trait(fatal, hits, safe, self.safe_all, 0.0)
        # How often would so many of the last messages have it, were they drawn from the harmless ones?
        weight = surprise(fatal, hits, (safe + 0.5) / (self.safe_all + 1))
        # What kills does so each time: every such message that did no harm speaks against it.
        weight = min(weight, 5.0) - 5.0 * min(safe / fatal, 2.0)
        # And what ended without it had another cause.
        weight -= 5.0 * (hits - fatal) / hits
        return Trait(fatal, hits, safe, self.safe_all, max(-5.0, weight))

    def larger(self) -> Trait:
        """How often the last message is larger than every harmless one."""
        fatal = sum(message.size > 1.15 * self.largest_safe for message in self.fatal)
        return self._weigh(fatal, 0)

    def missing_keys(self) -> frozenset[str]:
        """Fields that all harmless JSON messages have, and the deadly shape lacks."""
        safe = [shape for shape in self.safe if shape.json and shape.keys]
        mine = [message.shape for message in self.fatal if message.shape.json and message.shape.keys]
        if not safe or not mine:
            return frozenset()
        common = frozenset.intersection(*(shape.keys for shape in safe))
        return common - frozenset.union(*(shape.keys for shape in mine))

    def missing_beside_kin(self) -> tuple[frozenset[str], Shape | None]:
        """Fields that the deadly shape lacks and a harmless one of the same kind has, and that one."""
        shape = self.shape
        kin = [s for s in self.safe if s.json and s.kind == shape.kind and s.keys > shape.keys]
        if not shape.json or not kin:
            return frozenset(), None
        nearest = min(kin, key=lambda s: len(s.keys))
        return nearest.keys - shape.keys, nearest

    @property
    def mostly_json(self) -> bool:
        """Whether the harmless messages are JSON."""
        return self._mostly(lambda shape: shape.json)

    @property
    def mostly_binary(self) -> bool:
        """Whether the harmless messages are binary frames."""
        return self._mostly(lambda shape: shape.opcode == "binary")

    def _mostly(self, has: Callable[[Shape], bool]) -> bool:
        known = {shape: n for shape, n in self.safe.items() if shape is not OTHER}
        return bool(known) and sum(n for shape, n in known.items() if has(shape)) >= 0.8 * sum(known.values())


def replied(found: Reaction) -> int:
    """After how many of the last messages the other side still said something before the end."""
    return sum(
        any(m.data and m.side != found.side and m.n > message.n for m in life.traffic.recent)
        for life, message in found.hits
    )
