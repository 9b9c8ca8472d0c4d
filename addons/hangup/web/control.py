"""What can be asked of a running proxy, and told to it. The same for the command line and the page."""

from __future__ import annotations

import os
from typing import Any, Literal

from msgspec import Struct

from hangup import __version__
from hangup.errors import ControlError, FilterError
from hangup.filters.filter_set import FilterEntry, FilterSet
from hangup.filters.library.script import Script
from hangup.filters.tokenizer import split
from hangup.recorder.recorder import Recorder

Action = Literal["add", "on", "off", "remove", "clear"]

MOST = 1000
"""Connections in one answer: more would keep the proxy's traffic waiting."""


class FilterRequest(Struct, forbid_unknown_fields=True):
    """The body of a change: ``filter`` is a text form or, but for ``add``, a name or id of what is there."""

    filter: str = ""
    on: bool = True


class ProxyControl:
    """A running proxy. ``facts`` are what does not change of its status.

    Raises :class:`~hangup.errors.FilterError` for a filter that is wrong or not there, and
    :class:`~hangup.errors.ControlError` when the proxy is about to stop.
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
        """The sums of connections with numbers above ``after``, at most ``limit`` of them, in order: of those that are
        open, and of the last that are over. Of all others the recording tells."""
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

    def change(self, action: Action, change: FilterRequest, *, trusted: bool = False) -> list[dict[str, Any]]:
        """Does it; it applies to the next frame of open connections. The filters concerned, as they are now.

        Only who is ``trusted`` may bring code along (:func:`refuse_code`).
        """
        if self.recorder.closed:
            raise ControlError("the proxy is about to stop")
        if not trusted and (action == "add" or not self._present(change.filter)):
            refuse_code(change.filter)
        if action != "clear" and not change.filter.strip():
            raise FilterError("a filter is needed, for instance: drop-heartbeat side=client")
        at = self.recorder.now()
        filters, which = self.filters, change.filter
        entries: list[FilterEntry]
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

    def edit(self, which: str, to: str, *, trusted: bool = False) -> list[dict[str, Any]]:
        """Puts the filter ``to`` in the place of ``which``; it applies to the next frame of open connections."""
        if self.recorder.closed:
            raise ControlError("the proxy is about to stop")
        if not trusted:
            refuse_code(to)
            if not self._present(which):
                refuse_code(which)
        return [self.filters.edit(which, to, self.recorder.now()).describe()]

    def _present(self, which: str) -> bool:
        """Whether there is such a filter, told without making one: to add one may run code."""
        which = which.strip()
        return any(which in (str(e.id), e.name, e.text, e.filter.word()) for e in self.filters)


def refuse_code(text: str) -> None:
    """Raises :class:`FilterError` for the text form of a ``script``: that runs a file as the proxy's user.

    Who has the token can read that user's files, and needs no proxy to run one. A browser is another matter: were a
    foreign page to get in, it would get no further than the traffic.
    """
    words = split(text)
    if words and words[0].raw == Script.word():
        raise FilterError(
            "a script runs code from a file, and the page may not: give it on the command line "
            "(hangup filter add script …, or hangup proxy --filter)",
            words[0].span,
        )
