"""Clients that come, say something, and close with 1000 are at work, and not in a loop."""

from __future__ import annotations

from random import Random

import pytest

import recorded
from hangup.diagnosis.diagnose import diagnose
from hangup.recording import events as ev
from recorded import close, end, handshake, text


def visit(conn: int, at: float, said: str, random: Random) -> list[ev.Event]:
    """A question, its answer, and an end in order."""
    asked, answered = at + random.uniform(0.01, 0.05), at + random.uniform(0.06, 0.1)
    done = answered + random.uniform(0.002, 0.03)
    return [
        handshake(at, conn),
        text(asked, "client", 1, said, conn),
        text(answered, "server", 2, said, conn),
        close(done, "client", 3, conn=conn),
        close(done + 0.001, "server", 4, conn=conn),
        end(done + 0.002, "client", conn=conn),
        end(done + 0.003, "server", conn=conn),
    ]


@pytest.mark.parametrize("said", ["hello", '{"a":1}'])
@pytest.mark.parametrize("at_once", [True, False], ids=["all at once", "one by one"])
def test_many_that_close_with_1000_are_blamed_for_nothing(said: str, at_once: bool) -> None:
    random = Random(7)
    events: list[ev.Event] = []
    for conn in range(1, 61):
        events += visit(conn, 1.0 + (random.uniform(0, 0.05) if at_once else conn * 0.15), said, random)
    report = diagnose(recorded.HEADER, sorted(events, key=lambda event: event.at))
    if at_once:
        assert report.category in ("unknown", "none"), (report.verdict, report.confidence)
    else:  # an effect that runs again looks just so
        assert report.category in ("unknown", "none") or report.confidence < 0.9, (report.verdict, report.confidence)
