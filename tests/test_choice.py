"""Which ends a diagnosis is about, where a recording holds several kinds of them."""

from __future__ import annotations

import pytest

import layouts
from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import diagnose
from hangup.recording.traffic_ledger import look_into
from layouts import Line, Tape, greet


def case_of(tape: Tape, only: int | None = None) -> Case:
    return Case(look_into(layouts.header(), tape.done()), only)


def ends(tape: Tape, line: Line, by: str) -> None:
    if by.startswith("client"):
        line.close("client", int(by.split()[1]) if " " in by else None)
    elif by == "server":
        line.end("server")
    else:
        line.close("server", int(by.split()[1]))


def mixed(*ways: str) -> Case:
    tape = Tape()
    tape.loop(lambda line, n: ends(tape, tape.talk(greet(line), 3.0 + n), ways[n]), count=len(ways))
    return case_of(tape)


@pytest.mark.parametrize("failure", ["server", "server 1011", "server 1001"])
@pytest.mark.parametrize("leave", ["client 1000", "client 1001", "client"])
def test_leaves_do_not_outvote_what_the_server_broke_off(failure: str, leave: str) -> None:
    case = mixed(leave, failure, leave, leave, failure, leave)
    assert case.closer == "server" and [life.conn for life in case.victims] == [2, 5]


def test_leaves_are_looked_into_where_they_are_all_there_is_or_nearly_so() -> None:
    assert mixed(*["client 1000"] * 4).closer == "client"
    assert mixed(*["client 1000"] * 9, "server").closer == "client"


def test_a_client_that_closes_with_an_error_is_no_leave() -> None:
    assert mixed("client 4001", "server", "client 4001", "client 4001").closer == "client"


def pairs(path: str = "/ws/user-2", *, spoke: bool = True, both: bool = False, count: int = 4) -> Tape:
    """Two clients, whose connections end together again and again; the first one's had just spoken, or not."""
    tape = Tape()
    for n in range(count):
        at = 1.0 + 6.0 * n
        one, other = greet(tape.open(at, "/ws/user-1")), greet(tape.open(at + 0.2, path))
        for line in (one, other):
            tape.talk(line, 2.0)
        crash = max(one.at, other.at) + 0.5
        for line, speaks in ((one, spoke), (other, both)):
            line.at = crash - 0.005
            if speaks:
                line.client({"op": "chunk", "i": n})
        one.at, other.at = crash, crash + 0.001
        one.end("server")
        other.end("server")
    return tape


@pytest.mark.parametrize("path", ["/ws/user-2", "/other"])
def test_of_two_that_end_together_the_one_that_had_just_spoken_is_the_cause(path: str) -> None:
    case = case_of(pairs(path))
    assert [life.conn for life in case.victims] == [1, 3, 5, 7]
    assert [life.conn for life in case.beside] == [2, 4, 6, 8]
    report = diagnose(layouts.header(), pairs(path).done())
    assert report.connections["dropped"] == 8
    assert any("ended together with others whose clients had just sent a message" in note for note in report.notes)


def test_who_asks_about_the_other_one_is_told_of_it() -> None:
    assert 2 in [life.conn for life in case_of(pairs("/other"), only=2).victims]


@pytest.mark.parametrize(
    "tape", [lambda: pairs(spoke=False), lambda: pairs(both=True), lambda: pairs(count=1)], ids=["none", "both", "once"]
)
def test_where_no_one_of_them_had_or_it_may_be_chance_all_are_looked_at(tape: object) -> None:
    case = case_of(tape())  # type: ignore[operator]
    assert not case.beside and case.count == len(case.lives)
