"""A server that tells its client to go ended the connection, also where the client closes first (as of Socket.IO)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.diagnosis.diagnose import diagnose
from hangup.experiment.failure import derive
from hangup.experiment.search import Verdict
from hangup.messages.farewells import dismisses
from hangup.messages.kind import kind_of
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.wire.frames import BINARY, TEXT
from harness import unhurried
from layouts import Line, Tape, greet, header
from test_rate import UPGRADED

DISCONNECT = "41"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (DISCONNECT, True),
        ("41/admin,", True),
        ("40", False),
        ('42["disconnect"]', False),
        ('{"type":7,"error":"gone"}\x1e', True),
        ("ERROR\nmessage:no such queue\n\n\x00", True),
        (b"\xe0\x02\x8e\x00", True),
        ('{"type":"disconnect","reason":"unauthorized","reconnect":false}', True),
        ('{"event":"kicked"}', True),
        ('{"type":"close_order"}', False),
        ('{"type":"leave","user":7}', False),
        ('{"type":"error"}', False),
    ],
)
def test_what_tells_a_client_to_go(said: str | bytes, told: bool) -> None:
    kind = kind_of(BINARY, said) if isinstance(said, bytes) else kind_of(TEXT, said.encode())
    assert dismisses(kind) is told, kind


def told_to_go(*, last: Any = DISCONNECT, after: float = 0.002, first: tuple[str, ...] = ("client", "server")) -> Tape:
    """Four connections whose server says something and is done with them; ``first`` closes, the one or the other."""
    tape = Tape()

    def play(line: Line, n: int) -> None:
        greet(line).client({"type": "order", "n": n}, 0.4).server({"type": "ok"}, 0.05)
        line.client({"type": "order", "n": n, "many": 7}, 0.5).server(last, 0.001)
        line.close(first[n % len(first)], None, "", after)  # type: ignore[arg-type]

    tape.loop(play, count=4)
    return tape


def test_whoever_closes_first_the_server_hung_up() -> None:
    tape = told_to_go()
    ledger = TrafficLedger(header())
    events = list(tape.done())
    ledger.feed_all(events)
    lives = list(ledger.connections.values())
    assert [life.ending.by for life in lives] == ["client", "server"] * 2
    assert [life.hung_up_by for life in lives] == ["server"] * 4
    failure = derive(lives)
    assert failure is not None and (failure.by, failure.how, failure.code) == ("server", "close", None)
    report = diagnose(header(), events)
    assert report.closer == "server" and "told the client to disconnect (`socket.io:DISCONNECT`)" in report.sentence
    assert "in 4 connections" in report.sentence


@pytest.mark.parametrize("tape", [told_to_go(last={"type": "ok"}), told_to_go(after=0.4)])
def test_but_not_where_the_client_does_so_by_itself(tape: Tape) -> None:
    ledger = TrafficLedger(header())
    ledger.feed_all(tape.done())
    assert [life.hung_up_by for life in ledger.connections.values()] == ["client", "server"] * 2


@pytest.mark.experiment
@pytest.mark.real
@pytest.mark.slow
def test_its_rule_is_found() -> None:
    async def handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                if '"many"' in str(message):
                    await connection.send(DISCONNECT)
                    await connection.close(1000)

    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for n, more in enumerate(("", "", ',"many":7')):
            talk.wait(150_000)
            talk.say(conn, "client", "text", b'{"type":"order","n":%d%s}' % (n, more.encode()))
        talk.wait(2_000)
        talk.say(conn, "server", "text", DISCONNECT.encode())
        talk.wait(500)
        talk.frame(conn, "client", 8, b"\x03\xe8")
        talk.wait(500)
        talk.close(conn, "server", 1000)
        talk.wait(300_000)

    async def main() -> Verdict:
        async with serve(handler, "127.0.0.1", 0) as server:
            return await bisected(talk, next(iter(server.sockets)).getsockname()[1])

    verdict = unhurried.run(main())
    assert verdict.closer == "server" and verdict.reproduced
    assert verdict.law is not None and verdict.law.holds and "`many`" in verdict.law.sentence, verdict.law
