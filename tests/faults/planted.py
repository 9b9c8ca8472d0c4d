"""Backends that are planted: families of faults with random limits, fields and clients, each with its true law."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from faults.world import PROMPT, End, Past, Plant, Played, Truth
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import factors
from hangup.experiment.handshakes import credentials
from hangup.experiment.timers import Clock
from hangup.experiment.trial import Case, ClientFrame
from hangup.experiment.verdict import Verdict
from hangup.messages.heartbeats import recognise
from hangup.recording.events import Request
from hangup.wire.frames import OPCODE_NUMBERS

Make = Callable[[Random], Plant]

MESSAGES = ("message/", "server-handler/crash-on-message", "server-handler/returns-after-message")
TIMES = ("intermediary/", "process/worker-timeout", "heartbeat/", "message/init-missing")


@dataclass(frozen=True)
class Planted:
    """A family's member: how to plant it, given chance."""

    family: str
    name: str
    make: Make


# Clients.


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def say(kind: str, **more: Any) -> str:
    return dumps({"type": kind, **more})


def case_of(payloads: list[str | bytes], times: list[float] | None = None, **more: Any) -> Case:
    """A client that says these, at these times."""
    at = times or [round(0.1 * (i + 1), 3) for i in range(len(payloads))]
    frames = []
    for i, (payload, moment) in enumerate(zip(payloads, at, strict=True)):
        data = payload.encode() if isinstance(payload, str) else payload
        opcode = "text" if isinstance(payload, str) else "binary"
        try:
            kind = json.loads(data).get("type", "")
        except (ValueError, AttributeError):
            kind = data.split()[0].decode(errors="replace") if opcode == "text" else ""
        frames.append(ClientFrame(2 * i + 1, opcode, data, moment, recognise(OPCODE_NUMBERS[opcode], data), (), kind))
    more.setdefault("lifetime", (at[-1] if at else 0.0) + PROMPT)
    more.setdefault("reaction", more["lifetime"] - at[-1] if at else None)
    more.setdefault("how", "abrupt")
    return Case(frames, **more)


def order(rng: Random, **fields: Any) -> str:
    made = {
        "id": rng.randint(1, 99),
        "qty": rng.randint(1, 9),
        "price": round(rng.uniform(1, 20), 2),
        "side": rng.choice(("buy", "sell")),
        "note": "".join(rng.choice("abcdefgh ") for _ in range(rng.randint(1, 12))),
        "items": [rng.randint(1, 9) for _ in range(rng.randint(1, 3))],
    }
    return say("order", **{**made, **fields})


def talk(rng: Random, last: str | bytes, before: int | None = None, **more: Any) -> Case:
    """A hello, some orders, some other messages, and the one that matters."""
    said: list[str | bytes] = [say("hello", name="a")]
    said += [order(rng) for _ in range(rng.randint(3, 8) if before is None else before)]
    said += [say("chat", text=f"hi {n}") for n in range(rng.randint(0, 3))]
    return case_of([*said, last], **more)


# Truths about messages.


def on_message(bad: Callable[[dict[str, Any]], bool], other: Callable[[dict[str, Any]], str] = lambda m: "") -> Truth:
    """Ends on a JSON message that is ``bad``; what it cannot read ends it as well. ``other`` says of a message that it
    ends in another way, in words."""

    def truth(played: Played) -> End | None:
        for at, _, payload in played.messages:
            try:
                value = json.loads(payload)
                if words := other(value):
                    return End(at + PROMPT, words)
                if bad(value):
                    return End(at + PROMPT)
            except (ValueError, KeyError, TypeError, AttributeError):
                return End(at + PROMPT)
        return None

    return truth


def adjacent(verdict: Verdict) -> tuple[str, str] | None:
    """The two numbers of a law's boundary: ``survives … , fails …``."""
    boundary = verdict.law.boundary if verdict.law is not None else ""
    if "survives " not in boundary:
        return None
    low, _, high = boundary.rpartition("survives ")[2].partition(", fails ")
    numbers = [part.split()[0].replace(",", "") for part in (low, high) if part]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def whole(verdict: Verdict) -> bool:
    """Whether a boundary is found to the unit (that it is the right one, the law's exchanges tell)."""
    found = adjacent(verdict)
    return found is not None and all(n.lstrip("-").isdigit() for n in found) and abs(int(found[1]) - int(found[0])) == 1


def field_case(rng: Random) -> Iterator[tuple[str, Callable[[dict[str, Any]], bool], str]]:
    limit = rng.randint(12, 50_000)
    yield "int", lambda m: m.get("qty", 0) >= limit, order(rng, qty=rng.randint(limit, 4 * limit))
    edge = rng.uniform(25.0, 5_000.0)
    yield "float", lambda m: m.get("price", 0) > edge, order(rng, price=round(edge * rng.uniform(1.01, 3), 2))
    yield "negative", lambda m: m.get("qty", 0) < 0, order(rng, qty=-rng.randint(1, 9_000))
    below = -rng.randint(2, 500)
    yield "below", lambda m: m.get("qty", 0) < below, order(rng, qty=below - rng.randint(1, 900))
    many = rng.randint(4, 60)
    yield "list", lambda m: len(m.get("items", ())) > many, order(rng, items=list(range(many + rng.randint(1, 60))))
    long = rng.randint(13, 2_000)
    yield "text", lambda m: len(m.get("note", "")) > long, order(rng, note="x" * (long + rng.randint(1, 2 * long)))
    yield "null", lambda m: m.get("note", "") is None, order(rng, note=None)
    yield "value", lambda m: m.get("side") == "short", order(rng, side="short")
    yield "type", lambda m: isinstance(m.get("qty"), str), order(rng, qty="3")
    without = json.loads(order(rng))
    del without["qty"]
    yield "missing", lambda m: m["type"] == "order" and "qty" not in m, dumps(without)
    yield "contains", lambda m: "#" in m.get("note", ""), order(rng, note="a #tag")


FIELDS = tuple(name for name, _, _ in field_case(Random(0)))
THRESHOLDS = ("int", "float", "negative", "below", "list", "text")


def in_field(name: str) -> Make:
    def make(rng: Random) -> Plant:
        bad, last = next((bad, last) for each, bad, last in field_case(rng) if each == name)
        exact = None if name not in THRESHOLDS else near if name == "float" else whole
        return Plant(talk(rng, last), on_message(bad), MESSAGES, exact)

    return make


def near(verdict: Verdict) -> bool:
    found = adjacent(verdict)
    return found is not None and abs(float(found[1]) - float(found[0])) <= 0.01 * abs(float(found[1]))


def of_kind(rng: Random) -> Plant:
    last = say("boom", x=rng.randint(1, 9), why="no")
    known = ("hello", "order", "chat")
    this, strange = (lambda m: m["type"] == "boom"), (lambda m: m["type"] not in known)
    return Plant(talk(rng, last), on_message(rng.choice((this, strange))), MESSAGES)


def not_json(rng: Random) -> Plant:
    return Plant(talk(rng, rng.choice(("ping", "hello there", "a,b"))), on_message(lambda m: False), (*MESSAGES, BEAT))


BEAT = "heartbeat/app-ping-kills"


def of_size(low: int, high: int, code: bool = True) -> Make:
    def make(rng: Random) -> Plant:
        limit = int(low * (high / low) ** rng.random())
        size = int(limit * rng.uniform(1.01, 2.5)) + 2
        bare = len(say("paste", text=""))
        last = say("paste", text="x" * (size - bare))
        how: dict[str, Any] = {"how": "close", "code": 1009} if code and rng.random() < 0.5 else {}
        case = talk(rng, last, **how)

        def truth(played: Played) -> End | None:
            large = next((at for at, _, payload in played.messages if len(payload) > limit), None)
            return None if large is None else End(large + PROMPT)

        def exact(verdict: Verdict) -> bool:
            minimal = verdict.minimal
            if minimal is not None and minimal.size_limit is not None:
                return minimal.size_limit == limit
            return whole(verdict)

        return Plant(case, truth, MESSAGES, exact)

    return make


def of_count(rng: Random) -> Plant:
    limit = int(3 * 100 ** rng.random())
    said: list[str | bytes] = [say("hello", name="a")]
    said += [rng.choice((say("chat", text=f"hi {n}"), order(rng))) for n in range(limit - 1)]
    times = [round(0.02 * (i + 1), 3) for i in range(limit)]

    def truth(played: Played) -> End | None:
        said = played.messages
        return End(said[limit - 1][0] + PROMPT) if len(said) >= limit else None

    def exact(verdict: Verdict) -> bool:
        counted = [t.at for t in verdict.timers if t.clock is Clock.COUNT]
        found = adjacent(verdict)
        least = verdict.minimal is not None and len(verdict.minimal.frames) == limit
        return (found is not None and found[1] == str(limit)) or counted == [limit] or least

    return Plant(case_of(said, times), truth, ("process/message-count-limit",), exact)


def alone(of: Make) -> Make:
    """The client says nothing but the message that matters, and perhaps a greeting."""

    def make(rng: Random) -> Plant:
        plant = of(rng)
        last = plant.case.frames[-1].payload.decode()
        said: list[str | bytes] = [say("hello", name="a"), last] if rng.random() < 0.5 else [last]
        plant.case = case_of(said, replied=rng.random() < 0.5)
        return plant

    return make


def at_once(rng: Random) -> Plant:
    """It ends after the first message, whatever that says."""
    said: list[str | bytes] = [rng.choice((say("hello", name="a"), order(rng), "ping", b"\x01\x02"))]
    case = case_of(said, replied=rng.random() < 0.5)
    names = ("server-handler/returns-after-message", "process/message-count-limit")
    return Plant(case, lambda p: End(p.messages[0][0] + PROMPT) if p.messages else None, names)


def in_text(rng: Random) -> Plant:
    """A server whose messages are words, not JSON."""
    bad = rng.choice(("QUIT", "STAT all", "#5"))
    words = ["HELO a", *rng.choices(("JOIN x", "SAY hi", "SAY ho", "NOOP"), k=rng.randint(1, 6)), bad]
    known = (b"HELO", b"JOIN", b"SAY ", b"NOOP")
    test = rng.choice(((lambda p: p == bad.encode()), (lambda p: not p.startswith(known))))

    def truth(played: Played) -> End | None:
        at = next((at for at, _, payload in played.messages if test(payload)), None)
        return None if at is None else End(at + PROMPT)

    return Plant(case_of(list(words)), truth, MESSAGES)


def in_bytes(rng: Random) -> Plant:
    """Binary messages beside JSON, of which all or some end it."""
    mark = rng.choice((1, 7, 255))
    every = rng.random() < 0.5
    said: list[str | bytes] = [say("hello", name="a"), order(rng), order(rng), bytes([mark, *rng.randbytes(12)])]

    def truth(played: Played) -> End | None:
        for at, opcode, payload in played.messages:
            if opcode == "binary" and (every or payload[:1] == bytes([mark])):
                return End(at + PROMPT)
        return None

    return Plant(case_of(said), truth, MESSAGES)


# Truths about the handshake.


def handshake(rng: Random, part: str, limit: int = 0) -> Plant:
    headers = [("Host", "a"), ("User-Agent", "x"), ("Origin", "http://a.example")]
    target = "/ws?room=1&v=1"
    names: tuple[str, ...] = ("handshake/parameter",)
    bad: Callable[[Request], bool]

    def header(request: Request, name: str) -> str:
        return next((value for key, value in request.headers if key.lower() == name), "")

    if part == "query":
        bad = lambda r: "v=1" in r.target  # noqa: E731
    elif part == "header":
        headers.append(("X-Mode", "fast"))
        bad = lambda r: header(r, "x-mode") == "fast"  # noqa: E731
    elif part == "cookie":
        headers.append(("Cookie", "theme=dark; lang=de"))
        bad = lambda r: "theme=dark" in header(r, "cookie")  # noqa: E731
    elif part == "origin":
        names = ("handshake/origin",)
        bad = lambda r: header(r, "origin") == "http://a.example"  # noqa: E731
    else:
        names = ("handshake/header-size",)
        size = int(limit * rng.uniform(1.02, 2.0)) + 4096
        headers.append(("Cookie", "prefs=" + "".join(rng.choice("xyz") for _ in range(size))))
        bad = lambda r: len(header(r, "cookie")) > limit  # noqa: E731
    request = Request(target=target, headers=headers)
    case = case_of(
        [],
        how="refused",
        status=rng.choice((431, 400)) if limit else rng.choice((400, 403, 500)),
        lifetime=0.0,
        reaction=None,
        features=frozenset({"origin", "query"} | ({"cookie"} if any(k == "Cookie" for k, _ in headers) else set())),
        request=request,
        factors=factors(request),
        credentials=credentials(request),
    )

    def exact(verdict: Verdict) -> bool:
        return verdict.minimal is not None and verdict.minimal.size_limit == limit

    return Plant(case, lambda p: End(0.0) if bad(p.request) else None, names, exact if limit else None)


def header_size(rng: Random) -> Plant:
    return handshake(rng, "size", int(2048 * 8 ** rng.random()))


def in_handshake(part: str) -> Make:
    return lambda rng: handshake(rng, part)


# Truths about time.


def clocked(verdict: Verdict, clocks: set[Clock], at: float) -> bool:
    return any(t.clock in clocks and abs(t.at - at) <= 0.05 * at for t in verdict.timers)


def of_age(rng: Random) -> Plant:
    age = 60 ** rng.random()
    jitter = Random(rng.random())
    times = [round(0.05 * age, 3)]
    while times[-1] < 0.95 * age and len(times) < 200:
        times.append(round(times[-1] + rng.uniform(0.05, 0.3) * age, 3))
    times = [t for t in times if t < 0.99 * age]
    said: list[str | bytes] = [say("hello", name="a"), *(say("chat", text=f"{n}") for n in range(len(times) - 1))]
    case = case_of(said, times, lifetime=age, how=rng.choice(("abrupt", "close")))
    return Plant(
        case,
        lambda p: End(age * jitter.uniform(1.0, 1.01)),
        ("process/worker-timeout", "intermediary/lifetime-cap", "message/init-missing"),
        lambda v: clocked(v, {Clock.AGE}, age),
    )


def of_idle(frames: bool) -> Make:
    """The client is silent for too long; ``frames``: its control frames count too."""

    def make(rng: Random) -> Plant:
        idle = 60 ** rng.random()
        jitter = Random(rng.random())
        times = [0.1]
        for _ in range(rng.randint(0, 5)):
            times.append(round(times[-1] + rng.uniform(0.1, 0.8) * idle, 3))
        said: list[str | bytes] = [say("hello", name="a"), *(say("chat", text=f"{n}") for n in range(len(times) - 1))]
        case = case_of(said, times, lifetime=times[-1] + idle, how=rng.choice(("abrupt", "close")), pause=idle)

        def truth(played: Played) -> End | None:
            limit, last = idle * jitter.uniform(1.0, 1.01), 0.0
            for at, _, _ in played.said if frames else played.messages:
                if at - last > limit:
                    return End(last + limit)
                last = at
            return End(last + limit)

        # To a client that sends no control frames of its own accord the two are one, until it is tried.
        clocks = {Clock.CLIENT, Clock.EITHER} if frames else {Clock.CLIENT_MESSAGES}
        return Plant(case, truth, TIMES, lambda v: clocked(v, clocks, idle))

    return make


# Faults beside the fault: what is another failure.


def two_limits(rng: Random) -> Plant:
    """Above one size another end, above a larger one the failure."""
    first = rng.randint(2_000, 20_000)
    second = first * rng.randint(2, 6)
    last = say("paste", text="x" * (second + rng.randint(100, second)))

    def truth(played: Played) -> End | None:
        for at, _, payload in played.messages:
            if len(payload) > second:
                return End(at + PROMPT)
            if len(payload) > first:
                return End(at + PROMPT, "closed with 1009")
        return None

    return Plant(talk(rng, last), truth, MESSAGES)


def strict(rng: Random) -> Plant:
    """Without a hello first, and with a field that is not as it should be, it ends in another way."""
    limit = rng.randint(20, 5_000)
    bad = lambda m: m["type"] == "order" and m["qty"] >= limit  # noqa: E731

    def other(message: dict[str, Any]) -> str:
        if message["type"] == "order" and not {"id", "qty", "price", "side", "note", "items"} <= set(message):
            return "closed with 1007"
        return "" if message["type"] in ("hello", "order", "chat") else "closed with 1003"

    inner = on_message(bad, other)

    def truth(played: Played) -> End | None:
        said = played.messages
        if said and b'"hello"' not in said[0][2]:
            return End(said[0][0] + PROMPT, "closed with 4001")
        return inner(played)

    return Plant(talk(rng, order(rng, qty=limit + rng.randint(0, limit))), truth, MESSAGES)


def split_range(rng: Random) -> Plant:
    """Of the numbers below the limit those of a middle range end it in another way."""
    limit = rng.randint(500, 9_000)
    low = limit // rng.randint(2, 5)
    bad = lambda m: m["type"] == "order" and m["qty"] >= limit  # noqa: E731
    other = lambda m: "closed with 1008" if low <= m.get("qty", 0) < limit else ""  # noqa: E731
    return Plant(talk(rng, order(rng, qty=limit + rng.randint(0, limit))), on_message(bad, other), MESSAGES)


def crowded(rng: Random) -> Plant:
    """A count, and fewer messages than three are ended in another way."""
    plant = of_count(rng)
    inner = plant.truth

    def truth(played: Played) -> End | None:
        said = played.messages
        return End(1.0, "closed with 4008") if len(said) < 3 else inner(played)

    return replace(plant, truth=truth, exact=None)


# Nothing that the traffic does.


def nothing(rng: Random) -> Plant:
    """Drops at random, after the last message or at any time."""
    case = talk(rng, rng.choice((say("boom"), order(rng), "ping")), reaction=rng.choice((0.003, 0.8)))
    case.lifetime = case.frames[-1].at + (case.reaction or 0.0)
    chance = Random(rng.random())
    rate = rng.choice((0.2, 0.4, 0.6, 0.8, 0.95))

    def truth(played: Played) -> End | None:
        return End(chance.uniform(0.0, 1.4 * case.lifetime)) if chance.random() < rate else None

    return Plant(case, truth, caused=False)


def open_door(rng: Random) -> Plant:
    """The same of a handshake."""
    return replace(any_handshake(rng), truth=lambda played: None, caused=False)


def quiet(rng: Random) -> Plant:
    """No fault at all: history makes one."""
    case = talk(rng, rng.choice((say("boom"), order(rng), "ping")))
    return Plant(case, lambda played: None, caused=False)


# History.


def first_ones(fails: bool, made: Callable[[Random], Plant]) -> Make:
    """The first connections differ from the rest: they ``fails``, or survive."""

    def make(rng: Random) -> Plant:
        plant, few = made(rng), rng.randint(1, 5)
        word = "fail" if fails else "survive"
        return replace(plant, history=lambda past, rng: word if past.connections <= few else "")

    return make


def every_nth(made: Callable[[Random], Plant], word: str = "fail") -> Make:
    def make(rng: Random) -> Plant:
        plant, n = made(rng), rng.randint(2, 6)
        off = rng.randrange(n)
        return replace(plant, history=lambda past, rng: word if past.connections % n == off else "")

    return make


def banned(word: str) -> Make:
    """After so many failures nobody is let in any more."""

    def make(rng: Random) -> Plant:
        plant, most = some_fault(rng), rng.randint(2, 14)
        return replace(plant, history=lambda past, rng: word if past.failures >= most else "")

    return make


def leased(made: Callable[[Random], Plant]) -> Make:
    """Who has stayed open holds a lease, and the next one fails."""

    def make(rng: Random) -> Plant:
        return replace(made(rng), history=lambda past, rng: "fail" if past.last is Outcome.SURVIVED else "")

    return make


def drifting(word: str, made: Make) -> Make:
    """From some connection on it is another backend: healed, or broken for good."""

    def make(rng: Random) -> Plant:
        plant, from_ = made(rng), rng.randint(3, 60)
        return replace(plant, history=lambda past, rng: word if past.connections > from_ else "")

    return make


def wedged(rng: Random) -> Plant:
    """Its first failure leaves the process in a state in which all fail, until it is restarted."""
    return replace(some_fault(rng), history=lambda past, rng: "fail" if past.failures else "")


def killed(rng: Random) -> Plant:
    """Each failure brings the process down, and it comes back some trials later."""
    plant, state = some_fault(rng), {"seen": 0, "away": 0}

    def history(past: Past, rng: Random) -> str:
        if past.failures > state["seen"]:
            state["seen"], state["away"] = past.failures, rng.randint(0, 2)
        state["away"] -= 1
        return "gone" if state["away"] >= 0 else ""

    return replace(plant, history=history)


def some_fault(rng: Random) -> Plant:
    return rng.choice(SOME)(rng)


SOME: tuple[Make, ...] = (*(in_field(name) for name in FIELDS), of_kind, not_json, of_size(1000, 50_000))


def flickering(made: Make, rate: float) -> Make:
    return lambda rng: replace(made(rng), rate=rate)


def strayed(made: Make, alike: bool) -> Make:
    return lambda rng: replace(made(rng), stray=rng.uniform(0.02, 0.05), stray_alike=alike)


def any_value(rng: Random) -> Plant:
    return in_field(rng.choice(FIELDS))(rng)


def any_handshake(rng: Random) -> Plant:
    return handshake(rng, rng.choice(("query", "header", "cookie", "origin")))


RATES = (0.3, 0.5, 0.6, 0.9)
FLICKERED: dict[str, Make] = {
    "content": any_value,
    "kind": lambda rng: rng.choice((of_kind, not_json))(rng),
    "size": of_size(1000, 200_000),
    "handshake": any_handshake,
    "idle": of_idle(True),
    "count": of_count,
}

TABLE: tuple[Planted, ...] = (
    *(Planted("values", name, in_field(name)) for name in FIELDS if name not in THRESHOLDS),
    Planted("values", "kind", of_kind),
    Planted("values", "not-json", not_json),
    Planted("values", "alone", alone(lambda rng: any_value(rng))),
    Planted("values", "at-once", at_once),
    Planted("values", "text", in_text),
    Planted("values", "binary", in_bytes),
    *(Planted("handshake", part, in_handshake(part)) for part in ("query", "header", "cookie", "origin")),
    *(Planted("thresholds", name, in_field(name)) for name in THRESHOLDS),
    Planted("thresholds", "size", of_size(1000, 1 << 20)),
    Planted("thresholds", "header-size", header_size),
    Planted("thresholds", "count", of_count),
    Planted("thresholds", "age", of_age),
    Planted("thresholds", "idle-frames", of_idle(True)),
    Planted("thresholds", "idle-messages", of_idle(False)),
    Planted("history", "cold-fails", first_ones(True, quiet)),
    Planted("history", "cold-fails-and-a-fault", first_ones(True, some_fault)),
    Planted("history", "cold-survives", first_ones(False, some_fault)),
    Planted("history", "every-nth", every_nth(quiet)),
    Planted("history", "every-nth-and-a-fault", every_nth(some_fault)),
    Planted("history", "every-nth-is-spared", every_nth(some_fault, "survive")),
    Planted("history", "banned-alike", banned("fail")),
    Planted("history", "banned-otherwise", banned("another")),
    Planted("history", "banned-unreachable", banned("gone")),
    Planted("history", "leased", leased(quiet)),
    Planted("history", "leased-and-a-fault", leased(some_fault)),
    Planted("history", "heals", drifting("survive", lambda rng: some_fault(rng))),
    Planted("history", "breaks-for-good", drifting("fail", lambda rng: some_fault(rng))),
    Planted("history", "heals-handshake", drifting("survive", lambda rng: any_handshake(rng))),
    Planted("history", "heals-idle", drifting("survive", of_idle(True))),
    Planted("history", "every-nth-handshake", every_nth(lambda rng: open_door(rng))),
    Planted("history", "every-nth-handshake-is-spared", every_nth(lambda rng: any_handshake(rng), "survive")),
    Planted("history", "every-nth-idle-is-spared", every_nth(of_idle(True), "survive")),
    Planted("history", "wedged", wedged),
    Planted("history", "killed", killed),
    *(
        Planted("flicker", f"{name}-{rate}", flickering(made, rate))
        for name, made in FLICKERED.items()
        for rate in RATES
    ),
    *(
        Planted("stray", f"{name}-{how}", strayed(made, how == "alike"))
        for name, made in FLICKERED.items()
        for how in ("alike", "otherwise")
    ),
    Planted("another", "two-limits", two_limits),
    Planted("another", "strict", strict),
    Planted("another", "split-range", split_range),
    Planted("another", "crowded", crowded),
    Planted("none", "random-drops", nothing),
)
