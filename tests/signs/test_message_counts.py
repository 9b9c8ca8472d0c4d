"""After how many messages the server ends it: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hangup.diagnosis.signs import message_counts
from layouts import Line, Tape
from signs_seen import Lay, lossy, said_and_silent, says

KINDS = ("message", "vote", "typing", "edit", "move", "leave", "rename")


def counted(*counts: int, closed: tuple[int, str] | None = None, after: float = 0.004) -> Lay:
    """Connections of so many messages from the client each, at the last of which the server ends it."""

    def play(line: Line, n: int) -> None:
        for number in range(counts[n]):
            line.client({"type": KINDS[(n + number) % len(KINDS)]}, 0.5 + 0.3 * n)
        if closed is None:
            line.end("server", after=after * (n + 1))
        else:
            line.close("server", *closed, after=after)  # type: ignore[misc]

    return lambda tape: tape.loop(play, count=len(counts))


def and_one_that_stays_open(lay: Lay, messages: int) -> Lay:
    def both(tape: Tape) -> None:
        lay(tape)
        line = tape.open(0.6)
        for _ in range(messages):
            line.client({"type": "message"}, 0.7)

    return both


def by_client(counts: Sequence[int]) -> Lay:
    def play(line: Line, n: int) -> None:
        for _ in range(counts[n]):
            line.client({"type": "message"}, 0.5 + 0.3 * n)
        line.close("client", 4000, "", 0.004)

    return lambda tape: tape.loop(play, count=len(counts))


SPEAKS: dict[str, Lay] = {
    "after-the-first-message": counted(1, 1, 1),
    "after-a-fixed-number": counted(3, 3, 3),
    "after-a-large-number": counted(7, 7, 7),
    "ended-once-after-several-messages": counted(4),
    "number-of-messages-varies": counted(2, 5, 3),
    "others-got-more-through": and_one_that_stays_open(counted(1, 1, 1), 9),
    "reason-names-no-number": counted(1, 2, closed=(4000, "go away")),
}

SILENT: dict[str, list[Lay]] = {
    "after-the-first-message": [
        counted(2, 2, 2), counted(1, 1, 2), and_one_that_stays_open(counted(1, 1, 1), 2), counted(1, 1, after=2.0),
        by_client([1, 1, 1]), lossy(counted(1, 1, 1)),
    ],
    "after-a-fixed-number": [
        counted(3, 3, 4), counted(1, 1, 1), counted(3), counted(3, 3, 3, after=2.0), by_client([3, 3, 3]),
        lossy(counted(3, 3, 3)),
    ],
    "after-a-large-number": [
        counted(5, 5, 5), counted(7, 7, 9), and_one_that_stays_open(counted(7, 7, 7), 12), lossy(counted(7, 7, 7)),
    ],
    "ended-once-after-several-messages": [counted(1), counted(4, 4), counted(4, after=2.0), lossy(counted(4))],
    "number-of-messages-varies": [counted(3, 3, 3), counted(4), by_client([2, 5, 3]), lossy(counted(2, 5, 3))],
    "others-got-more-through": [
        counted(3, 3, 3), and_one_that_stays_open(counted(3, 3, 3), 3), counted(2, 5, 3), by_client([1, 1, 1]),
    ],
    "reason-names-no-number": [
        counted(1, 2, closed=(4000, "rate limit exceeded")), counted(1, 2, closed=(4000, "")), counted(1, 2),
        counted(1, 2, closed=(1008, "too many messages")), by_client([1, 2]),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(message_counts, SPEAKS, SILENT)


def test_how_often_the_number_was_reached() -> None:
    (sign,) = says("after-a-fixed-number", counted(3, 3, 3))
    assert sign.text == "it ended after exactly 3 messages from the client each time"
    assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.frame) == ("count", 3)
    assert sign.strength == pytest.approx(1.8)
