"""Laws about which messages, in which order and how often, against real servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, serve

from bisecting import bisected, on_uvicorn, side_by_side
from conversing import SIDES, Talk
from hangup.experiment.search import Verdict
from hangup.recording.events import Side
from harness import unhurried
from test_sequences import PLANTED, Rule
from test_varying import UPGRADED

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(400)]  # the first of them waits for all bisects

REAL = (
    "order",
    "pair",
    "count-of-one-kind",
    "count-of-all",
    "same-id",
    "needs-another-first",
    "needs-another-of-the-same-value",
)


def ended(talk: Talk, conn: int, side: Side, code: int) -> None:
    """A connection is closed by a side, as it should be."""
    first, then = SIDES if side == "client" else SIDES[::-1]
    for each in (first, then):
        talk.frame(conn, each, 8, code.to_bytes(2, "big"))
    talk.end(conn, "server", "fin")
    talk.end(conn, "client", "fin")


def recorded(path: str, messages: Sequence[str], lived: Sequence[Sequence[str]]) -> Talk:
    """What a client said on connections that stayed open, and on two that the server ended after the last message."""
    talk = Talk()
    for conn, (said, stayed) in enumerate([*((each, True) for each in lived), (messages, False), (messages, False)], 1):
        talk.open(conn, target=path, headers=UPGRADED)
        for each in said:
            talk.wait(20_000)
            talk.say(conn, "client", "text", each.encode())
        talk.wait(1_500_000 if stayed else 2_000)
        ended(talk, conn, "client" if stayed else "server", 1000 if stayed else 1011)
        talk.wait(100_000)
    return talk


@asynccontextmanager
async def of_websockets(rules: dict[str, Rule]) -> AsyncIterator[int]:
    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        rule = rules[connection.request.path.strip("/")]
        heard: list[dict[str, Any]] = []
        async for message in connection:
            heard.append(json.loads(message))
            if rule(heard):
                raise RuntimeError("too much for me")

    async with serve(handler, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def of_fastapi(rules: dict[str, Rule]) -> AsyncIterator[int]:
    app = FastAPI()

    @app.websocket("/{name}")
    async def endpoint(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        heard: list[dict[str, Any]] = []
        try:
            while True:
                heard.append(await websocket.receive_json())
                if rules[name](heard):
                    await websocket.close(1011)
                    return
        except WebSocketDisconnect:
            return

    async with on_uvicorn(app) as port:
        yield port


FAILS = "by=server code=1011 within=1s"

Made = Callable[[dict[str, Rule]], Any]


async def all_of(server: Made) -> dict[str, Verdict]:
    rules = {name: PLANTED[name][0] for name in REAL}
    async with server(rules) as port:
        waiting: list[Awaitable[Verdict]] = [
            bisected(recorded(f"/{name}", PLANTED[name][1], PLANTED[name][2]), port, failure=FAILS)
            for name in REAL
        ]
        return dict(zip(REAL, await side_by_side(*waiting), strict=True))


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, Verdict]]:
    """Side by side: they mostly wait."""

    async def main() -> list[dict[str, Verdict]]:
        return [await all_of(of_websockets), await all_of(of_fastapi)]

    return dict(zip(("websockets", "fastapi"), unhurried.run(main()), strict=True))


@pytest.mark.parametrize("server", ["websockets", "fastapi"])
@pytest.mark.parametrize("name", REAL)
def test_the_planted_rule_is_the_law(verdicts: dict[str, dict[str, Verdict]], server: str, name: str) -> None:
    verdict = verdicts[server][name]
    _, _, _, words, boundary = PLANTED[name]
    law = verdict.law
    assert law is not None and words in law.sentence, (law, verdict.standing, verdict.minimal)
    assert boundary in law.boundary, law.boundary
    assert law.predicted == 8 and law.holds, law.missed
    assert verdict.connections < 120
