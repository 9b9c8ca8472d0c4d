"""What can be asked of a running proxy, and told to it. The same for the command line and the page."""

from __future__ import annotations

import os
from typing import Any, Literal

from msgspec import Struct

from hangup import __version__
from hangup.errors import ControlError, FilterError
from hangup.filters.filter_set import Entry, FilterSet
from hangup.proxy.recorder import Recorder

Action = Literal["add", "on", "off", "remove", "clear"]

MOST = 1000
"""Connections in one answer: more would keep the proxy's traffic waiting."""


class Change(Struct, forbid_unknown_fields=True):
    """The body of a change: ``filter`` is a text form or, but for ``add``, a name or id of what is there."""

    filter: str = ""
    on: bool = True


class Control:
    """A running proxy. ``facts`` are what does not change of its status.

    Raises :class:`~hangup.errors.FilterError` for a filter that is wrong or not there, and
    :class:`~hangup.errors.ControlError` when the proxy is about to end.
    """

    def __init__(self, recorder: Recorder, filters: FilterSet, **facts: Any) -> None:
        self.recorder = recorder
        self.filters = filters
        self.facts = {"hangup": __version__, "pid": os.getpid(), **facts}

    def status(self) -> dict[str, Any]:
        """What it is, and how much it has seen; ``now`` is in seconds from the recording's start."""
        recorder = self.recorder
        return {
            **self.facts,
            "recording": str(recorder.path.absolute()),
            "now": recorder.now(),
            "connections": {"open": len(recorder.sessions), "all": recorder.conns},
            "http": recorder.http,
            "filters": {"on": len(self.filters.active), "all": len(self.filters)},
        }

    def connections(self, after: int = 0, limit: int = MOST) -> list[dict[str, Any]]:
        """The sums of connections with numbers above ``after``, at most ``limit`` of them, in order."""
        limit = max(0, min(limit, MOST))
        recorder = self.recorder
        found = recorder.ledger.connections
        numbers = sorted(conn for conn in found if conn > after)[:limit]
        for conn in numbers:
            recorder.tally(conn)
        return [found[conn].summary() for conn in numbers]

    def recording(self) -> dict[str, Any]:
        """Where the recording is, and its size in bytes so far."""
        path = self.recorder.path.absolute()
        return {"path": str(path), "size": path.stat().st_size if path.exists() else None}

    def describe(self) -> list[dict[str, Any]]:
        """The filters, in order."""
        return self.filters.describe()

    def change(self, action: Action, change: Change) -> list[dict[str, Any]]:
        """Does it; it applies to the next frame of open connections. The filters concerned, as they are now."""
        if self.recorder.closed:
            raise ControlError("the proxy is about to end")
        if action != "clear" and not change.filter.strip():
            raise FilterError("a filter is needed, for instance: drop-heartbeat side=client")
        at = self.recorder.now()
        filters, which = self.filters, change.filter
        entries: list[Entry]
        if action == "add":
            entries = [filters.add(which, at, enabled=change.on)]
        elif action == "on":
            entries = filters.on(which, at)
        elif action == "off":
            entries = filters.off(which, at)
        elif action == "remove":
            entries = filters.remove(which, at)
        else:
            entries = filters.clear(at)
        return [entry.describe() for entry in entries]

    def edit(self, which: str, to: str) -> list[dict[str, Any]]:
        """Puts the filter ``to`` in the place of ``which``; it applies to the next frame of open connections."""
        if self.recorder.closed:
            raise ControlError("the proxy is about to end")
        return [self.filters.edit(which, to, self.recorder.now()).describe()]
