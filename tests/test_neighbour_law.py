"""What another connection does ends this one: alone it stays open. Asked of real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from conversing import Talk
from hangup.experiment.evidence import Outcome
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict, search
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import Budget, ReplayRunner
from hangup.wire.url import parse_target
from test_sequences_real import ended
from test_transcript import InMemory
from test_varying import UPGRADED

Rule = Callable[[list[str]], bool]
"""Whether what another connection said, and ``closes`` at its end, ends all the others."""


@asynccontextmanager
async def server(rule: Rule, refused: str = "") -> AsyncIterator[int]:
    connected: set[ServerConnection] = set()

    async def others_end(mine: ServerConnection) -> None:
        for other in connected - {mine}:
            await other.close(4003, "the session is over")

    async def handler(connection: ServerConnection) -> None:
        connected.add(connection)
        said: list[str] = []
        try:
            async for message in connection:
                said.append(json.loads(message)["type"])
                if rule(said):
                    await others_end(connection)
        finally:
            connected.discard(connection)
            if rule([*said, "closes"]) and not rule(said):
                await others_end(connection)

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus.FORBIDDEN, "") if request.path == refused else None

    async with serve(handler, "127.0.0.1", 0, process_request=process_request) as running:
        yield next(iter(running.sockets)).getsockname()[1]


def recorded(*, leaves: bool) -> Talk:
    """Two clients three times over: the one says ``logout``, among other things, and may leave; the other is ended."""
    talk = Talk()
    for conn in range(1, 7, 2):
        talk.open(conn, headers=UPGRADED, target="/desk")
        talk.wait(30_000)
        talk.open(conn + 1, headers=UPGRADED)
        for number in range(3):
            talk.wait(40_000)
            talk.say(conn + 1, "client", "text", b'{"type":"tick","n":%d}' % number)
            talk.wait(20_000)
            talk.say(conn, "client", "text", b'{"type":"%s"}' % (b"look", b"logout", b"edit")[number])
        talk.wait(60_000)
        if leaves:
            ended(talk, conn, "client", 1000)
            talk.wait(1_000)
        ended(talk, conn + 1, "server", 4003)
        talk.wait(100_000)
        if not leaves:
            ended(talk, conn, "client", 1000)
        talk.wait(500_000)
    return talk


async def found(rule: Rule, leaves: bool, refused: str = "") -> Verdict:
    async with server(rule, refused) as port:
        reading = read_case(InMemory(recorded(leaves=leaves).stop()))
        runner = ReplayRunner(
            reading.transcript,
            parse_target(f"ws://127.0.0.1:{port}"),
            reading.failure,
            reading.case,
            MemorySink(),
            budget=Budget(seconds=150.0),
            survive=0.4,
            other=reading.transcript_of,
        )
        return await runner.run(search(reading.case))


@pytest.mark.experiment
@pytest.mark.parametrize(
    ("rule", "leaves", "words"),
    [
        (lambda said: said[-1:] == ["logout"], False, "when another connection (to `/desk`) sends a `logout`"),
        (lambda said: said[-1:] == ["closes"], True, "when another connection (to `/desk`) closes"),
        (
            lambda said: said[-1:] == ["closes"] and "logout" in said,
            True,
            "when another connection (to `/desk`) sends a `logout`, then closes",
        ),
    ],
    ids=["message", "leaves", "both"],
)
def test_the_law_says_what_the_other_one_does(rule: Rule, leaves: bool, words: str) -> None:
    verdict = asyncio.run(found(rule, leaves))
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.ladder, verdict.instead)
    assert verdict.law.sentence == f"the server drops the connection {words}"
    assert verdict.law.right == verdict.law.predicted == 8 and verdict.trigger == "peer"
    assert verdict.verdict == "unknown/" and not verdict.standing  # nothing that was tried tells what it is called


def test_one_that_is_refused_now_was_not_beside_it() -> None:
    """That it stays open then says nothing of what the other one does."""
    verdict = asyncio.run(found(lambda said: said[-1:] == ["logout"], False, refused="/desk"))
    tried = next(tried for tried in verdict.ladder if tried.arm == "neighbours")
    assert not verdict.reproduced and verdict.law is None
    assert (tried.outcome, tried.counts.survived, tried.counts.unresolved) == (Outcome.UNRESOLVED, 0, 2)


def test_what_none_of_them_does_is_no_law() -> None:
    verdict = asyncio.run(found(lambda said: False, False))
    assert not verdict.reproduced and not verdict.proved and verdict.law is None
