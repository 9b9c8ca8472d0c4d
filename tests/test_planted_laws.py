"""Laws of what surrounds the messages: the client's own control frames, who it says it is, how soon it speaks, what its
handshake says, and whose silence a clock goes by."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import Struct
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from bisecting import bisected, side_by_side
from conversing import Talk
from hangup.experiment.law import Law
from hangup.experiment.rate import COUNTED, RATE
from hangup.experiment.search import Verdict
from harness import unhurried
from test_sequences import say
from test_sequences_real import ended
from test_varying import UPGRADED, recorded

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(400)]  # the first of them waits for all bisects

PING, PONG = 9, 10
Handler = Callable[[ServerConnection], Awaitable[None]]
Asked = Callable[[Request], bool]
"""Whether a server lets this request in."""


class Planted(Struct):
    """A server, and what was recorded of its like."""

    talk: Talk
    handler: Handler
    lets_in: Asked = lambda request: True
    status: int = 400
    failure: str = ""

    async def verdict(self) -> Verdict:
        def asked(connection: ServerConnection, request: Request) -> Response | None:
            return None if self.lets_in(request) else connection.respond(HTTPStatus(self.status), "no\n")

        async def safely(connection: ServerConnection) -> None:
            with suppress(ConnectionClosed):
                await self.handler(connection)

        async with serve(safely, "127.0.0.1", 0, process_request=asked, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await bisected(self.talk, port, failure=self.failure)


async def listens(connection: ServerConnection) -> None:
    """Takes anything."""
    async for _ in connection:
        pass


# The client's own control frames.


def dies_on(opcode: Opcode) -> Handler:
    """Ends the connection on any such control frame."""

    async def handler(connection: ServerConnection) -> None:
        process = connection.protocol.recv_frame

        def received(frame: Frame) -> None:
            process(frame)
            if frame.opcode is opcode:
                asyncio.get_running_loop().call_soon(connection.transport.abort)

        connection.protocol.recv_frame = received  # type: ignore[method-assign]
        await listens(connection)

    return handler


async def dies_of_age(connection: ServerConnection) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await listens(connection)
    connection.transport.abort()


def with_control(opcode: int, *, dies: float, messages: tuple[str, ...] = ()) -> Talk:
    """A client that says some messages and sends a control frame, and is cut off."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for each in messages:
            talk.wait(50_000)
            talk.say(conn, "client", "text", each.encode())
        talk.wait(250_000)
        talk.frame(conn, "client", opcode, b"")
        talk.wait(int(dies * 1e6))
        talk.end(conn, "server", "rst")
        talk.wait(100_000)
    return talk


HELLO = say("hello", name="ann")


# How soon it speaks.

READY = 0.35
"""Seconds until a server has said that it is ready."""


async def not_ready(connection: ServerConnection) -> None:
    """Asks somebody who the client is before it answers, and must not be spoken to until then."""
    await connection.recv()
    with suppress(TimeoutError):
        await asyncio.wait_for(connection.recv(), READY)
        await connection.close(1011)
        return
    await connection.send(say("ready"))
    await listens(connection)


async def unknown_yet(connection: ServerConnection) -> None:
    """Looks up who says hello, and closes on whatever else is said by one whom it does not know yet."""
    known = False

    async def look_up() -> None:
        nonlocal known
        await asyncio.sleep(READY)
        known = True
        await connection.send(say("welcome"))

    looking = None
    try:
        async for message in connection:
            if json.loads(message)["type"] == "hello":
                looking = looking or asyncio.create_task(look_up())
            elif not known:
                await connection.close(1011)
    finally:
        if looking is not None:
            looking.cancel()


async def loads_each(connection: ServerConnection) -> None:
    """Loads what is opened, and fails on a stroke that comes before that is done."""
    ready = 0.0
    loop = asyncio.get_running_loop()
    async for message in connection:
        kind = json.loads(message)["type"]
        if kind == "open":
            ready = loop.time() + READY
        elif kind == "stroke" and loop.time() < ready:
            connection.transport.abort()
            return
        await connection.send(say("ack"))


def boards() -> Talk:
    """A client that opens one board after the other, and draws on the last one too soon."""
    talk = Talk()
    said = [("open", 20), ("stroke", 600), ("move", 100), ("stroke", 300), ("open", 500), ("move", 100), ("stroke", 60)]
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for n, (kind, wait) in enumerate(said):
            talk.wait(1000 * wait)
            talk.say(conn, "client", "text", say(kind, n=n).encode())
        talk.wait(2_000)
        talk.end(conn, "server", "rst")
        talk.wait(100_000)
    return talk


async def no_boom(connection: ServerConnection) -> None:
    """Closes on one kind of message, whenever it comes."""
    async for message in connection:
        kind = json.loads(message)["type"]
        await connection.send(say("ack"))
        if kind == "boom":
            await connection.close(1011)


def soon(last: str) -> Talk:
    """A client that says hello, and its message right after it."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        talk.wait(20_000)
        talk.say(conn, "client", "text", HELLO.encode())
        talk.wait(60_000)
        talk.say(conn, "client", "text", last.encode())
        talk.wait(2_000)
        ended(talk, conn, "server", 1011)
        talk.wait(100_000)
    return talk


# Whose silence it is.

IDLE = 1.3
"""Seconds."""


async def says_nothing(connection: ServerConnection) -> None:
    """Is ended when the server itself has sent nothing for so long, as by a proxy that goes by what comes from behind.
    A pong is something."""
    loop = asyncio.get_running_loop()
    spoke = loop.time()
    process = connection.protocol.recv_frame

    def received(frame: Frame) -> None:
        nonlocal spoke
        process(frame)
        if frame.opcode is Opcode.PING:
            spoke = loop.time()

    connection.protocol.recv_frame = received  # type: ignore[method-assign]
    listening = asyncio.create_task(listens(connection))
    try:
        while (left := spoke + IDLE - loop.time()) > 0:
            await asyncio.wait({listening}, timeout=left)
            if listening.done():
                return
        connection.transport.abort()
    finally:
        listening.cancel()


def chatters() -> Talk:
    """A client that says something all the time, and is cut off."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for n in range(4):
            talk.wait(300_000)
            talk.say(conn, "client", "text", say("tick", n=n).encode())
        talk.wait(100_000)
        talk.end(conn, "server", "rst")
        talk.wait(100_000)
    return talk


# What its handshake says.


def parameter(request: Request, name: str) -> str:
    return parse_qs(urlsplit(request.path).query, keep_blank_values=True).get(name, [""])[0]


def refused(target: str, headers: list[tuple[str, str]] | None = None) -> Talk:
    return recorded(target, [*UPGRADED, *(headers or [])], None, 400)


PLANTED: dict[str, Planted] = {
    "ping": Planted(with_control(PING, dies=0.002, messages=(HELLO,)), dies_on(Opcode.PING)),
    "pong": Planted(with_control(PONG, dies=0.002), dies_on(Opcode.PONG)),
    "age": Planted(with_control(PING, dies=0.2, messages=(HELLO,)), dies_of_age),
    "not-ready": Planted(soon(say("join", room=1)), not_ready),
    "not-known": Planted(soon(say("join", room=1)), unknown_yet),
    "not-loaded": Planted(boards(), loads_each),
    "any-time": Planted(soon(say("boom", room=1)), no_boom),
    "server-idle": Planted(chatters(), says_nothing),
    "number": Planted(refused("/ws?room=a&rate=400"), listens, lambda r: int(parameter(r, "rate") or 0) <= 60),
    "character": Planted(refused("/ws?room=a&name=O'Neil"), listens, lambda r: "'" not in parameter(r, "name")),
    "presence": Planted(refused("/ws?room=a&debug=on"), listens, lambda r: "debug=" not in r.path),
    "cookie": Planted(
        refused("/ws", [("Cookie", "theme=dark; level=90")]),
        listens,
        lambda r: not any(f"level={n}" in r.headers.get("Cookie", "") for n in range(10, 100)),
    ),
    "path-number": Planted(
        refused("/ws/lobby"), listens, lambda r: (r.path.split("/") + ["", ""])[2].isdigit()
    ),
}

@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """Side by side: they mostly wait."""

    async def main() -> list[Verdict]:
        return await side_by_side(*(planted.verdict() for planted in PLANTED.values()))

    return dict(zip(PLANTED, unhurried.run(main()), strict=True))


def law_of(verdict: Verdict) -> Law:
    assert verdict.law is not None, (verdict.standing, verdict.ladder, verdict.instead, verdict.untried)
    assert verdict.law.holds and verdict.law.predicted == 8, verdict.law.missed
    return verdict.law


# The client's own control frames.


@pytest.mark.parametrize(
    ("name", "words"),
    [("ping", "any ping frame from the client"), ("pong", "any pong frame from the client that answers")],
)
def test_the_clients_own_control_frames(verdicts: dict[str, Verdict], name: str, words: str) -> None:
    verdict = verdicts[name]
    assert words in law_of(verdict).sentence and verdict.cure == f"drop-{name} side=client" and verdict.proved
    assert (verdict.verdict, verdict.trigger) == ("heartbeat/control-ping-kills", "control")


def test_silence_says_no_control_frame_either(verdicts: dict[str, Verdict]) -> None:
    for name in ("ping", "pong", "age"):
        silent = [tried.filters for tried in verdicts[name].ladder if tried.arm == "silence"]
        held = f"drop-{'pong' if name == 'pong' else 'ping'} side=client"
        assert silent and all(held in filters for filters in silent), (name, silent)


def test_what_ends_with_age_is_not_put_down_to_the_pings_that_come_before(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["age"]
    assert verdict.verdict != "heartbeat/control-ping-kills" and "ping" not in verdict.cure
    sentence = law_of(verdict).sentence
    assert " ping" not in sentence and re.search(r"it has been open for 0\.5\d? s, whichever", sentence), sentence


# How soon it speaks.


@pytest.mark.parametrize("name", ["not-ready", "not-known"])
def test_a_message_that_comes_too_early(verdicts: dict[str, Verdict], name: str) -> None:
    """Also where two messages are needed for it, whatever they say, it is not their number."""
    verdict = verdicts[name]
    law = law_of(verdict)
    assert "the client sends `join` less than " in law.sentence and " after the client's `hello`" in law.sentence
    assert law.sentence.endswith("before the server's 1st message; if that is sent later, it stays open")
    stays, fails = map(float, re.findall(r"([\d.]+) s after it", law.boundary))
    assert fails < READY + 0.03 and READY - 0.05 < stays < READY + 0.15, law.boundary
    assert verdict.proved and verdict.verdict == "message/order-before-hello" and verdict.cure.startswith("delay ")


def test_a_message_that_comes_too_early_after_another(verdicts: dict[str, Verdict]) -> None:
    """The same was harmless before, at its time; and what it comes too early after was said long after opening."""
    verdict = verdicts["not-loaded"]
    law = law_of(verdict)
    assert re.search(r"sends `stroke` less than 0\.3\d s after the client's `open`", law.sentence), law.sentence
    assert verdict.proved and verdict.cure.startswith("delay ") and verdict.verdict not in (RATE, COUNTED)


def test_a_message_that_fails_at_any_time_does_not_come_too_early(verdicts: dict[str, Verdict]) -> None:
    law = law_of(verdicts["any-time"])
    assert law.sentence == "the server drops the connection on any `boom` message" and verdicts["any-time"].proved
    assert "delay" not in verdicts["any-time"].cure


# Whose silence it is.


def test_a_clock_that_goes_by_what_the_server_says(verdicts: dict[str, Verdict]) -> None:
    """The client is never quiet, so a ping whenever it is comes never: only one now and then makes the server speak."""
    verdict = verdicts["server-idle"]
    law = law_of(verdict)
    assert "after the server's last frame, of any kind" in law.sentence and verdict.proved
    assert verdict.cure.startswith("inject from=client send='' as=ping every=")
    assert float(verdict.cure.partition("every=")[2].removesuffix("ms")) / 1000 < IDLE
    low, high = map(float, re.findall(r"(?:survives|fails) ([\d.]+) s", law.boundary))
    assert low < IDLE < high + 0.1 and high == pytest.approx(IDLE, abs=0.1), law.boundary


# What its handshake says.


@pytest.mark.parametrize(
    ("name", "words", "boundary", "cure"),
    [
        ("number", "when the parameter `rate` is 61 or more", "survives 60, fails 61", "query rate"),
        ("character", "when the parameter `name` contains \"'\"", "", "query name"),
        ("cookie", "when the cookie `level` is 10 or more", "survives 9, fails 10", "set-header Cookie theme=dark"),
        ("presence", "unless the handshake is changed: without the parameter debug", "", "query debug"),
        ("path-number", "unless the handshake is changed: a number for lobby in the path", "", "path /ws/1"),
    ],
)
def test_which_values_of_a_handshake_fail(
    verdicts: dict[str, Verdict], name: str, words: str, boundary: str, cure: str
) -> None:
    verdict = verdicts[name]
    law = law_of(verdict)
    assert law.sentence.startswith("every handshake to `/ws") and law.sentence.endswith(words)
    assert boundary in law.boundary and (verdict.cure, verdict.proved) == (cure, True)
