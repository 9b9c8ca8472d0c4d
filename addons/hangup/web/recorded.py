"""A recording as the page sees it: its files, and the index of what was read of them so far."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Any

from hangup.errors import HangupError
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent
from hangup.recording.fates import loops_in, settle
from hangup.recording.folder import oldest
from hangup.recording.loops import Loop
from hangup.web.index import Index
from hangup.web.tail import Tail

MANY = 2000
"""While a recording of more connections is being read, only the newest are told of, and loops are not looked for."""

LEISURE = 5
"""While a recording of thousands of connections grows, loops are looked for only a fifth of the time."""


class Recorded:
    """``facts`` are told to the page as they are: ``live``, ``readonly``; ``origins`` are the page's own."""

    def __init__(self, path: Path, facts: dict[str, Any] | None = None) -> None:
        self.facts = facts or {}
        self.path = path
        self.index = Index(self.facts.get("origins", ()))
        self.tail = Tail(oldest(path), self.index.feed)
        self.problem = ""
        """Why reading had to stop before the end."""
        self.reasons: Any = None
        """The diagnosis, once somebody asked for it."""
        self.more = True
        """Whether there was more to read when reading last stopped."""
        self._pause = 0.0
        self._loops: tuple[object, list[Loop]] = (None, [])

    def read(self, seconds: float) -> bool:
        """Reads on for so long; whether there may be more."""
        self.more = self._read(time.monotonic() + seconds)
        return self.more

    def _read(self, until: float) -> bool:
        try:
            while not self.problem and self.tail.read():
                self.tail.complete = self.index.ledger.stopped
                if time.monotonic() >= until:
                    return True
        except HangupError as error:
            self.problem = str(error)
        except Exception as error:  # what was read so far can still be looked at
            traceback.print_exc()
            self.problem = f"reading stopped at {self.tail.read_up_to}: {type(error).__name__}: {error}"
        return False

    @property
    def name(self) -> str:
        """The file as the user named it."""
        return str(self.facts.get("name") or self.path)

    @property
    def complete(self) -> bool:
        """Whether all was read, and nothing more will come."""
        return not self.more and (self.index.ledger.stopped or not self.facts.get("live"))

    @property
    def partial(self) -> bool:
        """Whether so much is still to be read that it is too early to tell of all connections."""
        return self.more and not self.facts.get("live") and len(self.index.lanes) > MANY

    def loops(self) -> list[Loop]:
        """The loops so far; each lane knows the number of its own."""
        index = self.index
        known, found = self._loops
        # Whether a loop still goes on is a matter of seconds; to look for that with each frame would be too often.
        now = index.turns, index.ledger.stopped, index.ledger.last_at // 1
        begun = time.monotonic()
        if known != now and not self.partial and (self.complete or begun >= self._pause):
            settle(index.ledger)
            found = loops_in(index.ledger, index.ledger.last_at)
            self._loops = now, found
            took = time.monotonic() - begun
            self._pause = begun + (LEISURE * took if took > 0.02 else 0.0)
            member = {conn: number for number, loop in enumerate(found) for conn in loop.conns}
            for lane in index.lanes.values():
                fate = index.connection(lane.conn).fate
                if lane.loop != member.get(lane.conn) or lane.fate != fate:
                    lane.loop, lane.fate = member.get(lane.conn), fate
                    lane.rev = index.rev
        return found

    def event(self, place: int) -> AnyEvent:
        """The event that stands there."""
        return self.tail.event(place)


def browser_code(connection: Connection) -> int | None:
    """The close code that a browser shows its page for this ending; None while it is open."""
    if connection.ended is None:
        return None
    if connection.refused:
        return 1006
    close = next((s for s in connection.steps if s.what == "close" and s.side == "server" and not _kept(s.note)), None)
    return 1006 if close is None else 1005 if close.code is None else close.code


def _kept(note: str) -> bool:
    return note.startswith("kept back by the filter")


def clean(connection: Connection) -> bool:
    """Whether a close frame was sent by either side and answered by the other."""
    closed = {step.side for step in connection.steps if step.what == "close" and not _kept(step.note)}
    return len(closed) == 2


def fate(connection: Connection) -> str:
    """How it ended, in one word: ``open``, ``untold`` (by an imported format), ``refused``, ``proxy`` (by hangup or a
    filter), ``clean``, ``abnormal``."""
    if connection.ended is None:
        return "untold" if connection.untold else "open"
    ending = connection.ending
    if ending.how == "unknown":
        return "untold"
    if ending.by == "proxy":
        return "proxy"
    if connection.refused:
        return "refused"
    return "clean" if ending.how == "close" and ending.code in (None, 1000, 1001) else "abnormal"
