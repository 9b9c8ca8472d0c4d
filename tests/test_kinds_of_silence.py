"""Servers that wait for messages of a sort, against real ones: what the client sends besides does not set them back."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.experiment.search import Verdict
from hangup.experiment.timers import Clock, Pulse, fitting
from harness import unhurried
from test_rate import UPGRADED

WAITS = 1.3
"""Seconds that the servers wait."""

EVERY = 0.25
"""Seconds between two messages of a server that talks."""

CALL, RESULT = "ocpp:StatusNotification", "ocpp:CALLRESULT"

Handler = Callable[[ServerConnection], Awaitable[None]]


def waiting_for(sets_back: Callable[[str | bytes], bool]) -> Handler:
    """Closes where no such message came for so long."""

    async def handler(connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + WAITS
        with suppress(ConnectionClosed):
            while True:
                try:
                    message = await asyncio.wait_for(connection.recv(), until - loop.time())
                except TimeoutError:
                    await connection.close(1001)
                    return
                if sets_back(message):
                    until = loop.time() + WAITS

    return handler


def of_a_session(handler: Handler) -> Handler:
    """The same, once the client has said what begins the session."""

    async def greeted(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await connection.recv()
            await handler(connection)

    return greeted


def talking(handler: Handler) -> Handler:
    """The same, of a server that says something all the while."""

    async def both(connection: ServerConnection) -> None:
        async def talk() -> None:
            with suppress(ConnectionClosed):
                for n in itertools.count():
                    await connection.send(json.dumps({"type": "floor", "rev": n}))
                    await asyncio.sleep(EVERY)

        talker = asyncio.create_task(talk())
        try:
            await handler(connection)
        finally:
            talker.cancel()

    return both


def recorded(said: list[tuple[float, str, bytes]], over: float, heard: float = 0.0) -> Talk:
    """A client that says this (at, opcode, payload), and is left so many seconds after opening. It hears something
    each ``heard`` seconds."""
    floors = [i * heard for i in range(int(over / heard))] if heard else []
    moments = [(when, "client", opcode, payload) for when, opcode, payload in said]
    moments += [(when, "server", "text", b'{"type":"floor","rev":%d}' % i) for i, when in enumerate(floors)]
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        at = 0.0
        for when, side, opcode, payload in sorted(moments):
            talk.wait(int(1e6 * (when - at)))
            talk.say(conn, side, opcode, payload)
            at = when
        talk.wait(int(1e6 * (over - at)))
        talk.frame(conn, "server", 8, b"\x03\xe9")
        talk.frame(conn, "client", 8, b"\x03\xe9")
        talk.end(conn, "server", "fin")
        talk.wait(500_000)
    return talk


def call(n: int) -> bytes:
    return json.dumps([2, f"c{n}", "StatusNotification", {"connectorId": 1, "status": "Available"}]).encode()


def meter(n: int) -> bytes:
    return json.dumps([2, f"m{n}", "MeterValues", {"connectorId": 1, "meterValue": [n]}]).encode()


def boot(n: int) -> bytes:
    return json.dumps([2, f"b{n}", "BootNotification", {"chargePointModel": "X"}]).encode()


def result(n: int) -> bytes:
    return json.dumps([3, f"r{n}", {"status": "Accepted"}]).encode()


@pytest.mark.experiment
@pytest.mark.real
@pytest.mark.slow
def test_real_servers() -> None:
    answers = [(0.1, "text", call(1)), (0.6, "text", result(1)), (0.9, "text", call(2)), (1.6, "text", result(2))]
    positions = [(0.1, "binary", b"\x08\x01\xff\x02"), (0.8, "binary", b"\x08\x01\xfe\x03")]

    leases = [(0.2 + 0.4 * i, "text", b'{"type":"reserve","desk":"C%d"}' % i) for i in range(4)]
    leases.append((0.9, "text", b'{"type":"touch"}'))
    leases.append((1.1, "text", b'{"type":"release","desk":"C1"}'))

    session = [(0.1, "text", b'{"type":"begin","v":1}'), (0.4, "text", b'{"type":"beat"}')]
    session += [(0.8, "text", b'{"type":"beat"}'), (1.1, "text", b'{"type":"subscribe","topic":"prices"}')]

    meters = [(0.1 + 0.3 * i, "text", meter(i)) for i in range(4)] + [(0.05, "text", boot(1))]

    async def against(handler: Handler, talk: Talk) -> Verdict:
        async with serve(handler, "127.0.0.1", 0) as server:
            return await bisected(talk, next(iter(server.sockets)).getsockname()[1])

    async def main() -> list[Verdict]:
        return await asyncio.gather(
            against(waiting_for(lambda message: b"[2" in str(message).encode()), recorded(answers, 0.9 + WAITS)),
            against(waiting_for(lambda message: True), recorded(positions, 0.8 + WAITS)),
            against(waiting_for(lambda m: "Heartbeat" in str(m)), recorded(meters, WAITS)),
            against(talking(waiting_for(lambda m: "touch" in str(m))), recorded(leases, 0.9 + WAITS, heard=EVERY)),
            against(of_a_session(waiting_for(lambda m: True)), recorded(session, 1.1 + WAITS, heard=EVERY)),
        )

    calls, binary, station, lease, begun = unhurried.run(main())
    for verdict in (calls, binary, station, lease, begun):
        assert verdict.law is not None and verdict.law.holds and verdict.proved, (verdict.law, verdict.standing)
        assert verdict.law.right == verdict.law.predicted == 8
    assert calls.law is not None and f"after the client's last message other than `{RESULT}`" in calls.law.sentence
    assert binary.law is not None and "after the client's last message; its control frames" in binary.law.sentence
    assert "as=binary" in binary.cure
    # The client never says it; that its protocol has it is known.
    assert station.law is not None and "s after the client's last `ocpp:Heartbeat` message" in station.law.sentence
    assert "Heartbeat" in station.cure
    # Not an answer that the server waits for, though it talks all the time.
    assert lease.law is not None and "s after the client's last `touch` message" in lease.law.sentence, lease.law
    assert lease.law.irrelevant == ["what else the client sends"]
    # Who has not begun a session is left alone, however long it says nothing.
    assert begun.law is not None and "message; its control frames do not count, once" in begun.law.sentence, begun.law


def pulse(age: float, *said: tuple[float, str], ended: bool = True) -> Pulse:
    return Pulse(age, ended, tuple((at, bool(kind)) for at, kind in said), (), tuple(kind for _, kind in said))


def test_a_kind_that_does_not_set_it_back() -> None:
    pulses = [
        pulse(3.0),
        pulse(4.5, (0.1, CALL), (1.5, CALL), (3.4, RESULT)),
        pulse(3.6, (0.6, CALL), (2.0, RESULT), (2.8, "")),
        pulse(6.0, (1.4, CALL), (2.8, CALL), (4.2, CALL), ended=False),
    ]
    (timer,) = fitting(pulses)
    assert (timer.clock, timer.but, round(timer.at, 1)) == (Clock.CLIENT_MESSAGES, RESULT, 3.0)
    assert str(timer) == f"3 s after the client's last message other than `{RESULT}`"


def test_the_one_kind_that_does() -> None:
    pulses = [
        pulse(3.0),
        pulse(4.5, (1.5, CALL), (3.4, RESULT), (3.6, "ocpp:MeterValues")),
        pulse(3.6, (0.6, CALL), (2.0, "ocpp:MeterValues"), (2.8, RESULT)),
    ]
    (timer,) = fitting(pulses)
    assert (timer.only, timer.but) == (CALL, "")
    assert str(timer) == f"3 s after the client's last `{CALL}` message"


def test_what_a_clock_of_any_message_explains_needs_none_of_a_kind() -> None:
    pulses = [pulse(3.0), pulse(4.5, (1.5, CALL)), pulse(5.0, (1.0, CALL), (2.0, RESULT))]
    assert all(not timer.only and not timer.but for timer in fitting(pulses))


def test_where_nothing_fits_no_kind_does() -> None:
    assert fitting([pulse(3.0), pulse(4.5, (1.0, CALL), (2.0, RESULT)), pulse(2.2, (0.7, CALL), (1.1, RESULT))]) == []
