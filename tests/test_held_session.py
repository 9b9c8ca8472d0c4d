"""A session that the server holds for a while after its connection ended: whoever comes back too soon is refused."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bisecting import bisected
from conversing import Talk
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict
from test_sequences import say
from test_transcript import InMemory
from test_varying import UPGRADED

HELD = 0.6
"""Seconds for which a session is held."""


class Holding:
    """Answers 409 while a session of the client is there, or was lately."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.ended: dict[str, float] = {}

    def asked(self, connection: ServerConnection, request: Request) -> Response | None:
        name = parse_qs(urlsplit(request.path).query).get("client", [""])[0]
        held = asyncio.get_running_loop().time() - self.ended.get(name, -HELD) < HELD
        if not name or held or name in self.open:
            return connection.respond(HTTPStatus.CONFLICT, "")
        self.open.add(name)
        return None

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = parse_qs(urlsplit(connection.request.path).query)["client"][0]
        try:
            await connection.wait_closed()
        finally:
            self.open.discard(name)
            self.ended[name] = asyncio.get_running_loop().time()


def recorded(*, admitted: bool = True) -> Talk:
    """A client that goes and comes back: twice refused, then let in again (or not)."""
    talk = Talk()
    conn = 0
    for _ in range(2):
        conn += 1
        talk.open(conn, target="/live?v=2&client=ann-7", headers=UPGRADED)
        talk.say(conn, "client", "text", say("hello", name="ann").encode())
        talk.wait(300_000)
        talk.end(conn, "client", "rst")
        for _ in range(2):
            talk.wait(200_000)
            conn += 1
            talk.open(conn, target="/live?v=2&client=ann-7", headers=UPGRADED, status=409)
        talk.wait(350_000)
        if not admitted:
            break
    return talk


@pytest.mark.experiment
def test_how_long_after_the_end_it_is_let_in_again() -> None:
    async def main() -> Verdict:
        holding = Holding()
        async with serve(holding, "127.0.0.1", 0, process_request=holding.asked) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            holding.ended["ann-7"] = asyncio.get_running_loop().time()  # the recorded client has just gone
            return await bisected(recorded(), port)

    verdict = asyncio.run(main())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.standing)
    assert verdict.verdict == "identity/ghost-session"
    found = re.fullmatch(
        r"the server refuses the connection when another connection with the same `client` "
        r"ended less than ([\d.]+) s ago",
        verdict.law.sentence,
    )
    assert found is not None, verdict.law
    low, high = map(float, re.findall(r"([\d.]+) s", verdict.law.boundary))
    assert low <= HELD <= high and abs(float(found[1]) - HELD) < 0.1, verdict.law.boundary
    assert verdict.law.holds and verdict.law.irrelevant == ["how long the other was open"]


def test_what_was_let_in_only_before_anything_had_ended_is_not_asked_for_a_pause() -> None:
    assert read_case(InMemory(recorded().stop())).case.let_in > HELD
    assert read_case(InMemory(recorded(admitted=False).stop())).case.let_in == 0.0
