"""The verdicts: every cause of the catalogue as it looks on the wire, chance, ambiguity, experiments, hostile input."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import layouts
import recorded
import suggested
from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.findings import UNKNOWN
from hangup.diagnosis.for_others import for_others
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.report import Report
from hangup.filters import text as filter_text
from hangup.recording import events as ev
from hangup.recording.backend_log import last_line
from hangup.recording.events import Header
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import look_into
from layouts import HELLO, LAYOUTS, Line, Tape, greet

VOCABULARY = {*causes.known(), UNKNOWN}


def report_of(tape: Tape, only: int | None = None) -> Report:
    return diagnose(layouts.header(), tape.done(), only)


def right(name: str, report: Report) -> bool:
    return report.verdict in LAYOUTS[name][0]


class TestCatalogue:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_each_cause_as_the_catalogue_describes_it(self, name: str) -> None:
        for seed in range(3):
            report = diagnose(layouts.header(), layouts.build(name, seed))
            assert right(name, report), f"seed {seed}: {report.verdict} {report.confidence}"

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_each_cause_among_other_traffic(self, name: str) -> None:
        judged = [diagnose(layouts.header(), layouts.build(name, seed, noise=True)) for seed in range(10, 14)]
        assert sum(right(name, report) for report in judged) >= 3, [report.verdict for report in judged]
        for report in judged:
            assert right(name, report) or report.confidence <= 0.8 or report.category == "unknown"

    @pytest.mark.parametrize("connections", [1, 2, 3])
    def test_with_few_connections_it_is_seldom_wrong_and_never_sure_of_it(self, connections: int) -> None:
        wrong = []
        for name in LAYOUTS:
            events = [event for event in layouts.build(name, 5) if event.conn <= connections]
            report = diagnose(layouts.header(), events)
            if report.category not in ("unknown", "none") and not right(name, report):
                wrong.append((name, report.verdict, report.confidence))
        assert len(wrong) <= 4, wrong
        assert all(confidence <= 0.9 for _, _, confidence in wrong), wrong

    def test_verdicts_are_of_the_vocabulary(self) -> None:
        for name in LAYOUTS:
            for hypothesis in hypotheses(Case(look_into(layouts.header(), layouts.build(name)))):
                assert hypothesis.verdict in VOCABULARY


class TestChance:
    """Ends without a cause that could be seen must not be given one."""

    @pytest.mark.parametrize("how", ["fin", "1000", "4000", "client", "client-fin", "silent"])
    def test_random_ends_are_unknown(self, how: str) -> None:
        named = []
        for seed in range(1, 25):
            tape = Tape(seed)

            def play(line: Line, n: int, tape: Tape = tape) -> None:
                if how == "silent":
                    line.end("server", after=tape.some(0.5, 20))
                    return
                tape.talk(greet(line), tape.rng.expovariate(1 / 5) + 0.2)
                line.wait(tape.some(0, 0.5))
                if how == "fin":
                    line.end("server")
                elif how == "client-fin":
                    line.end("client")
                else:
                    line.close("client" if how == "client" else "server", 1000 if how == "client" else int(how))

            tape.loop(play)
            report = report_of(tape)
            if report.category != "unknown":
                named.append((report.verdict, report.confidence))
        assert len(named) <= 2, named
        assert all(confidence <= 0.8 for _, confidence in named), named


class TestAmbiguity:
    """Two causes that predict the same signs share the belief."""

    def test_a_first_message_that_is_not_answered_may_be_many_things(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client(HELLO, 0.5).end("server", after=0.004))
        report = report_of(tape)
        assert report.confidence < 0.7
        names = {report.verdict, *(a.verdict for a in report.alternatives)}
        assert {"server-handler/returns-after-message", "server-handler/crash-on-message"} <= names

    def test_the_answer_before_the_end_tells_returning_from_failing(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client(HELLO, 0.5).server({"type": "welcome"}, 0.01).end("server", after=0.002))
        report = report_of(tape)
        assert report.verdict == "server-handler/returns-after-message" and report.confidence > 0.7

    def test_a_harmless_kind_beside_it_tells_which_message_is_deadly(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: greet(line).client({"type": "boom"}, 2.0).end("server", after=0.004))
        with_contrast = report_of(tape)
        assert with_contrast.category in ("message", "server-handler")
        assert with_contrast.trigger.frame == 3

    def test_silence_and_age_cannot_be_told_apart_without_traffic(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.end("server", after=20.0), response=[])
        alike = report_of(tape)
        tape = Tape()
        via = [("via", "1.1 Caddy")]
        tape.loop(lambda line, n: tape.talk(greet(line), tape.some(1, 20)).end("server", after=20.0), response=via)
        told_apart = report_of(tape)
        assert told_apart.verdict == "intermediary/idle-timeout"
        assert alike.confidence < 0.8 or alike.category == "unknown"
        assert told_apart.confidence > 0.85

    def test_a_longer_silence_that_did_no_harm_refutes_an_idle_timeout(self) -> None:
        def build(earlier: float) -> Report:
            tape = Tape()
            tape.loop(
                lambda line, n: greet(line).client({"type": "x"}, earlier + n).end("server", after=20.0), response=[]
            )
            return report_of(tape)

        assert build(3.0).verdict == "intermediary/idle-timeout"
        assert build(45.0).verdict != "intermediary/idle-timeout"

    def test_more_repeats_make_it_surer(self) -> None:
        sure = []
        for count in (1, 2, 5):
            tape = Tape()
            tape.loop(
                lambda line, n, tape=tape: tape.talk(greet(line), 4.0).client("ping", 0.2).end("server", after=0.004),
                count=count,
            )
            sure.append(report_of(tape).confidence)
        assert max(sure) == sure[2]

    def test_who_closed_decides_between_the_two_missing_pongs(self) -> None:
        def build(side: str) -> str:
            tape = Tape()

            def play(line: Line, n: int) -> None:
                greet(line)
                for _ in range(2):
                    line.say(side, {"type": "ping"}, 5.0)  # type: ignore[arg-type]
                line.close(side, 4000, "", 5.0)  # type: ignore[arg-type]

            tape.loop(play)
            return report_of(tape).verdict

        assert build("server") == "heartbeat/app-pong-missing-from-client"
        assert build("client") == "heartbeat/app-pong-missing-from-server"


class TestWords:
    def test_a_traceback_names_the_cause(self) -> None:
        tape = Tape()

        def play(line: Line, n: int) -> None:
            line.client(HELLO, 0.3)
            trace = "Traceback (most recent call last):\n  File \"app.py\", line 7\nKeyError: 'seq'"
            tape.events.append(ev.Log(at=line.at + 0.002, text=trace, source="backend"))
            line.end("server", after=0.004)

        tape.loop(play)
        report = report_of(tape)
        assert report.verdict == "message/schema"
        assert any("KeyError: 'seq'" in sign.text for sign in report.evidence)
        assert any(mark.kind == "log" and "KeyError" in mark.text for mark in report.timeline)

    def test_a_log_far_from_the_ends_says_nothing(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client(HELLO, 0.3).end("server", after=0.004))
        tape.events.append(ev.Log(at=500.0, text="TypeError: Object of type datetime is not JSON serializable"))
        assert report_of(tape).verdict != "server-handler/crash-on-own-event"

    @pytest.mark.parametrize(
        ("reason", "verdict"),
        [
            ("Unexpected token 'p', \"ping\" is not valid JSON", "message/not-json"),
            ("message too big", "message/oversize"),
            ("Session replaced by a new connection", "identity/id-collision"),
            ("jwt expired", "identity/token-expired-retry"),
            ("rate limit exceeded", "process/message-rate-limit"),
            ("too many connections", "handshake/limit"),
            ("Connection initialisation timeout", "message/init-missing"),
            ("server shutting down", "process/restart"),
            ("unknown message type", "message/unknown-type"),
        ],
    )
    def test_reasons_are_believed(self, reason: str, verdict: str) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client(HELLO, 0.4).close("server", 4000, reason, 0.01))
        report = report_of(tape)
        names = [report.verdict, *report.also, *(a.verdict for a in report.alternatives[:1])]
        assert verdict in names, names

    def test_the_last_line_of_a_traceback(self) -> None:
        assert last_line("Traceback\n  File x\nValueError: no\n") == "ValueError: no"
        node = "/app/server.js:3\nTypeError: x is not a function\n    at WebSocket.<anonymous> (/app/server.js:3:1)"
        assert last_line(node) == "TypeError: x is not a function"
        pydantic = (
            "Traceback\n  File x\npydantic.ValidationError: 1 error for Ping\nseq\n  Field required\n"
            "    For further information visit https://errors.pydantic.dev"
        )
        assert last_line(pydantic) == "pydantic.ValidationError: 1 error for Ping seq Field required"
        assert last_line("INFO: started\nINFO: ready") == "INFO: ready"
        assert last_line("") == ""


class TestExperiments:
    """A filter that was switched while recording is an experiment, and its outcome is evidence."""

    def build(self, lived_with: bool) -> Report:
        tape = Tape()
        filter = "drop-heartbeat side=client"
        at = tape.loop(lambda line, n: line.client({"type": "ping"}, 1.0).end("server", after=0.004), count=4)
        tape.events.append(ev.FilterEvent(at=at - 0.2, filter=filter, action="add"))
        line = tape.open(at)
        line.client({"type": "ping"}, 1.0)
        tape.events.append(ev.FilterEvent(at=line.at, conn=5, filter=filter, action="drop", side="client", n=1))
        if lived_with:
            line.wait(9.0)
            tape.events.append(ev.FilterEvent(at=line.at, filter=filter, action="remove"))
            line.end("client")
            at = line.at + 0.5
            for _ in range(2):
                again = tape.open(at).client({"type": "ping"}, 1.0).end("server", after=0.004)
                at = again.at + 0.5
        else:
            line.end("server", after=0.004)
        return report_of(tape)

    def test_living_with_the_filter_speaks_for_what_it_takes_away(self) -> None:
        cured, died = self.build(True), self.build(False)
        assert cured.category in ("heartbeat", "message")
        assert any("with the filter" in sign.text and sign.weight > 0 for sign in cured.evidence)
        assert any("drop-heartbeat" in note for note in cured.notes)
        beats = [h for h in died.alternatives if h.verdict == "heartbeat/app-ping-kills"]
        assert not beats or beats[0].confidence < 0.2

    def test_a_connection_that_a_filter_closed_is_no_case(self) -> None:
        tape = Tape()
        line = tape.talk(greet(tape.open(0.5)), 4.0)
        tape.events.append(
            ev.FilterEvent(at=line.at, conn=1, filter="close from=server at=4s", action="close", side="server")
        )
        line.end("server", by="close from=server at=4s", after=0.001)
        assert report_of(tape).category in ("unknown", "none")


class TestReport:
    def test_json_has_the_keys_that_programs_rely_on_first(self) -> None:
        report = diagnose(layouts.header(), layouts.build("a3-text-ping"), recording="run.jsonl")
        found = json.loads(json.dumps(report.summary()))
        assert list(found)[:7] == ["verdict", "confidence", "closer", "trigger", "evidence", "alternatives", "next"]
        assert list(found["trigger"]) == ["kind", "conn", "frame"]
        assert all({"text", "weight"} <= set(sign) for sign in found["evidence"])

    def test_evidence_cites_frames_that_exist(self) -> None:
        events = layouts.build("a3-text-ping", 2)
        known = {(e.conn, e.n) for e in events if isinstance(e, ev.Frame)}
        report = diagnose(layouts.header(), events)
        cites = [cite for sign in report.evidence for cite in sign.cites]
        assert cites
        assert all((cite.conn, cite.frame) in known for cite in cites if cite.frame is not None)
        assert (report.trigger.conn, report.trigger.frame) in known

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_next_steps_are_filters_that_parse(self, name: str) -> None:
        report = diagnose(layouts.header(), layouts.build(name), recording="run.jsonl")
        assert report.next
        for step in report.next:
            assert step.text and not suggested.problem(step.command)
            if step.filter:
                filter_text.parse(step.filter)
                assert shlex.quote(step.filter) in step.command

    def test_the_timeline_shows_the_words_of_an_error_that_come_late_in_it(self) -> None:
        tape = Tape()
        long = {"op": "error", "id": 4014241, "trace": "x" * 40, "msg": "timestamp outside of recvWindow"}
        tape.loop(lambda line, n: line.client({"op": "order"}, 1.0 + n).server(long, 0.002).close("server", 4003))
        report = report_of(tape)
        assert '… "msg":"timestamp outside of recvWindow"}' in [mark.text for mark in report.timeline]

    def test_the_timeline_shows_from_the_beginning_what_has_room_or_is_no_error(self) -> None:
        tape = Tape()
        short, news = {"op": "error", "msg": "full"}, {"op": "news", "trace": "x" * 30, "msg": "nothing new"}
        tape.loop(lambda line, n: line.server(news, 1.0 + n).server(short, 0.5).close("server", 4003))
        shown = [mark.text for mark in report_of(tape).timeline]
        assert '{"op":"error","msg":"full"}' in shown
        assert any(text.startswith('{"op":"news"') for text in shown) and not any("… " in text for text in shown)

    def test_the_words_of_an_error_are_quoted_where_no_cause_can_be_named(self) -> None:
        tape = Tape()
        says = "ERROR\nmessage:malformed frame\n\n\0"

        def play(line: Line, n: int) -> None:
            line.client("CONNECT\nheart-beat:2000,2000\n\n\0", 0.1).server("CONNECTED\nheart-beat:2000,2000\n\n\0", 0.1)
            for _ in range(2 + n % 3):
                line.client("SEND\ndestination:/a\n\nx\0", 0.4).server("RECEIPT\nreceipt-id:1\n\n\0", 0.001)
            line.client("SEND\ndestination:/b\n\ny\0", 0.4).server(says, 0.001).close("server", 1002)

        tape.loop(play)
        report = report_of(tape)
        assert report.verdict == UNKNOWN
        assert report.evidence[0].text == 'the server\'s last message reports an error: "malformed frame"'

    def test_the_words_of_an_error_are_quoted_without_secrets(self) -> None:
        tape, secret = Tape(), "AKIAQ3EXAMPLEX7Z2PLMN"
        login = {"type": "auth", "token": secret}
        refusal = {"type": "error", "message": f"unknown token {secret} of today"}
        tape.loop(lambda line, n: line.client(login, 1.0 + n).server(refusal, 0.002).close("server", 4003))
        events = tape.done()
        redactor, header = Redactor(), layouts.header()
        redactor.learn(events, header)
        report, _ = for_others(look_into(header, events), redactor, header, events)
        told = json.dumps(report.summary())
        assert "reports an error: \\\"unknown token" in told and secret not in told

    def test_the_timeline_ends_at_the_end(self) -> None:
        report = diagnose(layouts.header(), layouts.build("a3-text-ping"))
        assert report.conn == 1
        assert any(mark.kind == "end" and abs(mark.at) < 1e-9 for mark in report.timeline)
        assert report.timeline == sorted(report.timeline, key=lambda mark: round(mark.at, 4))
        assert len(report.timeline) <= 20

    def test_a_hint_for_the_stack(self) -> None:
        assert "receive_text" in diagnose(layouts.header(), layouts.build("a3-text-ping")).hint
        assert "proxy_read_timeout" in diagnose(layouts.header(), layouts.build("c1-idle-60")).hint

    def test_healthy_lists_the_signs_of_success(self) -> None:
        report = diagnose(layouts.header(), layouts.build("healthy"))
        texts = " ".join(sign.text for sign in report.evidence)
        assert report.exit_code == 0 and report.closer == "none"
        assert "open for 2.00 s or more" in texts
        assert "no connection was reopened" in texts and "both directions" in texts

    def test_unknown_has_its_own_exit_code_and_says_what_to_try(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: tape.talk(greet(line), tape.some(1, 9)).wait(tape.some(0.2, 0.9)).end("server"))
        report = report_of(tape)
        assert report.verdict == "unknown/" and report.exit_code == 3
        assert report.next and report.confidence == 0.0

    def test_nothing_recorded(self) -> None:
        report = diagnose(layouts.header(), [])
        assert report.verdict == "unknown/"
        assert "no WebSocket connection" in report.sentence

    def test_nobody_listens(self) -> None:
        tape = Tape()
        for number in range(5):
            tape.open(0.5 + number, error="connection refused")
        report = report_of(tape)
        assert report.verdict == "unknown/" and "never reached" in report.sentence

    def test_a_constant_gap_is_told_as_an_amplifier(self) -> None:
        tape = Tape()
        tape.count = 8
        tape.loop(lambda line, n: tape.talk(greet(line), 2.0).client("ping", 0.1).end("server", after=0.004))
        assert report_of(tape).amplifier == "amplifier/backoff-reset"

    def test_one_connection_that_lived_is_asked_about(self) -> None:
        tape = Tape()
        at = tape.loop(lambda line, n: line.client("ping", 0.3).end("server", after=0.004), "/ws/1")
        tape.talk(greet(tape.open(at, "/ws/2")), 6.0)
        assert report_of(tape, only=7).category == "none"
        assert report_of(tape, only=1).category in ("message", "heartbeat")


class TestHostileInput:
    @given(st.lists(recorded.events, max_size=30))
    @example([
        ev.Handshake(at=0.0, conn=1, request=ev.Request(method="GET", target="/"), waited=2.0**50),
        ev.FilterEvent(at=0.0, conn=0, filter="drop", action="on"),
    ])  # fmt: skip
    def test_any_events_in_any_order(self, events: list[ev.AnyEvent]) -> None:
        report = diagnose(recorded.HEADER, events)
        assert report.verdict in VOCABULARY
        assert 0.0 <= report.confidence <= 1.0
        json.dumps(report.summary())

    @given(st.data())
    def test_a_real_recording_with_anything_changed(self, data: st.DataObject) -> None:
        """Events left out, doubled, swapped, moved in time, or of another connection."""
        events = layouts.build(data.draw(st.sampled_from(sorted(LAYOUTS))), data.draw(st.integers(0, 3)))
        changed: list[ev.Event] = []
        for event in events[:80]:
            match data.draw(st.sampled_from(["keep", "keep", "keep", "drop", "twice", "move", "other", "nobody"])):
                case "keep":
                    changed.append(event)
                case "twice":
                    changed += [event, event]
                case "move":
                    event.at = data.draw(recorded.times)
                    changed.insert(data.draw(st.integers(0, len(changed))), event)
                case "other":
                    event.conn = data.draw(recorded.conns)
                    changed.append(event)
                case "nobody":
                    if isinstance(event, ev.Frame):
                        event.n = data.draw(recorded.numbers)
                    changed.append(event)
        only = data.draw(st.none() | st.integers(1, 5))
        report = diagnose(layouts.header(), changed, only)
        assert report.verdict in VOCABULARY and 0.0 <= report.confidence <= 1.0
        json.dumps(report.summary())

    @given(recorded.texts, recorded.texts, recorded.texts)
    def test_any_words_anywhere(self, reason: str, target: str, log: str) -> None:
        tape = Tape()
        for number in range(3):
            line = tape.open(0.5 + number, target, response=[(target, log)], text=log)
            line.client(log, 0.1).server(target, 0.01).close("server", 4000, reason[:20], 0.01)
            tape.events.append(ev.Log(at=line.at, text=log))
        report = diagnose(Header(hangup=1, started=target, target=log), tape.done())
        assert report.verdict in VOCABULARY


def test_the_module_floor_holds_no_clock_and_no_filter() -> None:
    folder = Path(__file__).parent.parent / "addons" / "hangup" / "diagnosis"
    for path in folder.rglob("*.py"):
        source = path.read_text()
        assert "hangup.filters" not in source and "hangup.experiment" not in source, path
