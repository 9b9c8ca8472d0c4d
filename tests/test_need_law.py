"""A message that needs another before it, and that other's answer; and a frame that continues nothing. Real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bisecting import bisected
from conversing import Talk
from hangup.experiment.search import Verdict
from harness import unhurried
from test_sequences_real import ended
from test_varying import UPGRADED

ANSWERS_AFTER = 0.06
"""Seconds that the server takes to acknowledge."""


def ended_by_the_server(code: int, said: Callable[[Talk, int], None]) -> Talk:
    """Three connections, on each of which the client says this, and which the server then ends."""
    talk = Talk()
    for conn in range(1, 4):
        talk.open(conn, headers=UPGRADED)
        said(talk, conn)
        talk.wait(1_000)
        ended(talk, conn, "server", code)
        talk.wait(200_000)
    return talk


async def subscribed_too_early() -> Verdict:
    """The client asks before it is known to the server, and is known only once that has answered; twice is an error of
    its own."""

    async def handler(connection: ServerConnection) -> None:
        known = asyncio.Event()
        asked = False
        answering: list[asyncio.Task[None]] = []

        async def answer() -> None:
            await asyncio.sleep(ANSWERS_AFTER)  # it looks the client up
            known.set()
            await connection.send('{"type":"ack"}')

        async for message in connection:
            said = json.loads(message)["type"]
            if said == "init":
                if asked:
                    await connection.close(4429, "Too many initialisation requests")
                asked = True
                answering.append(asyncio.create_task(answer()))
            elif not known.is_set():
                await connection.close(4401, "Unauthorized")
        for task in answering:
            task.cancel()

    def said(talk: Talk, conn: int) -> None:
        talk.wait(5_000)
        talk.say(conn, "client", "text", b'{"type":"subscribe","id":"%d","topic":"prices"}' % (conn * 17))
        talk.say(conn, "client", "text", b'{"type":"init"}')

    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        return await bisected(ended_by_the_server(4401, said), port, failure="by=server code=4401 within=0.5s")


@pytest.mark.experiment
def test_what_must_be_answered_first() -> None:
    verdict = unhurried.run(subscribed_too_early())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.ladder)
    assert "on a `subscribe` without an `init` before it" in verdict.law.sentence
    assert "what is sent sooner than 0.25 s after that comes too early" in verdict.law.sentence


async def continued_nothing() -> Verdict:
    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    def said(talk: Talk, conn: int) -> None:
        for number in range(3):
            talk.wait(20_000)
            talk.say(conn, "client", "text", b'{"type":"tick","n":%d}' % number)
        talk.wait(20_000)
        talk.frame(conn, "client", 0, b"and the rest")

    async with serve(handler, "127.0.0.1", 0) as server:
        return await bisected(ended_by_the_server(1002, said), next(iter(server.sockets)).getsockname()[1])


def test_a_frame_that_continues_nothing_is_none_of_the_message_before_it() -> None:
    verdict = unhurried.run(continued_nothing())
    assert verdict.proved and verdict.verdict == "message/framing", (verdict.law, verdict.ladder)
    assert verdict.law is not None and "it continues a message that never started" in verdict.law.sentence
    assert verdict.cure == "repair-malformed side=client"


async def journalled_twice() -> Verdict:
    """No two entries have the same number; and an article that nobody knows is an error of another kind."""

    async def handler(connection: ServerConnection) -> None:
        seen: set[str] = set()
        async for message in connection:
            said = json.loads(message)
            if said["number"] in seen:
                await connection.close(4500)
            seen.add(said["number"])
            if said["sku"] not in ("A-100", "B-220"):
                await connection.close(1011)

    def entries(talk: Talk, conn: int) -> None:
        for number, kind in enumerate(("scan", "hold", "hold", "print")):
            talk.wait(60_000 + conn * 3_000)
            said = {"type": kind, "number": f"t-{conn}{min(number, 2)}", "sku": "B-220" if number else "A-100"}
            talk.say(conn, "client", "text", json.dumps(said).encode())

    async with serve(handler, "127.0.0.1", 0) as server:
        return await bisected(ended_by_the_server(4500, entries), next(iter(server.sockets)).getsockname()[1])


@pytest.mark.experiment
def test_a_value_that_may_be_another_where_the_rest_may_not() -> None:
    verdict = unhurried.run(journalled_twice())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.ladder)
    words = "on any message whose `number` was used before on the same connection"
    assert verdict.law.sentence.endswith(words), verdict.law
