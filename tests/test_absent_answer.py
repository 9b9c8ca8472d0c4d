"""Laws of an answer that the server waits for, and that does not come; and of what looks like it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected, on_uvicorn
from conversing import Talk
from filtered import Filtered
from hangup.errors import FilterError
from hangup.experiment.search import Verdict
from hangup.filters.text import parse
from harness import unhurried
from test_sequences import say
from test_sequences_real import ended
from test_varying import UPGRADED

TEXT = 1
ASKED = 0.1
WAIT = 0.6
"""Seconds from opening to the question, and from that to the end."""
PERIOD = 0.25
"""Seconds from one question to the next, where it is asked by a timer."""


def test_what_follows_a_message_may_repeat_it_and_come_later() -> None:
    send = '{"type":"response","nonce":{{nonce}}}'
    run = Filtered(f"inject from=client send='{send}' side=server contains=challenge later=2s")
    run.at = 1.0
    run.server('{"type":"challenge","nonce":"x7"}')
    run.server("other")
    run.at = 2.0
    run.server('{"type":"challenge","nonce":8}')
    assert run.got["server"] == [] and run.session.deadline() == 3.0
    run.wait(3.0)
    assert run.got["server"] == [(TEXT, b'{"type":"response","nonce":"x7"}')]
    run.wait(4.0)
    assert run.got["server"][1:] == [(TEXT, b'{"type":"response","nonce":8}')]
    assert run.session.deadline() is None
    run.check()


def test_what_follows_nothing_is_never_later() -> None:
    with pytest.raises(FilterError, match="later="):
        parse("inject from=client send=x at=1s later=1s")


Hear = Callable[[], Awaitable[str]]
Say = Callable[[str], Awaitable[None]]


async def challenged(hear: Hear, speak: Say) -> None:
    """Asks once, and ends without the right answer in time."""
    await speak(say("welcome", v=1))
    with suppress(TimeoutError):
        async with asyncio.timeout(ASKED):
            while True:
                await hear()
    await speak(say("challenge", nonce="n17"))
    async with asyncio.timeout(WAIT):
        while json.loads(await hear()) != {"type": "response", "nonce": "n17"}:
            pass
    while True:
        await hear()


async def pinged(hear: Hear, speak: Say) -> None:
    """Asks again and again, in its own words."""
    await speak(say("welcome", v=1))
    while True:
        await speak(say("are_you_there", seq=5))
        async with asyncio.timeout(WAIT):
            while json.loads(await hear())["type"] != "here":
                pass
        with suppress(TimeoutError):
            async with asyncio.timeout(ASKED):
                while True:
                    await hear()


async def idle(hear: Hear, speak: Say) -> None:
    """Ends after a silence, whatever was asked."""
    await speak(say("welcome", v=1))
    await speak(say("challenge", nonce="n17"))
    while True:
        async with asyncio.timeout(WAIT):
            await hear()


async def aged(hear: Hear, speak: Say) -> None:
    """Ends at its time, whatever is answered."""
    await speak(say("challenge", nonce="n17"))
    async with asyncio.timeout(WAIT):
        while True:
            await hear()


HANDLERS = {"challenged": challenged, "pinged": pinged, "idle": idle, "aged": aged}
QUESTIONS = {
    "challenged": (ASKED, say("challenge", nonce="n1"), say("response", nonce="n1")),
    "pinged": (0.0, say("are_you_there", seq=5), say("here", seq=5)),
    "idle": (0.0, say("challenge", nonce="n1"), say("response", nonce="n1")),
    "aged": (0.0, say("challenge", nonce="n1"), say("response", nonce="n1")),
}


def recorded(name: str, *, answered: bool) -> Talk:
    """Two clients that do not answer, and before them one that does, if there is one."""
    at, question, answer = QUESTIONS[name]
    talk = Talk()
    for conn, answers in enumerate([*([True] if answered else []), False, False], 1):
        talk.open(conn, target=f"/{name}", headers=UPGRADED)
        if name != "aged":
            talk.say(conn, "server", "text", say("welcome", v=1).encode())
        talk.wait(10_000)
        talk.say(conn, "client", "text", say("hello", name="ann").encode())
        talk.wait(max(int(1e6 * at), 10_000) - 10_000)
        talk.say(conn, "server", "text", question.encode())
        if answers:
            talk.wait(30_000)
            talk.say(conn, "client", "text", answer.encode())
            talk.wait(4_000_000)
        else:
            talk.wait(int(1e6 * WAIT))
        ended(talk, conn, "client" if answers else "server", 1000 if answers else 4008)
        talk.wait(100_000)
    return talk


async def of_websockets(connection: ServerConnection) -> None:
    assert connection.request is not None

    async def hear() -> str:
        return str(await connection.recv())

    with suppress(ConnectionClosed):
        try:
            await HANDLERS[connection.request.path.strip("/")](hear, connection.send)
        except TimeoutError:
            await connection.close(4008)


app = FastAPI()


@app.websocket("/{name}")
async def of_fastapi(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                heard.put_nowait(await websocket.receive_text())

    listening = asyncio.create_task(listen())
    handling = asyncio.create_task(HANDLERS[name](heard.get, websocket.send_text))
    done, _ = await asyncio.wait((listening, handling), return_when=asyncio.FIRST_COMPLETED)
    if handling in done and isinstance(handling.exception(), TimeoutError):
        await websocket.close(4008)
    for task in (listening, handling):
        task.cancel()


FAILS = "by=server code=4008 within=1s"
Ways = dict[tuple[str, str, bool], Verdict]
ALL = [
    *((name, "websockets", answered) for name in HANDLERS for answered in (True, False)),
    ("challenged", "fastapi", True),
    ("pinged", "fastapi", False),
]


@pytest.fixture(scope="module")
def verdicts() -> Ways:
    """All at once: they mostly wait."""

    async def main() -> Ways:
        async with on_uvicorn(app) as mine, serve(of_websockets, "127.0.0.1", 0) as other:
            ports = {"fastapi": mine, "websockets": next(iter(other.sockets)).getsockname()[1]}
            found = await asyncio.gather(
                *(bisected(recorded(name, answered=a), ports[at], failure=FAILS) for name, at, a in ALL)
            )
        return dict(zip(ALL, found, strict=True))

    return unhurried.run(main())


@pytest.mark.experiment
@pytest.mark.parametrize(("name", "server", "answered"), ALL)
def test_the_absent_answer_is_the_law_where_it_is_one(verdicts: Ways, name: str, server: str, answered: bool) -> None:
    law = verdicts[name, server, answered].law
    if name in ("idle", "aged"):
        assert law is None or "answer" not in law.sentence.partition(";")[0], law
        return
    question, answer = (json.loads(each)["type"] for each in QUESTIONS[name][1:])
    assert law is not None, verdicts[name, server, answered].standing
    assert f"after the server's `{question}` when the client does not answer with `{answer}`" in law.sentence
    assert law.holds and law.predicted == 8, law.missed
    low, high = map(float, re.findall(r"after ([\d.]+) s", law.boundary))
    assert low <= WAIT <= high and high - low <= 0.12 * WAIT, law.boundary
    assert law.sentence.startswith("the server drops the connection ")
    assert abs(float(law.sentence.split()[5]) - WAIT) <= 0.05 * WAIT


async def acknowledged(connection: ServerConnection) -> None:
    """Pushes envelopes, whose ids must come back in time, whatever is in them."""
    waiting: set[str] = set()
    late = asyncio.Event()

    async def push() -> None:
        for n in range(40):
            kind = "button" if n == 2 else "event"
            number = f"e-{n}-{id(connection) % 9973}"
            waiting.add(number)
            asyncio.get_running_loop().call_later(WAIT, lambda number=number: number in waiting and late.set())
            await connection.send(json.dumps({"type": kind, "envelope_id": number, "body": {"n": n}}))
            await asyncio.sleep(ASKED)  # it pushes in its own time

    async def hear() -> None:
        async for message in connection:
            waiting.discard(json.loads(message).get("envelope_id", ""))

    tasks = [asyncio.create_task(each) for each in (push(), hear(), late.wait())]
    with suppress(ConnectionClosed):
        await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        if late.is_set():
            await connection.close(4408)
    for task in tasks:
        task.cancel()


def pushed() -> Talk:
    """Clients that acknowledge events, and not a button."""
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, headers=UPGRADED)
        for n in range(8):
            number = f"e-{n}-{conn}77"
            kind = "button" if n == 2 else "event"
            envelope = {"type": kind, "envelope_id": number, "body": {"n": n}}
            talk.say(conn, "server", "text", json.dumps(envelope).encode())
            talk.wait(5_000)
            if kind == "event":
                talk.say(conn, "client", "text", json.dumps({"envelope_id": number}).encode())
            talk.wait(int(1e6 * ASKED) - 5_000)
        ended(talk, conn, "server", 4408)
        talk.wait(100_000)
    return talk


@pytest.mark.experiment
def test_what_is_answered_by_its_id_is_an_answer_whatever_its_kind() -> None:
    """No client was ever seen to acknowledge a button: that it should is told by how events are."""

    async def main() -> Verdict:
        async with serve(acknowledged, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await bisected(pushed(), port, failure="by=server code=4408 within=2s")

    verdict = unhurried.run(main())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.standing)
    assert "a message of the server that has `envelope_id`" in verdict.law.sentence, verdict.law
    assert verdict.cure == 'inject side=server from=client send={"envelope_id":{{envelope_id}}}'


async def beaten(connection: ServerConnection) -> None:
    """Asks by a timer, answers what it is told, and ends where no answer came for a while."""
    loop = asyncio.get_running_loop()
    alive = loop.time()

    async def ask() -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await connection.send(say("keepalive"))

    async def listen() -> None:
        nonlocal alive
        async for message in connection:
            if json.loads(message) == {"type": "alive"}:
                alive = loop.time()
            else:
                await connection.send(say("booked", n=1))

    async def watch() -> None:
        while (left := alive + WAIT - loop.time()) > 0:
            await asyncio.sleep(left)

    tasks = [asyncio.create_task(work()) for work in (ask, listen, watch)]
    with suppress(ConnectionClosed):
        await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        await connection.close(4000)
    for task in tasks:
        task.cancel()


def answered_at_first() -> Talk:
    """Clients that answer three times and then no more, and book something now and then all the while. The last
    question came just before the end."""
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, headers=UPGRADED)
        for n in range(5):
            talk.wait(int(1e6 * PERIOD) - 60_000)
            talk.say(conn, "server", "text", say("keepalive").encode())
            if n < 3:
                talk.wait(1_000)
                talk.say(conn, "client", "text", say("alive").encode())
            talk.wait(30_000)
            talk.say(conn, "client", "text", say("book", n=n).encode())
            talk.wait(2_000)
            talk.say(conn, "server", "text", say("booked", n=1).encode())
            talk.wait(28_000)
        talk.wait(50_000)
        ended(talk, conn, "server", 4000)
        talk.wait(100_000)
    return talk


@pytest.mark.experiment
def test_an_answer_that_came_at_first_and_then_no_more() -> None:
    """It is given in the form in which it came, to the question that it followed; what else was said was none."""

    async def main() -> Verdict:
        async with serve(beaten, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await bisected(answered_at_first(), port, failure="by=server code=4000 within=3s")

    verdict = asyncio.run(main())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.standing)
    assert verdict.verdict == "heartbeat/app-pong-missing-from-client"
    assert "after the server's `keepalive` when the client does not answer with `alive`" in verdict.law.sentence
    assert verdict.cure == 'answer-ping side=server level=message with={"type":"alive"}'
