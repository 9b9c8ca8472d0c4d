"""Greetings of connections that stayed open: where the sign is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import greetings
from hangup.recording.events import Side
from layouts import HELLO, WELCOME, Tape
from signs_seen import Lay, said_and_silent, says

MOVE, WORD = {"type": "move", "x": 1}, {"type": "chat", "text": "a"}


def greeted(
    *, first: object = HELLO, also: object = HELLO, stays: float = 20.0, these: object = MOVE, side: Side = "server"
) -> Lay:
    """Two connections that begin with ``first`` and ``also`` and stay open, then three that begin with ``these``."""

    def lay(tape: Tape) -> None:
        for n, hello in enumerate((first, also)):
            tape.talk(tape.open(0.5 + n).client(hello, 0.03).server(WELCOME, 0.01), stays).end("server", by="proxy")
        for n in range(3):
            tape.open(30.0 + n).client(these, 0.1).close(side, 4000, "", 0.3)

    return lay


def alone(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(MOVE, 0.1).close("server", 4000, "", 0.3), count=3)


def mute(tape: Tape) -> None:
    tape.talk(tape.open(0.5).client(HELLO, 0.03).server(WELCOME, 0.01), 20.0).end("server", by="proxy")
    for n in range(3):
        tape.open(30.0 + n).close("server", 4000, "", 0.3)


def elsewhere(tape: Tape) -> None:
    tape.talk(tape.open(0.5, "/feed").client(HELLO, 0.03), 20.0).end("server", by="proxy")
    alone(tape)


SPEAKS: dict[str, Lay] = {"those-with-a-hello-stayed-open": greeted()}
SILENT: dict[str, list[Lay]] = {
    "those-with-a-hello-stayed-open": [
        greeted(these=HELLO),
        greeted(stays=0.3),  # no longer than these
        greeted(first=MOVE, also=MOVE, these=WORD),  # what it began with is no greeting
        greeted(also=WORD),  # one stayed open without it
        greeted(side="client"),
        alone,
        mute,
        elsewhere,
    ]
}


test_said, test_silent, test_complete = said_and_silent(greetings, SPEAKS, SILENT)


def test_it_says_what_they_began_with() -> None:
    (sign,) = says("those-with-a-hello-stayed-open", greeted())
    assert sign.text.startswith('2 connections that started with {type: "join"') and "move" in sign.text


def test_a_greeting_may_be_called_anything() -> None:
    """It was said once, at first, and after it what these began with did no harm."""

    def lay(tape: Tape, hellos: int = 1, then: object = MOVE) -> None:
        line = tape.open(0.5).client({"op": 2, "token": "a"}, 0.03).server({"op": 0}, 0.01)
        for _ in range(hellos - 1):
            line.client({"op": 2, "token": "a"}, 1.0)
        tape.talk(line.client(then, 0.5), 20.0).end("server", by="proxy")
        for n in range(3):
            tape.open(30.0 + n).client(MOVE, 0.1).close("server", 4003, "", 0.3)

    assert says("those-with-a-hello-stayed-open", lay)
    assert not says("those-with-a-hello-stayed-open", lambda tape: lay(tape, hellos=2))
    assert not says("those-with-a-hello-stayed-open", lambda tape: lay(tape, then=WORD))
