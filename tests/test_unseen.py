"""Faults that are no part of the fault set: what cannot be told from a recording is never said for sure."""

from __future__ import annotations

import pytest

import layouts
import recorded
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.report import Report
from hangup.recording import events as ev
from layouts import Line, Tape, greet

SURE = 0.8

NEARLY = 0.9
"""Where a layout is one of several that look alike, some of which the fit has seen."""


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
        names = [report.verdict, *(each.verdict for each in report.alternatives[:2])]
        assert "server-handler/dependency-timeout" in names

    def test_an_end_that_keeps_its_own_time_is_no_reaction(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            start = line.at
            line.client({"type": "move", "x": n}, 0.2)
            line.client("ping" if n % 3 else {"type": "move", "x": 1}, 0.35 + 0.02 * n)
            line.end("server", after=start + 0.7 - line.at)

        tape.loop(play, response=[])
        assert doubted(report_of(tape), "heartbeat/app-ping-kills")


NGINX = [("server", "nginx/1.22")]
HOWS: list[int | None] = [None, 1000, 1011, 4000, 1001]


def ended(line: Line, code: int | None, after: float) -> Line:
    """An end by the server: without a close frame, or with a code."""
    return line.end("server", after=after) if code is None else line.close("server", code, "", after)


class TestServersOwnClocks:
    """Timers of the server's handler, which look like those of other things; behind a proxy, too."""

    @pytest.mark.parametrize("code", HOWS)
    @pytest.mark.parametrize("response", [[], NGINX, layouts.UVICORN])
    def test_none_is_taken_for_another_for_sure(self, response: layouts.Headers, code: int | None) -> None:
        def request(line: Line, n: int) -> None:
            line.client({"type": "hello"}, 0.01).server({"type": "ack"}, 0.001)
            for _ in range(n):
                line.client({"type": "chat"}, tape.some(0.2, 0.9)).server({"type": "ack"}, 0.001)
            ended(line.client({"type": "report"}, 0.4), code, 2.0)

        def event(line: Line, n: int) -> None:
            ended(line.client({"type": "subscribe"}, 0.003).server({"type": "subscribed"}, 0.001), code, 1.2)

        def tick(line: Line, n: int) -> None:
            for number in range(4 + n):
                line.server({"type": "tick", "n": number}, 0.5)
            ended(line, code, 0.5)

        def age(line: Line, n: int) -> None:
            start = line.at
            while line.at - start < 59:
                line.client({"type": "chat"}, tape.some(0.5, 0.9)).server({"type": "ack"}, 0.001)
            ended(line, code, start + 60.0 - line.at)

        def receive(line: Line, n: int) -> None:
            for _ in range(2 + n % 3):
                line.server({"type": "quote"}, tape.some(0.4, 0.6)).client({"type": "ping"}, tape.some(0.8, 1.0))
                line.server({"type": "pong"}, 0.001)
            at = line.at
            line.server({"type": "quote"}, tape.some(0.3, 0.5)).server({"type": "quote"}, tape.some(0.4, 0.6))
            ended(line, code, at + 1.5 - line.at)

        for play in (request, event, tick, age, receive):
            tape = Tape()
            tape.loop(play, response=response)
            report = report_of(tape)
            sure = 0.98 if play is tick else NEARLY  # a silence that comes again and again is much like a timer
            assert report.category == "unknown" or report.confidence < sure, (play.__name__, report.verdict)


class TestPings:
    def test_pings_that_nobody_need_answer(self) -> None:
        """No number of them, or a very high one, is what ends it."""

        def random(line: Line, n: int) -> None:
            for _ in range(5 + n):
                line.server({"type": "ping"}, 1.0).client({"type": "say"}, tape.some(0.1, 0.4))
                line.server({"type": "ok"}, 0.001)
            line.end("server", after=tape.some(0.1, 0.5))

        def age(line: Line, n: int) -> None:
            start = line.at
            for _ in range(10):
                line.server({"type": "ping"}, 1.0)
            line.end("server", after=start + 10.4 - line.at)

        for play in (random, age):
            tape = Tape()
            tape.loop(play, response=[])
            assert doubted(report_of(tape), "heartbeat/app-pong-missing-from-client"), play.__name__

    def test_a_message_that_was_answered_killed_hardly(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(3 + n):
                line.client({"type": ["chat", "move", "vote"][number % 3], "id": number}, 0.4)
                line.server({"type": "ok"}, 0.001)
            line.client({"type": "get"}, 0.3).server({"type": "file"}, 0.01).end("server", after=0.003)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < SURE


class TestCounts:
    def test_a_constant_number_is_a_limit_not_a_handler_that_returns(self) -> None:
        tape = Tape()
        kinds = ["chat", "move", "vote"]

        def play(line: Line, n: int) -> None:
            for number in range(9):
                line.client({"type": kinds[(n + number) % 3]}, 0.3).server({"type": "ok"}, 0.001)
            line.end("server", after=0.001)

        tape.loop(play, response=[])
        assert report_of(tape).verdict == "process/message-count-limit"

    def test_a_script_reaches_a_number_and_an_age_together(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            kinds = ["chat", "move", "vote"]
            for number in range(5):
                line.client({"type": kinds[(number + n) % 3], "x": 1}, 0.5).server({"type": "ok"}, 0.001)
            line.client({"type": kinds[n % 3], "x": None}, 0.5).end("server", after=0.002)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < SURE

    def test_one_kind_of_message_may_be_what_kills(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(9):
                line.client({"type": "chat", "text": f"{number}"}, tape.some(0.1, 0.6))
            line.end("server", after=0.001)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < SURE


class TestWords:
    def test_a_repeated_subscription_is_no_second_connection(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(3 + n):
                line.client({"type": "subscribe", "id": number}, tape.some(0.2, 0.5)).server({"type": "next"}, 0.001)
            line.client({"type": "subscribe", "id": 1}, 0.2)
            line.close("server", 4409, "Subscriber for 1 already exists", 0.001)

        tape.loop(play, response=[])
        assert report_of(tape).confidence < NEARLY

    @pytest.mark.parametrize("reason", ["duplicate session", "already connected"])
    def test_no_second_connection_was_seen(self, reason: str) -> None:
        tape = Tape()
        tape.loop(lambda line, n: tape.talk(greet(line), tape.some(1, 9)).close("server", 4000, reason, 0.7))
        assert report_of(tape).confidence < SURE

    def test_code_1011_without_a_ping_is_no_missing_pong(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(3 + n):
                line.client({"type": ["chat", "move"][number % 2]}, 0.3).server({"type": "ok"}, 0.001)
            line.client({"type": "chat"}, 0.3).close("server", 1011, "", 0.001)

        tape.loop(play, response=[])
        assert report_of(tape).verdict != "heartbeat/control-pong-missing"

    def test_valid_text_that_the_server_calls_invalid_was_spoiled_on_the_way(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            tape.talk(greet(line), 1.0 + n)
            line.client({"type": "draft", "text": "wörd " * 60}, 0.4)
            line.close("server", 1007, "invalid continuation byte at position 52", 0.002)

        tape.loop(play)
        report = report_of(tape)
        assert report.verdict == "intermediary/frame-corruption" and report.confidence < SURE

    def test_a_client_that_says_connect_timeout(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.server({"type": "hi"}, 0.01).close("client", 4001, "connect timeout", 2.0))
        assert report_of(tape).verdict == "client-lifecycle/connect-deadline"


class TestOpenings:
    def test_a_number_that_is_always_open_is_a_limit(self) -> None:
        tape = Tape()
        older = [tape.open(0.1 + 0.01 * n, "/ws", response=[]) for n in range(3)]
        for n in range(6):
            tape.open(0.5 + 0.7 * n, "/ws", response=[]).end("server", after=0.002)
        for line in older:
            for _ in range(9):
                line.client({"type": "ping"}, 0.6).server({"type": "pong"}, 0.001)
        report = report_of(tape)
        assert report.verdict == "handshake/limit" and report.confidence < NEARLY

    def test_a_handler_that_was_spoken_to_may_mind_what_was_said(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client({"type": "auth", "token": "x"}, 0.002).end("server", after=0.001))
        report = report_of(tape)
        assert report.confidence <= 0.6
        named = [report.verdict, *(a.verdict for a in report.alternatives)]
        assert "server-handler/crash-on-message" in named

    def test_three_that_end_together_soon_after_opening(self) -> None:
        tape = Tape()
        lines = [tape.open(0.5 + 0.005 * n, "/ws", response=[]) for n in range(3)]
        for n, line in enumerate(lines):
            line.client({"type": "hello"}, 0.01).server({"type": "welcome"}, 0.002)
            line.end("server", after=0.62 + 0.001 * n - line.at)
        assert report_of(tape).confidence < SURE or report_of(tape).category == "unknown"

    @pytest.mark.parametrize("code", [None, 1000, 1011, 4401])
    def test_an_opening_that_fails_now_and_then(self, code: int | None) -> None:
        tape = Tape()
        at = 0.5
        for n in range(10):
            line = tape.open(at, "/ws?token=abc", response=[])
            at = ended(tape.talk(greet(line), 5.0) if n % 3 == 1 else line, code, 0.003).at + 0.5
        report = report_of(tape)
        assert report.category == "unknown" or report.confidence < NEARLY

    def test_a_code_that_says_later_does_not_say_why(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.close("server", 1013, "", 0.004), response=[])
        assert doubted(report_of(tape), "handshake/limit")

    def test_an_answer_that_is_an_error_is_no_service(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            line.client({"type": "hello", "room": "x"}, 0.2).server({"type": "error"}, 0.002)
            line.end("server", after=0.003)

        tape.loop(play, response=[])
        assert doubted(report_of(tape), "server-handler/returns-after-message")

    def test_a_backend_that_was_there_later(self) -> None:
        tape = Tape()
        for n in range(5):
            tape.open(0.5 + 0.5 * n, error="connection refused")
        tape.talk(greet(tape.open(3.5)), 9.0)
        report = report_of(tape)
        assert report.category == "none" and "never reached" not in report.sentence

    def test_a_limit_of_messages_turns_no_connection_away(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for number in range(6 + n):
                line.client({"type": "cursor", "x": number}, tape.some(0.1, 0.6)).server({"type": "ack"}, 0.001)
            line.client({"type": "cursor", "x": 1}, 0.02).close("server", 1008, "rate limit", 0.001)

        tape.loop(play, response=[])
        report = report_of(tape)
        assert report.verdict == "process/message-rate-limit" and "turns connections away" not in report.sentence
        assert not any(step.filter.startswith("slow-reconnect") for step in report.next)


class TestNotReadyYet:
    @pytest.mark.parametrize("refusals", [1, 3])
    def test_a_server_that_is_not_ready_yet_is_got_over(self, refusals: int) -> None:
        events: list[ev.AnyEvent] = [
            recorded.handshake(0.5 * n, n, status=503, client=f"127.0.0.1:5000{n}") for n in range(1, refusals + 1)
        ]
        at, conn = 0.5 * refusals + 0.5, refusals + 1
        events.append(recorded.handshake(at, conn, client="127.0.0.1:50009"))
        for n in range(1, 21):
            events.append(recorded.text(at + n, "client" if n % 2 else "server", n, '{"type":"say"}', conn))
        events.append(ev.Stop(at=at + 21))
        report = diagnose(recorded.HEADER, events)
        assert report.verdict.startswith("none/"), (report.verdict, report.confidence)

    def test_one_that_never_is_ready_is_not(self) -> None:
        events: list[ev.AnyEvent] = [recorded.handshake(0.5 * n, n, status=503) for n in range(1, 6)]
        report = diagnose(recorded.HEADER, [*events, ev.Stop(at=3.0)])
        assert not report.verdict.startswith("none/")


class TestClients:
    def test_frames_that_arrive_spoiled_are_not_the_clients_failing(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            tape.talk(greet(line), 2.0 + n)
            line.server('{"type": "feed", "text": "item1 ite', 0.3)
            tape.events.append(ev.Raw(at=line.at, conn=line.conn, side="server", text='m2"}', problems=["not-a-frame"]))
            line.close("client", 1002, "invalid opcode", 0.002)

        tape.loop(play, response=[("server", "Python/3.13 websockets/17.4")])
        report = report_of(tape)
        assert report.category in ("intermediary", "message") and report.confidence < SURE

    def test_control_pings_of_the_client(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            greet(line)
            for _ in range(n):
                line.ping("client", 1.0).pong("server")
            line.ping("client", 1.0).server({"type": "tick"}, 0.5).close("client", 1011, "", 0.5)

        tape.loop(play)
        assert report_of(tape).verdict == "heartbeat/control-pong-missing"

    def test_a_page_that_mounts_twice_at_each_load_is_no_churn(self) -> None:
        tape = Tape()
        at = 0.5
        for _ in range(5):
            line = tape.open(at).server({"type": "welcome"}, 0.002).close("client", 1000, "", 0.001)
            line = greet(tape.open(line.at + 0.006)).wait(4.0).close("client", 1001)
            at = line.at + 0.6
        report = report_of(tape)
        assert doubted(report, "client-lifecycle/effect-churn")
        assert report.verdict == "client-lifecycle/double-mount"

    def test_a_stream_that_ends_when_it_is_done_is_no_failing(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            line.client({"type": "prompt", "text": "why"}, 0.01)
            for _ in range(10 + 4 * n):
                line.server({"type": "token", "t": "lorem"}, 0.03)
            line.server({"type": "done"}, 0.03).end("server", after=0.002)

        tape.loop(play, response=[])
        assert doubted(report_of(tape), "server-handler/crash-on-own-event")

    @pytest.mark.parametrize("code", [1001, 1002, 4000])
    def test_a_client_may_close_for_what_a_sound_message_says(self, code: int) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            greet(line).server({"type": "reload"}, tape.some(1, 5)).close("client", code, "", 0.01)

        tape.loop(play)
        assert report_of(tape).confidence < SURE

    def test_a_steady_clock_alone_names_no_clean_up_and_no_form(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            line.server({"type": "welcome"}, 0.01).client({"type": "hi"}, 0.5)
            line.server({"type": "ok"}, 0.01).close("client", 1000, "", 3.5)

        tape.loop(play, response=[])
        assert report_of(tape).verdict not in ("identity/stale-cleanup", "heartbeat/pong-mismatch")


class TestMessages:
    def test_another_kind_has_other_fields(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            for _ in range(3 + n):
                line.client({"type": "chat", "text": "a"}, 0.3).server({"type": "ok"}, 0.001)
            line.client({"type": "move", "x": 1}, 0.3).end("server", after=0.002)

        tape.loop(play, response=[])
        report = report_of(tape)
        # Its kind, its fields, or anything about it: they are named together.
        assert report.verdict != "message/schema" or report.also, report.verdict
