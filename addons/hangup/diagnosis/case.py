"""What the rules look at: which connections dropped, in which way, what became of their clients, and what lived.

A recording may hold several clients, each with its own fate. Connections that ended alike (same route, same closer,
same kind of ending) form a :class:`Group`; the largest one is the case, and all else is what it is compared with.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from hangup.diagnosis.collector import Collector
from hangup.diagnosis.figures import clip, within
from hangup.diagnosis.lives import FOREVER, Fate, Life, Mode
from hangup.diagnosis.shapes import Shape
from hangup.diagnosis.stack import Stack, stack_of
from hangup.diagnosis.traces import Count
from hangup.recording import loops
from hangup.recording.events import Log, Side

SETTLED = 2.0
"""Seconds after which an open connection counts as a success."""

LAST_MOMENT = 0.3
"""Seconds before the recording's own end in which endings are part of the end."""

_NO_SERVER = re.compile(
    r"refused|no such host|no answer in time|unreachable|does not speak TLS|could not be reached|certificate", re.I
)


@dataclass
class Group:
    """Connections that ended alike."""

    route: str
    side: str
    mode: Mode
    code: int | None
    lives: list[Life] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """How much it asks for an explanation: one that a client goes on reopening most."""
        return len(self.lives) + 0.5 * sum(life.successor is not None for life in self.lives)


class Case:
    """A recording, ordered for the rules. ``only`` narrows it to the kind of ending of one connection."""

    def __init__(self, collector: Collector, only: int | None = None) -> None:
        self.collector = collector
        self.header = collector.header
        self.lives = [Life(trace) for trace in collector.finish()]
        self.by_conn = {life.conn: life for life in self.lives}
        self.last_at = clip(collector.ledger.last_at, 0.0, FOREVER)
        self.stopped = collector.ledger.stopped
        self._follow()
        for life in self.lives:
            life.fate = self._fate(life)
        self.groups = self._groups()
        self._forgive_the_end()
        if only is not None and not any(life.conn == only for group in self.groups for life in group.lives):
            self.lives = [life for life in self.lives if life.conn == only]  # it did not drop: no other matters
            self.groups = []
        self.group = self._chosen(only)
        self.victims: list[Life] = self.group.lives if self.group else []

    # Fates.

    def _follow(self) -> None:
        clients: dict[tuple[str, str], list[Life]] = {}
        for life in self.lives:
            if life.trace.request is not None:
                key = (loops.host(life.trace.account.client), life.route)
                clients.setdefault(key, []).append(life)
        for lives in clients.values():
            ended = [life for life in lives if life.end is not None]
            by_client = sum(life.ending.by == "client" for life in ended)
            # A client that closes may open the next one first. Where servers close, who comes first is another client.
            overlap = 0.1 if ended and by_client * 2 > len(ended) else 0.0
            for chain in loops.chains([life.trace.account for life in lives], overlap=overlap):
                for before, after in zip(chain, chain[1:], strict=False):
                    first, second = self.by_conn[before.conn], self.by_conn[after.conn]
                    first.successor, second.predecessor = second, first

    def _fate(self, life: Life) -> Fate:
        account, ending = life.trace.account, life.ending
        if account.refused:
            if ending.by == "proxy":
                return "filtered"
            left = next((step for step in account.steps if step.what in ("fin", "rst", "close")), None)
            if ending.by == "client" or (account.status is None and left is not None and left.side == "client"):
                return "abandoned"
            if account.status is None and _NO_SERVER.search(account.error):
                return "unreachable"
            return "refused"
        if life.end is None or ending.how == "none":
            return "open"
        if ending.by == "proxy":
            return "filtered" if ending.filter else "stopped"
        if ending.by == "server":
            mild = ending.how == "close" and ending.code in (None, 1000) and not ending.reason
            mild = mild and self.header.tells("payloads")
            settled = life.lasted >= SETTLED and life.successor is None and life.predecessor is None
            return "finished" if mild and settled else "dropped"
        if life.successor is not None:
            return "dropped"
        return "left"

    def _groups(self) -> list[Group]:
        groups: dict[tuple[str, str, Mode, int | None], Group] = {}
        for life in self.lives:
            if life.fate in ("dropped", "refused", "unreachable") or (
                life.fate == "abandoned" and life.successor is not None
            ):
                side, mode = "client" if life.fate == "abandoned" else life.ending.by, life.mode
                # A client that gives up does so with or without a code; what it means is the same.
                code = life.code if mode == "refused" or (mode == "close" and side == "server") else None
                key = (life.route, side, mode, code)
                if key not in groups:
                    groups[key] = Group(*key)
                groups[key].lives.append(life)
        found = list(groups.values())
        for life in self.lives:  # a client that gave up for good, as its others were seen to drop
            if life.fate == "left":
                same = [g for g in found if (g.route, g.side, g.mode) == (life.route, life.ending.by, life.mode)]
                if same and self._alike(life, same[0]):
                    life.fate = "dropped"
                    same[0].lives.append(life)
        if not found:
            for life in self.lives:
                if life.fate == "left" and self._odd(life):
                    life.fate = "dropped"
                    found.append(Group(life.route, life.ending.by, life.mode, None, [life]))
        return found

    @staticmethod
    def _alike(life: Life, group: Group) -> bool:
        """Whether a connection that was not reopened ended as those that were."""
        first = group.lives[0]
        longest = max(other.lasted for other in group.lives)
        return life.code == first.code and life.lasted <= 2 * longest + 0.5

    @staticmethod
    def _odd(life: Life) -> bool:
        """Whether a client that left for good did so as if something were wrong."""
        code = life.ending.code
        if code is not None and code not in (1000, 1001):
            return True
        failed = any("subprotocol" in check or "extension" in check for check in life.trace.account.checks)
        return bool(life.reason) or (failed and life.lasted < SETTLED)

    def _forgive_the_end(self) -> None:
        """What ended together with the recording, and in no other way than that, is not a drop."""
        if not self.stopped or len(self.lives) < 2:
            return
        for group in list(self.groups):
            late = [
                life
                for life in group.lives
                if life.successor is None
                and life.fate == "dropped"
                and self.last_at - (life.end or 0.0) <= LAST_MOMENT
                and life.lasted >= SETTLED
            ]
            if late and len(late) == len(group.lives):
                for life in late:
                    life.fate = "stopped"
                self.groups.remove(group)

    def _chosen(self, only: int | None) -> Group | None:
        if only is not None:
            mine = [group for group in self.groups if any(life.conn == only for life in group.lives)]
            return mine[0] if mine else None
        if not self.groups:
            return None
        # A dev server's own socket is looked into when it is all there is: its failing can be somebody's question too.
        groups = [g for g in self.groups if g.lives[0].trace.account.kind == "app"] or self.groups
        opened = [group for group in groups if group.mode != "unreachable"]
        return max(opened or groups, key=lambda group: (group.weight, group.lives[-1].conn))

    # What the rules ask.

    @property
    def count(self) -> int:
        """How many connections dropped in the way that the case is about."""
        return len(self.victims)

    @property
    def closer(self) -> str:
        """Who ended them; ``unknown`` when a file does not tell."""
        return self.group.side if self.group else ""

    def may_be(self, side: Side) -> bool:
        """Whether they were ended by ``side``, as far as the recording tells."""
        return self.closer == side or self.closer == "unknown"

    @property
    def mode(self) -> str:
        """How."""
        return self.group.mode if self.group else ""

    @property
    def code(self) -> int | None:
        """With which close code or HTTP status."""
        codes = Counter(life.code for life in self.victims)
        return codes.most_common(1)[0][0] if codes else None

    @cached_property
    def reasons(self) -> str:
        """The reasons given, one after the other."""
        return "; ".join(dict.fromkeys(life.reason for life in self.victims if life.reason))[:500]

    @cached_property
    def others(self) -> list[Life]:
        """All connections of the same route that did not end so."""
        mine = {life.conn for life in self.victims}
        route = self.group.route if self.group else None
        return [life for life in self.lives if life.conn not in mine and life.route == route]

    @cached_property
    def survivors(self) -> list[Life]:
        """Those that were open at the end of the recording, or left by their client."""
        return [life for life in self.lives if life.fate in ("open", "stopped", "left", "finished") and life.opened]

    @cached_property
    def lived(self) -> list[float]:
        """How long the victims lived."""
        return [life.lasted for life in self.victims if life.opened is not None]

    @cached_property
    def gaps(self) -> list[float]:
        """How long the client waited each time before it opened the next one."""
        return [gap for life in self.victims if (gap := life.gap) is not None]

    def since_frame(self, side: Side | None) -> list[float]:
        """From the last frame of a side (None: of either) to the end, for each victim; infinite without one."""
        sides: tuple[Side, ...] = ("client", "server") if side is None else (side,)
        return [
            min(life.since(f.at if (f := life.trace.halves[s].frame) else None) for s in sides) for life in self.victims
        ]

    def since_message(self, side: Side) -> list[float]:
        """From the last message of a side to the end, for each victim; infinite without one."""
        return [life.since(m.at if (m := life.last(side)) else None) for life in self.victims]

    def rate(self, side: Side) -> float:
        """Messages of a side per second of the victims' lives."""
        time = sum(life.lasted for life in self.victims)
        return sum(life.trace.halves[side].messages for life in self.victims) / time if time > 0.001 else 0.0

    def chance(self, side: Side, window: float) -> float:
        """The probability that a random moment of the victims' lives lies so soon after a message of ``side``."""
        return within(self.rate(side), window)

    @cached_property
    def same_route(self) -> list[Life]:
        """Victims and others."""
        return sorted([*self.victims, *self.others], key=lambda life: life.conn)

    def shapes(self, side: Side) -> dict[Shape, Count]:
        """What a side said on all connections of the route: each shape with its sums."""
        total: dict[Shape, Count] = {}
        for life in self.same_route:
            for shape, count in life.trace.halves[side].shapes.items():
                if shape in total:
                    known = total[shape]
                    known.count += count.count
                    known.largest = max(known.largest, count.largest)
                    known.smallest = min(known.smallest, count.smallest)
                else:
                    total[shape] = copy_of(count)
        return total

    @cached_property
    def client_shapes(self) -> dict[Shape, Count]:
        """See :meth:`shapes`."""
        return self.shapes("client")

    def logs_near(self, around: float = 1.0) -> Iterator[tuple[Log, list[Life]]]:
        """Events of the backend's log around the victims' ends, each with the victims that it is near."""
        for log in self.collector.logs:
            lives = [
                life
                for life in self.victims
                if abs((life.end if life.end is not None else life.asked) - log.at) <= around
            ]
            if lives:
                yield log, lives

    @cached_property
    def stack(self) -> Stack:
        """The software that was recognised."""
        return stack_of(self)


def copy_of(count: Count) -> Count:
    """A copy that can be added to."""
    new = Count.__new__(Count)
    for name in Count.__slots__:
        setattr(new, name, getattr(count, name))
    return new
