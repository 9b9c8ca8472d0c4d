"""When either side spoke in a trial, of every way to end: a clock that is set by it is read from that."""

from __future__ import annotations

import asyncio

import pytest

from conversing import Talk
from hangup.experiment.failure import NO_CODE, Failure
from hangup.experiment.timers import Clock, Pulse, fitting
from hangup.replay.event_sink import MemorySink
from hangup.trials.message_times import MessageTimesSink


def pulse_of(messages: int, code: int | None, failure: Failure) -> Pulse | None:
    """That of a connection which the server closes after so many messages; ``code`` None is a frame without one."""
    talk = Talk()
    talk.open(1)
    for n in range(messages):
        talk.wait(200_000)
        talk.say(1, "client", "text", b"%d" % n)
    talk.wait(2_000)
    talk.close(1, "server", code)

    async def main() -> Pulse | None:
        sink = MemorySink(keep=1000)
        times = MessageTimesSink(sink)
        for event in talk.events:
            times.emit(event)
        return times.pulse(sink.ledger.connections[1], failure)

    return asyncio.run(main())


@pytest.mark.parametrize(("code", "known"), [(1008, 1008), (None, NO_CODE)])
def test_a_close_frame_without_a_code_ends_it_like_one_with(code: int | None, known: int) -> None:
    failure = Failure(by="server", how="close", code=known)
    pulses = [pulse_of(6, code, failure) for _ in range(2)]
    assert all(pulse is not None and pulse.ended and len(pulse.client) == 6 for pulse in pulses)
    timers = fitting([pulse for pulse in pulses if pulse is not None])
    assert any(timer.clock is Clock.COUNT for timer in timers), timers


@pytest.mark.parametrize(("code", "other"), [(1008, NO_CODE), (None, 1008), (1011, 1008)])
def test_what_ended_with_another_code_is_another_end(code: int | None, other: int) -> None:
    assert pulse_of(6, code, Failure(by="server", how="close", code=other)) is None
