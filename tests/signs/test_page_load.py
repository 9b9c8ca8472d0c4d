"""Connections that are given up at the load of a page: each sign where it is said, and what looks like it."""

from __future__ import annotations

from hangup.diagnosis.signs import page_load
from hangup.recording.events import Side
from layouts import Tape, greet
from signs_seen import Lay, said_and_silent, says


def loads(
    count: int = 1,
    brief: float = 0.02,
    pause: float = 0.02,
    stays: float = 5.0,
    side: Side = "client",
    code: int = 4000,
) -> Lay:
    """So many times a page opens one, gives it up, and opens another that stays for so long."""

    def lay(tape: Tape) -> None:
        at = 0.5
        for _ in range(count):
            line = tape.open(at).wait(brief).close(side, code)
            line = greet(tape.open(line.at + pause)).wait(stays).close("client", 1001)
            at = line.at + 1.0

    return lay


def never_opened(tape: Tape) -> None:
    """The first is given up before it is open."""
    tape.open(0.5, error="the client gave up").end("client")
    greet(tape.open(0.53)).wait(5.0).close("client", 1001)


def given_up_for_good(tape: Tape) -> None:
    tape.open(0.5).wait(0.02).close("client", 4000)


def refused_next(tape: Tape) -> None:
    tape.open(0.5).wait(0.02).close("client", 4000)
    tape.open(0.6, status=503)


def again_and_again(tape: Tape) -> None:
    """None of them stays."""
    tape.loop(lambda line, n: line.wait(0.05).close("client", 4000), count=6)


def seen_for_a_moment(tape: Tape) -> None:
    """The recording ends soon after the second was opened."""
    tape.open(0.5).wait(0.02).close("client", 4000)
    tape.open(0.6).client("x", 0.1)


def one_of_many(tape: Tape) -> None:
    """Some are given up for one that stays, and many end later."""
    loads(1)(tape)
    tape.rng.seed(1)
    for n in range(5):
        greet(tape.open(10.0 + 4 * n)).wait(3.0).close("client", 4000)


SPEAKS: dict[str, Lay] = {
    "gave-up-the-first": loads(),
    "the-next-one-stayed": loads(),
    "given-up-for-one-that-stayed": loads(4),
}
SILENT: dict[str, list[Lay]] = {
    "gave-up-the-first": [
        loads(4), loads(brief=2.0), loads(side="server"), given_up_for_good, refused_next, again_and_again,
    ],
    "the-next-one-stayed": [loads(stays=0.05), loads(side="server"), seen_for_a_moment, refused_next, again_and_again],
    "given-up-for-one-that-stayed": [
        loads(4, stays=0.1), loads(4, side="server"), loads(4, pause=0.9), loads(4, brief=2.0), loads(1),
        again_and_again,
        one_of_many,
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(page_load, SPEAKS, SILENT)


def test_the_more_loads_the_stronger() -> None:
    weak, strong = (says("given-up-for-one-that-stayed", loads(n))[0].strength for n in (2, 6))
    assert weak < strong
