"""Usual answers and the pace of messages: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from hangup.diagnosis.signs import exchanges
from layouts import Line, Tape
from signs_seen import Lay, lossy, said_and_silent, says

STATUS = {"type": "status", "battery": 94}
ASK, ANSWER, OTHER, NEWS = {"type": "sync", "n": 1}, {"type": "synced", "n": 1}, {"type": "look"}, {"type": "news"}


def asking(
    last: Callable[[Line], Any], by: Literal["client", "server"] = "client", rounds: int = 3, count: int = 3
) -> Lay:
    """Questions with their answers, then something else, and two seconds later one side gives up."""

    def play(line: Line, n: int) -> None:
        for _ in range(rounds + n):
            line.client(ASK, 0.5).server(ANSWER, 0.01)
        last(line)
        line.close(by, 4000, "", 2.0)

    return lambda tape: tape.loop(play, count=count)


def unanswered(line: Line) -> Line:
    return line.client(ASK, 0.5)


def of_the_server(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        for _ in range(3 + n):
            line.server(ASK, 0.5).client(ANSWER, 0.01)
        line.server(ASK, 0.5).end("server", after=2.0)

    tape.loop(play, count=3)


def always_the_same_answer(line: Line) -> Line:
    for _ in range(8):
        line.client(OTHER, 0.2).server(ANSWER, 0.01)
    return unanswered(line)


def impatient(tape: Tape) -> None:
    tape.loop(
        lambda line, n: (
            [line.client(ASK, 0.5).server(ANSWER, 0.01) for _ in range(4)]
            and line.client(ASK, 0.5).end("client", after=0.01)
        )
    )


def unsteady(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        for _ in range(4):
            line.client(ASK, 0.5).server(ANSWER, 0.01)
        line.client(ASK, 0.5).end("client", after=0.3 + 7.0 * n)

    tape.loop(play, count=3)


def paced(*pauses: float, end: float = 0.02, by: Literal["client", "server"] = "server", count: int = 3) -> Lay:
    """Messages of the client with these pauses before them."""

    def play(line: Line, n: int) -> None:
        for number, pause in enumerate(pauses):
            line.client({"type": "move", "x": number}, pause)
        line.end(by, after=end)

    return lambda tape: tape.loop(play, count=count)


def burst(
    last: Any = STATUS, chunk: Any = b"\x01\x02\x03\x04", many: int = 9, odd: int = 0
) -> Lay:
    """Many chunks in quick succession, and something else; of ``odd`` connections it is one more chunk."""

    def play(line: Line, n: int) -> None:
        line.client({"type": "put", "size": many}, 0.5)
        for _ in range(many):
            line.client(chunk, 0.05)
        line.client(chunk if n < odd else last, 0.01).end("server", after=0.004)

    return lambda tape: tape.loop(play, count=4)


SLOWLY, QUICKLY = (1.0,) * 6, (0.02,) * 8

FOUR = (0.2,) * 4

SPEAKS: dict[str, Lay] = {
    "usual-answer-missing": asking(unanswered),
    "steady-after-unanswered-question": asking(unanswered),
    "quick-messages-before-the-end:0.3s": paced(*QUICKLY),
    "quick-messages-before-the-end:1s": paced(*SLOWLY, *QUICKLY),
    "faster-than-ever-at-the-end": paced(*SLOWLY, *QUICKLY),
    "last-message-unlike-the-burst": burst(odd=1),
}

SILENT: dict[str, list[Lay]] = {
    "usual-answer-missing": [
        asking(lambda line: unanswered(line).server(ANSWER, 0.01)),
        asking(lambda line: unanswered(line).client(OTHER, 0.1).server(ANSWER, 0.3)),
        asking(lambda line: unanswered(line).server(NEWS, 0.01)),
        asking(unanswered, "server"), asking(unanswered, rounds=0, count=2), asking(always_the_same_answer),
        lossy(asking(unanswered)), impatient, asking(lambda line: line.client(OTHER, 0.5)),
        asking(lambda line: line.client('{"type":', 0.5, length=90_000)),
    ],
    "steady-after-unanswered-question": [
        asking(unanswered, count=1), asking(lambda line: unanswered(line).server(ANSWER, 0.01)), impatient,
    ],
    "quick-messages-before-the-end": [
        paced(*SLOWLY), paced(*FOUR), paced(*QUICKLY, end=2.0), paced(*QUICKLY, by="client"), paced(*QUICKLY, *SLOWLY),
        paced(*QUICKLY, count=1),
    ],
    "faster-than-ever-at-the-end": [
        paced(*SLOWLY), paced(*QUICKLY, *SLOWLY, *QUICKLY), paced(*SLOWLY, *QUICKLY, end=2.0),
        paced(*SLOWLY, *QUICKLY, by="client"), paced(*SLOWLY, *QUICKLY, count=1), paced(*QUICKLY * 2),
        paced(*SLOWLY, 0.9, 0.9),
    ],
    "last-message-unlike-the-burst": [
        paced(*QUICKLY), burst(odd=2), burst(many=3), burst(b"\x05\x06\x07\x08"), burst(chunk=STATUS),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(exchanges, SPEAKS, SILENT)


def test_the_server_may_be_the_one_that_asks() -> None:
    (sign,) = says("usual-answer-missing", of_the_server)
    assert sign.text.startswith('the client usually answers {type: "sync", n} with {type: "synced", n}')
    assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.frame) == ("time", 7)


def test_ends_at_other_times_after_a_question_are_not_steady() -> None:
    (sign,) = says("steady-after-unanswered-question", unsteady)
    assert sign.strength < 0
