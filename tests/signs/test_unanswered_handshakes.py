"""Handshakes that nobody answers: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hangup.diagnosis.signs import unanswered_handshakes
from layouts import Tape, greet
from signs_seen import Lay, says, untested


def given_up(waits: Sequence[float] = (2.0, 2.01, 2.0), answer: float = 0.0, refused: int = 0) -> Lay:
    """The client goes before the answer, each time after so many seconds; perhaps one is answered."""

    def lay(tape: Tape) -> None:
        for n, waited in enumerate(waits):
            line = tape.open(10.0 + 5 * n, "/ws", error="the client closed the connection", waited=waited)
            line.at -= 0.0001
            line.end("client")
        for n in range(refused):
            tape.open(40.0 + n, "/ws", status=503, response=[])
        if answer:
            tape.talk(greet(tape.open(30.0, "/ws", waited=answer)), 5.0).end("server", by="proxy")

    return lay


def closed_by_server(tape: Tape) -> None:
    """It is the server that ends it before there is an answer."""
    for n in range(3):
        tape.open(10.0 + 5 * n, "/ws", error="the server closed the connection", waited=2.0)


def unreachable(opened: Sequence[float] = (), lasting: bool = True, error: str = "connection refused") -> Lay:
    """Nobody listens, but when something is opened."""

    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(10.0 + n, "/ws", error=error)
        for at in opened:
            line = greet(tape.open(at, "/ws"))
            if lasting:
                tape.talk(line, 5.0).end("server", by="proxy")
            else:
                line.end("client", after=0.1)

    return lay


SPEAKS: dict[str, Lay] = {
    "gave-up-before-the-answer": given_up(),
    "waited-as-long-each-time": given_up(),
    "answers-take-as-long": given_up(answer=1.5),
    "was-reachable-before": unreachable([1.0]),
    "reachable-later": unreachable([20.0]),
    "reachable-later:for-a-while": unreachable([20.0], lasting=False),
    "never-reached": unreachable(),
}
SILENT: dict[str, list[Lay]] = {
    "gave-up-before-the-answer": [given_up((2.0,)), given_up((0.1, 0.1, 0.1)), closed_by_server, unreachable()],
    "waited-as-long-each-time": [given_up((2.0,)), closed_by_server],
    "answers-take-as-long": [given_up(answer=0.01), given_up(), unreachable([20.0])],
    "was-reachable-before": [unreachable([20.0]), unreachable(), unreachable([1.0], error="the answer is not HTTP")],
    "reachable-later": [unreachable([1.0]), unreachable([1.0, 20.0]), unreachable()],
    "reachable-later:for-a-while": [unreachable([20.0])],
    "never-reached": [unreachable([20.0]), unreachable([1.0]), closed_by_server],
}


@pytest.mark.parametrize("name", SPEAKS)
def test_said(name: str) -> None:
    assert all(sign.strength > 0 for sign in says(name, SPEAKS[name])) and says(name, SPEAKS[name])


@pytest.mark.parametrize(("name", "lay"), [(name, lay) for name, lays in SILENT.items() for lay in lays])
def test_not_said_of_what_looks_alike(name: str, lay: Lay) -> None:
    assert not says(name, lay)


def test_a_client_that_waits_differently() -> None:
    [sign] = says("waited-as-long-each-time", given_up((1.0, 3.0, 2.0)))
    assert sign.strength < 0


def test_every_sign_is_in_both_tables() -> None:
    assert not untested(unanswered_handshakes, SPEAKS, SILENT)
