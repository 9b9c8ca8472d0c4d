"""Ends on which nothing that the client does has any effect: at one age, or all connections at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request

from bisecting import bisected
from conversing import Talk
from hangup.experiment.arms import Arms
from hangup.experiment.evidence import Outcome
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Result, Trial
from hangup.experiment.unconditional import _varied
from hangup.trials.company import Company
from harness import unhurried
from simulated import case
from test_rate import UPGRADED

EVERY, DOWN = 1.1, 0.25
"""Seconds."""

Handler = Callable[[ServerConnection], Awaitable[None]]


async def at_one_age(connection: ServerConnection) -> None:
    """Each connection is over when it is so old."""
    await asyncio.sleep(EVERY)
    connection.transport.close()


def phase() -> float:
    """How long ago the last moment was at which all connections ended, in seconds."""
    return asyncio.get_running_loop().time() % (EVERY + DOWN)


async def at_one_moment(connection: ServerConnection) -> None:
    """All connections are over again and again."""
    await asyncio.sleep(EVERY + DOWN - phase())
    connection.transport.close()


async def started_anew(connection: ServerConnection, request: Request) -> None:
    """And nobody is let in for a while, as by a server that starts anew: who waits for it is as old each time."""
    if phase() < DOWN:
        await asyncio.sleep(DOWN - phase())


def recorded(*ages: float) -> Talk:
    """Connections that ended at these ages, seconds: the last one as it does against the server."""
    talk = Talk()
    for conn, age in enumerate((*ages, EVERY), 1):
        talk.open(conn, headers=UPGRADED)
        for n in range(3):
            talk.wait(300_000)
            talk.say(conn, "client", "text", b'{"type":"tick","n":%d}' % n)
            talk.say(conn, "server", "text", b'{"type":"tock"}')
        talk.wait(int(1e6 * age) - 900_000)
        talk.end(conn, "server", "fin")
        talk.wait(1000)
    return talk


@pytest.mark.experiment
@pytest.mark.real
@pytest.mark.slow
def test_an_age_is_told_from_a_moment() -> None:
    async def against(handler: Handler, *ages: float, **more: Any) -> Verdict:
        async with serve(handler, "127.0.0.1", 0, **more) as server:
            return await bisected(recorded(*ages), next(iter(server.sockets)).getsockname()[1])

    async def main() -> list[Verdict]:
        return await asyncio.gather(
            against(at_one_age, EVERY),
            against(at_one_moment, EVERY, process_request=started_anew),
            against(at_one_age, 1.9, 1.5),
        )

    age, moment, own = unhurried.run(main())
    # Others that ended so were older: here it is as old each time, and yet it is not its age.
    assert own.law is not None and "1.1 to 1.9 s after opening" in own.law.sentence, own.law
    assert age.proved and age.law is not None and age.law.holds, (age.law, age.standing)
    assert "has been open for 1.1 s" in age.law.sentence and age.law.right == age.law.predicted == 8
    law = moment.law
    assert not moment.proved
    assert law is None or not law.holds or "has been open for" not in law.sentence, law


def test_the_exchanges_of_an_age_begin_at_times_of_their_own() -> None:
    """Side by side, too: what ends them all at one moment would else seem to be their age."""
    make = _varied(Arms(case('{"type":"tick"}', lifetime=2.0), False, Verdict()), 2.0)
    trials = [make(Random(seed)) for seed in range(8)]
    assert len({trial.rest for trial in trials}) > 4 and max(trial.rest for trial in trials) <= 1.0
    company = Company(8)
    company.learn([Trial("control")], [Result(Outcome.FAILED, 2.0)])
    company.learn([Trial("control")] * 2, [Result(Outcome.FAILED, 2.0)] * 2)
    first, *others = trials
    assert company.plan(replace(first, beside=tuple(others)))[1:] == others
