"""Timers of the client: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.signs import client_timers
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

PING, PONG, CHAT = {"type": "ping"}, {"type": "pong"}, {"type": "chat"}


def beats(line: Line, pauses: Sequence[float], control: bool = False, what: object = PING) -> Line:
    """Heartbeats of the client that are answered."""
    for pause in pauses:
        if control:
            line.ping("client", pause).pong("server")
        else:
            line.client(what, pause).server(PONG, 0.002)
    return line


def beating(*pauses: float, after: float = 0.5, count: int = 2, control: bool = False, what: object = PING) -> Lay:
    return lambda tape: tape.loop(
        lambda line, n: beats(greet(line), pauses, control, what).close("server", 4000, "", after), count=count
    )


def one_of_three_of_both_levels(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(4):
            beats(beats(line, [1.0]), [0.1], control=True)
        line.close("server", 4000, "", 60.0 if n == 1 else 0.5)

    tape.loop(play, count=3)


def lives(*ages: float, side: str = "client", beat: bool = True, still_open: float = 0.0) -> Lay:
    """Connections of these ages, one after another; the last may be still open."""

    def lay(tape: Tape) -> None:
        at = 0.5
        for age in ages:
            line = tape.open(at).server(CHAT, 0.01)
            line = beats(line, [age / 3, age / 3]) if beat else line
            line.at = at + age
            line.close("client" if side == "client" else "server", 4000)
            at = line.at + 0.5
        if still_open:
            tape.open(at).server(CHAT, 0.01).server(CHAT, still_open)

    return lay


SLOW = (1.0, 1.0, 1.0, 1.0, 1.0, 60.0, 60.0)
SPEAKS: dict[str, Lay] = {
    "client-heartbeats-slowed-down": beating(1.0, 1.0, 1.0, 1.0, after=30.0),
    "once-a-minute": beating(1.0, 1.0, 1.0, 1.0, 60.0),
    "first-stayed-open-longest": lives(20.0, 2.0, 2.5, 2.0),
    "client-sends-heartbeats": lives(20.0, 2.0, 2.5, 2.0),
}
SILENT: dict[str, list[Lay]] = {
    "client-heartbeats-slowed-down": [
        beating(1.0, 1.0, 1.0, 1.0), beating(10.0, 10.0, 10.0, 10.0, after=20.0), beating(1.0, 1.0, after=30.0),
        beating(1.0, 1.0, 1.0, 1.0, after=30.0, what=CHAT), lossy(beating(1.0, 1.0, 1.0, 1.0, after=30.0)),
        one_of_three_of_both_levels,
    ],
    "once-a-minute": [
        beating(1.0, 1.0, 1.0, 1.0, 30.0), beating(60.0, 60.0, 60.0, 60.0), beating(1.0, 1.0, 1.0, 1.0, 120.0),
    ],
    "first-stayed-open-longest": [
        lives(2.0, 2.5, 2.0, 2.2), lives(20.0, 2.0, 15.0, 2.0), lives(20.0, 2.0), lives(0.8, 0.1, 0.1, 0.1),
        lives(20.0, 2.0, 2.5, 2.0, side="server"), lives(20.0, 2.0, 2.5, 2.0, still_open=30.0),
    ],
    "client-sends-heartbeats": [
        lives(20.0, 2.0, 2.5, 2.0, beat=False), lives(20.0, 2.0, 2.5, 2.0, side="server"),
        lambda tape: tape.loop(lambda line, n: line.ping("server", 1.0).pong("client").close("client", 4000, "", 1.0)),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(client_timers, SPEAKS, SILENT)


def test_control_pings_are_heartbeats_too() -> None:
    assert says("client-heartbeats-slowed-down", beating(1.0, 1.0, 1.0, 1.0, 60.0, control=True))


def test_the_pause_is_told() -> None:
    assert "every 1.00 s, paused for 1 min" in says("client-heartbeats-slowed-down", beating(*SLOW[:6]))[0].text
