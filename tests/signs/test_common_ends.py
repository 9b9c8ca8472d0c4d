"""Ends at one moment: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import common_ends
from layouts import Tape, greet
from signs_seen import Lay, said_and_silent, says


def ended(
    begun: tuple[float, ...] = (0.5, 3.0, 9.0),
    ends: tuple[float, ...] = (20.0, 20.001, 20.002),
    after: str = "there",
    by: str = "server",
) -> Lay:
    """Connections that open and end at these times, and what comes afterwards."""

    def lay(tape: Tape) -> None:
        for begin, end in zip(begun, ends, strict=True):
            line = greet(tape.open(begin, f"/ws/{begin}"))
            line.at = end
            line.end(by)  # type: ignore[arg-type]
        if after == "there":
            tape.talk(greet(tape.open(21.0)), 5.0).end("client", by="proxy")
        elif after == "gone":
            tape.open(21.0, error="connection refused")

    return lay


def another_stayed(tape: Tape) -> None:
    tape.talk(greet(tape.open(1.0, "/ws/2")), 40.0).end("client", by="proxy")
    ended()(tape)


SPEAKS: dict[str, Lay] = {
    "ended-at-one-moment-not-at-one-age:there": ended(),
    "ended-at-one-moment-not-at-one-age:gone": ended(after="gone"),
    "ended-at-one-moment-not-at-one-age:unknown": ended(after=""),
}

SILENT: dict[str, list[Lay]] = {
    "ended-at-one-moment-not-at-one-age": [
        ended((0.5, 0.502, 0.504)), ended(ends=(10.0, 12.5, 18.5)), ended((0.5,), (20.0,)), another_stayed,
        ended((0.5, 0.8, 1.1), (20.0, 20.3, 20.6)), ended(by="client"), ended(ends=(20.0, 24.0, 28.0)),
    ]
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(common_ends, SPEAKS, SILENT)


def test_the_more_the_openings_lie_apart_the_stronger() -> None:
    near = says("ended-at-one-moment-not-at-one-age", ended((0.5, 0.55), (20.0, 20.002)))
    far = says("ended-at-one-moment-not-at-one-age", ended((0.5, 5.0), (20.0, 20.002)))
    assert 1.0 < near[0].strength < 2.0 < far[0].strength
