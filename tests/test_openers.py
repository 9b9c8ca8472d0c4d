"""Protocols that begin with a message without which nothing else is heard: what only leads up to it is kept, and the
rest is still made small."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bisecting import bisected
from conversing import Talk
from hangup.experiment.search import Verdict
from harness import unhurried
from test_rate import UPGRADED


async def subscriptions(connection: ServerConnection) -> None:
    """The first message must be an ``init``; no id may be subscribed to twice at a time; a ``bad`` is one too many."""
    open_: set[str] = set()
    begun = False
    async for message in connection:
        said = json.loads(message)
        if not begun and said["type"] != "init":
            await connection.close(4401, "Unauthorized")
            return
        if said["type"] == "init":
            begun = True
            await connection.send('{"type":"ack"}')
        elif said["type"] == "subscribe":
            if said["id"] in open_:
                await connection.close(4409, "already exists")
                return
            open_.add(said["id"])
        elif said["type"] == "bad":
            await connection.close(4400, "not so")
            return


def recorded(last: list[dict[str, str]], code: int) -> Talk:
    talk = Talk()
    said = [{"type": "init"}, {"type": "subscribe", "id": "a"}, {"type": "note", "text": "x"}, *last]
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for n, message in enumerate(said):
            talk.wait(60_000)
            talk.say(conn, "client", "text", json.dumps(message).encode())
            if n == 0:
                talk.say(conn, "server", "text", b'{"type":"ack"}')
        talk.wait(2000)
        talk.frame(conn, "server", 8, code.to_bytes(2, "big"))
        talk.frame(conn, "client", 8, code.to_bytes(2, "big"))
        talk.end(conn, "server", "fin")
        talk.wait(500_000)
    return talk


@pytest.mark.experiment
@pytest.mark.real
def test_real_servers() -> None:
    more = [{"type": "subscribe", "id": "b"}, {"type": "note", "text": "y"}]

    async def against(talk: Talk) -> Verdict:
        async with serve(subscriptions, "127.0.0.1", 0) as server:
            return await bisected(talk, next(iter(server.sockets)).getsockname()[1])

    async def main() -> list[Verdict]:
        twice = recorded([*more, {"type": "subscribe", "id": "a"}], 4409)
        return await asyncio.gather(against(twice), against(recorded([*more, {"type": "bad"}], 4400)))

    twice, bad = unhurried.run(main())
    for verdict in (twice, bad):
        assert verdict.proved and verdict.law is not None and verdict.law.holds, (verdict.law, verdict.ladder)
    assert twice.minimal is not None and len(twice.minimal.frames) == 3
    assert bad.minimal is not None and len(bad.minimal.frames) == 2
    assert bad.law is not None and "`bad`" in bad.law.sentence and "init" in bad.law.sentence
