"""Who asks and who answers, where both sides send beats that are not called pong."""

from __future__ import annotations

from typing import Any

import pytest

import layouts
from hangup.recording.beats import KEPT, Heartbeats
from hangup.recording.traffic_ledger import look_into
from layouts import Tape

HB, EV_HB, BEAT = {"op": "hb"}, {"ev": "hb"}, {"type": "heartbeat", "load": 3}


def beats(tape: Tape) -> dict[tuple[str, str], Heartbeats]:
    return look_into(layouts.header(), tape.done()).connections[1].traffic.beats  # type: ignore[return-value]


@pytest.mark.parametrize("count", [1, 2, 9, KEPT + 40])
def test_what_follows_a_beat_of_the_other_side_at_once_is_its_answer(count: int) -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(count):
        line.client(HB, 1.0).server(EV_HB, 0.02)
    line.client(HB, 1.0)
    found = beats(tape)
    assert ("server", "app") not in found
    mine = found["client", "app"]
    assert (mine.sent, mine.answered, mine.waiting is not None) == (count + 1, count, True)


WRITTEN = [({"k": "hb"}, {"hb": 1}), ({"hb": 1}, {"k": "hb"}), ("hb", {"k": "hb", "n": 4}), ({"t": "ka"}, {"ping": 1})]


@pytest.mark.parametrize(("asked", "said"), WRITTEN)
def test_an_answer_may_be_written_in_another_way_than_what_it_answers(asked: Any, said: Any) -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(5):
        line.client(asked, 1.5).server(said, 0.0002)
    found = beats(tape)
    assert ("server", "app") not in found
    assert (found["client", "app"].sent, found["client", "app"].answered) == (5, 5)


@pytest.mark.parametrize(("asked", "said"), WRITTEN)
def test_one_that_comes_by_a_clock_of_its_own_is_a_ping_however_it_is_written(asked: Any, said: Any) -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(3):
        line.client(asked, 0.5).server(said, 0.9).client(asked, 0.1).server(said, 1.4).client(asked, 0.6)
    assert beats(tape)["server", "app"].sent == 6


def test_it_holds_for_either_side() -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(5):
        line.server(EV_HB, 1.0).client(HB, 0.05)
    found = beats(tape)
    assert list(found) == [("server", "app")] and found["server", "app"].answered == 5


def test_a_beat_of_its_own_cadence_is_no_answer() -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(6):  # the client every 1.0 s, the server every 1.5 s: once in a while the two come together
        line.client(HB, 0.5).server(EV_HB, 0.9).client(HB, 0.1).server(EV_HB, 1.4).client(HB, 0.6)
    found = beats(tape)
    assert found["server", "app"].sent == 12 and found["client", "app"].sent == 18
    assert found["server", "app"].answered == found["client", "app"].answered == 0


def test_a_side_that_answers_may_send_pings_of_its_own() -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(4):
        line.client(HB, 1.0).server(EV_HB, 0.02).server(BEAT, 0.5)
    found = beats(tape)
    assert (found["client", "app"].sent, found["client", "app"].answered) == (4, 4)
    assert (found["server", "app"].sent, found["server", "app"].answered) == (4, 0)


def test_after_a_pong_nothing_is_left_to_answer() -> None:
    tape = Tape()
    line = tape.open(0.5)
    for _ in range(4):
        line.client({"type": "ping"}, 1.0).server({"type": "pong"}, 0.01).server(EV_HB, 0.01)
    found = beats(tape)
    assert found["client", "app"].answered == 4 and found["server", "app"].sent == 4
