"""Ends beside others that stay open: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hangup.diagnosis.signs import turned_away
from layouts import Tape
from signs_seen import Lay, said_and_silent, says


def ended(
    open_at: Sequence[float] = (),
    ages: Sequence[float] = (0.02, 0.02, 0.02),
    *,
    lasts: float = 30.0,
    code: Any = None,
    path: str = "/ws",
    by: Any = "server",
) -> Lay:
    """Connections of these ages, one a second from 5.0 on, and others that are open from then on and last so long."""

    def lay(tape: Tape) -> None:
        for at in open_at:
            tape.talk(tape.open(at, path), lasts).end("server", by="proxy")
        for n, age in enumerate(ages):
            tape.open(5.0 + n, "/ws").close(by, code, "", age)

    return lay


OLDER = (0.02, 0.02, 0.02, 0.02, 2.0)
SPEAKS: dict[str, Lay] = {
    "others-got-much-older:beside": ended([0.5]),
    "others-got-much-older": ended([20.0]),
    "some-got-older": ended(ages=OLDER, code=1011),
    "earlier-ones-served": ended([0.5, 0.6]),
    "as-many-open-each-time": ended([0.5, 0.6]),
    "turned-away-again": ended([0.5, 0.6]),
    "close-code-of-too-many": ended(code=4429),
}
SILENT: dict[str, list[Lay]] = {
    "others-got-much-older:beside": [ended([6.5]), ended([20.0]), ended([0.5], lasts=6.0), ended([0.5], path="/live")],
    "others-got-much-older": [ended(), ended([0.5], ages=[8.0, 8.0]), ended([0.5], lasts=0.3), ended([0.5], path="/b")],
    "some-got-older": [ended(), ended(ages=[0.02, 0.02, 0.3], code=1011), ended([0.5])],
    "earlier-ones-served": [ended([5.5]), ended([20.0]), ended([0.5], lasts=0.9), ended([0.5], path="/live"), ended()],
    "as-many-open-each-time": [ended([0.5, 6.5]), ended([0.5], lasts=5.0), ended(), ended([20.0])],
    "turned-away-again": [
        ended([0.5], ages=[0.02, 0.02]), ended([0.5], code=4000), ended([0.5, 6.5]), ended(), ended([0.5], by="client"),
    ],
    "close-code-of-too-many": [ended(code=4000), ended(code=1013), ended(code=4429, by="client")],
}  # fmt: skip


def test_the_more_got_older_the_stronger() -> None:
    [one], [two] = (says("some-got-older", ended(ages=ages, code=1011)) for ages in (OLDER, (*OLDER, 2.0)))
    assert two.strength > one.strength


test_said, test_silent, test_complete = said_and_silent(turned_away, SPEAKS, SILENT)
