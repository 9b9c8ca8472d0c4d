"""The filters of one connection: their states, and what they together decide about an item.

Filters are asked in the order of the set, and each sees the item as those before it left it. A filter that fails is
passed over for that item, and the recording says so: a mistake in a filter must not become a mistake on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Struct, field

from hangup.filters.base import (
    NONE,
    SIDES,
    Action,
    Actions,
    Change,
    Close,
    Context,
    Cut,
    Drop,
    Filter,
    Hold,
    Inject,
    Kind,
    Reframe,
    Refuse,
    Release,
    Replace,
    Request,
    Response,
)
from hangup.filters.filter_set import FilterEntry, FilterSet
from hangup.filters.patterns import TooLong
from hangup.recording import events
from hangup.recording.events import FilterEvent, Side
from hangup.recording.fast_path import Screen

Act = Callable[[Any], Actions]


class Bound:
    """A filter with its state for this connection."""

    __slots__ = ("entry", "filter", "context", "state", "act", "active")

    def __init__(self, entry: FilterEntry, context: Context) -> None:
        self.entry = entry
        self.filter: Filter = entry.filter
        self.context = context
        self.state = self.filter.begin(context)
        self.act: Act = self.filter.bind(self.state)
        self.active = True


class Done(Struct, gc=False):
    """That a filter acted: the words for the recording."""

    by: str
    action: str
    note: str = ""


class Decision(Struct):
    """What becomes of an item. ``done`` are the filters that dropped, changed or held it, in order."""

    item: Any
    dropped: bool = False
    changed: bool = False
    reframe: Reframe | None = None
    wait: float = 0.0
    holder: Bound | None = None
    done: list[Done] = field(default_factory=list)
    before: list[tuple[Bound, Inject]] = field(default_factory=list)
    after: list[tuple[Bound, Inject | Close | Cut | Release]] = field(default_factory=list)
    refused: events.Response | None = None

    def take(self, bound: Bound, action: Action) -> None:
        """Adds one action of a filter."""
        by, note = bound.entry.text, action.note
        if isinstance(action, Drop):
            self.dropped = True
            self.done.append(Done(by, "drop", note))
        elif isinstance(action, Replace):
            self.changed = True
            self.item = _replaced(self.item, action)
            self.done.append(Done(by, "replace", note))
        elif isinstance(action, Reframe):
            old = self.reframe or Reframe()
            sizes = old.sizes if action.sizes is None else action.sizes
            self.reframe = Reframe(sizes, old.mask or action.mask, old.rsv or action.rsv)
            self.done.append(Done(by, "reframe", note))
        elif isinstance(action, Hold):
            self.wait += action.seconds
            self.holder = bound
            self.done.append(Done(by, "hold", note))
        elif isinstance(action, Inject):
            (self.before if action.before else self.after).append((bound, action))
        elif isinstance(action, Close | Cut | Release):
            self.after.append((bound, action))
        elif isinstance(action, Change):
            self.changed = True
            if isinstance(self.item, Request) and isinstance(action.to, events.Request):
                self.item = Request(action.to, self.item.at)
            elif isinstance(self.item, Response) and isinstance(action.to, events.Response):
                self.item = Response(action.to, self.item.request, self.item.asked, self.item.at)
            self.done.append(Done(by, "change", note))
        elif isinstance(action, Refuse):
            self.refused = action.response
            self.done.append(Done(by, "refuse", note))


def _replaced(item: Any, action: Replace) -> Any:
    opcode = item.opcode if action.opcode is None else action.opcode
    if isinstance(item.n, int) and hasattr(item, "fragments"):
        return type(item)(
            item.side,
            opcode,
            action.data,
            item.n,
            item.last,
            item.index,
            item.at,
            item.age,
            item.compressed,
            item.fragments,
        )
    return type(item)(item.side, opcode, action.data, item.n, item.index, item.at, item.age)


class Chain:
    """The filters that cover one connection. :meth:`refresh` follows the set when it has changed."""

    def __init__(
        self,
        filters: FilterSet,
        conn: int,
        at: float,
        *,
        path: str = "",
        client: str = "",
        random: Random | None = None,
        totals: dict[Side, int] | None = None,
        emit: Callable[[FilterEvent], None] = lambda event: None,
        stuck: Callable[[FilterSet, FilterEntry], None] = lambda filters, entry: None,
    ) -> None:
        self.filters = filters
        self.conn = conn
        self.opened = at
        self.path = path
        self.client = client
        self.random = random or Random(conn)
        self.totals = totals
        self.emit = emit
        self.stuck = stuck
        """Told of a filter that takes without end; this chain asks it no more."""
        self.quiet_since: Callable[[Side], float] = lambda side: self.opened
        self.version = -1
        self._bound: dict[int, Bound] = {}
        self._wants: dict[Side, Kind] = {}
        self._lists: dict[tuple[Side, Kind], list[Bound]] = {}
        self._screens: dict[Side, Screen | None] = {}
        self._timed: list[Bound] = []
        self.refresh()

    def refresh(self) -> bool:
        """Brings the chain up to date with the set; whether there was anything to do."""
        if self.version == self.filters.version:
            return False
        self.version = self.filters.version
        before, self._bound = self._bound, {}
        for entry in self.filters.active:
            if not entry.covers(self.path, self.client):
                continue
            bound = before.pop(entry.id, None)
            try:
                self._bound[entry.id] = bound or Bound(entry, self._context(entry))
            except Exception as error:
                self._failed(entry, error, self.opened)
        for bound in before.values():
            bound.active = False
        bounds = self._bound.values()
        self._wants = {side: NONE for side in SIDES}
        self._lists = {}
        for side in SIDES:
            for bound in bounds:
                self._wants[side] |= bound.filter.wants(side)
            for kind in Kind:
                self._lists[side, kind] = [b for b in bounds if b.filter.wants(side) & kind]
        self._screens = {side: self._screen(side) for side in SIDES}
        self._timed = [b for b in bounds if type(b.filter).deadline is not Filter.deadline]
        return True

    def _screen(self, side: Side) -> Screen | None:
        screens = [bound.filter.screen() for bound in self._lists[side, Kind.MESSAGE]]
        if None in screens:
            return None
        if len(screens) == 1:
            return screens[0]
        return lambda opcode, data: any(screen(opcode, data) for screen in screens if screen is not None)

    def screen(self, side: Side) -> Screen | None:
        """What a simple message must pass to be of interest to any filter; None if all are."""
        return self._screens[side]

    def _context(self, entry: FilterEntry) -> Context:
        return Context(
            self.conn,
            self.opened,
            self.path,
            self.client,
            self.random,
            lambda side: self.quiet_since(side),
            entry.shared,
            self.totals,
        )

    def open(self, at: float) -> None:
        """The handshake has succeeded: the connection's age counts from here."""
        self.opened = at
        for bound in self._bound.values():
            bound.context.opened = at

    def wants(self, side: Side) -> Kind:
        """The kinds of items of a side that some filter must be shown."""
        return self._wants[side]

    def first(self, side: Side, kind: Kind) -> str:
        """The text form of the first filter that must be shown such items, or nothing."""
        return next((b.entry.text for b in self._bound.values() if b.filter.wants(side) & kind), "")

    def decide(self, item: Any, kind: Kind) -> Decision | None:
        """What the filters make of an item; None when none of them is concerned."""
        verdict: Decision | None = None
        for bound in self._lists[item.side, kind]:
            try:
                actions = bound.act(item)
                if not actions:
                    continue
                taken = list(actions)
            except Exception as error:
                self._failed(bound.entry, error, item.at, item.side, getattr(item, "n", None))
                if isinstance(error, TooLong):
                    bound.act = lambda item: None
                    self.stuck(self.filters, bound.entry)
                continue
            if not taken:
                continue
            if verdict is None:
                verdict = Decision(item)
            bound.entry.hits += 1
            for action in taken:
                verdict.take(bound, action)
            if verdict.dropped or verdict.refused is not None:
                break
            item = verdict.item
        return verdict

    def _failed(
        self, entry: FilterEntry, error: Exception, at: float, side: Side | None = None, n: int | None = None
    ) -> None:
        note = f"{type(error).__name__}: {error}"[:500]
        self.emit(FilterEvent(at=at, conn=self.conn, filter=entry.text, action="error", side=side, n=n, note=note))

    def request(self, request: events.Request, at: float) -> Decision | None:
        """What becomes of a handshake's request."""
        return self._handshake(Request(request, at), Kind.REQUEST)

    def response(
        self, response: events.Response, request: events.Request, asked: events.Request, at: float
    ) -> Decision | None:
        """What becomes of its response; ``asked`` is what the client had asked for, ``request`` what was sent."""
        return self._handshake(Response(response, request, asked, at), Kind.RESPONSE)

    def _handshake(self, item: Request | Response, kind: Kind) -> Decision | None:
        verdict = self.decide(item, kind)
        for done in verdict.done if verdict is not None else ():
            self.emit(
                FilterEvent(
                    at=item.at, conn=self.conn, filter=done.by, action=done.action, side=item.side, note=done.note
                )
            )
        return verdict

    def deadline(self) -> float | None:
        """When a filter wants to be woken next, or None."""
        times = [due for bound in self._timed if (due := self._due(bound)) is not None]
        return min(times, default=None)

    def _due(self, bound: Bound) -> float | None:
        try:
            return bound.filter.deadline(bound.state)
        except Exception as error:
            self._stop_waking(bound, error, self.opened)
            return None

    def wake(self, at: float) -> list[tuple[Bound, Inject | Close | Cut | Release]]:
        """Wakes the filters whose time has come; gives their actions."""
        actions: list[tuple[Bound, Inject | Close | Cut | Release]] = []
        for bound in self._timed:
            due = self._due(bound)
            if due is None or due > at:
                continue
            try:
                woken = bound.filter.wake(at, bound.state) or ()
                taken = [a for a in woken if isinstance(a, Inject | Close | Cut | Release)]
                if (again := bound.filter.deadline(bound.state)) is not None and again <= at:
                    raise RuntimeError(f"woken at {at:g} s, it asks to be woken at {again:g} s, which is not later")
            except Exception as error:
                self._stop_waking(bound, error, at)
                continue
            if taken:
                bound.entry.hits += 1
            actions += [(bound, action) for action in taken]
        return actions

    def _stop_waking(self, bound: Bound, error: Exception, at: float) -> None:
        self._timed = [other for other in self._timed if other is not bound]
        self._failed(bound.entry, error, at)
