"""How long nothing had been sent before the ends: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hangup.diagnosis.signs import idle_times
from hangup.recording.events import Side
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says, seen

NEWS, CHAT = {"type": "news"}, {"type": "chat"}


def idle(silences: Sequence[float], talk: float = 1.0, side: Side = "server") -> Lay:
    """A conversation, each time ``talk`` longer, and then nothing for so long."""

    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), talk * (n + 1))
        line.client(CHAT).server(NEWS)
        line.at += silences[n]
        line.end(side)

    return lambda tape: tape.loop(play, count=len(silences))


def aged(ages: Sequence[float]) -> Lay:
    """Ends at these ages, with traffic until the end."""

    def play(line: Line, n: int) -> None:
        until = line.at + ages[n]
        line.tape.talk(greet(line), ages[n] - 0.4)
        line.at = until - 0.1 - 0.04 * n
        line.client(CHAT)
        line.at = until
        line.end("server")

    return lambda tape: tape.loop(play, count=len(ages))


def one_sided(silent: Side, opcode: str = "text", silence: float = 4.0) -> Lay:
    """One side sends nothing for so long; the other goes on at its own pace. The silent one's last is of ``opcode``."""
    other: Side = "client" if silent == "server" else "server"

    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 2 * n)
        if opcode == "pong":
            line.ping(other).pong(silent)
        else:
            line.say(silent, CHAT)
        last = line.at
        for part in (0.3, 0.2 + 0.15 * n):
            line.say(other, NEWS)
            line.at = last + silence * part
        line.say(other, NEWS)
        line.at = last + silence
        line.end("server")

    return lambda tape: tape.loop(play, count=4)


def pinging(silence: float = 3.6, opcode: str = "ping", side: Side = "server", wide: float = 0.02) -> Lay:
    """The client says something, and then only pings at a pace of its own until, so long after that, it ends."""

    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 2 * n)
        last = line.client(CHAT).at
        for number in range(3):
            line.ping("client", 0.7 + 0.1 * n, opcode).server(NEWS, 0.1 + 0.05 * number)
        line.at = last + silence + wide * n
        line.end(side)

    return lambda tape: tape.loop(play, count=4)


def mute(tape: Tape) -> None:
    """Nobody ever says anything."""
    tape.loop(lambda line, n: line.wait(10.0 + n).end("server"), count=3)


def two_mute_ones(tape: Tape) -> None:
    """One with a conversation, and two on which nobody says anything until they end."""

    def play(line: Line, n: int) -> None:
        if n == 0:
            line.tape.talk(greet(line), 30.0, 5.0).client(CHAT)
        line.wait(1.0).end("server")

    tape.loop(play, count=3)


def fragments(tape: Tape) -> None:
    """A message of the client in many fragments, which is not complete when it ends."""

    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 2 * n)
        line.client("a", 0.2, fin=False)
        for _ in range(50):
            line.client("b", 0.1, opcode="continuation", fin=False)
        line.end("server", after=0.05)

    tape.loop(play, count=3)


def pongs_then_fragments(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 2 * n)
        line.ping("server").pong("client").client("a", 0.1, fin=False)
        for after in (1.0, 0.3 + 0.3 * n, 0.5 + 0.2 * n):
            line.server(NEWS, after)
        line.at += 4.0 - 1.8 - 0.5 * n
        line.end("server")

    tape.loop(play, count=4)


SIXTY, FOUR = [60.0, 60.05, 60.1], [4.0, 4.01, 4.02]
LOOSE = [5.0, 60.0, 200.0]

SPEAKS: dict[str, Lay] = {
    "steady-silence": idle(FOUR),
    "only-one-side-silent": one_sided("client"),
    "steady-silence-but-for-pings": pinging(),
    "only-messages-count": pinging(opcode="pong"),
    "last-frame-a-pong": one_sided("client", "pong"),
    "silence-steadier-than-age": idle(FOUR),
    "age-steadier-than-silence": aged([15.0, 15.0, 15.0]),
    "too-short-a-silence-for-a-limit": idle([0.5, 0.51, 0.52]),
    "silence-of-a-usual-default": idle(SIXTY),
    "longer-silence-than-usual": idle(FOUR),
    "traffic-until-the-end": aged([15.0, 15.0, 15.0]),
}

SILENT: dict[str, list[Lay]] = {
    "steady-silence": [
        idle([0.1, 0.1, 0.1]), idle(FOUR, side="client"), lossy(idle(FOUR)), fragments, aged([15.0] * 2),
    ],
    "only-one-side-silent": [idle(FOUR), mute, lossy(one_sided("client")), idle(FOUR, side="client")],
    "steady-silence-but-for-pings": [
        idle(FOUR), one_sided("client"), one_sided("client", "pong"), pinging(side="client"), pinging(wide=2.0),
        lossy(pinging()),
    ],
    "only-messages-count": [
        idle(FOUR), one_sided("client"), one_sided("client", "pong"), pinging(side="client"), pinging(wide=2.0),
    ],
    "last-frame-a-pong": [
        one_sided("client"), one_sided("server", "pong"), pongs_then_fragments, idle(FOUR),
        lossy(one_sided("client", "pong")),
    ],
    "silence-steadier-than-age": [
        idle(FOUR, 0.0), aged([15.0] * 3), idle([4.0]), lossy(idle(FOUR)), idle(FOUR, side="client"), mute,
    ],
    "age-steadier-than-silence": [idle(FOUR), aged([15.0]), aged([5.0, 15.0, 30.0]), lossy(aged([15.0] * 3)), mute],
    "too-short-a-silence-for-a-limit": [idle(FOUR), idle([0.1, 0.1, 0.1]), idle([0.5] * 3, side="client")],
    "silence-of-a-usual-default": [
        idle(LOOSE), idle([62.0, 62.1, 62.2]), idle(SIXTY, side="client"), lossy(idle(SIXTY)),
        aged([60.0, 60.0, 60.0]),
    ],
    "longer-silence-than-usual": [
        aged([15.0] * 3), mute, lossy(idle(FOUR)), fragments, idle([0.2] * 3), idle(FOUR, side="client"),
    ],
    "traffic-until-the-end": [idle(FOUR), mute, two_mute_ones, lossy(aged([15.0] * 3))],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(idle_times, SPEAKS, SILENT)


@pytest.mark.parametrize("name", ["silence-of-a-usual-default", "longer-silence-than-usual"])
def test_pings_that_are_not_told_may_have_been_sent_in_a_silence(name: str) -> None:
    assert says(name, SPEAKS[name]) and not says(name, SPEAKS[name], ["pings"])
    (sign,) = says("steady-silence", SPEAKS[name], ["pings"])
    assert "without a message of either side" in sign.text


@pytest.mark.parametrize("name", SPEAKS)
def test_nothing_is_said_where_the_times_are_not_told(name: str) -> None:
    assert not says(name, SPEAKS[name], ["times"])


def test_the_side_whose_silence_is_steady_is_named() -> None:
    for side in ("client", "server"):
        found = seen(one_sided(side))  # type: ignore[arg-type]
        assert f"without a frame of the {side} before" in found["steady-silence"].text
    assert "without a frame of either side before" in seen(idle(FOUR))["steady-silence"].text


def test_silences_that_differ_say_the_contrary() -> None:
    assert seen(idle(FOUR))["steady-silence"].strength > 3 > 0 > seen(idle(LOOSE))["steady-silence"].strength
