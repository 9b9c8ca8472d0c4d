"""Recordings that no program made, of ends that hang on a value: in a message, or in a request."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hangup.recording.events import Event
from layouts import Tape

FIELDS = ("amount", "colour", "label", "owner", "angle", "note")
CREDENTIALS = ("token", "sid")
NAMES = ("cursor", "filter", "board", "region", "seat")
ENDS = ("fin", 1011, 1008, "rst")

Value = Callable[[random.Random], Any]


def _usual(rng: random.Random) -> Value:
    """What a field holds as a rule."""
    return rng.choice(
        (
            lambda rng: rng.randint(1, 90),
            lambda rng: round(rng.uniform(0, 9), 1),
            lambda rng: rng.choice(("red", "green", "blue")),
            lambda rng: [rng.choice(NAMES) for _ in range(rng.randint(1, 3))],
        )
    )


def _message(rng: random.Random, kind: str, values: dict[str, Value], n: int) -> dict[str, Any]:
    return {"type": kind, "id": n, "body": {name: make(rng) for name, make in values.items()}}


def of_messages(seed: int, side: Any) -> list[Event]:
    """The end comes soon after a message in which one field is null, missing or of another type."""
    tape = Tape(seed)
    rng = tape.rng
    tape.count = rng.randint(2, 6)
    kind, names = rng.choice(("place", "update", "status")), rng.sample(FIELDS, rng.randint(2, 4))
    values = {name: _usual(rng) for name in names}
    odd: Any = rng.choice((None, None, "", [], "gone", {"of": 1}))
    missing = rng.random() < 0.2
    end, pause = rng.choice(ENDS if side == "client" else (None, 1000, "fin", None)), rng.choice((0.3, 0.8, 1.5))

    def play(line: Any, _: int) -> None:
        for n in range(1, rng.randint(4, 9)):
            line.say(side, _message(rng, kind, values, n), tape.some(0.2, 1.8) * pause)
            if rng.random() < 0.5:
                line.say("server" if side == "client" else "client", {"type": "ok", "id": n}, 0.004)
        bad = _message(rng, kind, values, 10)
        if missing:
            del bad["body"][names[0]]
        else:
            bad["body"][names[0]] = odd
        line.say(side, bad, pause)
        line.wait(tape.some(0.002, 0.02))
        closer: Any = "server" if side == "client" else "client"
        if end in ("fin", "rst"):
            line.end(closer, end)
        else:
            line.close(closer, end)

    tape.loop(play)
    return tape.done()


def _odd(rng: random.Random) -> Callable[[int], tuple[str, str]]:
    """Values that a server may not read, each with one like it that it does; the same each time, or others."""
    way, several = rng.randrange(6), rng.random() < 0.7

    def make(n: int) -> tuple[str, str]:
        stem = "".join(rng.choice("abcdefgh") for _ in range(rng.randint(5, 9))) if several else "abcdef"
        n = n if several else 7
        return (
            (f"{stem}+{n}", f"{stem}-{n}"),
            (f"{stem}==", stem),
            (f"{stem}%20{n}", f"{stem}_{n}"),
            (f"{stem}%C3%BC", stem),
            (stem, str(100 + n)),
            ("", stem),
        )[way]

    return make


def of_requests(seed: int, names: Sequence[str] = NAMES) -> list[Event]:
    """Requests that are refused, or let in and ended at once, for what a parameter is made of; others are served."""
    tape = Tape(seed)
    rng = tape.rng
    name, where = rng.choice(names), rng.choice(("query", "query", "cookie"))
    status = rng.choice((101, 400, 422, 500, 403) if names is NAMES else (401, 403, 403, 500))
    odd, end = _odd(rng), rng.choice(ENDS)
    at = 0.5
    rest = [True] * rng.randint(3, 6) + [False] * rng.randint(0, 3)
    rng.shuffle(rest)
    # Those that are served come first: of the first few connections alone nobody could tell why others are not.
    for n, fails in enumerate([False, False, False, *rest]):
        value = odd(n)[0 if fails else 1]
        target = f"/live?lang=en&{name}={value}" if where == "query" else "/live"
        request = [("Cookie", f"theme=dark; {name}={value}")] if where == "cookie" else []
        line = tape.open(at, target, request=request, status=status if fails else 101)
        if not fails:
            tape.talk(line, tape.some(3.0, 6.0)).end("server", by="proxy")
        elif status == 101:
            line.wait(tape.some(0.01, 0.3))
            if isinstance(end, str):
                line.end("server", end)
            else:
                line.close("server", end)
        at = line.at + tape.some(0.2, 1.0)
    return tape.done()


def everything(seeds: range) -> Iterator[tuple[list[Event], dict[str, Any]]]:
    """Events and labels."""
    for number, seed in enumerate(seeds):
        also = ["server-handler/crash-on-message"]
        yield of_messages(seed, "client"), {"cause": "message/schema", "alternatives": also, "times": 2}
        throws = {"cause": "client-lifecycle/throws-on-frame", "times": 2}
        yield of_messages(seed, "server"), throws if number % 4 else {"cause": "unknown/", "open_set": True, "times": 2}
        yield of_requests(seed), {"cause": "handshake/parameter", "times": 2}
        yield of_requests(seed, CREDENTIALS), {"cause": "handshake/auth-rejected", "times": 1}
