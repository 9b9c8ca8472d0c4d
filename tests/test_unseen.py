"""Faults that are no part of the fault set: what cannot be told from a recording is never said for sure."""

from __future__ import annotations

import pytest

import layouts
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.report import Report
from layouts import Line, Tape, greet

SURE = 0.8


def report_of(tape: Tape) -> Report:
    return diagnose(layouts.header(), tape.done())


def doubted(report: Report, verdict: str) -> bool:
    """Whether the verdict, if named at all, is not named for sure."""
    return report.verdict != verdict or report.confidence < SURE


class TestClocks:
    @pytest.mark.parametrize("lead", [0.0, 2.0])
    def test_silence_alone_shows_no_intermediary(self, lead: float) -> None:
        tape = Tape()
        tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + lead * n).end("server", after=1.2), response=[])
        assert doubted(report_of(tape), "intermediary/idle-timeout")

    def test_a_proxy_that_shows_itself_may_be_blamed(self) -> None:
        tape = Tape()
        nginx = [("server", "nginx")]
        tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + 2 * n).end("server", after=7.0), response=nginx)
        report = report_of(tape)
        assert report.verdict == "intermediary/idle-timeout" and report.confidence > SURE

    def test_a_request_without_an_answer_is_waited_for(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            line.client({"type": "hello"}, 0.01).server({"type": "ack"}, 0.001)
            line.client({"type": "report", "month": n}, 0.4).end("server", after=2.0)

        tape.loop(play, response=[])
        report = report_of(tape)
        assert report.confidence < SURE
        assert report.verdict == "server-handler/dependency-timeout"

    def test_an_end_that_keeps_its_own_time_is_no_reaction(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            start = line.at
            line.client({"type": "move", "x": n}, 0.2).client("ping", 0.35 + 0.02 * n)
            line.end("server", after=start + 0.7 - line.at)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < SURE


class TestCounts:
    def test_a_constant_number_is_a_limit_not_a_handler_that_returns(self) -> None:
        tape = Tape()
        kinds = ["chat", "move", "vote"]

        def play(line: Line, n: int) -> None:
            for number in range(9):
                line.client({"type": kinds[(n + number) % 3]}, tape.some(0.1, 0.6)).server({"type": "ok"}, 0.001)
            line.end("server", after=0.001)

        tape.loop(play, response=[])
        assert report_of(tape).verdict == "process/message-count-limit"

    def test_one_kind_of_message_may_be_what_kills(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(9):
                line.client({"type": "chat", "text": f"{number}"}, tape.some(0.1, 0.6))
            line.end("server", after=0.001)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < SURE
