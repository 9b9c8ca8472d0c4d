"""Recordings laid out by hand: a few words for what happens on a connection, and every cause of the catalogue in them.

``LAYOUTS`` holds one function for each cause: given a :class:`Tape` with its seeded randomness it lays out a loop as
the catalogue describes it on the wire. No two seeds give the same timing, ids or number of connections.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from hangup.recording import events as ev
from hangup.recording.events import Event, Header, How, Side

STARTED = "2026-11-22T21:08:00.000000Z"
Headers = list[tuple[str, str]]
UVICORN: Headers = [("server", "uvicorn"), ("date", "Sun, 22 Nov 2026 21:08:00 GMT")]


class Line:
    """One connection, laid out along a clock of its own: every call happens ``after`` so many seconds."""

    def __init__(self, tape: Tape, conn: int, at: float) -> None:
        self.tape, self.conn, self.at, self.n = tape, conn, at, 0

    def wait(self, seconds: float) -> Line:
        """Lets time pass."""
        self.at += self.tape.about(seconds)
        return self

    def _put(self, event: Event) -> Line:
        self.tape.events.append(event)
        return self

    def say(self, side: Side, what: Any, after: float = 0.0, **more: Any) -> Line:
        """A message: JSON, text or bytes."""
        self.wait(after)
        self.n += 1
        mask = "a1b2c3d4" if side == "client" else None
        frame = ev.Frame(at=self.at, conn=self.conn, n=self.n, side=side, mask=mask, **more)
        if isinstance(what, bytes):
            frame.opcode, frame.base64 = more.get("opcode", "binary"), what
        elif isinstance(what, str):
            frame.text = what
        else:
            frame.text = json.dumps(what, separators=(",", ":"), ensure_ascii=False)
        if frame.rsv & 4:
            frame.message, frame.base64, frame.text = frame.text, b"\xaa\x56\x2a", None
        return self._put(frame)

    def client(self, what: Any, after: float = 0.0, **more: Any) -> Line:
        """A message of the client."""
        return self.say("client", what, after, **more)

    def server(self, what: Any, after: float = 0.0, **more: Any) -> Line:
        """A message of the server."""
        return self.say("server", what, after, **more)

    def ping(self, side: Side = "server", after: float = 0.0, opcode: str = "ping", payload: bytes = b"") -> Line:
        """A control ping (or pong)."""
        self.wait(after)
        self.n += 1
        mask = "00000000" if side == "client" else None
        frame = ev.Frame(at=self.at, conn=self.conn, n=self.n, side=side, opcode=opcode, mask=mask)
        frame.text, frame.base64 = ev.payload_fields(payload)
        return self._put(frame)

    def pong(self, side: Side = "client", after: float = 0.002, payload: bytes = b"") -> Line:
        """A control pong."""
        return self.ping(side, after, "pong", payload)

    def close(self, side: Side, code: int | None = None, reason: str = "", after: float = 0.0) -> Line:
        """A closing handshake begun by a side."""
        other: Side = "server" if side == "client" else "client"
        self.wait(after)
        for who, wait in ((side, 0.0), (other, 0.002)):
            self.at += wait
            self.n += 1
            data = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
            text, raw = ev.payload_fields(data)
            mask = "00000000" if who == "client" else None
            self._put(
                ev.Frame(
                    at=self.at, conn=self.conn, n=self.n, side=who, opcode="close", mask=mask, text=text, base64=raw,
                    code=code, reason=None if code is None else reason,
                )
            )  # fmt: skip
        return self.end("server", after=0.001)

    def end(self, side: Side, how: How = "fin", after: float = 0.0, by: str = "") -> Line:
        """Both legs end, ``side``'s first."""
        other: Side = "server" if side == "client" else "client"
        self.wait(after)
        self._put(ev.End(at=self.at, conn=self.conn, side=side, how=how, by=by))
        return self._put(ev.End(at=self.at + 0.0005, conn=self.conn, side=other, how="fin", by=by))


class Tape:
    """Lays out connections; ``events`` are sorted by time when :meth:`done` is called."""

    def __init__(self, seed: int = 0, jitter: float = 0.03) -> None:
        self.rng = random.Random(f"tape {seed}")
        self.jitter = jitter if seed else 0.0
        self.seed = seed
        self.events: list[Event] = []
        self.conns = 0
        self.count = 6 if not seed else self.rng.randint(3, 9)
        self.delay = 0.5 if not seed else self.rng.choice([0.2, 0.5, 1.0, 3.0])
        self.name = "ada" if not seed else f"user{self.rng.randrange(10_000)}"

    def about(self, seconds: float) -> float:
        """About so many seconds."""
        return max(0.0, seconds * self.rng.uniform(1 - self.jitter, 1 + self.jitter))

    def some(self, low: float, high: float) -> float:
        """Any number between two."""
        return self.rng.uniform(low, high)

    def open(
        self,
        at: float,
        path: str = "/ws/1",
        *,
        request: Sequence[tuple[str, str]] = (),
        response: Headers | None = None,
        status: int = 101,
        waited: float = 0.004,
        error: str = "",
        text: str = "",
        problems: Sequence[str] = (),
        host: str = "localhost:8000",
    ) -> Line:
        """A handshake, asked for at a moment."""
        self.conns += 1
        waited = self.about(waited)
        headers = [("Host", host), ("Upgrade", "websocket"), *request]
        given = ev.Response(status=status, headers=UVICORN if response is None else response, text=text)
        self.events.append(
            ev.Handshake(
                at=at + waited,
                conn=self.conns,
                client=f"127.0.0.1:{50000 + self.conns}",
                server="localhost:8000",
                request=ev.Request(target=path, headers=headers),
                response=None if error else given,
                waited=waited,
                error=error,
                problems=list(problems) if status == 101 else ["status"],
            )
        )
        return Line(self, self.conns, at + waited)

    def done(self) -> list[Event]:
        """All events in order, then the end of the recording."""
        self.events.sort(key=lambda event: event.at)
        last = self.events[-1].at if self.events else 0.0
        return [*self.events, ev.Stop(at=last + 0.5)]

    def loop(self, play: Callable[[Line, int], Any], path: str = "/ws/1", count: int = 0, **more: Any) -> float:
        """Opens, plays, waits and opens again; returns when it was over."""
        at = 0.5
        for number in range(count or self.count):
            line = self.open(at, path, **more)
            play(line, number)
            at = line.at + self.about(self.delay)
        return at

    def talk(self, line: Line, seconds: float, every: float = 0.6) -> Line:
        """An ordinary conversation for so long."""
        until = line.at + seconds
        n = 0
        while True:
            pause = every * self.rng.uniform(0.6, 1.4)
            if line.at + pause + 0.02 > until:
                line.at = max(line.at, until)
                return line
            line.at += pause
            n += 1
            line.client({"type": "message", "id": n, "text": self.rng.choice(["hi", "how are you", "fine"])})
            line.server({"type": "ack", "id": n}, 0.008)


def header() -> Header:
    """The header of all layouts."""
    return Header(hangup=ev.FORMAT, started=STARTED, target="ws://localhost:8000", listen="127.0.0.1:9000")


HELLO = {"type": "join", "room": "general"}
WELCOME = {"type": "joined", "members": 3}


def jwt(exp: int) -> str:
    """A token that nobody signed."""
    parts = ({"alg": "HS256"}, {"sub": "ada", "exp": exp})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def greet(line: Line) -> Line:
    """Greeting and answer."""
    return line.client(HELLO, 0.03).server(WELCOME, 0.01)


Layout = Callable[[Tape], None]
LAYOUTS: dict[str, tuple[tuple[str, ...], Layout]] = {}
"""Name -> verdicts that are right, and the layout."""


def layout(name: str, *verdicts: str) -> Callable[[Layout], Layout]:
    """Registers a layout."""

    def register(make: Layout) -> Layout:
        LAYOUTS[name] = (verdicts, make)
        return make

    return register


def build(name: str, seed: int = 0, noise: bool = False) -> list[Event]:
    """The events of a layout, with ``noise`` among other traffic that has nothing to do with the cause."""
    tape = Tape(seed)
    LAYOUTS[name][1](tape)
    if noise:
        disturb(name, tape)
    return tape.done()


QUIET = (
    "a1-",
    "a2-",
    "a8-",
    "b1-",
    "b3-",
    "b6-",
    "b7-",
    "b8-",
    "b11-",
    "b13-",
    "b14-",
    "c1-",
    "d",
    "f1-",
    "f6-",
    "f7-",
    "f11-",
)
"""Layouts that are about silence, or end before anybody speaks: nothing is put into their connections."""


def disturb(name: str, tape: Tape) -> None:
    """Adds what real recordings have besides: news, control pings, answered heartbeats, a sibling, no Server header."""
    rng = tape.rng
    kinds = [k for k in ("news", "control", "beats", "sibling", "anonymous", "proxied") if rng.random() < 0.5]
    by_conn: dict[int, list[Event]] = {}
    for event in tape.events:
        by_conn.setdefault(event.conn, []).append(event)
    if not name.startswith(QUIET):
        for conn, events in by_conn.items():
            frames = [e for e in events if isinstance(e, ev.Frame)]
            if conn and len(frames) > 3:
                tape.events += _noise(conn, events, kinds, rng)
    if "sibling" in kinds and not name.startswith(("f5", "f7", "one-", "healthy", "a9", "a16", "a18", "c7")):
        line = tape.open(0.2, "/notifications", response=[])
        tape.talk(line, max(3.0, max(e.at for e in tape.events) - 0.2), 1.5)
    for event in tape.events:
        if isinstance(event, ev.Handshake) and event.response is not None and event.response.status == 101:
            headers = event.response.headers
            if "anonymous" in kinds:
                headers = [(k, v) for k, v in headers if k.lower() != "server"]
            event.response.headers = headers
            agent = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0")
            event.request.headers = [*event.request.headers, agent, ("Cookie", "theme=dark")]
    numbers: dict[int, int] = {}
    tape.events.sort(key=lambda event: event.at)
    for event in tape.events:
        if isinstance(event, ev.Frame):
            numbers[event.conn] = event.n = numbers.get(event.conn, 0) + 1


def _noise(conn: int, events: list[Event], kinds: list[str], rng: random.Random) -> list[Event]:
    start = events[0].at + 0.05
    stop = min(e.at for e in events[-2:]) - 0.1
    last_client = max(
        (e.at for e in events if isinstance(e, ev.Frame) and e.side == "client" and e.opcode != "close"), default=stop
    )
    found: list[Event] = []

    def put(at: float, side: Side, opcode: str = "text", message: Any = None) -> None:
        mask = "00000000" if side == "client" else None
        text = None if message is None else json.dumps(message)
        found.append(ev.Frame(at=at, conn=conn, n=0, side=side, opcode=opcode, text=text, mask=mask))

    if "news" in kinds:
        at, every = start, rng.uniform(0.3, 3.0)
        while (at := at + rng.expovariate(1 / every)) < stop:
            put(at, "server", message={"type": "news", "n": rng.randrange(99), "by": "eve"})
    if "control" in kinds:
        at, every = start, rng.uniform(1.0, 5.0)
        while (at := at + every) < stop:
            put(at, "server", "ping")
            put(at + 0.002, "client", "pong")
    if "beats" in kinds:
        at, every = start, rng.uniform(0.8, 3.0)
        while (at := at + every * rng.uniform(0.98, 1.02)) < min(stop, last_client - 0.05):
            put(at, "client", message={"type": "ping", "ts": int(at * 1000)})
            put(at + 0.006, "server", message={"type": "pong"})
    return found


# A: the server's application.


@layout("a1-returns", "server-handler/returns-immediately")
def a1(tape: Tape) -> None:
    tape.loop(lambda line, n: line.end("server", after=0.006))


@layout("a2-one-message", "server-handler/returns-after-message")
def a2(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(HELLO, tape.some(0.2, 1.5)).server(WELCOME, 0.01).end("server", after=0.002))


@layout("a3-text-ping", "message/not-json", "heartbeat/app-ping-kills")
def a3(tape: Tape) -> None:
    beat = tape.some(2, 30)
    tape.loop(lambda line, n: tape.talk(greet(line), beat, beat / 5).client("ping", 0.01).end("server", after=0.004))


@layout("a4-field", "message/schema", "heartbeat/app-ping-kills", "message/unknown-type")
def a4(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for i in range(tape.rng.randint(1, 5)):
            line.client({"type": "message", "id": i, "user": tape.name}, tape.some(0.2, 1.0)).server(
                {"type": "ack"}, 0.01
            )
            line.client({"type": "typing", "user": tape.name}, tape.some(0.2, 1.0))
        line.client({"type": "message", "id": 99}, tape.some(0.2, 2.0)).end("server", after=0.006)

    tape.loop(play)


@layout("a5-binary", "message/wrong-opcode", "heartbeat/app-ping-kills")
def a5(tape: Tape) -> None:
    tape.loop(
        lambda line, n: tape.talk(greet(line), tape.some(1, 5)).client(b"\x00\x01", 0.3).end("server", after=0.003)
    )


@layout("a6-empty-text", "message/not-json", "heartbeat/app-ping-kills", "message/encoding")
def a6(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 5.0, 0.9).client("", 0.01).close("server", 1011, "", 0.004))


@layout("a8-init-missing-graphql", "message/init-missing")
def a8(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.close("server", 4408, "Connection initialisation timeout", 3.0),
        "/graphql",
        request=[("Sec-WebSocket-Protocol", "graphql-transport-ws")],
        response=[("Sec-WebSocket-Protocol", "graphql-transport-ws")],
    )


@layout("a8-auth-timeout", "message/init-missing")
def a8_auth(tape: Tape) -> None:
    tape.loop(lambda line, n: line.close("server", 4401, "authentication timeout", 5.0), response=[])


@layout("a9-broadcast", "server-handler/crash-on-own-event")
def a9(tape: Tape) -> None:
    at = [0.5, 0.6, 0.9]
    for wave in range(1, 5):
        crash = 5.0 * wave + tape.some(-0.5, 0.5)
        for i in range(3):
            line = tape.open(at[i], f"/ws/{i + 1}")
            greet(line)
            tape.talk(line, max(0.0, crash - line.at - 0.05), 0.8)
            line.at = crash + i * 0.002
            line.end("server")
            at[i] = line.at + tape.about(0.4)


@layout("a10-nan", "client-lifecycle/throws-on-frame", "message/encoding", "message/not-json")
def a10(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(tape.rng.randint(2, 6)):
            line.server({"type": "sample", "value": round(tape.some(1, 9), 2)}, tape.some(0.2, 0.6))
        line.server('{"type":"sample","value":NaN}', 0.4).close("client", 1000, "", 0.004)

    tape.loop(play)


@layout("a11-concurrent", "server-handler/concurrent-io")
def a11(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 2.0))
        error = "RuntimeError: cannot call recv while another coroutine is already waiting for the next message"
        tape.events.append(ev.Log(at=line.at - 0.005, text=f"Traceback (most recent call last):\n  File x\n{error}"))
        line.close("server", 1011)

    tape.loop(play, response=[("Server", "Python/3.13 websockets/17.4")])


@layout("a16-reload-loop", "process/restart")
def a16(tape: Tape) -> None:
    at = [0.5, 0.7]
    for wave in range(1, 5):
        stop = 6.0 * wave + tape.some(-2, 2)
        for i in range(2):
            line = tape.open(at[i], f"/ws/{i + 1}")
            tape.talk(greet(line), max(0.1, stop - line.at - 0.1))
            line.at = stop + 0.003 * i
            line.close("server", 1012)
            at[i] = line.at + 0.3
            for _ in range(2):
                tape.open(at[i], f"/ws/{i + 1}", error="connection refused")
                at[i] += 0.4


@layout("a17-worker", "process/worker-timeout", "intermediary/lifetime-cap", "server-handler/dependency-timeout")
def a17(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        opened = line.at
        greet(line)
        tape.talk(line, 30.0 - (line.at - opened) - 0.2, 2.0)
        line.at = opened + 30.0 + tape.some(0, 0.05)
        line.end("server")

    tape.loop(play, response=[("Server", "gunicorn")])


@layout("a18-process-dies", "process/crash", "message/not-json", "server-handler/crash-on-message")
def a18(tape: Tape) -> None:
    at = 0.5
    for _ in range(4):
        lines = [tape.open(at + 0.1 * i, f"/room/{i + 1}", response=[]) for i in range(3)]
        length = tape.some(2, 6)
        for line in lines:
            tape.talk(greet(line), at + length - line.at)
        lines[0].client("x" * 20, 0.05)
        for i, line in enumerate(lines):
            line.at = lines[0].at + 0.004 + 0.001 * i
            line.end("server")
        at = lines[0].at + 0.3
        for _ in range(3):
            tape.open(at, "/room/1", error="connection refused")
            at += 0.5


@layout("a19-never-accepts", "handshake/never-accepted")
def a19(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, waited=5.0, error="server closed connection")
        at += 5.0 + tape.about(0.5)


@layout("a19-http-500", "handshake/never-accepted")
def a19_500(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, status=500, response=[("content-type", "text/plain")], text="Internal Server Error")
        at += tape.about(0.5)


# B: heartbeats and timers.


@layout("b1-control-pong", "heartbeat/control-pong-missing")
def b1(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        opened = line.at
        tape.talk(greet(line), 19.5, 1.5)
        line.at = opened + tape.about(20.0)
        line.ping("server")
        line.close("server", 1011, "keepalive ping timeout", 20.0)

    tape.loop(play)


@layout("b1-fin", "heartbeat/control-pong-missing")
def b1_fin(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        line.wait(10.0)
        line.ping("server").end("server", after=5.0)

    tape.loop(play, response=[("Server", "Python/3.12 aiohttp/3.10")])


@layout("b3-no-app-pong", "heartbeat/app-pong-missing-from-client")
def b3(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(3):
            line.server({"event": "ping"}, 15.0)
        line.close("server", 1000, "", 15.0)

    tape.loop(play)


@layout("b3-silent", "heartbeat/app-pong-missing-from-client", "intermediary/idle-timeout")
def b3_silent(tape: Tape) -> None:
    """No pings at all: the server closes when the client was silent for 30 s, while it talks itself."""

    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(2, 20))
        until = line.at + 30.0
        while line.at + 1.4 < until:
            line.server({"type": "news", "at": 1}, tape.some(0.5, 1.5))
        line.at = until
        line.close("server", 4000, "inactive")

    tape.loop(play)


@layout("b4-no-pong", "heartbeat/app-pong-missing-from-server")
def b4(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(2, 10))
        line.client("ping", 0.5).close("client", 4000, "", 5.0)

    tape.loop(play)


@layout("b4-other-form", "heartbeat/pong-mismatch", "heartbeat/app-pong-missing-from-server")
def b4_other(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(2, 6))
        for _ in range(3):
            line.client("ping", 4.0).server({"status": "alive!"}, 0.01)
        line.close("client", 3000, "pong timeout", 6.0)

    tape.loop(play)


@layout("b6-stale-timer", "heartbeat/stale-timer")
def b6(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        if n == 0:
            greet(line)
            for _ in range(3):
                line.ping("client", 10.0).pong("server")
            line.ping("client", 10.0).close("client", None, "", 5.0)
        else:
            line.close("client", None, "", 0.02)

    tape.loop(play, count=tape.count + 1)


@layout("b7-race", "heartbeat/interval-race", "intermediary/idle-timeout")
def b7(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(tape.rng.randint(2, 6)):
            line.client({"type": "heartbeat"}, 30.0).server({"type": "heartbeat_ack"}, 0.01)
        line.end("server", after=30.0)

    tape.loop(play)


@layout("b8-direction", "heartbeat/direction", "handshake/parameter")
def b8(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.server('0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000}', 0.01)
        line.client("40", 0.01).server('40{"sid":"x"}', 0.01)
        line.server("2", 25.0).close("server", None, "", 20.0)

    tape.loop(play, "/socket.io/?EIO=3&transport=websocket", response=[])


@layout("b10-throttled", "heartbeat/throttled")
def b10(tape: Tape) -> None:
    """The tab is hidden after a while: the timer that ran every five seconds runs once a minute: too seldom."""

    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(tape.rng.randint(8, 30)):
            line.client({"type": "ping"}, 5.0).server({"type": "pong"}, 0.01)
        for _ in range(tape.rng.randint(1, 3)):
            line.client({"type": "ping"}, 60.0).server({"type": "pong"}, 0.01)
        line.close("server", 4000, "", 45.0)

    tape.loop(play, count=3)


@layout("b11-blocked", "server-handler/blocked", "heartbeat/app-pong-missing-from-server")
def b11(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(3):
            line.client({"type": "ping"}, 1.0).server({"type": "pong"}, 0.01)
        line.client({"type": "report", "size": "huge"}, 0.5)
        line.client({"type": "ping"}, 0.5).client({"type": "ping"}, 1.0).client({"type": "ping"}, 1.0)
        line.close("client", 4000, "", 1.0)

    tape.loop(play)


@layout("b13-stomp", "heartbeat/interval-race", "heartbeat/app-pong-missing-from-client", "heartbeat/direction")
def b13(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client("CONNECT\naccept-version:1.2\nheart-beat:10000,10000\n\n\0", 0.02)
        line.server("CONNECTED\nversion:1.2\nheart-beat:10000,10000\n\n\0", 0.01)
        line.server("ERROR\nmessage:Session timeout\n\n\0", 15.0).close("server", 1002, "", 0.003)

    tape.loop(
        play, request=[("Sec-WebSocket-Protocol", "v12.stomp")], response=[("Sec-WebSocket-Protocol", "v12.stomp")]
    )


@layout("b14-tornado", "heartbeat/control-pong-missing", "heartbeat/interval-race")
def b14(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        line.wait(2.0)
        line.ping("server").pong("client", payload=b"")
        line.close("server", 1000, "ping timed out", 2.0)

    tape.loop(play, response=[("Server", "TornadoServer/6.6.1")])


# C: intermediaries.


@layout("c1-idle-60", "intermediary/idle-timeout")
def c1(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(1, 40), 3.0)
        line.at += 60.0 + tape.some(-0.02, 0.02)
        line.end("server")

    tape.loop(play, response=[("Server", "nginx/1.25.3")], count=max(3, tape.count // 2))


@layout("c1-plain", "intermediary/idle-timeout")
def c1_plain(tape: Tape) -> None:
    idle = tape.rng.choice([10.0, 30.0, 100.0, 5.0])

    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(1, 20), 1.0)
        line.at += idle + tape.some(-0.02, 0.02)
        line.end("server", tape.rng.choice(["fin", "rst"]))

    tape.loop(play, response=[])


@layout("c3-lifetime", "intermediary/lifetime-cap", "process/worker-timeout", "server-handler/dependency-timeout")
def c3(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        opened = line.at
        tape.talk(greet(line), 14.7, 0.8)
        line.at = opened + 15.0 + tape.some(0, 0.01)
        line.end("server")

    tape.loop(play, response=[("Server", "Caddy")])


@layout("c6-vite", "intermediary/upgrade-conflict", "handshake/path")
def c6(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/?token=abc", request=[("Sec-WebSocket-Protocol", "vite-hmr")], status=403, response=[])
        at += tape.about(1.0)


@layout("c7-sticky", "intermediary/non-sticky")
def c7(tape: Tape) -> None:
    at = 0.5
    for n in range(8):
        path = f"/socket.io/?EIO=4&transport=websocket&sid={tape.rng.getrandbits(48):x}"
        if n % 4 == 3:
            line = tape.open(at, path, response=[])
            line.client("2probe", 0.01).server("3probe", 0.01).client("5", 0.01)
            tape.talk(line, 3.0).end("client")
            at = line.at + 0.5
        else:
            tape.open(at, path, status=400, response=[], text='{"code":1,"message":"Session ID unknown"}')
            at += tape.about(0.8)


# D: handshake.


@layout("d1-4406", "handshake/subprotocol")
def d1(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.close("server", 4406, "Subprotocol not acceptable", 0.003),
        "/graphql",
        request=[("Sec-WebSocket-Protocol", "graphql-ws")],
        response=[("Sec-WebSocket-Protocol", "graphql-ws")],
    )


@layout("d2-vocabulary", "message/vocabulary-mismatch")
def d2(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client({"type": "connection_init", "payload": {}}, 0.01).server({"type": "connection_ack"}, 0.01)
        line.client({"id": "1", "type": "start", "payload": {"query": "subscription{x}"}}, 0.01)
        line.close("server", 4400, "Invalid message", 0.003)

    protocols = [("Sec-WebSocket-Protocol", "graphql-transport-ws")]
    tape.loop(play, "/graphql", request=protocols, response=protocols)


@layout("d3-not-echoed", "handshake/subprotocol")
def d3(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.end("client", after=0.004),
        request=[("Sec-WebSocket-Protocol", "access_token, abc123")],
        problems=["subprotocol-not-echoed"],
    )


@layout("d4-rsv1", "handshake/extension")
def d4(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.client(HELLO, tape.some(0.05, 0.5), rsv=4).close(
            "server", 1002, "RSV1 must be clear", 0.002
        ),
        response=[("Sec-WebSocket-Extensions", "permessage-deflate")],
    )


@layout("d5-eio", "handshake/parameter")
def d5(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/socket.io/?EIO=3&transport=websocket", status=400, response=[],
                  text='{"code":5,"message":"Unsupported protocol version"}')  # fmt: skip
        at += tape.about(1.0)


@layout("d5-junk", "handshake/parameter")
def d5_junk(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.wait(0.003)
        tape.events.append(
            ev.Raw(
                at=line.at,
                conn=line.conn,
                side="server",
                text="HTTP/1.1 400 Bad Request\r\n",
                problems=("not-a-frame",),
            )
        )
        line.end("server", after=0.001)

    tape.loop(play, "/socket.io/?EIO=3&transport=websocket", response=[])


@layout("d6-origin", "handshake/origin")
def d6(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(
            at, "/cable", request=[("Origin", "http://127.0.0.1:5173")], status=403, response=[("Server", "daphne")]
        )
        at += tape.about(1.0)


@layout("d6-origin-contrast", "handshake/origin")
def d6_contrast(tape: Tape) -> None:
    line = tape.open(0.3, "/ws", request=[("Origin", "http://localhost:8000")], response=[])
    tape.talk(line, 20.0)
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws", request=[("Origin", "http://127.0.0.1:5173")], status=403, response=[])
        at += tape.about(1.0)


@layout("d7-expired", "identity/token-expired-retry", "handshake/auth-rejected")
def d7(tape: Tape) -> None:
    path = f"/ws?token={jwt(1_700_000_000)}"
    tape.loop(lambda line, n: line.close("server", 4001, "", 0.008), path)


@layout("d7-plain", "identity/token-expired-retry", "handshake/auth-rejected")
def d7_plain(tape: Tape) -> None:
    tape.loop(lambda line, n: line.close("server", 1008, "Token expired", 0.008), "/ws?access_token=s3cr3t")


@layout("d8-403", "handshake/auth-rejected")
def d8(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws?token=abc", status=403, response=[])
        at += tape.about(1.0)


@layout("d8-401", "handshake/auth-rejected")
def d8_401(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws", status=401, response=[], request=[("Cookie", "sid=1")])
        at += tape.about(1.0)


@layout("d10-doubled", "handshake/path")
def d10(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/api/ws/api/ws", status=403, response=[])
        at += tape.about(1.0)


@layout("d10-301", "handshake/path")
def d10_301(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws", status=301, response=[("Location", "/ws/"), ("Server", "nginx/1.25")])
        at += tape.about(1.0)


@layout("d11-parameter", "handshake/parameter")
def d11(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws/undefined", status=403, response=[])
        at += tape.about(1.0)


@layout("d12-no-support", "handshake/no-ws-support")
def d12(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws", status=404, response=UVICORN, text='{"detail":"Not Found"}')
        tape.events.append(ev.Log(at=at + 0.001, text="WARNING:  No supported WebSocket library detected."))
        at += tape.about(1.0)


@layout("d13-limit", "handshake/limit")
def d13(tape: Tape) -> None:
    for i in range(3):
        line = tape.open(0.1 + 0.05 * i, "/ws", response=[])
        tape.talk(line, 20.0)
    tape.loop(lambda line, n: line.close("server", 1008, "Too many sessions", 0.4), "/ws", response=[])


@layout("d13-429", "handshake/limit")
def d13_429(tape: Tape) -> None:
    at = 0.5
    for _ in range(tape.count):
        tape.open(at, "/ws", status=429, response=[])
        at += tape.about(1.0)


# E: frames.


@layout("e1-size", "message/oversize", "client-lifecycle/poison-replay")
def e1(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.client({"type": "save", "text": "x" * 70_000}, 0.2).end("server", "rst", after=0.003)

    tape.loop(play)


@layout("e1-1009", "message/oversize", "client-lifecycle/poison-replay")
def e1_1009(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client("y" * 20_000, tape.some(0.1, 2)).close("server", 1009, "", 0.002))


@layout("e2-utf8", "message/invalid-utf8")
def e2(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.client(b"\xff\xfehello", 0.2, opcode="text", problems=("invalid-utf8",))
        line.close("server", 1007, "", 0.002)

    tape.loop(play)


@layout("e3-unmasked", "message/framing")
def e3(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.client({"type": "message", "id": 7}, 0.2, problems=("unmasked",)).end("server", after=0.002)

    tape.loop(play)


@layout("e4-fragments", "message/framing")
def e4(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.client('{"type":"message",', 0.2, fin=False)
        line.client('"id":7}', 0.001, opcode="continuation", message='{"type":"message","id":7}')
        line.close("server", 1003, "fragmentation not supported", 0.002)

    tape.loop(play)


@layout("e5-long-close", "message/framing")
def e5(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.ping("server", 0.2, payload=b"z" * 130)
        tape.events[-1].problems = ("control-too-long",)  # type: ignore[attr-defined]
        line.close("client", 1002, "invalid frame", 0.003)

    tape.loop(play)


@layout("e7-bom", "message/encoding", "message/not-json")
def e7(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3.0))
        line.client('\ufeff{"type":"message","id":7}', 0.2).end("server", after=0.004)

    tape.loop(play)


# F: clients.


@layout("f1-strict", "none/healthy", "none/harmless-errors")
def f1(tape: Tape) -> None:
    first = tape.open(0.5)
    first.close("client", None, "", 0.004)
    second = tape.open(first.at - 0.004)
    tape.talk(greet(second), 12.0).end("server", by="proxy")


@layout("f2-churn", "client-lifecycle/effect-churn")
def f2(tape: Tape) -> None:
    tape.delay = 0.004

    def play(line: Line, n: int) -> None:
        greet(line)
        line.server({"type": "status", "online": 3}, tape.some(0.3, 2.0)).close("client", None, "", 0.006)

    tape.loop(play, count=tape.count + 2)


@layout("f4-html", "client-lifecycle/throws-on-frame")
def f4(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), tape.some(0.5, 3))
        line.server("<html><body>504 Gateway Time-out</body></html>", 0.1).close("client", None, "", 0.004)

    tape.loop(play)


@layout("f5-kick", "identity/id-collision")
def f5(tape: Tape) -> None:
    older = tape.open(0.5, f"/ws/{tape.name}")
    greet(older)
    at = 2.0
    for _ in range(tape.count + 2):
        newer = tape.open(at, f"/ws/{tape.name}")
        older.at = newer.at + 0.003
        older.close("server", 4001, "")
        greet(newer)
        at = older.at + tape.about(1.0)
        older = newer
    tape.talk(older, 1.0)


@layout("f5-kick-fin", "identity/id-collision")
def f5_fin(tape: Tape) -> None:
    older = tape.open(0.5, f"/mqtt/{tape.name}")
    greet(older)
    at = 4.0
    for _ in range(tape.count + 2):
        newer = tape.open(at, f"/mqtt/{tape.name}")
        older.at = newer.at + 0.01
        older.end("server")
        greet(newer)
        at = older.at + tape.about(2.5)
        older = newer
    tape.talk(older, 1.0)


@layout("f6-mute", "identity/stale-cleanup", "client-lifecycle/connect-deadline")
def f6(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client(HELLO, 0.02)
        if n == 0:
            line.server(WELCOME, 0.01)
            tape.talk(line, 20.0).end("client", "rst")
            return
        for _ in range(3):
            line.client({"type": "message", "id": 1}, 2.0)
        line.close("client", 4000, "no answer", 4.0)

    tape.loop(play)


@layout("f7-ghost", "identity/ghost-session")
def f7(tape: Tape) -> None:
    at = 0.5
    for _ in range(3):
        line = tape.open(at, f"/ws/{tape.name}", response=[])
        tape.talk(greet(line), tape.some(5, 15)).end("client", "rst")
        at = line.at + 0.5
        until = line.at + 10.0
        while at < until:
            tape.open(at, f"/ws/{tape.name}", status=409, response=[], text="client already connected")
            at += tape.about(2.0)
        at = until + 0.3


@layout("f8-resume", "identity/stale-resume")
def f8(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        if n == 0:
            line.client({"op": "identify", "token": "t"}, 0.02).server({"op": "ready", "session_id": "abc"}, 0.02)
            tape.talk(line, 30.0).end("server")
        else:
            line.client({"op": "resume", "session_id": "abc", "seq": 42}, 0.02).close("server", 4000, "", 0.02)

    tape.loop(play, response=[], count=tape.count + 1)


@layout("f10-slow", "client-lifecycle/slow-consumer")
def f10(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client({"type": "subscribe"}, 0.02)
        for i in range(tape.rng.randint(150, 400)):
            line.server({"type": "row", "id": i, "data": "x" * 200}, 0.001)
        line.end("server", "rst", after=0.01)

    tape.loop(play)


@layout("f11-deadline", "client-lifecycle/connect-deadline")
def f11(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client({"type": "auth", "token": "x"}, 0.02).close("client", None, "", 8.0))


# Controls.


@layout("healthy", "none/healthy", "none/harmless-errors")
def healthy(tape: Tape) -> None:
    for i in range(tape.rng.randint(1, 4)):
        line = tape.open(0.5 + i, f"/ws/{i + 1}")
        tape.talk(greet(line), tape.some(5, 30))
        line.end("server", by="proxy")


@layout("healthy-left", "none/healthy", "none/harmless-errors")
def healthy_left(tape: Tape) -> None:
    line = tape.open(0.5)
    tape.talk(greet(line), tape.some(5, 60)).close("client", 1001)


@layout("one-restart", "none/healthy", "none/harmless-errors")
def one_restart(tape: Tape) -> None:
    stop = tape.some(3, 10)
    for i in range(2):
        line = tape.open(0.5 + 0.2 * i, f"/ws/{i + 1}")
        tape.talk(greet(line), stop - line.at)
        line.at = stop
        line.close("server", 1012)
        tape.open(stop + 0.3, f"/ws/{i + 1}", error="connection refused")
        line = tape.open(stop + 1.0 + 0.1 * i, f"/ws/{i + 1}")
        tape.talk(greet(line), stop * 4).end("server", by="proxy")
