"""How old connections got: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.signs import ages
from hangup.recording.events import Side
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, seen


def lasting(ages: Sequence[float], side: Side = "server", mute: bool = False) -> Lay:
    """Connections that end at these ages."""

    def play(line: Line, n: int) -> None:
        opened = line.at
        if not mute:
            greet(line)
        line.at = opened + ages[n]
        line.end(side)

    return lambda tape: tape.loop(play, count=len(ages))


def beside(lay: Lay, seconds: float, path: str = "/ws/1", spoken: bool = True) -> Lay:
    """Others that stayed open for so long."""

    def lay_both(tape: Tape) -> None:
        for _ in range(2):
            line = tape.open(0.1, path)
            if spoken:
                tape.talk(greet(line), seconds)
            else:
                line.server({"type": "news"}, seconds)
            line.close("client", 1000)
        lay(tape)

    return lay_both


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + 30 * n, status=504, waited=30.0)


def healthy(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.5)), 30.0).close("client", 1001)


def spoke_at_last(tape: Tape) -> None:
    """The client spoke on all of them."""
    tape.loop(lambda line, n: line.client({"type": "hello"}, 2.0).end("server", after=1.0), count=3)


STEADY, LOOSE = [15.0, 15.01, 15.02], [9.0, 15.0, 28.0]

SPEAKS: dict[str, Lay] = {
    "steady-age": lasting(STEADY),
    "too-young-for-a-limit": lasting([0.5, 0.6, 0.7]),
    "a-usual-default:15": lasting(STEADY),
    "a-usual-default:30": lasting([30.0, 30.1, 30.2]),
    "a-usual-default:60": lasting([60.0, 60.1]),
    "others-got-older": beside(lasting(STEADY), 40.0),
    "those-who-spoke-stayed-open": beside(lasting(STEADY, mute=True), 40.0),
}

SILENT: dict[str, list[Lay]] = {
    "steady-age": [refused, healthy],
    "too-young-for-a-limit": [lasting([1.2, 0.9, 1.1]), lasting([0.01, 0.02, 0.01]), lasting([0.5] * 3, "client")],
    "a-usual-default": [
        lasting(LOOSE), lasting([2.0, 30.0, 61.0]), lasting([31.0, 31.1]), lasting([29.0, 30.0, 31.5]),
        lasting([30.0] * 3, "client"), refused, healthy,
    ],
    "others-got-older": [
        lasting(STEADY), beside(lasting(STEADY), 14.0), beside(lasting(STEADY), 40.0, "/other"),
        beside(lasting(LOOSE), 15.0), beside(lasting(STEADY, "client"), 40.0),
    ],
    "those-who-spoke-stayed-open": [
        beside(lasting(STEADY), 40.0), beside(lasting(STEADY, mute=True), 40.0, spoken=False),
        beside(lasting(STEADY, mute=True), 14.0), beside(lasting(STEADY, mute=True), 40.0, "/other"),
        lasting(STEADY, mute=True), beside(spoke_at_last, 40.0), lossy(beside(lasting(STEADY, mute=True), 40.0)),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(ages, SPEAKS, SILENT)


def test_the_age_is_measured() -> None:
    strengths = [seen(lasting(each))["steady-age"].strength for each in (STEADY, LOOSE, STEADY[:1], [1.0, 9.0, 80.0])]
    assert strengths[0] > 3 > 1 > strengths[1] > strengths[3] and strengths[2] == 0.0


def test_the_age_is_worded_as_it_is() -> None:
    assert seen(lasting(STEADY[:1]))["steady-age"].text == "the connection lasted 15.0 s"
    assert seen(lasting(LOOSE))["steady-age"].text == "the connections lasted 15.0 s (spread 19.0 s)"
