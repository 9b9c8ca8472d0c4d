"""What an application's traffic looks like, apart from its fault: message forms, ids, paths and timing.

One fault is recorded in many shapes: ``Shape()`` is the plain one of the golden recordings, ``Shape.of_seed(n)``
another for each seed. Backends and clients of one run are given the same shape, as JSON. The vocabulary is
shared with the Node programs (``shape.mjs``).
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import msgspec

VOCABULARY: dict[str, Any] = json.loads((Path(__file__).parent / "vocabulary.json").read_text("utf-8"))

Message = dict[str, Any]


class Shape(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """The form of one application's traffic. Times are in seconds, ``limit`` in bytes.

    ``key`` is the field that names a message's kind, ``nest`` the field that holds the rest (empty: flat).
    ``heartbeat`` is the period of whoever sends one, ``deadline`` the patience of whoever waits for it.
    ``chatter`` is the mean gap between the frontend's ordinary messages, ``news`` between the server's own
    (0: none), ``latency`` the server's mean time to answer. ``delay`` and ``backoff`` are the reconnecting
    client's: first gap and the factor it grows by. ``code`` and ``reason`` replace a fault's usual close code
    where it has one.
    """

    seed: int = 0
    theme: str = "chat"
    key: str = "type"
    nest: str = ""
    path: str = "/ws/{client_id}"
    client_id: str = "client-1"
    ping_text: str = "ping"
    ping_kind: str = "ping"
    heartbeat: float = 0.8
    deadline: float = 1.0
    chatter: float = 0.35
    latency: float = 0.01
    news: float = 0
    limit: int = 4096
    deflate: bool = True
    browser: bool = False
    delay: float = 0.3
    backoff: float = 1
    code: int = 0
    reason: str = ""

    @classmethod
    def of_seed(cls, seed: int) -> Shape:
        """Another application with the same fault."""
        rng = random.Random(f"shape {seed}")
        client_id = rng.choice(
            [
                f"client-{rng.randrange(1, 900)}",
                f"user_{rng.getrandbits(32):08x}",
                str(rng.randrange(1, 100_000)),
                f"{rng.getrandbits(64):016x}-{rng.getrandbits(16):04x}",
                rng.choice(VOCABULARY["names"]).encode("ascii", "ignore").decode() + str(rng.randrange(100)),
            ]
        )
        return cls(
            seed=seed,
            theme=rng.choice(sorted(VOCABULARY["themes"])),
            key=rng.choice(["type", "type", "event", "action", "op", "kind", "t", "method"]),
            nest=rng.choice(["", "", "data", "payload", "params"]),
            path=rng.choice(
                [
                    "/ws/{client_id}",
                    "/api/v1/ws/{client_id}",
                    "/socket?client_id={client_id}",
                    "/stream?v=2&client_id={client_id}",
                    "/live/{client_id}/events",
                ]
            ),
            client_id=client_id,
            ping_text=rng.choice(["ping", "PING", "heartbeat", "hb", "keep-alive", "♥", "ping\n"]),
            ping_kind=rng.choice(sorted(VOCABULARY["pongs"])),
            heartbeat=round(rng.uniform(0.5, 1.1), 3),
            deadline=round(rng.uniform(0.7, 1.3), 3),
            chatter=round(rng.uniform(0.15, 0.6), 3),
            latency=round(rng.choice([0.001, 0.005, 0.02, 0.04]), 3),
            news=rng.choice([0, 0, 0.3, 0.7]),
            limit=rng.choice([2048, 4096, 16384]),
            deflate=rng.random() < 0.5,
            browser=rng.random() < 0.5,
            delay=round(rng.uniform(0.15, 0.6), 3),
            backoff=rng.choice([1, 1, 1, 1.3]),
        )

    @property
    def words(self) -> dict[str, Any]:
        """The theme's messages."""
        theme: dict[str, Any] = VOCABULARY["themes"][self.theme]
        return theme

    @property
    def route(self) -> str:
        """The path without its query, as a route with ``{client_id}``."""
        return self.path.partition("?")[0]

    def target(self, client_id: str | None = None) -> str:
        """The path and query that a client asks for."""
        return self.path.format(client_id=client_id or self.client_id)

    def wrap(self, kind: str, fields: Message | None = None) -> Message:
        """A message of this kind, as this application writes it."""
        if self.nest:
            return {self.key: kind, self.nest: dict(fields or {})}
        return {self.key: kind, **(fields or {})}

    def unwrap(self, message: Message) -> tuple[str, Message]:
        """Kind and fields; raises ``KeyError`` or ``TypeError`` where there is no kind."""
        fields = message.get(self.nest, {}) if self.nest else {k: v for k, v in message.items() if k != self.key}
        return message[self.key], fields

    @property
    def ping(self) -> Message:
        """The heartbeat as a JSON message."""
        return self.wrap(self.ping_kind, {"ts": "$now"})

    @property
    def pong(self) -> Message:
        """Its answer."""
        return self.wrap(VOCABULARY["pongs"][self.ping_kind], {"ts": "$now"})

    def say(self, what: str) -> Message:
        """``hello``, ``welcome``, ``ack`` or ``news``, its placeholders not yet filled."""
        return self.wrap(*self.words[what])

    def answers(self, message: Message) -> list[Message]:
        """What a healthy server answers: to the greeting, to a heartbeat, and to messages that carry an id."""
        kind, fields = self.unwrap(message)
        if kind == self.words["hello"][0]:
            return [self.say("welcome")]
        if kind == self.ping_kind:
            return [self.pong]
        if isinstance(fields, dict) and "id" in fields:
            ack, rest = self.words["ack"]
            return [self.wrap(ack, {**rest, "id": fields["id"]})]
        return []


class Filler:
    """Fills placeholders (``$id``, ``$n``, ``$now``, ``$name``, ``$price``, ``$words``, ``$text:1000``)."""

    def __init__(self, seed: object) -> None:
        self.rng = random.Random(f"filler {seed}")
        self.count = 0

    def fill(self, value: Any) -> Any:
        """The value with every placeholder in it replaced by something fresh."""
        if isinstance(value, dict):
            return {k: self.fill(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name, _, size = value[1:].partition(":")
        match name:
            case "id":
                return f"{self.rng.getrandbits(32):08x}"
            case "n":
                self.count += 1
                return self.count
            case "now":
                return time.time_ns() // 1_000_000
            case "name":
                return self.rng.choice(VOCABULARY["names"])
            case "price":
                return round(self.rng.uniform(10, 200), 2)
            case "words":
                return self.text(self.rng.randrange(3, 9))
            case "text":
                return self.text(int(size))[: int(size)]
        return value

    def text(self, words: int) -> str:
        """That many words."""
        return " ".join(self.rng.choices(VOCABULARY["words"], k=words))


def compact(message: Any) -> str:
    """JSON as ``JSON.stringify`` writes it."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
