"""Where it is: a real relay before a real backend, and the backend itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bisecting import bisected as bisected_at
from conversing import Talk
from hangup.experiment.search import Verdict
from harness import unhurried

UPGRADED = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]

AGE = 0.5
"""Seconds after which whoever does it cuts a connection."""


@asynccontextmanager
async def relay(port: int, age: float | None) -> AsyncIterator[int]:
    """Passes bytes on in both directions, for so many seconds."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_it = await asyncio.open_connection("127.0.0.1", port)
        with suppress(TimeoutError):
            async with asyncio.timeout(age):
                await asyncio.gather(passed_on(reader, to_it), passed_on(there, writer))
        writer.close()
        to_it.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def bisected(relayed: float | None, own: float | None) -> Verdict:
    """A bisect through the relay, which cuts after ``relayed`` seconds, of a backend that does after ``own``."""

    async def handler(connection: ServerConnection) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(own):
                async for _ in connection:
                    pass
        if own is not None:
            connection.transport.close()

    talk = Talk()
    for conn in range(1, 4):
        talk.open(conn, headers=UPGRADED)
        talk.wait(100_000)
        talk.say(conn, "client", "text", b'{"type":"hello"}')
        talk.wait(int(AGE * 1e6) - 100_000)
        talk.end(conn, "server", "fin")
        talk.end(conn, "client", "fin")
        talk.wait(100_000)
    async with serve(handler, "127.0.0.1", 0) as server:
        backend = next(iter(server.sockets)).getsockname()[1]
        async with relay(backend, relayed) as port:
            return await bisected_at(talk, port, survive=None, direct=backend)


@pytest.mark.parametrize(
    ("relayed", "own", "place"),
    [(AGE, None, "intermediary"), pytest.param(None, AGE, "backend", marks=pytest.mark.experiment)],
)
def test_who_does_it_is_told_by_asking_the_backend_itself(
    relayed: float | None, own: float | None, place: str
) -> None:
    found = unhurried.run(bisected(relayed, own))
    assert found.reproduced and found.place == place, found.ladder
    assert found.parts()["place"]["proved"] == place
    named = {name for name, weight in found.standing if weight > 0.2} - {"unknown/"}  # which is nowhere
    assert named, found.standing
    assert all(name.startswith("intermediary/") is (place == "intermediary") for name in named), found.standing
    assert found.law is not None and found.law.holds, found.law
