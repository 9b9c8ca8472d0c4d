"""Which clock ends a connection: on made-up traffic, and against planted backends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from conversing import Talk
from hangup.experiment.arms import Arms, Search
from hangup.experiment.clocks import find_timers
from hangup.experiment.failure import Failure
from hangup.experiment.timers import PROMPT, Clock, Moments, Pulse, Timer, fitting, tolerance
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Verdict
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import ReplayRunner
from hangup.wire.url import parse_target
from replaying import transcript_of
from simulated import frame

IDLE = {
    Clock.CLIENT_MESSAGES: (("client",), True),
    Clock.CLIENT: (("client",), False),
    Clock.SERVER_MESSAGES: (("server",), True),
    Clock.SERVER: (("server",), False),
    Clock.EITHER: (("client", "server"), False),
}


def lived(clock: Clock, at: float, client: Moments, server: Moments, most: float) -> Pulse:
    """What becomes of this traffic where such a clock runs."""
    end = most
    if clock is Clock.AGE:
        end = min(end, at)
    elif clock is Clock.COUNT:
        said = sorted(when for when, message in client if message)
        if len(said) >= at:
            end = min(end, said[int(at) - 1] + PROMPT / 4)
    else:
        sides, messages_only = IDLE[clock]
        spoken = [*(client if "client" in sides else ()), *(server if "server" in sides else ())]
        before = 0.0
        for when in sorted(when for when, message in spoken if message or not messages_only):
            if when >= before + at:
                break
            before = when
        end = min(end, before + at)
    cut = [tuple((when, message) for when, message in side if when < end) for side in (client, server)]
    return Pulse(end, end < most, *cut)


_moments = st.lists(st.tuples(st.integers(1, 200).map(lambda n: n / 10), st.booleans()), max_size=8).map(tuple)


@given(st.sampled_from(Clock), st.integers(1, 5), st.lists(st.tuples(_moments, _moments), min_size=1, max_size=4))
def test_the_clock_that_runs_is_never_ruled_out(clock: Clock, at: int, traffic: list[tuple[Moments, Moments]]) -> None:
    pulses = [lived(clock, float(at), client, server, 30.0) for client, server in traffic]
    if clock is Clock.SERVER_MESSAGES and not any(message for p in pulses for _, message in p.server):
        return
    if not any(pulse.ended for pulse in pulses):
        assert fitting(pulses) == []
        return
    found = {timer.clock: timer.at for timer in fitting(pulses)}
    assert clock in found
    if clock is not Clock.COUNT:  # of messages that come all at once, any may have been the one
        assert abs(found[clock] - at) <= tolerance(at)


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("seed", range(3))
def test_traffic_that_varies_leaves_one_clock(clock: Clock, seed: int) -> None:
    random = Random(seed)

    def moments() -> Moments:
        until = random.uniform(0, 12)
        return tuple((random.uniform(0, until), random.random() < 0.5) for _ in range(random.randrange(30)))

    pulses = [lived(clock, 3.0, moments(), moments(), 40.0) for _ in range(40)]
    assert [timer.clock for timer in fitting(pulses)] == [clock]


def test_in_words() -> None:
    assert str(Timer(Clock.COUNT, 1.0)) == "after 1 message from the client"
    assert str(Timer(Clock.AGE, 59.8)) == "60 s after it was opened, whatever is sent"
    assert Timer(Clock.EITHER, 1.5).summary() == {
        "clock": "either",
        "at": 1.5,
        "says": "the connection drops 1.5 s after the last frame of either side",
    }


def test_a_clock_may_run_only_from_the_first_message_on() -> None:
    """A session begins with a message: before it, nobody waits for anything."""
    spoke = tuple((n / 2, True) for n in range(1, 5))
    pulses = [Pulse(4.0, True, spoke), Pulse(2.5, True, spoke[:1]), Pulse(9.0, False), Pulse(9.0, False, (), spoke)]
    (client, *others) = fitting([*pulses, Pulse(3.0, True, ((0.5, True), (1.0, False)), ((2.0, True),))])
    assert (client.clock, client.at, client.started, others) == (Clock.CLIENT, 2.0, True, [])
    assert str(client) == "2 s after the client's last frame, of any kind, once the client has said something"
    assert not fitting([*pulses, Pulse(3.0, True)])  # it ends without a message, too: then something else does it
    assert not fitting([*pulses, Pulse(9.0, False, spoke[:2])])
    assert {timer.started for timer in fitting(pulses[:2])} == {False}


# Against planted backends.

T = 0.45


async def aged(socket: Any) -> None:
    """Takes anything, and closes when it is old enough."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(T):
            async for message in socket:
                await socket.send(message)


async def impatient(socket: Any) -> None:
    """Waits for so long for a message, and says something now and then itself."""

    async def news() -> None:
        while True:
            await asyncio.sleep(T / 4)
            await socket.send("news")

    task = asyncio.create_task(news())
    try:
        with contextlib.suppress(TimeoutError):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), T)
    finally:
        task.cancel()


async def counting(socket: Any) -> None:
    """Serves five messages."""
    with contextlib.suppress(ConnectionClosed):
        for _ in range(5):
            await socket.send(await socket.recv())


async def talking(socket: Any) -> None:
    """Is sound; but it is the only one to speak for a while, so that idleness of both is not that from the client."""
    for _ in range(3):
        await asyncio.sleep(T / 3)
        await socket.send("news")
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass


@contextlib.asynccontextmanager
async def serving(handler: Callable[[Any], Any], idle: float | None) -> Any:
    """A server; with ``idle`` behind a relay that cuts what was idle in both directions."""
    async with websockets.serve(handler, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as server:
        port = server.sockets[0].getsockname()[1]
        if idle is None:
            yield port
            return

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            loop = asyncio.get_running_loop()
            last = loop.time()

            async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                nonlocal last
                while data := await source.read(65536):
                    last = loop.time()
                    sink.write(data)

            ways = [asyncio.create_task(pass_on(reader, far_writer)), asyncio.create_task(pass_on(far_reader, writer))]
            while loop.time() < last + idle and not any(way.done() for way in ways):
                await asyncio.wait(ways, timeout=last + idle - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            writer.close()
            far_writer.close()

        async with await asyncio.start_server(relay, "127.0.0.1", 0) as front:
            yield front.sockets[0].getsockname()[1]


PLANTED: dict[Clock, tuple[Callable[[Any], Any], float | None]] = {
    Clock.AGE: (aged, None),
    Clock.CLIENT_MESSAGES: (impatient, None),
    Clock.COUNT: (counting, None),
    Clock.EITHER: (talking, T),
}


def looking(case: Case, verdict: Verdict) -> Search[Verdict]:
    """Two trials as recorded, as a search would have made them, and then the clocks."""
    arms = Arms(case, False, verdict)
    for _ in range(2):
        yield from arms.attempt(Trial("control"), arms.control)
    yield from find_timers(arms)
    return verdict


async def found(handler: Callable[[Any], Any], idle: float | None) -> tuple[list[Timer], ReplayRunner]:
    """Which clocks are found where this one is planted. The recorded client says something every now and then."""
    talk = Talk()
    talk.open(1, headers=[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")])
    times = [0.04, 0.22, 0.34, 0.6, 0.71, 0.98]
    for at in times:
        talk.wait(round((at - talk.at) * 1e6))
        talk.say(1, "client", "text", b'{"type":"chat"}')
    talk.wait(450_000)
    talk.end(1, "server", "fin")
    lifetime = talk.at
    case = Case([frame(2 * i + 1, '{"type":"chat"}', at) for i, at in enumerate(times)], lifetime, 0.45, by="server")
    async with serving(handler, idle) as port:
        failure = Failure("server", within=6 * T)
        target = parse_target(f"ws://127.0.0.1:{port}")
        runner = ReplayRunner(transcript_of(talk), target, failure, case, MemorySink(), parallel=1)
        verdict = await runner.run(looking(case, Verdict()))
    return verdict.timers, runner


def test_planted_clocks_are_found_in_few_connections() -> None:
    async def main() -> list[tuple[list[Timer], ReplayRunner]]:
        return await asyncio.gather(*(found(*planted) for planted in PLANTED.values()))

    for clock, (timers, runner) in zip(PLANTED, asyncio.run(main()), strict=True):
        assert [timer.clock for timer in timers] == [clock], [trial.arm for trial, _ in runner.trials]
        assert abs(timers[0].at - (5 if clock is Clock.COUNT else T)) <= tolerance(T)
        assert runner.connections <= 6
