"""A diagnosis as data: what ``hangup why`` says, before anybody words or draws it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from hangup.diagnosis.findings import Evidence, Trigger
from hangup.diagnosis.stack import Stack


class Alternative(Struct, omit_defaults=True):
    """A runner-up."""

    verdict: str
    confidence: float
    evidence: list[Evidence] = []


class NextStep(Struct, omit_defaults=True):
    """What to try next: ``command`` is a command line, and ``text`` says what it tells. If it is to change something in
    the proxy, ``filter`` is that filter's text form, which can be switched on in a proxy that runs already."""

    text: str
    filter: str = ""
    command: str = ""


class CausePart(Struct):
    """A part of what is known of a cause, and how much of the belief stands behind it."""

    value: str
    confidence: float


class Mark(Struct, omit_defaults=True):
    """One event of the timeline around an end. ``at`` in seconds from that end, negative before it."""

    at: float
    side: str
    text: str
    n: int | None = None
    kind: str = "message"
    """``message``, ``ping``, ``pong``, ``close``, ``open``, ``end``, ``other`` (another connection), ``log``, or
    ``gap``: frames left out."""


class Report(Struct):
    """The whole diagnosis. ``confidence`` is between 0 and 1; ``evidence`` is ordered, the strongest first.

    ``also`` are verdicts that name the same thing from another side. ``sentence`` says it all in one.
    """

    verdict: str
    confidence: float
    closer: str
    trigger: Trigger
    evidence: list[Evidence]
    alternatives: list[Alternative]
    next: list[NextStep]
    sentence: str = ""
    also: tuple[str, ...] = ()
    amplifier: str = ""
    parts: dict[str, CausePart] = {}
    """What is known apart from the name: ``trigger``, ``property``, ``place`` and ``closer``, where one value of it
    has enough of the belief. They can be known where no cause can be named."""
    connections: dict[str, int] = {}
    """How many there were, dropped, lived."""
    loop: str = ""
    hint: str = ""
    stack: Stack = msgspec.field(default_factory=Stack)
    timeline: list[Mark] = []
    conn: int | None = None
    """The connection that the timeline shows."""
    notes: list[str] = []
    recording: str = ""

    @property
    def category(self) -> str:
        """The part of the verdict before the slash."""
        return self.verdict.partition("/")[0]

    @property
    def exit_code(self) -> int:
        """0 when a cause was named or nothing is wrong, 3 when it is unknown."""
        return 3 if self.category == "unknown" else 0

    @property
    def spoken_of(self) -> dict[int, set[int]]:
        """The connections of which it speaks, those that matter most first, each with the frames."""
        found: dict[int, set[int]] = {}
        cites = [(self.conn, None), (self.trigger.conn, self.trigger.frame)]
        cites += [(cite.conn, cite.frame) for sign in self.evidence for cite in sign.cites]
        for conn, frame in cites:
            if conn is not None:
                frames = found.setdefault(conn, set())
                if frame is not None:
                    frames.add(frame)
        return found

    def censor(self, text: Callable[[str], str]) -> None:
        """Puts every sentence through ``text``, which takes out what others must not read."""
        self.sentence, self.loop, self.hint = text(self.sentence), text(self.loop), text(self.hint)
        self.notes = [text(note) for note in self.notes]
        self.stack.because = [text(each) for each in self.stack.because]
        for part in self.parts.values():
            part.value = text(part.value)
        for sign in [*self.evidence, *(sign for other in self.alternatives for sign in other.evidence)]:
            sign.text = text(sign.text)
        for step in self.next:
            step.text, step.filter, step.command = text(step.text), text(step.filter), text(step.command)
        for mark in self.timeline:
            mark.text = text(mark.text)

    def summary(self) -> dict[str, Any]:
        """For JSON: the keys that programs rely on come first, extras after them."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        found["trigger"] = {"kind": self.trigger.kind, "conn": self.trigger.conn, "frame": self.trigger.frame}
        return found
