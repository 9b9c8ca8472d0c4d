"""Hypotheses and what speaks for and against them, in words and with the frames that show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from hangup.diagnosis.weights import bias, weight
from hangup.humanize import clip
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

TriggerKind = Literal["frame", "header", "time", "count", "peer", "none"]

CITES_KEPT = 6

SHOWN_FROM = 0.25
"""Weight from which on a sign is worth a line."""

EXACT = 0.6
"""The share of the strongest sign's weight from which on one that names a field is what a cause is about."""

UNKNOWN = "unknown/"
"""The verdict that no cause can be named."""


class Cite(Struct, frozen=True, omit_defaults=True):
    """An event of the recording: a connection and, where there is one, a frame of it."""

    conn: int
    frame: int | None = None


class Evidence(Struct, omit_defaults=True):
    """One sign in words. ``weight`` above 0 speaks for the hypothesis, below against it (natural logarithm). ``sign``
    is its name."""

    text: str
    weight: float
    cites: list[Cite] = []
    sign: str = ""


class Trigger(Struct, omit_defaults=True):
    """What makes the connection end, and the event that shows it best."""

    kind: TriggerKind = "none"
    conn: int | None = None
    frame: int | None = None


class Hypothesis:
    """A possible cause, and the signs that speak for and against it."""

    def __init__(self, verdict: str, *, closer: str = "unknown", trigger: Trigger | None = None) -> None:
        self.verdict = verdict
        self.closer = closer
        self._ending = trigger or Trigger()
        self.triggers: dict[str, Trigger] = {}
        """The event that ended the connection, by each sign that shows one."""
        self.signs: dict[str, float] = {}
        """Each sign with its strength: 1 for one that is simply there, more or less for one that has a measure (a
        logarithm of a likelihood ratio), negative for what speaks against the cause. See :mod:`.weights`."""
        self._shown: dict[str, Evidence] = {}
        self.exactly: dict[str, str] = {}
        """What signs say of the trigger that exactly: which field, and what its value is."""

    @property
    def category(self) -> str:
        """The part before the slash."""
        return self.verdict.partition("/")[0]

    @property
    def trigger(self) -> Trigger:
        """The event that ended the connection: what the sign that weighs most shows, or only which one ended."""
        best = max(self.triggers, key=self.weighed, default="")
        return self.triggers[best] if best else self._ending

    def says(self, sign: str, strength: float, text: str, cites: Iterable[Cite] = ()) -> Hypothesis:
        """Adds a sign by its name. One that is there already counts as the stronger of the two."""
        strength = clip(strength, -12.0, 12.0)
        if abs(strength) >= abs(self.signs.get(sign, 0.0)):
            self.signs[sign] = strength
            if text:
                self._shown[sign] = Evidence(text, 0.0, list(cites)[:CITES_KEPT], sign)
        return self

    def weighed(self, sign: str) -> float:
        """What a sign of it weighs, for it or against it."""
        return weight(self.verdict, sign) * self.signs.get(sign, 0.0)

    @property
    def exact(self) -> str:
        """What is known of the trigger that exactly, if no sign that speaks for this weighs more."""
        best = max(map(self.weighed, self.signs), default=0.0)
        named = max(self.exactly, key=self.weighed, default="")
        return self.exactly[named] if named and self.weighed(named) >= max(EXACT * best, SHOWN_FROM) else ""

    @property
    def score(self) -> float:
        """The logarithm of how likely it is, up to what all have in common."""
        return bias(self.verdict) + sum(map(self.weighed, self.signs))

    @property
    def evidence(self) -> list[Evidence]:
        """The signs in words, but for those of little weight."""
        found: dict[str, Evidence] = {}
        for sign, evidence in self._shown.items():
            by = round(self.weighed(sign), 2)
            known = found.get(evidence.text)
            if (abs(by) >= SHOWN_FROM or self.verdict == UNKNOWN) and (known is None or abs(known.weight) < abs(by)):
                found[evidence.text] = Evidence(evidence.text, by, evidence.cites, sign)
        return list(found.values())


def cite(life: Connection, message: MessageSummary | None = None) -> Cite:
    """A connection, and a frame of it."""
    return Cite(life.conn, message.n if message is not None else None)


def cite_all(lives: Iterable[Connection], side: str = "") -> Iterator[Cite]:
    """Connections, each with the last message of a side if one is named."""
    for life in lives:
        message = life.traffic.halves[side].last if side in ("client", "server") else None  # type: ignore[index]
        yield cite(life, message)
