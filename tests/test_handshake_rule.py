"""Clients that hang up before anything is said: on an answer to their handshake that comes too late, or that no client
may take. The rule that a recording tells, and what a replay by that rule finds out about the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bisecting import bisected
from conversing import Talk
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict
from hangup.recording import events as ev
from hangup.replayable.client_rule import ClientRule
from harness import unhurried
from test_transcript import InMemory
from test_varying import UPGRADED

WAIT = 0.6
"""Seconds that the client waits for an answer to its handshake."""
LATE = 1.1
"""Seconds after which the server answers."""
OFFER = [*UPGRADED, ("Sec-WebSocket-Extensions", "permessage-deflate")]


def asks(talk: Talk, conn: int, waited: float, answer: list[tuple[str, str]] | None = None) -> None:
    """A handshake that is given up after so many seconds, or answered then with a 101."""
    talk.wait(int(waited * 1e6))
    headers = [("Host", "127.0.0.1:8000"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), *OFFER]
    asked = ev.Handshake(at=talk.at, conn=conn, request=ev.Request(target="/ws", headers=headers), waited=waited)
    if answer is None:
        asked.error = ev.WENT_AWAY
    else:
        asked.response = ev.Response(status=101, reason="Switching Protocols", headers=answer)
    talk.events.append(asked)
    if answer is None:
        talk.events.append(ev.End(at=talk.at, conn=conn, side="client", how="fin"))
    talk.wait(200_000)


def given_up(*waits: float) -> Talk:
    talk = Talk()
    for conn, waited in enumerate(waits, 1):
        asks(talk, conn, waited)
    return talk


def badly_answered() -> Talk:
    talk = Talk()
    for conn in range(1, 4):
        talk.open(conn, headers=UPGRADED)
        asked = talk.events[-1]
        assert isinstance(asked, ev.Handshake)
        asked.problems = ["accept-key"]
        talk.wait(3_000)
        talk.end(conn, "client", "fin")
        talk.wait(200_000)
    return talk


def rule_of(talk: Talk) -> ClientRule | None:
    return read_case(InMemory(talk.stop())).case.client_rule


class TestTheRule:
    def test_an_answer_that_does_not_come_in_time(self) -> None:
        rule = rule_of(given_up(0.6, 0.61, 0.598))
        assert rule is not None and rule.on == "no-answer" and rule.after == pytest.approx(0.6, abs=0.01)

    def test_the_last_may_have_been_left_sooner(self) -> None:
        rule = rule_of(given_up(0.6, 0.61, 0.598, 0.2))
        assert rule is not None and rule.after == pytest.approx(0.6, abs=0.01)

    @pytest.mark.parametrize("waits", [(0.6, 0.2, 0.6), (0.6, 3.0, 9.0), (0.1, 0.1, 0.1)])
    def test_a_client_that_goes_as_it_pleases_has_none(self, waits: tuple[float, ...]) -> None:
        assert rule_of(given_up(*waits)) is None

    def test_one_that_waited_longer_refutes_it(self) -> None:
        talk = given_up(0.6, 0.6, 0.6)
        asks(talk, 4, 2.0, [("Upgrade", "websocket"), ("Connection", "Upgrade")])
        assert rule_of(talk) is None

    def test_an_answer_that_no_client_may_take(self) -> None:
        rule = rule_of(badly_answered())
        assert rule is not None and (rule.on, rule.problem) == ("bad-answer", "accept-key")
        assert rule.sentence.endswith("whose Sec-WebSocket-Accept does not match its key")

    def test_a_check_that_others_fail_and_stay_open_is_no_reason(self) -> None:
        talk = badly_answered()
        talk.open(4, headers=UPGRADED)
        asked = talk.events[-1]
        assert isinstance(asked, ev.Handshake)
        asked.problems = ["accept-key"]
        talk.wait(9_000_000)
        assert rule_of(talk) is None


@asynccontextmanager
async def server(late: float, *, only_with: str = "", accept: str = "") -> AsyncIterator[int]:
    """It answers so late, or only a handshake with this header; with this Sec-WebSocket-Accept, or the right one."""

    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async def process_request(connection: ServerConnection, request: Request) -> None:
        if not only_with or only_with in request.headers:
            await asyncio.sleep(late)  # it is what this server does

    def process_response(connection: ServerConnection, request: Request, response: Response) -> None:
        if accept:
            del response.headers["Sec-WebSocket-Accept"]
            response.headers["Sec-WebSocket-Accept"] = accept

    made = serve(handler, "127.0.0.1", 0, process_request=process_request, process_response=process_response)
    async with made as running:
        yield next(iter(running.sockets)).getsockname()[1]


async def found(talk: Talk, late: float = 0.0, **server_does: str) -> Verdict:
    async with server(late, **server_does) as port:
        return await bisected(talk, port)


@pytest.mark.experiment
def test_how_late_the_answer_comes() -> None:
    verdict = unhurried.run(found(given_up(WAIT, WAIT, WAIT), LATE))
    assert verdict.proved and verdict.law is not None and verdict.law.holds, verdict.ladder
    assert "the server answers only after 1.1" in verdict.law.sentence, verdict.law
    assert verdict.law.boundary.startswith("fails ") and verdict.verdict == "client-lifecycle/connect-deadline"


@pytest.mark.experiment
def test_what_makes_it_late() -> None:
    verdict = unhurried.run(found(given_up(WAIT, WAIT, WAIT), 30.0, only_with="Sec-WebSocket-Extensions"))
    assert verdict.proved and verdict.law is not None, verdict.ladder
    assert verdict.law.sentence.startswith("every handshake to `/ws` is left unanswered for 600 ms, unless")
    assert "strip-extensions" in verdict.cure


@pytest.mark.experiment
def test_one_that_is_never_answered_is_not_proved_to_be_late() -> None:
    verdict = unhurried.run(found(given_up(WAIT, WAIT, WAIT), 60.0))
    assert verdict.reproduced and not verdict.proved, verdict.law
    assert verdict.law is not None and verdict.law.sentence.startswith("every handshake to `/ws` is left unanswered")


def test_the_right_answer_instead_of_the_server_s() -> None:
    """One that is copied from another request's."""
    verdict = unhurried.run(found(badly_answered(), accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    assert verdict.proved and verdict.law is not None and verdict.cure == "accept-key", verdict.ladder
    assert "whose Sec-WebSocket-Accept does not match its key, unless" in verdict.law.sentence
    assert verdict.verdict == "handshake/accept-key"
