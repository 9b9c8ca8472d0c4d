"""Hypotheses and what speaks for and against them.

A rule looks at a :class:`~hangup.diagnosis.case.Case` and yields hypotheses. Each is a verdict with a score: a
logarithm of how likely the signs are under it, built up by :meth:`Hypothesis.says`, one sign at a time, in words and
with the frames that show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from hangup.humanize import clip
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

TriggerKind = Literal["frame", "header", "time", "count", "peer", "none"]

CITES_KEPT = 6

CATEGORIES: dict[str, tuple[str, ...]] = {
    "handshake": (
        "path", "parameter", "origin", "auth-rejected", "subprotocol", "extension", "accept-key", "header-size",
        "http-version", "no-ws-support", "never-accepted", "limit",
    ),
    "server-handler": (
        "returns-immediately", "returns-after-message", "crash-on-message", "crash-on-own-event",
        "dependency-timeout", "blocked", "concurrent-io", "dead-peer-broadcast",
    ),
    "message": (
        "not-json", "schema", "unknown-type", "wrong-opcode", "oversize", "invalid-utf8", "encoding", "framing",
        "order-before-hello", "init-missing", "vocabulary-mismatch",
    ),
    "heartbeat": (
        "app-ping-kills", "control-ping-kills", "app-pong-missing-from-client", "app-pong-missing-from-server",
        "control-pong-missing", "pong-mismatch", "interval-race", "direction", "throttled", "stale-timer",
    ),
    "intermediary": ("idle-timeout", "lifetime-cap", "frame-corruption", "upgrade-conflict", "non-sticky"),
    "identity": ("id-collision", "stale-cleanup", "ghost-session", "stale-resume", "token-expired-retry"),
    "client-lifecycle": (
        "double-mount", "effect-churn", "stale-close-handler", "throws-on-frame", "connect-deadline",
        "poison-replay", "slow-consumer",
    ),
    "process": ("restart", "crash", "worker-timeout", "message-count-limit", "message-rate-limit"),
    "amplifier": ("backoff-reset",),
    "none": ("healthy", "harmless-errors"),
    "unknown": ("",),
}  # fmt: skip
"""The vocabulary of verdicts: categories and their subcategories."""


class Cite(Struct, frozen=True, omit_defaults=True):
    """An event of the recording: a connection and, where there is one, a frame of it."""

    conn: int
    frame: int | None = None


class Evidence(Struct, omit_defaults=True):
    """One sign in words. ``weight`` above 0 speaks for the hypothesis, below against it (natural logarithm)."""

    text: str
    weight: float
    cites: list[Cite] = []


class Trigger(Struct, omit_defaults=True):
    """What makes the connection end, and the event that shows it best."""

    kind: TriggerKind = "none"
    conn: int | None = None
    frame: int | None = None


class Hypothesis:
    """A possible cause. ``score`` is its log-likelihood up to a constant, ``also`` other names of the same thing."""

    def __init__(
        self,
        verdict: str,
        prior: float = 0.0,
        *,
        closer: str = "unknown",
        trigger: Trigger | None = None,
        also: tuple[str, ...] = (),
        adds: bool = False,
    ) -> None:
        self.verdict = verdict
        self.score = prior
        self.closer = closer
        self.trigger = trigger or Trigger()
        self.also = also
        self.adds = adds
        """Whether this is only evidence for what other rules came up with: its score is added to theirs."""
        self.evidence: list[Evidence] = []
        self.most = 1.0
        """As sure as one can be of it from a recording, whatever the rivals."""

    @property
    def category(self) -> str:
        """The part before the slash."""
        return self.verdict.partition("/")[0]

    def says(self, weight: float, text: str, cites: Iterable[Cite] = ()) -> Hypothesis:
        """Adds a sign. One of little weight changes the score but is not shown."""
        weight = clip(weight, -12.0, 12.0)
        self.score += weight
        if text and abs(weight) >= 0.25:
            self.evidence.append(Evidence(text, round(weight, 2), list(cites)[:CITES_KEPT]))
        return self

    def merge(self, other: Hypothesis) -> None:
        """Takes over what another rule found for the same verdict: the better case counts, evidence is added."""
        self.most = min(self.most, other.most)
        if other.adds:
            self.score += other.score
        elif other.score > self.score:
            self.trigger, self.closer = other.trigger, other.closer
            self.score = other.score
        known = {sign.text for sign in self.evidence}
        self.evidence += [sign for sign in other.evidence if sign.text not in known]
        self.also = tuple(dict.fromkeys(self.also + other.also))


def cite(life: Connection, message: MessageSummary | None = None) -> Cite:
    """A connection, and a frame of it."""
    return Cite(life.conn, message.n if message is not None else None)


def cite_all(lives: Iterable[Connection], side: str = "") -> Iterator[Cite]:
    """Connections, each with the last message of a side if one is named."""
    for life in lives:
        message = life.traffic.halves[side].last if side in ("client", "server") else None  # type: ignore[index]
        yield cite(life, message)
