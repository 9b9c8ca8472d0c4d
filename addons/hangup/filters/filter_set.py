"""The filters of a running proxy, in order: added, removed, switched on and off while connections are open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal

from msgspec import Struct

from hangup.errors import FilterError
from hangup.filters.base import Filter
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent

Toggle = Literal["add", "remove", "on", "off"]


class FilterEntry:
    """A filter's place in the set. ``id`` is never used again; ``hits`` counts how often it acted; ``name`` is what
    its users call it, if anything."""

    def __init__(self, id: int, filter: Filter, enabled: bool, name: str = "") -> None:
        self.id = id
        self.filter = filter
        self.enabled = enabled
        self.name = name
        self.hits = 0
        self.text = str(filter)
        self.shared: dict[str, Any] = {}
        """What the filter remembers across connections."""

    def covers(self, path: str, client: str) -> bool:
        """Whether a connection is among those that the filter is limited to."""
        f = self.filter
        return (not f.path or fnmatchcase(path, f.path)) and (not f.client or fnmatchcase(client, f.client))

    def describe(self) -> dict[str, Any]:
        """For programs: id, name, text form, whether it is on, how often it acted."""
        return {"id": self.id, "name": self.name, "filter": self.text, "on": self.enabled, "hits": self.hits}


class SetChange(Struct, frozen=True):
    """The set has changed: what was done to which entry, and when."""

    action: Toggle
    entry: FilterEntry
    at: float

    def event(self) -> FilterEvent:
        """The line of it in a recording; connection 0 is the proxy as a whole."""
        return FilterEvent(at=self.at, filter=self.entry.text, action=self.action)


Listener = Callable[[SetChange], None]


class FilterSet:
    """An ordered set of filters, shared by all connections.

    Every change raises ``version`` and is told to the ``listeners``; open connections follow at their next frame.
    Times (``at``) are seconds from the recording's start. A filter is named by its id (``3``), its name, its word
    (``drop-heartbeat``, which may mean several) or its whole text form.
    """

    def __init__(self, filters: Iterable[str | Filter] = ()) -> None:
        self.version = 0
        self.listeners: list[Listener] = []
        self._entries: dict[int, FilterEntry] = {}
        self._last = 0
        for filter in filters:
            self.add(filter)

    def __iter__(self) -> Iterator[FilterEntry]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def active(self) -> list[FilterEntry]:
        """The entries that are switched on, in order."""
        return [entry for entry in self._entries.values() if entry.enabled]

    def add(self, filter: str | Filter, at: float = 0.0, *, enabled: bool = True, name: str = "") -> FilterEntry:
        """Puts a filter at the end. Raises :class:`~hangup.errors.FilterError` for a wrong text form."""
        made = _readied(filter)
        self._last += 1
        entry = FilterEntry(self._last, made, enabled, name)
        self._entries[entry.id] = entry
        self._changed("add", entry, at)
        return entry

    def find(self, which: str | int) -> list[FilterEntry]:
        """The entries with this id, name, word or text form; raises :class:`~hangup.errors.FilterError` for none."""
        name = str(which).strip()
        if name.isascii() and name.isdigit():
            found = [e for e in self if e.id == int(name)]
        else:
            found = [e for e in self if e.name == name] or [e for e in self if e.text == name]
            found = found or [e for e in self if e.filter.word() == name] or self._same(name)
        if not found:
            present = ", ".join(f"{e.id} ({e.text})" for e in self) or "none"
            raise FilterError(f"no filter {name!r} here; there are: {present}")
        return found

    def _same(self, text: str) -> list[FilterEntry]:
        try:
            filter = parse(text)
        except FilterError:
            return []
        return [e for e in self if e.filter == filter]

    def on(self, which: str | int, at: float = 0.0) -> list[FilterEntry]:
        """Switches filters on; one that is not there yet is added by its text form."""
        try:
            found = self.find(which)
        except FilterError:
            if isinstance(which, int) or which.strip().isdigit():
                raise
            return [self.add(which, at)]
        for entry in found:
            self._switch(entry, True, at)
        return found

    def off(self, which: str | int, at: float = 0.0) -> list[FilterEntry]:
        """Switches filters off; they stay in the set."""
        found = self.find(which)
        for entry in found:
            self._switch(entry, False, at)
        return found

    def _switch(self, entry: FilterEntry, enabled: bool, at: float) -> None:
        if entry.enabled != enabled:
            entry.enabled = enabled
            self._changed("on" if enabled else "off", entry, at)

    def remove(self, which: str | int, at: float = 0.0) -> list[FilterEntry]:
        """Takes filters out of the set."""
        found = self.find(which)
        for entry in found:
            del self._entries[entry.id]
            self._changed("remove", entry, at)
        return found

    def edit(self, which: str | int, filter: str | Filter, at: float = 0.0) -> FilterEntry:
        """Puts a filter in the place of one that is there; on or off, and the name, stay as they were.

        Raises :class:`~hangup.errors.FilterError` for a wrong text form, and when ``which`` means none or several.
        """
        made = _readied(filter)
        old, *others = self.find(which)
        if others:
            raise FilterError(f"{which} matches several filters here: give the id of one")
        self._last += 1
        new = FilterEntry(self._last, made, old.enabled, old.name)
        self._entries = {e.id: e for e in (new if e is old else e for e in self)}
        self._changed("remove", old, at)
        self._changed("add", new, at)
        return new

    def clear(self, at: float = 0.0) -> list[FilterEntry]:
        """Takes all filters out."""
        return [entry for each in self for entry in self.remove(each.id, at)]

    def replace(self, filters: Iterable[str | Filter], at: float = 0.0) -> None:
        """Makes the set hold just these, in this order; what stays keeps its id and its state, on or off."""
        wanted = [_readied(f) for f in filters]
        left = list(self)
        order: list[FilterEntry] = []
        for filter in wanted:
            same = next((e for e in left if e.filter == filter), None)
            if same is not None:
                left.remove(same)
                order.append(same)
            else:
                order.append(self.add(filter, at))
        for entry in left:
            self.remove(entry.id, at)
        if list(self._entries) != [e.id for e in order]:
            self._entries = {e.id: e for e in order}
            self.version += 1

    def describe(self) -> list[dict[str, Any]]:
        """The set for programs."""
        return [entry.describe() for entry in self]

    def _changed(self, action: Toggle, entry: FilterEntry, at: float) -> None:
        self.version += 1
        change = SetChange(action, entry, at)
        for listener in list(self.listeners):
            listener(change)


def _readied(filter: str | Filter) -> Filter:
    made = parse(filter) if isinstance(filter, str) else filter
    made.ready()
    return made
