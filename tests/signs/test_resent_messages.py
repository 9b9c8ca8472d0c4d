"""Messages that are sent again after an end: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hangup.diagnosis.signs import resent_messages
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says

SAVE = {"type": "save", "text": "a long text"}
CHAT = {"type": "chat"}


def began(again: Callable[[int], Any], greeting: bool = True, first: Any = SAVE, end: str = "server") -> Lay:
    """A conversation that ends after a message, and later connections that begin with another and end."""

    def play(line: Line, n: int) -> None:
        if greeting:
            greet(line)
        if n == 0:
            line.tape.talk(line, 3.0).client(first, 0.1).end(end, after=0.01)  # type: ignore[arg-type]
        else:
            line.client(again(n), 0.02).end(end, after=0.01)  # type: ignore[arg-type]

    return lambda tape: tape.loop(play, count=4)


def with_id(number: int, mark: str) -> dict[str, Any]:
    return {"type": "save", "seq": number, "id": mark}


def only_greeted(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client({"type": "hello", "client": "web-12345678"}, 0.01).end("server", after=0.01))


def sent_later(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        tape.talk(greet(line), 3.0).client(SAVE, 0.1).end("server", after=0.01)

    tape.loop(play)


def as_often_as_ever(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        for _ in range(4 if n == 0 else 1):
            line.client({"type": "noop"}, 0.5)
        line.end("server", after=0.3)

    tape.loop(play, count=3)


def of_one_user(n: int) -> dict[str, Any]:
    return {"type": "chat", "user": "u-48102934", "text": f"text {n}"}


def one_user(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client({"type": "hello", "user": "u-48102934"}, 0.01)
        for number in range(3 if n == 0 else 1):
            line.client({"type": "seen", "user": "u-48102934", "upto": number}, 0.1)
        line.client(of_one_user(n), 0.1).end("server", after=0.01)

    tape.loop(play, count=3)


def another_client(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.5)), 3.0).client(SAVE, 0.1).end("server", after=0.01)
    greet(tape.open(1.0)).client(SAVE, 0.02).end("server", after=5.0)


SPEAKS: dict[str, Lay] = {"sent-again-after-reconnecting": began(lambda n: SAVE)}

SILENT: dict[str, list[Lay]] = {
    "sent-again-after-reconnecting": [
        began(lambda n: {"type": "save", "text": f"another text {n}"}),
        began(lambda n: with_id(n, f"0a1b2c3d{n}"), first=with_id(0, "0a1b2c3d0")),
        only_greeted,
        sent_later,
        as_often_as_ever,
        one_user,
        another_client,
        began(lambda n: CHAT),
    ]
}


test_said, test_silent, test_complete = said_and_silent(resent_messages, SPEAKS, SILENT)


@pytest.mark.parametrize(
    "lay",
    [
        began(lambda n: with_id(n, "0a1b2c3d"), first=with_id(0, "0a1b2c3d")),
        began(lambda n: SAVE, greeting=False),
        began(lambda n: SAVE, end="client"),
    ],
)
def test_also_with_the_same_id_without_a_greeting_and_whoever_ends_it(lay: Lay) -> None:
    (sign,) = says("sent-again-after-reconnecting", lay)
    assert sign.strength == 3.0
