"""One connection with what became of it, as the rules look at it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import parse_qsl

from hangup.diagnosis.figures import clip
from hangup.diagnosis.traces import Message, Trace
from hangup.recording.endings import Ending
from hangup.recording.events import Side

Fate = Literal["dropped", "refused", "unreachable", "abandoned", "left", "finished", "open", "stopped", "filtered"]
Mode = Literal["cut", "close", "refused", "unreachable"]

FOREVER = 1e9
"""Seconds; a longer time is a broken clock's."""

_VOLATILE = re.compile(r".*\d.*|[A-Za-z0-9_-]{20,}")
_VERSION = re.compile(r"v\d{1,2}|\d{1,2}(?:\.\d+)?|socket\.io|ws\d?|mqtt\d?", re.I)


def route_of(target: str) -> str:
    """The path of a target with its volatile parts (``/ws/client-7`` is ``/ws/{}``)."""
    path = target.partition("?")[0]
    parts = [
        "{}" if _VOLATILE.fullmatch(part) and not _VERSION.fullmatch(part) else part for part in path.split("/")[:12]
    ]
    return "/".join(parts)


class Life:
    """One connection with what became of it. Times in seconds; ``successor`` is who the client opened next."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.conn = trace.conn
        account = trace.account
        self.ending: Ending = account.ending
        self.route = route_of(account.target)
        opened = account.opened
        if opened is None and account.answered is None and (trace.recent or account.steps):
            opened = account.first_seen  # the handshake is missing from the file
        self.opened = opened
        self.asked = account.asked if account.asked is not None else account.first_seen
        end = self.ending.at
        self.end = end if end is not None and math.isfinite(end) else None
        self.fate: Fate = "open"
        self.successor: Life | None = None
        self.predecessor: Life | None = None

    @property
    def lasted(self) -> float:
        """From opening to the end, or to the last event while it is open."""
        if self.opened is None:
            return 0.0
        end = self.end if self.end is not None else self.trace.account.last_seen
        return clip(end - self.opened, 0.0, FOREVER)

    @property
    def gap(self) -> float | None:
        """From the end to the client's next request."""
        if self.successor is None or self.end is None:
            return None
        return clip(self.successor.asked - self.end, -60.0, FOREVER)

    def since(self, at: float | None) -> float:
        """From a moment to the end; infinite when there was no such moment."""
        if at is None or self.end is None:
            return math.inf
        return clip(self.end - at, 0.0, FOREVER)

    def last(self, side: Side) -> Message | None:
        """The side's last message before the end."""
        return self.trace.halves[side].last

    @property
    def mode(self) -> Mode:
        """How it ended, roughly."""
        if self.fate == "unreachable":
            return "unreachable"
        if self.fate in ("refused", "abandoned") or self.opened is None:
            return "refused"
        return "close" if self.ending.how == "close" else "cut"

    @property
    def code(self) -> int | None:
        """The close code, or the status that refused the handshake."""
        return self.trace.account.status if self.mode == "refused" else self.ending.code

    @property
    def reason(self) -> str:
        """The reason in the first close frame."""
        return self.ending.reason or ""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        target = self.trace.account.target.partition("?")[2]
        try:
            return dict(parse_qsl(target, keep_blank_values=True, max_num_fields=100))
        except ValueError:
            return {}

    def header(self, name: str, *, response: bool = False) -> str:
        """A header of the request, or of the response; empty when it is not there."""
        message = self.trace.response if response else self.trace.request
        if message is None:
            return ""
        return next((value for key, value in message.headers if key.lower() == name), "")


def conns(lives: Iterable[Life]) -> str:
    """``connection 3``, ``connections 1, 2 and 5``, ``12 connections``."""
    numbers = [life.conn for life in lives]
    if len(numbers) == 1:
        return f"connection {numbers[0]}"
    if len(numbers) <= 4:
        return f"connections {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    return f"{len(numbers)} connections"
