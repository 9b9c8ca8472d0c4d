"""Messages that come while an earlier one is not answered yet, against real servers; and what is a pace after all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.experiment.in_flight_law import answer_time
from hangup.experiment.search import Verdict
from hangup.experiment.timers import Pulse
from harness import unhurried
from limits import Sliding
from test_rate import UPGRADED, say

RATE, COUNTED = "process/message-rate-limit", "process/message-count-limit"
TAKES = 0.03
"""Seconds that an answer takes."""

Handler = Callable[[ServerConnection], Awaitable[None]]


def busy(most: int, *, only_first: bool = False) -> Handler:
    """Answers each message after a while, and closes where more than so many wait for their answers; with
    ``only_first`` only until the first is answered."""

    async def handler(connection: ServerConnection) -> None:
        waiting, answered, tasks = 0, 0, set()

        async def answer(n: int) -> None:
            nonlocal waiting, answered
            await asyncio.sleep(TAKES)
            waiting, answered = waiting - 1, answered + 1
            with suppress(ConnectionClosed):
                await connection.send(json.dumps({"type": "done", "n": n}))

        async for message in connection:
            waiting += 1
            if waiting > most and not (only_first and answered):
                await connection.close(1008)
                break
            tasks.add(asyncio.create_task(answer(json.loads(message)["n"])))
        await asyncio.gather(*tasks)

    return handler


async def too_fast(connection: ServerConnection) -> None:
    """Answers at once, and closes where there are more than four in 0.3 s."""
    limit = Sliding(4, 0.3)
    with suppress(ConnectionClosed):
        async for message in connection:
            if limit.exceeded(asyncio.get_running_loop().time(), str(message).encode()):
                await connection.close(1008)
                return
            await connection.send(json.dumps({"type": "done", "n": json.loads(message)["n"]}))


def recorded(at_last: int, earlier: int = 5, every: float = 0.06) -> Talk:
    """A client that asks and is answered, again and again, and at last asks so many times at once."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for n in range(earlier + at_last):
            talk.wait(int(1e6 * every) if n <= earlier else 1500)
            talk.say(conn, "client", "text", say("ask", n).encode())
            if n < earlier:
                talk.wait(int(1e6 * TAKES))
                talk.say(conn, "server", "text", json.dumps({"type": "done", "n": n}).encode())
        talk.wait(2000)
        talk.frame(conn, "server", 8, b"\x03\xf0")
        talk.frame(conn, "client", 8, b"\x03\xf0")
        talk.end(conn, "server", "fin")
        talk.wait(500_000)
    return talk


async def against(handler: Handler, talk: Talk) -> Verdict:
    async with serve(handler, "127.0.0.1", 0) as server:
        return await bisected(talk, next(iter(server.sockets)).getsockname()[1])


@pytest.mark.experiment
@pytest.mark.real
def test_real_servers() -> None:
    async def main() -> list[Verdict]:
        return await asyncio.gather(
            against(busy(1), recorded(2)), against(busy(3), recorded(5)), against(too_fast, recorded(6))
        )

    one, three, fast = unhurried.run(main())
    for verdict, words in ((one, "a message before the one before it is answered"), (three, "more than 3 messages")):
        assert verdict.law is not None and verdict.law.holds and verdict.proved, (verdict.law, verdict.standing)
        assert words in verdict.law.sentence, verdict.law
        assert verdict.cure.startswith("max-unanswered"), verdict.cure
        assert not (verdict.verdict in (RATE, COUNTED) and verdict.probability > 0.5), verdict.standing
    assert one.law is not None and one.law.boundary == "survives 1 unanswered, fails 2"
    assert fast.verdict == RATE and fast.proved, (fast.law, fast.standing)
    assert fast.law is not None and "answered" not in fast.law.sentence


def test_how_long_an_answer_takes() -> None:
    asked = Pulse(1.0, True, ((0.1, True), (0.3, True)), ((0.12, True), (0.31, False), (0.34, True)))
    assert answer_time([asked]) == pytest.approx(0.03)
    assert answer_time([Pulse(1.0, True, ((0.1, True), (0.3, True)))]) is None, "nothing is answered"
    often = tuple((n / 20, True) for n in range(20))
    assert answer_time([Pulse(1.0, True, ((0.1, True), (0.3, True)), often)]) is None, "any message may be the answer"
    assert answer_time([]) is None
