"""An application drawn from a seed: how it looks, what its two ends say to each other all the time, and how it is
wired.

A fault is built on an :class:`App`: it adds or replaces steps of the two scripts.
"""

from __future__ import annotations

import random
from typing import Any

from lab.script import Condition, Script, Step
from lab.style import FORMS, JSON_FORMS, Style

ROUTES = [
    "/ws",
    "/ws/{client_id}",
    "/api/v1/stream/{client_id}",
    "/live",
    "/socket",
    "/rooms/{client_id}/ws",
    "/gateway",
    "/api/realtime",
]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "okhttp/4.12.0",
]


class App:
    """One application with its ends' scripts.

    ``server`` and ``client`` are scripts; ``settings`` are the server stack's (``ping_interval``, ``ping_timeout``,
    ``max_size``, ``protocols``, ``deflate``, ``quirks`` ...); ``options`` the client library's; ``refusals`` what the
    server checks in a handshake; ``between`` what stands between them, the client's side first, with ``"hangup"``
    where the proxy goes. ``tabs`` are the client's sockets, each with changes to the common script and path. A server
    process that ends is started again after ``restart_after``; with ``deploys`` (``first``, ``every``) it is asked to
    end. ``label`` and ``expected`` (:mod:`lab.table`) may be made more exact by the fault.
    """

    def __init__(self, rng: random.Random, stack: str, library: str, forms: tuple[str, ...] = FORMS) -> None:
        self.rng, self.stack, self.library = rng, stack, library
        self.style = Style(rng, forms)
        self.route = rng.choice(ROUTES)
        self.client_id = rng.choice(
            [
                f"u{rng.randrange(900)}",
                f"{rng.getrandbits(64):016x}",
                f"dev-{rng.randrange(99)}",
                str(rng.randrange(9999)),
            ]
        )
        self.query: dict[str, str] = {}
        if rng.random() < 0.3:
            self.query["v"] = str(rng.randrange(1, 5))
        self.server: Script = {"seed": rng.getrandbits(32), "open": [], "on": [], "timers": [], "deadlines": []}
        self.client: Script = {"seed": rng.getrandbits(32), "open": [], "on": [], "timers": [], "deadlines": []}
        self.settings: dict[str, Any] = {"deflate": rng.random() < 0.4}
        self.options: dict[str, Any] = {"headers": {}, "protocols": [], "deflate": rng.random() < 0.4}
        if rng.random() < 0.5:
            self.options["headers"]["User-Agent"] = rng.choice(AGENTS)
        if rng.random() < 0.4:
            self.options["headers"]["Origin"] = rng.choice(["http://localhost:3000", "https://app.example.test"])
        self.refusals: list[dict[str, Any]] = []
        self.between: list[Any] = ["hangup"]
        self.tabs: list[dict[str, Any]] = [{}]
        self.delay = self.t(0.15, 0.7)
        self.factor = rng.choice([1, 1, 1, 1.4])
        self.jitter = rng.choice([0.02, 0.1, 0.25])
        self.with_log = rng.random() < 0.2
        self.restart_after: float | None = None
        self.deploys: dict[str, float] = {}
        self.more_frontend: dict[str, Any] = {}
        self.label: Any = None
        self.expected: Any = None

    # Numbers.

    def t(self, low: float, high: float) -> float:
        """A time in seconds between these, small ones as likely as large ones."""
        return round(low * (high / low) ** self.rng.random(), 3)

    def maybe(self, share: float) -> bool:
        return self.rng.random() < share

    # Ordinary traffic.

    def greet(self, hello: bool = True, welcome: bool = True) -> None:
        """The client says hello, the server answers (or greets by itself)."""
        say, when = self.style.say, self.style.when
        if hello:
            self.client["open"].append(["send", say("hello")])
            if welcome:
                self.server["on"].append({"if": when("hello"), "do": [["send", say("welcome")]]})
        elif welcome:
            self.server["open"].append(["send", say("welcome")])

    def chatter(
        self, every: float | None = None, answered: bool = True, roles: tuple[str, ...] = ("say", "more")
    ) -> None:
        """The client's ordinary messages, acknowledged."""
        every = every or self.t(0.2, 0.9)
        for role in roles[: self.rng.randint(1, len(roles))]:
            step = [["send", self.style.say(role)]]
            self.client["timers"].append({"first": self.t(0.15, every), "every": every, "do": step, "jitter": 0.4})
            if answered and role == "say":
                pause = [["sleep", self.t(0.002, 0.04)]] if self.maybe(0.5) else []
                self.server["on"].append({"if": self.style.when(role), "do": [*pause, ["send", self.style.say("ack")]]})

    def news(self, every: float | None = None) -> None:
        """The server's own messages."""
        every = every or self.t(0.2, 1.2)
        for role in ("event", "news")[: self.rng.randint(1, 2)]:
            self.server["timers"].append(
                {"first": self.t(0.1, every), "every": every, "do": [["send", self.style.say(role)]], "jitter": 0.3}
            )

    def beat(self, every: float | None = None, answered: bool = True) -> float:
        """The client's application heartbeat, answered."""
        every = every or self.t(0.4, 1.3)
        ping = [["send", self.style.say("ping")]]
        self.client["timers"].append({"first": every, "every": every, "do": ping, "jitter": 0.03})
        if answered:
            self.server["on"].append({"if": self.style.when("ping"), "do": [["send", self.style.say("pong")]]})
        return every

    def pulse(self) -> None:
        """Control pings of the server's stack, which the client answers."""
        self.settings["ping_interval"] = self.t(0.4, 1.5)
        self.settings["ping_timeout"] = self.t(1.5, 4)

    def ordinary(
        self, *, quiet: bool = False, greet: bool = True, beat: bool | None = None, news: bool | None = None
    ) -> None:
        """A random mixture of all that, which ends nothing."""
        if greet:
            kind = self.rng.randrange(4)
            self.greet(hello=kind != 0, welcome=kind != 1)
        if not quiet:
            self.chatter()
        if news or (news is None and not quiet and self.maybe(0.5)):
            self.news()
        if beat or (beat is None and not quiet and self.maybe(0.4)):
            self.beat()
        if not quiet and self.maybe(0.25):
            self.pulse()

    def crowd(self, low: int = 2, high: int = 4, spread: float = 0.3) -> int:
        """So many sockets instead of one, opened within a while."""
        count = self.rng.randint(low, high)
        self.tabs = [{"after": round(n * self.rng.uniform(0.02, spread), 3)} for n in range(count)]
        return count

    # Endings.

    def rule(self, condition: Condition, steps: list[Step], *, end: str = "server", **more: Any) -> None:
        """A rule that comes before all others of this end."""
        script = self.server if end == "server" else self.client
        script["on"].insert(0, {"if": condition, "do": steps, **more})

    def crash(self, *, codes: tuple[tuple[int, str], ...] = (), words: str = "", error: str = "") -> list[Step]:
        """How a server goes when it cannot go on: an exception, mostly, or a close code, with or without last words."""
        rng = self.rng
        last = [["send", self.style.error(words)]] if words and self.maybe(0.25) else []
        kind = rng.random()
        if codes and kind < 0.5:
            code, reason = rng.choice(codes)
            return [*last, ["close", code, reason if self.maybe(0.6) else ""], ["return"]]
        if kind < 0.9:
            name = error or rng.choice(["KeyError", "ValueError", "TypeError", "AttributeError", "RuntimeError"])
            return [*last, ["raise", name, words]]
        return [*last, ["abort"] if self.maybe(0.3) else ["return"]]

    def leave(self, codes: tuple[tuple[int, str], ...] = ((1000, ""), (4000, "timeout"), (3000, "bye"))) -> list[Step]:
        """How a client goes."""
        if self.maybe(0.2):
            return [["abort"] if self.maybe(0.5) else ["fin"]]
        code, reason = self.rng.choice(codes)
        return [["close", code, reason]]

    # What is handed over.

    @property
    def target(self) -> str:
        """The path and query that the client asks for."""
        query = "&".join(f"{key}={value}" for key, value in self.query.items())
        return self.route.replace("{client_id}", self.client_id) + (f"?{query}" if query else "")

    def backend(self) -> dict[str, Any]:
        """What the server program is given."""
        return {"script": self.server, "settings": self.settings, "route": self.route, "refusals": self.refusals}

    def frontend(self) -> dict[str, Any]:
        """What the client program is given."""
        return {
            "script": self.client,
            "options": self.options,
            "target": self.target,
            "tabs": self.tabs,
            "delay": self.delay,
            "factor": self.factor,
            "jitter": self.jitter,
        }


__all__ = ["FORMS", "JSON_FORMS", "App"]
