"""Recordings that no program made, to add volume: the catalogue's causes, and above all ends that have none.

A model that has seen only faults finds one everywhere. These are ends at random among traffic of many kinds, and ends
by clocks that may be anybody's; ``unknown/`` is right of them. :func:`everything` yields them with their labels, from
seeds that no test uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hangup.diagnosis.findings import UNKNOWN
from hangup.recording.events import Event, Log, Raw
from lab import laid_values
from layouts import LAYOUTS, UVICORN, Headers, Line, Tape, build, greet

SEEDS = range(500, 510)
RANDOM = range(500, 700)
CLOCKS = range(500, 580)

WORDS = range(500, 504)
DOUBTS = range(500, 572)

RESPONSES: tuple[Headers, ...] = ([], UVICORN, [("server", "nginx/1.24")], [("via", "1.1 Caddy")])
HOWS = ("fin", "rst", None, 1000, 1001, 1011, 1008, 4000, 4001)
KINDS = ("chat", "move", "vote", "cursor", "edit", "tick", "quote", "event")


def everything() -> Iterator[tuple[list[Event], dict[str, Any]]]:
    """Events and labels."""
    for name, (verdicts, _) in LAYOUTS.items():
        label = {
            "cause": verdicts[0],
            "alternatives": list(verdicts[1:]),
            "open_set": verdicts[0] == UNKNOWN,
            "times": 2,
        }
        for seed in SEEDS:
            yield build(name, seed, noise=seed % 2 == 1), label
    for make, seeds in ((at_random, RANDOM), (by_a_clock, CLOCKS), (crowd, CLOCKS)):
        for seed in seeds:
            yield (
                make(seed),
                {
                    "cause": UNKNOWN,
                    "open_set": True,
                    "alternatives": ["none/healthy"] * (make is crowd),
                    "times": 3.0 if make is crowd else 0.5,
                },
            )
    yield from laid_values.everything(DOUBTS)
    for phrase, cause in SAID.items():
        for seed in WORDS:
            yield said(phrase, seed), {"cause": cause, "alternatives": AS_WELL.get(cause, []), "times": 2}
    for phrase, cause in LOGGED.items():
        for seed in WORDS:
            yield logged(phrase, seed), {"cause": cause, "alternatives": AS_WELL.get(cause, []), "times": 2}
    for seed in DOUBTS:
        yield left_early(seed), {"cause": UNKNOWN, "open_set": True, "lacks": ["ends"] * (seed % 2), "times": 2}
    for number, seed in enumerate(DOUBTS):
        yield refused(seed), {"cause": BARE[number % len(BARE)], "lacks": ["headers"], "times": 2}
    for seed in DOUBTS:
        yield mounted_twice(seed), {"cause": "client-lifecycle/double-mount"}
        full = "handshake/limit" if seed % 3 else UNKNOWN
        yield as_many_open_as_ever(seed), {"cause": full, "open_set": full == UNKNOWN, "times": 3}
    for doubtful, causes in AMBIGUOUS.items():
        for number, seed in enumerate(DOUBTS):
            cause = causes[number % len(causes)]
            yield _doubt(doubtful, seed), {"cause": cause, "open_set": cause == UNKNOWN, "times": 1.5}


def _end(line: Line, side: Any, how: Any) -> None:
    if how in ("fin", "rst"):
        line.end(side, how)
    else:
        line.close(side, how)


def _talk(tape: Tape, line: Line, until: float) -> None:
    """Traffic of some kind until then: dense or sparse, of one side or both, with heartbeats or without."""
    pace, share, kinds, beats, form = tape.traits  # type: ignore[attr-defined]
    while True:
        line.at += tape.rng.expovariate(1 / pace)
        if line.at >= until:
            line.at = until
            return
        kind = tape.rng.choice(kinds)
        what: Any = {"type": kind, "n": tape.rng.randrange(99)} if form == "json" else f"{kind} {tape.rng.randrange(9)}"
        if tape.rng.random() < share:
            line.client(what)
            if tape.rng.random() < 0.5:
                line.server({"type": "ok"} if form == "json" else "ok", 0.004)
        else:
            line.server(what)
        if beats == "control" and tape.rng.random() < 0.3:
            line.ping("server", 0.01).pong("client")
        elif beats == "app" and tape.rng.random() < 0.3:
            line.client({"type": "ping"}, 0.01).server({"type": "pong"}, 0.003)


def _tape(seed: int) -> Tape:
    tape = Tape(seed)
    rng = tape.rng
    tape.count = rng.choice((1, 2, 2, 3, 4, 6, 9))
    tape.traits = (  # type: ignore[attr-defined]
        rng.choice((0.05, 0.3, 1.0, 3.0, 10.0)),
        rng.choice((0.0, 0.3, 0.7, 1.0)),
        rng.sample(KINDS, rng.randint(1, 4)),
        rng.choice(("", "", "control", "app")),
        rng.choice(("json", "json", "text")),
    )
    return tape


def at_random(seed: int) -> list[Event]:
    """Connections that end at random moments, each recording's in one way."""
    tape = _tape(seed)
    side, how = tape.rng.choice(("server", "server", "client")), tape.rng.choice(HOWS)
    typical, least = tape.rng.choice((2.0, 6.0, 20.0, 60.0)), tape.rng.choice((0.1, 0.5, 2.0))
    greeting = tape.rng.random() < 0.5

    def play(line: Line, n: int) -> None:
        if greeting:
            greet(line)
        _talk(tape, line, line.at + least + tape.rng.expovariate(1 / typical))
        _end(line, side, how)

    tape.loop(play, response=tape.rng.choice(RESPONSES))
    return tape.done()


def by_a_clock(seed: int) -> list[Event]:
    """Ends of the server a steady time after something, which a proxy, a worker or the handler may count alike."""
    tape = _tape(seed)
    how, time = tape.rng.choice(HOWS[:6]), tape.rng.choice((0.8, 1.2, 2.0, 3.5, 7.0, 15.0, 30.0, 45.0))
    counted = tape.rng.choice(("age", "request", "server", "event", "receive"))

    def play(line: Line, n: int) -> None:
        start = line.at
        if counted == "age":
            _talk(tape, line, start + time)
        elif counted == "receive":
            for _ in range(2 + n % 3):
                line.server({"type": "quote"}, tape.some(0.3, 0.4) * time).client({"type": "ping"}, 0.6 * time)
                line.server({"type": "pong"}, 0.001)
            at = line.at
            line.server({"type": "quote"}, tape.some(0.2, 0.5) * time)
            line.at = at + time
        elif counted == "event":
            line.client({"type": "subscribe"}, 0.003).server({"type": "subscribed"}, 0.001).wait(time)
        else:
            greet(line)
            _talk(tape, line, line.at + tape.some(0.5, 4.0))
            if counted == "request":
                line.client({"type": "report", "month": n})
            else:
                line.server({"type": "quote"})
            line.wait(time)
        _end(line, "server", how)

    tape.loop(play, response=tape.rng.choice(RESPONSES))
    return tape.done()


def mounted_twice(seed: int) -> list[Event]:
    """A page that opens twice at each load."""
    tape = Tape(seed)
    at = 0.5
    for _ in range(max(tape.count, 3)):
        line = tape.open(at)
        if seed % 2:
            line.server({"type": "welcome"}, 0.002)
        line.close("client", 1000, "", 0.001)
        line = greet(tape.open(line.at + tape.some(0.001, 0.05))).wait(tape.some(2.5, 9.0)).close("client", 1001)
        at = line.at + tape.some(0.3, 2.0)
    return tape.done()


def as_many_open_as_ever(seed: int) -> list[Event]:
    """One is turned away each time, while as many are open as ever."""
    tape = Tape(seed)
    older = [tape.open(0.1 + 0.01 * n, "/ws", response=[]) for n in range(tape.rng.randint(1, 5))]
    for n in range(tape.count):
        _end(tape.open(0.5 + 0.7 * n, "/ws", response=[]).wait(0.002), "server", HOWS[seed % 4])
    for line in older:
        for _ in range(2 + tape.count):
            line.client({"type": "ping"}, 0.6).server({"type": "pong"}, 0.001)
    return tape.done()


def crowd(seed: int) -> list[Event]:
    """Clients that come, ask, and are done: many at once, or one after another."""
    tape = Tape(seed)
    at_once, code = tape.rng.random() < 0.5, tape.rng.choice((1000, 1000, 1001, None))
    said: Any = tape.rng.choice(("hello", {"a": 1}, {"type": "get", "id": 7}))
    for number in range(tape.rng.randint(8, 50)):
        line = tape.open(0.5 + (tape.some(0.0, 0.1) if at_once else 0.2 * number))
        line.client(said, tape.some(0.005, 0.05)).server(tape.rng.choice((said, {"ok": 1})), tape.some(0.002, 0.05))
        line.close("client", code, "", tape.some(0.002, 0.03))
    return tape.done()


BARE = ("handshake/auth-rejected", "handshake/path", "handshake/origin", "handshake/parameter")
"""What a 403 may mean in a file that does not tell the request's headers."""


def left_early(seed: int) -> list[Event]:
    """A connection or two of less than two seconds, after a word or two of the client: neither healthy nor a fault."""
    tape = Tape(seed)
    for number in range(1 + seed % 2):
        line = tape.open(0.5 + 3 * number)
        for _ in range(seed % 3):
            line.client(tape.rng.choice(("ping", "hello", {"type": "ping"}, {"type": "hello"})), tape.some(0.1, 0.6))
        line.wait(tape.some(0.005, 0.3)).end("client", tape.rng.choice(("fin", "rst")))
    return tape.done()


def refused(seed: int) -> list[Event]:
    """A few handshakes that are answered 403."""
    tape = Tape(seed)
    for number in range(tape.rng.randint(1, 4)):
        tape.open(0.5 + number, f"/{tape.rng.choice(('ws', 'chat', 'live'))}", status=403, response=RESPONSES[seed % 2])
    return tape.done()


# What looks alike, whichever of several causes made it. Each stands as often for one as for the other.

Doubt = Callable[[Tape, Line, int], Any]
AMBIGUOUS: dict[Doubt, tuple[str, ...]] = {}


def ambiguous(*causes: str) -> Callable[[Doubt], Doubt]:
    """Registers what one connection looks like, and the causes that it may have."""

    def register(play: Doubt) -> Doubt:
        AMBIGUOUS[play] = causes
        return play

    return register


def _doubt(play: Doubt, seed: int) -> list[Event]:
    tape = _tape(seed)
    tape.count = max(tape.count, 2)
    tape.loop(lambda line, n: play(tape, line, n), "/ws?token=abc" if seed % 3 else "/ws/1",
              response=tape.rng.choice(RESPONSES[:2]))  # fmt: skip
    return tape.done()


@ambiguous("identity/id-collision", UNKNOWN)
def a_reason_without_a_second_connection(tape: Tape, line: Line, n: int) -> None:
    reason = ("duplicate session", "already connected", "replaced by another login")[tape.seed % 3]
    tape.talk(greet(line), tape.some(0.5, 9)).close("server", 4000, reason, tape.some(0.1, 0.9))


@ambiguous("identity/token-expired-retry", "server-handler/crash-on-message", "server-handler/returns-after-message")
def a_credential_and_the_end(tape: Tape, line: Line, n: int) -> None:
    line.client({"type": "auth", "token": "x"}, tape.some(0.001, 0.02)).end("server", after=tape.some(0.001, 0.01))


@ambiguous("client-lifecycle/throws-on-frame", "client-lifecycle/effect-churn", UNKNOWN, UNKNOWN)
def a_client_that_goes_after_a_sound_message(tape: Tape, line: Line, n: int) -> None:
    code = (1000, 1001, 1002, 4000, None)[tape.seed % 5]
    greet(line).server({"type": KINDS[tape.seed % 8]}, tape.some(0.5, 5)).close(
        "client", code, "", tape.some(0.003, 0.02)
    )


@ambiguous("server-handler/returns-immediately", UNKNOWN, UNKNOWN)
def an_opening_that_fails_now_and_then(tape: Tape, line: Line, n: int) -> None:
    if n % 3 == tape.seed % 3:
        tape.talk(greet(line), tape.some(2, 9))
    _end(line.wait(0.003), "server", HOWS[tape.seed % 9])


@ambiguous(
    "server-handler/dependency-timeout", "server-handler/dependency-timeout", "intermediary/idle-timeout", UNKNOWN
)
def a_request_without_an_answer(tape: Tape, line: Line, n: int) -> None:
    greet(line)
    for _ in range(n if tape.seed % 2 else 0):
        line.client({"type": "chat"}, tape.some(0.2, 0.9)).server({"type": "ack"}, 0.001)
    line.client({"type": "report", "month": n}, 0.4).wait(2.0 + tape.seed % 7)
    _end(line, "server", HOWS[tape.seed % 6])


@ambiguous(
    "intermediary/idle-timeout", "server-handler/dependency-timeout", "heartbeat/app-pong-missing-from-client", UNKNOWN
)
def a_steady_silence(tape: Tape, line: Line, n: int) -> None:
    tape.talk(greet(line), 1.0 + n * (tape.seed % 3)).wait(1.0 + tape.seed % 9)
    _end(line, "server", HOWS[tape.seed % 6])


@ambiguous(UNKNOWN, UNKNOWN, "intermediary/idle-timeout")
def ticks_and_the_end(tape: Tape, line: Line, n: int) -> None:
    every = (0.3, 0.5, 1.0, 2.0)[tape.seed % 4]
    for number in range(4 + n):
        line.server({"type": "tick", "n": number}, every)
    _end(line.wait(every), "server", HOWS[tape.seed % 6])


@ambiguous("process/message-count-limit", "message/schema", UNKNOWN, UNKNOWN)
def a_script_of_several_kinds(tape: Tape, line: Line, n: int) -> None:
    for number in range(5 + tape.seed % 4):
        line.client({"type": KINDS[(number + n) % 3], "x": 1}, 0.5).server({"type": "ok"}, 0.001)
    line.client({"type": KINDS[n % 3], "x": None}, 0.5).end("server", after=0.002)


@ambiguous("process/message-count-limit", "server-handler/crash-on-message", UNKNOWN)
def a_number_of_one_kind(tape: Tape, line: Line, n: int) -> None:
    for number in range(4 + tape.seed % 9):
        line.client({"type": "chat", "text": f"{number}"}, tape.some(0.1, 0.6))
    line.end("server", after=0.001)


@ambiguous("message/unknown-type", "message/schema", "server-handler/crash-on-message", UNKNOWN)
def a_message_of_another_kind(tape: Tape, line: Line, n: int) -> None:
    for _ in range(3 + n):
        line.client({"type": "chat", "text": "a"}, 0.3).server({"type": "ok"}, 0.001)
    line.client({"type": "move", "x": 1}, 0.3)
    _end(line.wait(0.002), "server", HOWS[tape.seed % 6])


@ambiguous("server-handler/returns-after-message", "server-handler/crash-on-message", UNKNOWN)
def a_message_that_was_answered(tape: Tape, line: Line, n: int) -> None:
    for number in range(3 + n):
        line.client({"type": KINDS[number % 3], "id": number}, 0.4).server({"type": "ok"}, 0.001)
    line.client({"type": "get"}, 0.3).server({"type": "file"}, 0.01).end("server", after=0.003)


@ambiguous("intermediary/frame-corruption", "message/framing")
def frames_that_arrive_spoiled(tape: Tape, line: Line, n: int) -> None:
    tape.talk(greet(line), 2.0 + n)
    line.server('{"type": "feed", "text": "item1 ite', 0.3)
    tape.events.append(Raw(at=line.at, conn=line.conn, side="server", text='m2"}', problems=["not-a-frame"]))
    line.close("client", 1002, "invalid opcode", 0.002)


@ambiguous("intermediary/frame-corruption", "intermediary/frame-corruption", UNKNOWN)
def sound_text_that_is_called_invalid(tape: Tape, line: Line, n: int) -> None:
    tape.talk(greet(line), 1.0 + n)
    line.client({"type": "draft", "text": "wörd " * (20 + tape.seed % 60)}, 0.4)
    line.close("server", 1007, ("invalid continuation byte at position 52", "invalid UTF-8")[tape.seed % 2], 0.002)


@ambiguous("heartbeat/control-pong-missing")
def control_pings_of_the_client(tape: Tape, line: Line, n: int) -> None:
    greet(line)
    for _ in range(n):
        line.ping("client", 1.0).pong("server")
    line.ping("client", 1.0).server({"type": "tick"}, 0.5).close("client", 1011, "", 0.5)


# Words, which are to be believed whatever else there is to see.

SAID: dict[str, str] = {
    "Unexpected token p in JSON at position 0": "message/not-json",
    "payload is not valid JSON": "message/not-json",
    "message exceeds the maximum size": "message/oversize",
    "payload too large": "message/oversize",
    "you signed in from another tab": "identity/id-collision",
    "connection replaced": "identity/id-collision",
    "access token has expired": "identity/token-expired-retry",
    "invalid credentials": "identity/token-expired-retry",
    "rate limited, slow down": "process/message-rate-limit",
    "flood detected": "process/message-rate-limit",
    "connection limit reached": "handshake/limit",
    "too many sessions": "handshake/limit",
    "server at capacity": "handshake/limit",
    "hello not received in time": "message/init-missing",
    "login timeout": "message/init-missing",
    "server restart": "process/restart",
    "going down for maintenance": "process/restart",
    "unknown event": "message/unknown-type",
    "unsupported message type": "message/unknown-type",
    "missing field: seq": "message/schema",
    "validation failed": "message/schema",
    "authenticate first, not yet identified": "message/order-before-hello",
    "text frames only": "message/wrong-opcode",
    "no pong received": "heartbeat/control-pong-missing",
    "client too slow, send queue full": "client-lifecycle/slow-consumer",
    "session not found, cannot resume": "identity/stale-resume",
    "heartbeat timeout": "heartbeat/app-pong-missing-from-client",
    "origin not allowed": "handshake/origin",
}

LOGGED: dict[str, str] = {
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)": "message/not-json",
    "SyntaxError: Unexpected token 'p', \"ping\" is not valid JSON": "message/not-json",
    "KeyError: 'room'": "message/schema",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Move": "message/schema",
    "TypeError: Object of type datetime is not JSON serializable": "server-handler/crash-on-own-event",
    "websockets.exceptions.PayloadTooBig: over size limit (70000 > 65536 bytes)": "message/oversize",
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff": "message/invalid-utf8",
    "RuntimeError: cannot call recv while another coroutine is already waiting": "server-handler/concurrent-io",
    "[CRITICAL] WORKER TIMEOUT (pid:71)": "process/worker-timeout",
    "WatchFiles detected changes in 'app.py'. Reloading...": "process/restart",
}

AS_WELL: dict[str, list[str]] = {
    "identity/token-expired-retry": ["handshake/auth-rejected"],
    "message/not-json": ["heartbeat/app-ping-kills"],
}


def _before(tape: Tape, line: Line) -> None:
    """What went before somebody's words: nothing, a message, or a conversation."""
    if tape.seed % 3:
        greet(line)
    if tape.seed % 3 == 1:
        tape.talk(line, tape.some(0.5, 6.0))
    if tape.seed % 2:
        line.client({"type": KINDS[tape.seed % 8], "n": 1}, tape.some(0.2, 0.6))
    line.wait(0.003 if tape.seed % 2 else tape.some(0.003, 1.0))


def said(reason: str, seed: int) -> list[Event]:
    """The server closes and says why."""
    tape = Tape(seed)

    def play(line: Line, n: int) -> None:
        _before(tape, line)
        line.close("server", (4000, 1008, 1011, 4100)[seed % 4], reason)

    tape.loop(play, response=RESPONSES[seed % 2])
    return tape.done()


def logged(line_of_log: str, seed: int) -> list[Event]:
    """The server's log says why, just before it ends."""
    tape = Tape(seed)

    def play(line: Line, n: int) -> None:
        _before(tape, line.client({"type": "hello"}, 0.01))
        text = f'Traceback (most recent call last):\n  File "app.py", line 7\n{line_of_log}'
        tape.events.append(Log(at=line.at, text=text if "Error" in line_of_log else line_of_log, source="backend"))
        line.end("server", after=tape.some(0.0005, 0.003))

    tape.loop(play, response=RESPONSES[seed % 2])
    return tape.done()
