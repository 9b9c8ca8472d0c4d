"""What the rules look at: which connections dropped, in which way, what became of their clients, and what lived.

A recording may hold several clients, each with its own fate. Connections that ended alike (same route, same closer,
same kind of ending) form a :class:`Group`; the largest one is the case, and all else is what it is compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from hangup.diagnosis.figures import within
from hangup.diagnosis.moments import bystanders
from hangup.diagnosis.stack import Stack, stack_of
from hangup.humanize import clip
from hangup.messages.shapes import Shape
from hangup.recording.connections import FOREVER, Connection
from hangup.recording.events import Log, Side
from hangup.recording.fates import settle
from hangup.recording.traffic import KindCount
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.wire.close_codes import REGISTERED

T = TypeVar("T")

Mode = Literal["abrupt", "close", "refused", "unreachable"]
"""How a connection ended; ``unreachable`` is a handshake that reached no server."""


def mode_of(life: Connection) -> Mode:
    """How it ended."""
    if life.fate == "unreachable":
        return "unreachable"
    return life.manner or "abrupt"


LEAVES = 0.1
"""How much an orderly close by a client asks for an explanation, compared with any other end: most clients that close
so and come again had done what they came for."""

OF_THE_SERVICE = (1012, 1013)
"""Close codes by which a service says that it restarts, or has too much to do."""

ORDERLY = (None, 1000, 1001, 1005)
"""Close codes of a client that is done, or whose page is loaded anew."""


@dataclass
class Group:
    """Connections that ended alike."""

    route: str
    side: str
    mode: Mode
    code: int | None
    lives: list[Connection] = field(default_factory=list)
    beside: list[Connection] = field(default_factory=list)
    """Such as only ended together with another one (:func:`hangup.diagnosis.moments.bystanders`)."""

    @property
    def weight(self) -> float:
        """How much it asks for an explanation: one that a client goes on reopening most, one that clients close in
        order least."""
        closed = self.side == "client" and self.mode == "close"
        return sum(
            (1.0 if life.successor is None else 1.5) * (LEAVES if closed and life.code in ORDERLY else 1.0)
            for life in self.lives
        )


def names_the_code(life: Connection) -> bool:
    """Whether its reason is nothing but the name of its close code (``Going away``), which a library may have given.
    None gives a code that speaks of the service by itself."""
    known = REGISTERED.get(life.code or 0) if life.code not in OF_THE_SERVICE else None
    return known is not None and life.reason.strip(" .!").lower() == known.name.lower()


class Case:
    """A recording, ordered for the rules. ``only`` narrows it to the kind of ending of one connection."""

    def __init__(self, ledger: TrafficLedger, only: int | None = None) -> None:
        settle(ledger)
        self.ledger = ledger
        self.header = ledger.header
        self.lives = ledger.looked_into
        self.by_conn = {life.conn: life for life in self.lives}
        self.last_at = clip(ledger.last_at, 0.0, FOREVER)
        self.stopped = ledger.stopped
        self.beside = [] if only is not None else bystanders(life for life in self.lives if life.failed)
        """What ended only because another connection did."""
        self.groups = self._groups()
        if only is not None and not any(life.conn == only for group in self.groups for life in group.lives):
            self.lives = [life for life in self.lives if life.conn == only]  # it did not drop: no other matters
            self.groups = []
        self.group = self._chosen(only)
        self.victims: list[Connection] = self.group.lives if self.group else []
        self._once: dict[Any, Any] = {}

    def _groups(self) -> list[Group]:
        groups: dict[tuple[str, str, Mode, int | None], Group] = {}
        for life in self.lives:
            if life.failed:
                side, mode = "client" if life.fate == "abandoned" else life.hung_up_by, mode_of(life)
                # A client that gives up does so with or without a code; what it means is the same.
                code = life.code if mode == "refused" or (mode == "close" and side == "server") else None
                key = (life.route, side, mode, code)
                if key not in groups:
                    groups[key] = Group(*key)
                (groups[key].beside if life in self.beside else groups[key].lives).append(life)
        return list(groups.values())

    def _chosen(self, only: int | None) -> Group | None:
        if only is not None:
            mine = [group for group in self.groups if any(life.conn == only for life in group.lives)]
            return mine[0] if mine else None
        if not self.groups:
            return None
        # A dev server's own socket is looked into when it is all there is: its failing can be somebody's question too.
        found = [g for g in self.groups if g.lives]
        groups = [g for g in found if g.lives[0].kind == "app"] or found
        opened = [group for group in groups if group.mode != "unreachable"]
        return max(opened or groups, key=lambda group: (group.weight, group.lives[-1].conn))

    # What the signs ask.

    def once(self, make: Callable[[Case], T]) -> T:
        """What a function makes of this case, which is computed only once."""
        if make not in self._once:
            self._once[make] = make(self)
        found: T = self._once[make]
        return found

    def successor(self, life: Connection) -> Connection | None:
        """What its client opened next."""
        return self.by_conn.get(life.successor or 0)

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
        """The reasons given, one after the other; not such as only name their code."""
        given = (life.reason for life in self.victims if life.reason and not names_the_code(life))
        return "; ".join(dict.fromkeys(given))[:500]

    @cached_property
    def others(self) -> list[Connection]:
        """All connections of the same route that did not end so."""
        mine = {life.conn for life in [*self.victims, *self.beside]}
        route = self.group.route if self.group else None
        return [life for life in self.lives if life.conn not in mine and life.route == route]

    @cached_property
    def survivors(self) -> list[Connection]:
        """Those that were open at the end of the recording, or left by their client."""
        return [life for life in self.lives if life.fate in ("open", "stopped", "left", "finished") and life.open_since]

    @cached_property
    def lived(self) -> list[float]:
        """How long the victims lived."""
        return [life.lasted for life in self.victims if life.open_since is not None]

    @cached_property
    def gaps(self) -> list[float]:
        """How long the client waited each time before it opened the next one."""
        return [gap for life in self.victims if (gap := life.gap) is not None]

    def since_frame(self, side: Side | None) -> list[float]:
        """From the last frame of a side (None: of either) to the end, for each victim; infinite without one."""
        sides: tuple[Side, ...] = ("client", "server") if side is None else (side,)
        return [min(self._since_frame(life, s) for s in sides) for life in self.victims]

    @staticmethod
    def _since_frame(life: Connection, side: Side) -> float:
        frame = life.traffic.halves[side].frame
        return life.since(None if frame is None else frame.at)

    def since_message(self, side: Side) -> list[float]:
        """From the last message of a side to the end, for each victim; infinite without one."""
        return [life.since(m.at if (m := life.last_message(side)) else None) for life in self.victims]

    def rate(self, side: Side) -> float:
        """Messages of a side per second of the victims' lives."""
        time = sum(life.lasted for life in self.victims)
        return sum(life.traffic.halves[side].messages for life in self.victims) / time if time > 0.001 else 0.0

    def chance(self, side: Side, window: float) -> float:
        """The probability that a random moment of the victims' lives lies so soon after a message of ``side``."""
        return within(self.rate(side), window)

    @cached_property
    def same_route(self) -> list[Connection]:
        """Victims and others."""
        return sorted([*self.victims, *self.others], key=lambda life: life.conn)

    def shapes(self, side: Side) -> dict[Shape, KindCount]:
        """What a side said on all connections of the route: each shape with its sums."""
        total: dict[Shape, KindCount] = {}
        for life in self.same_route:
            for shape, count in life.traffic.halves[side].shapes.items():
                total[shape] = total[shape].merged(count) if shape in total else count
        return total

    @cached_property
    def client_shapes(self) -> dict[Shape, KindCount]:
        """See :meth:`shapes`."""
        return self.shapes("client")

    def logs_near(self, around: float = 1.0) -> Iterator[tuple[Log, list[Connection]]]:
        """Events of the backend's log around the victims' ends, each with the victims that it is near."""
        for log in self.ledger.logs:
            lives = [
                life
                for life in self.victims
                if abs((life.end if life.end is not None else life.began) - log.at) <= around
            ]
            if lives:
                yield log, lives

    @cached_property
    def stack(self) -> Stack:
        """The software that was recognised."""
        opened = [life for life in self.lives if life.open_since is not None]
        refused = self.mode in ("refused", "unreachable")
        return stack_of(self.victims or self.lives, opened if refused else ())
