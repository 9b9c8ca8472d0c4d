"""Real backends tell apart what is done to a client's heartbeat: to drop it, to answer it at the proxy and to rewrite
it are three different things, and each backend makes something else of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from harness import DEADLINE, node
from harness.programs import TESTS, Program
from harness.proxies import HangupProxy

INTERVAL = 0.25
PATIENCE = 2.5
"""How long the client waits for an answer to its heartbeat (seconds)."""
SERVER_PATIENCE = 5.0
SURVIVED = 9.0
"""Who is still connected after so long, has survived."""


class Row(NamedTuple):
    """What is done to a connection of a backend, and what comes of it: who ended it and how, and what the backend got
    of the client's heartbeat."""

    backend: str
    name: str
    filter: str
    outcome: str
    seen: str = ""


SURVIVES, CLIENT_GIVES_UP = "survives", "the client gives up"
REWRITE = 'rewrite-heartbeat side=client to={"type":"ping"}'
ROWS = [
    # npm ws: answers either form, and wants to hear a heartbeat.
    Row("ws", "none", "", SURVIVES, "ping"),
    Row("ws", "drop", "drop-heartbeat side=client", CLIENT_GIVES_UP),
    Row("ws", "answer", "answer-ping side=client", "the server closes with 4002 no heartbeat"),
    Row("ws", "rewrite", REWRITE, SURVIVES, '{"type":"ping"}'),
    # FastAPI with receive_json: fails on text that is no JSON, and then the connection just ends.
    Row("json", "none", "", "the server ends it without a close frame"),
    Row("json", "drop", "drop-heartbeat side=client", CLIENT_GIVES_UP),
    Row("json", "answer", "answer-ping side=client", SURVIVES),
    Row("json", "rewrite", REWRITE, SURVIVES, '{"type":"ping"}'),
    # uvicorn's own keepalive: the application never answers a heartbeat, and uvicorn minds only its own pings.
    Row("keepalive", "none", "", CLIENT_GIVES_UP, "ping"),
    Row("keepalive", "drop", "drop-heartbeat side=client", CLIENT_GIVES_UP),
    Row("keepalive", "answer", "answer-ping side=client", SURVIVES),
    Row("keepalive", "rewrite", REWRITE, CLIENT_GIVES_UP, '{"type":"ping"}'),
    # The same for the protocol's pings, which uvicorn sends; the client makes up none of its own.
    Row("keepalive", "quiet-none", "", SURVIVES),
    Row("keepalive", "quiet-drop-ping", "drop-ping side=server", "the server closes with 1011 keepalive ping timeout"),
    Row("keepalive", "quiet-drop-pong", "drop-pong side=client", "the server closes with 1011 keepalive ping timeout"),
    Row("keepalive", "quiet-answer", "answer-ping side=server level=control", SURVIVES),
    Row("keepalive", "quiet-mute", "mute side=client", "the server closes with 1011 keepalive ping timeout"),
]


async def play(url: str, heartbeat: bool) -> str:
    """A client that sends heartbeats and gives up when they are not answered; what comes of its connection."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with connect(url, ping_interval=None, compression=None, close_timeout=1) as ws:
        waiting_since: float | None = None
        next_ping = start
        while (now := loop.time()) < start + SURVIVED:
            if heartbeat and now >= next_ping:
                next_ping = now + INTERVAL
                waiting_since = waiting_since or now
                try:
                    await ws.send("ping")
                except ConnectionClosed as closed:
                    return how(closed)
            if waiting_since is not None and now - waiting_since > PATIENCE:
                return CLIENT_GIVES_UP
            try:
                message = await asyncio.wait_for(ws.recv(), INTERVAL)
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                return how(closed)
            if "pong" in str(message):
                waiting_since = None
        return SURVIVES


def how(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "the server ends it without a close frame"
    return f"the server closes with {closed.rcvd.code} {closed.rcvd.reason}".rstrip()


class Table:
    """All rows, played at once."""

    def __init__(self) -> None:
        with ExitStack() as stack:
            if why := node.problem("ws"):
                pytest.skip(why)
            python = [sys.executable, "-m", "heartbeat_backends"]
            programs = {
                "ws": node.program("deadline_server.mjs", str(int(SERVER_PATIENCE * 1000))),
                "json": Program([*python, "json"], cwd=TESTS),
                "keepalive": Program([*python, "keepalive"], cwd=TESTS),
            }
            proxies = {}
            for name, program in programs.items():
                stack.enter_context(program)
                port = program.wait_for(r"listening on (\d+)")[1]
                filters = [
                    word
                    for row in ROWS
                    if row.backend == name and row.filter
                    for word in ("--filter", f"{row.filter} path=/{name}/{row.name}")
                ]
                proxies[name] = stack.enter_context(HangupProxy(f"ws://127.0.0.1:{port}", *filters))

            async def play_all() -> list[str]:
                async with asyncio.timeout(DEADLINE + SURVIVED):
                    return await asyncio.gather(
                        *(
                            play(
                                f"{proxies[row.backend].url}/{row.backend}/{row.name}", not row.name.startswith("quiet")
                            )
                            for row in ROWS
                        )
                    )

            self.outcomes = dict(zip(ROWS, asyncio.run(play_all()), strict=True))
            for proxy in proxies.values():
                proxy.stop()
            self.output = {name: program.output for name, program in programs.items()}

    def seen(self, row: Row) -> set[str]:
        """What the backend got by this row's path."""
        lines = [line.partition(" ") for line in self.output[row.backend].splitlines()]
        return {text for path, _, text in lines if path == f"/{row.backend}/{row.name}"}


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    yield Table()


@pytest.mark.real
@pytest.mark.parametrize("row", ROWS, ids=[f"{row.backend}-{row.name}" for row in ROWS])
def test_what_comes_of_it(table: Table, row: Row) -> None:
    assert table.outcomes[row] == row.outcome
    assert table.seen(row) == ({row.seen} if row.seen else set())


@pytest.mark.real
@pytest.mark.parametrize("backend", ["ws", "json", "keepalive"])
def test_the_three_are_three_different_outcomes(table: Table, backend: str) -> None:
    rows = [row for row in ROWS if row.backend == backend and row.name in ("drop", "answer", "rewrite")]
    assert len({(table.outcomes[row], frozenset(table.seen(row))) for row in rows}) == 3
