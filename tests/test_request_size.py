"""Is it one value of the handshake that is too long, or what it is a part of? Asked of a real server with a limit."""

from __future__ import annotations

import http
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bisecting import bisected
from conversing import Talk
from hangup.experiment.search import Verdict
from hangup.wire.handshake import get_all
from harness import unhurried
from test_varying import UPGRADED

TARGET = f"/ws?v=4&state={'x' * 700}&lang=en"
COOKIE = f"theme=dark; prefs={'y' * 700}; lang=en"


@asynccontextmanager
async def server(long: Callable[[Request], int], most: int) -> AsyncIterator[int]:
    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(http.HTTPStatus.REQUEST_URI_TOO_LONG, "") if long(request) > most else None

    async with serve(handler, "127.0.0.1", 0, process_request=process_request) as running:
        yield next(iter(running.sockets)).getsockname()[1]


async def found(long: Callable[[Request], int], most: int) -> Verdict:
    talk = Talk()
    for conn in range(1, 4):
        talk.open(conn, target=TARGET, headers=[*UPGRADED, ("Cookie", COOKIE), ("User-Agent", "test")], status=414)
        talk.wait(200_000)
    async with server(long, most) as port:
        return await bisected(talk, port)


def target(request: Request) -> int:
    return len(request.path)


def cookie(request: Request) -> int:
    return len("; ".join(get_all(list(request.headers.raw_items()), "Cookie")))


def state(request: Request) -> int:
    return len(request.path.partition("state=")[2].partition("&")[0])


@pytest.mark.experiment
@pytest.mark.parametrize(
    ("long", "most", "law"),
    [
        (target, 500, "the request's target has 501 characters or more"),
        (cookie, 600, "the Cookie header has 601 bytes or more"),
        (state, 300, "the parameter `state` has 301 characters or more"),
    ],
)
def test_what_is_too_long(long: Callable[[Request], int], most: int, law: str) -> None:
    verdict = unhurried.run(found(long, most))
    assert verdict.proved and verdict.law is not None, verdict.law
    assert verdict.law.sentence == f"every handshake to `/ws` is answered 414 when {law}"


def test_the_whole_head() -> None:
    """How a server counts it is its own business; what was measured is held against other parts of it."""

    def head(request: Request) -> int:
        return len(request.path) + sum(len(name) + len(value) + 4 for name, value in request.headers.raw_items())

    verdict = unhurried.run(found(head, 1400))
    assert verdict.proved and verdict.law is not None, verdict.law
    assert "the request's first line and headers together have 1,4" in verdict.law.sentence
