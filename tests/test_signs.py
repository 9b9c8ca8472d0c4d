"""What the diagnosis sees in a recording: shapes, traces, heartbeats, clients and their fates, and its statistics."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import layouts
from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import spread, steadiness, surprise, within
from hangup.diagnosis.reactions import EndingContrast, reaction
from hangup.diagnosis.signs import harmless_silences as silence
from hangup.messages.shapes import SHAPES, Shapes
from hangup.recording import events as ev
from hangup.recording.connections import route_of
from hangup.recording.ledger import Ledger
from hangup.recording.traffic_ledger import FIRST_KEPT, LAST_KEPT, TrafficLedger, look_into
from layouts import HELLO, WELCOME, Tape, greet


def case_of(tape: Tape, only: int | None = None) -> Case:
    return Case(look_into(layouts.header(), tape.done()), only)


class TestShapes:
    @pytest.mark.parametrize(
        ("text", "name", "is_json", "faults"),
        [
            ('{"type":"ping","ts":1}', '{type: "ping", ts}', True, set()),
            ('{"op":3,"d":{"x":1}}', '{op: "3", d: {x}}', True, set()),
            ('{"a":1,"b":2}', "{a, b}", True, set()),
            ("ping", 'text "ping"', False, set()),
            ("Welcome, client-17!", 'text "Welcome, client-#!"', False, set()),
            ("", "empty text", False, {"empty"}),
            ('{"v":NaN}', "{v} with nan", False, {"nan"}),
            ('\ufeff{"type":"x"}', 'byte order mark and {type: "x"}', False, {"bom"}),
            ('{"items":[1,2', 'broken JSON "{"items":[#,#"', False, {"truncated"}),
            ("<!doctype html><html>", "an HTML page", False, {"html"}),
            ('42["chat",{"x":1}]', 'Engine.IO packet "42 chat"', True, set()),
            ("2", 'Engine.IO packet "2" (ping)', True, set()),
            ("CONNECT\naccept-version:1.2\n\n\0", "STOMP CONNECT", False, set()),
            ('[null,"1","phoenix","heartbeat",{}]', '["heartbeat", …] (ping)', True, set()),
            ('{"type":6}\x1e', "SignalR message 6", True, set()),
            ('"quoted"', "a quoted string", True, set()),
            ("true", "a bare JSON constant", True, set()),
            ("-42", "a bare number", True, set()),
            ('  {"type":"x"}', '{type: "x"}', True, set()),
            ("[1,2,3]", "a JSON array", True, set()),
            (r'{"v":"\ud83d"}', "{v} with surrogate", True, {"surrogate"}),
            (r'["say","\ud83d"]', '["say", …]', True, set()),
            (r'{"v":"\ud83d', r'broken JSON "{"v":"\ud#d"', False, {"truncated"}),
            ('{"v":NaN', 'broken JSON "{"v":NaN"', False, {"truncated"}),
            ('{"protocol":"json","version":1}\x1e', "SignalR handshake", True, set()),
            ('{"type":\x1e', 'broken JSON "{"type":\\x1e"', False, {"truncated"}),
        ],
    )
    def test_forms(self, text: str, name: str, is_json: bool, faults: set[str]) -> None:
        shape = Shapes().of_text(text)
        assert (shape.text, shape.json, set(shape.faults)) == (name, is_json, faults)

    def test_values_do_not_matter(self) -> None:
        shapes = Shapes()
        first = shapes.of_text('{"type":"say","data":{"id":1,"text":"hello"}}')
        assert shapes.of_text('{"type":"say","data":{"id":22,"text":"bye"}}') is first
        assert shapes.of_text('{"type":"say","data":{"id":22}}') is not first
        assert shapes.of_text('{"type":"ask","data":{"id":1,"text":"hello"}}') is not first

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b'{"type":"say","n":1}', 'binary {type: "say", n}'),
            (b"", "empty binary message"),
            (b"\x01\xff", "binary 0x01ff"),
            (b"{broken", "binary 0x7b62726f6b656e"),
            (bytes(range(200)), "binary message"),
        ],
    )
    def test_binary_forms(self, data: bytes, name: str) -> None:
        assert Shapes().of_bytes(data).text == name

    @pytest.mark.parametrize(
        ("text", "protocol"),
        [
            ('{"type":"connection_init"}', "graphql"),
            ('{"topic":"room:1","event":"say","ref":"1","payload":{}}', "phoenix"),
            ('{"jsonrpc":"2.0","id":1,"method":"list"}', "json-rpc"),
            ('{"identifier":"{}","command":"subscribe"}', "actioncable"),
            ('{"type":"say","n":1}', ""),
        ],
    )
    def test_protocols(self, text: str, protocol: str) -> None:
        assert Shapes().of_text(text).protocol == protocol

    def test_names_that_are_cut_alike_stay_apart(self) -> None:
        shapes = Shapes()
        long = "x" * 100
        one, other = (shapes.of_text(json.dumps({long + end: 1})) for end in "ab")
        assert one is not other and other.text == f"{one.text} (2)"

    def test_heartbeats_are_recognised_in_any_opcode(self) -> None:
        shapes = Shapes()
        assert shapes.of_text("PING").beat is not None
        assert shapes.of_text('{"event":"heartbeat"}').beat is not None
        assert shapes.of_bytes(b"\xc0\x00").beat is not None
        assert shapes.of_text("hello there, how are you?").beat is None

    def test_many_forms_take_no_more_memory_and_heartbeats_are_still_seen(self) -> None:
        shapes = Shapes()
        for number in range(20 * SHAPES):
            shapes.of_text(json.dumps({"type": f"kind{number}", "x": number}))
            shapes.of_text(f"word{'x' * (number % 60)} {number}")
        assert len(shapes._known) <= 2 * SHAPES + 8
        late = shapes.of_text('{"type":"keepalive","nonce":1}')
        assert late.beat is not None
        assert shapes.of_text('{"type":"utterly new"}').json

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        shapes = Shapes()
        shape = shapes.of_text(text)
        assert shapes.of_text(text) is shape
        assert shape.text

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        shapes = Shapes()
        assert shapes.of_bytes(data) is shapes.of_bytes(data)


class TestNumbers:
    def test_a_timer_is_told_from_chance(self) -> None:
        assert steadiness([60.0, 60.01, 59.99]) > 3
        assert steadiness([1.0, 5.0, 9.0]) < 0
        assert steadiness([60.0]) == 0.0
        assert steadiness([]) == 0.0

    def test_more_repeats_weigh_more(self) -> None:
        assert steadiness([10, 10.5, 10.2]) > steadiness([10, 10.5])

    def test_one_outlier_among_many_is_forgiven(self) -> None:
        assert spread([1, 1, 1, 1, 1, 9]) == 0
        assert spread([1, 9]) == 8

    def test_surprise_grows_with_hits_and_falls_with_chance(self) -> None:
        assert surprise(6, 6, 0.01) > surprise(6, 6, 0.3) > surprise(2, 6, 0.3)
        assert surprise(3, 6, 0.9) == 0.0

    @given(st.integers(0, 50), st.integers(0, 50), st.floats())
    def test_surprise_of_anything_is_a_number(self, hits: int, more: int, chance: float) -> None:
        assert surprise(hits, hits + more, chance) >= 0.0

    @example([1.7e308, -1.7e308])
    @given(st.lists(st.floats()))
    def test_steadiness_of_anything_is_bounded(self, values: list[float]) -> None:
        assert -6.0 <= steadiness(values) <= 6.0

    def test_chance_of_a_window(self) -> None:
        assert within(0, 10) == 0.0
        assert math.isclose(within(1, 0.1), 0.095, abs_tol=0.001)


class TestTraces:
    def test_a_connection_is_frozen_at_its_first_step_to_the_end(self) -> None:
        tape = Tape()
        line = greet(tape.open(0.5))
        line.client("before", 0.1)
        line.end("server", after=0.01)
        line.client("after, on the way already", 0.001)
        trace = look_into(layouts.header(), tape.done()).connections[1].traffic
        assert trace.client.last is not None and trace.client.last.text == "before"
        assert trace.late == 1

    def test_fragments_make_one_message(self) -> None:
        tape = Tape()
        line = tape.open(0.5)
        line.client('{"a":', fin=False).client("1}", opcode="continuation", message='{"a":1}')
        trace = look_into(layouts.header(), tape.done()).connections[1].traffic
        assert trace.client.messages == 1
        assert trace.client.last is not None
        assert (trace.client.last.fragments, trace.client.last.shape.text, trace.client.last.n) == (2, "{a}", 2)

    def test_compressed_messages_are_seen_inflated(self) -> None:
        tape = Tape()
        tape.open(0.5).client({"type": "x"}, rsv=4)
        trace = look_into(layouts.header(), tape.done()).connections[1].traffic
        assert trace.client.compressed == 1
        assert trace.client.last is not None and trace.client.last.shape.kind == "x"

    def test_heartbeats_of_both_levels(self) -> None:
        tape = Tape()
        line = tape.open(0.5)
        for _ in range(3):
            line.client({"type": "ping"}, 1.0).server({"type": "pong"}, 0.02)
        line.client({"type": "ping"}, 1.0)
        line.ping("server", 0.1, payload=b"a").pong("client", payload=b"a").ping("server", 0.1, payload=b"b")
        beats = look_into(layouts.header(), tape.done()).connections[1].traffic.beats
        mine = beats["client", "app"]
        assert (mine.sent, mine.answered) == (4, 3)
        assert mine.waiting_n == 7 and math.isclose(mine.period, 1.02, abs_tol=0.01)
        assert math.isclose(mine.slowest, 0.02, abs_tol=0.001)
        control = beats["server", "control"]
        assert (control.sent, control.answered, control.waiting_n) == (2, 1, 10)

    def test_a_pong_with_another_payload_is_no_answer(self) -> None:
        tape = Tape()
        tape.open(0.5).ping("server", payload=b"a").pong("client", payload=b"z")
        beats = look_into(layouts.header(), tape.done()).connections[1].traffic.beats["server", "control"]
        assert (beats.answered, beats.mismatched) == (0, 1)

    def test_a_heartbeat_may_be_answered_by_itself(self) -> None:
        tape = Tape()
        tape.open(0.5).client({"type": "heartbeat"}, 1.0).server({"type": "heartbeat"}, 0.01)
        beats = look_into(layouts.header(), tape.done()).connections[1].traffic.beats
        assert beats["client", "app"].answered == 1
        assert ("server", "app") not in beats

    def test_what_comes_like_clockwork_is_seen_though_its_form_is_unknown(self) -> None:
        tape = Tape(3, jitter=0.01)
        line = tape.open(0.5)
        for _ in range(5):
            line.client("♥", 2.0)
        count = next(iter(look_into(layouts.header(), tape.done()).connections[1].traffic.client.shapes.values()))
        assert count.regular and 1.9 < count.period < 2.1

    def test_many_connections_take_no_more_memory(self) -> None:
        tape = Tape()
        for number in range(FIRST_KEPT + LAST_KEPT + 300):
            tape.open(0.1 * number).client(HELLO, 0.01).end("server", after=0.01)
        collector = look_into(layouts.header(), tape.done())
        traces = collector.looked_into
        assert len(traces) == FIRST_KEPT + LAST_KEPT
        assert collector.passed_over == 300
        assert traces[0].conn == 1 and traces[-1].conn == FIRST_KEPT + LAST_KEPT + 300

    def test_a_long_connection_takes_no_more_memory(self) -> None:
        collector = TrafficLedger(layouts.header())
        for event in layouts.build("healthy", 1)[:1]:
            collector.feed(event)
        for n in range(20_000):
            message = json.dumps({f"key{n}": n, "type": f"t{n}"})
            collector.feed(ev.Frame(at=0.5 + n / 1000, conn=1, n=n + 1, side="client", text=message))
        trace = collector.connections[1].traffic
        assert trace.client.messages == 20_000
        assert len(trace.client.shapes) <= 25 and len(trace.recent) <= 24 and len(trace.opening) <= 8


class TestFates:
    def test_reopened_connections_follow_each_other(self) -> None:
        tape = Tape()
        tape.loop(lambda line, n: line.client(HELLO, 0.1).end("server", after=0.1))
        case = case_of(tape)
        assert [life.fate for life in case.lives] == ["dropped"] * 6
        assert case.successor(case.lives[0]) is case.lives[1]
        assert case.gaps and all(0.4 < gap < 0.6 for gap in case.gaps)

    def test_a_client_that_leaves_for_good_did_not_drop(self) -> None:
        tape = Tape()
        tape.talk(greet(tape.open(0.5)), 5.0).close("client", 1001)
        assert [life.fate for life in case_of(tape).lives] == ["left"]

    def test_what_ends_with_the_recording_did_not_drop(self) -> None:
        tape = Tape()
        for i in range(2):
            line = tape.talk(greet(tape.open(0.5, f"/ws/{i}")), 5.0)
            line.at = 6.0
            line.end("server")
        events = [event for event in tape.done() if not isinstance(event, ev.Stop)] + [ev.Stop(at=6.1)]
        case = Case(look_into(layouts.header(), events))
        assert not case.groups

    def test_the_largest_kind_of_ending_is_the_case(self) -> None:
        tape = Tape()
        at = tape.loop(lambda line, n: line.client("ping", 0.3).end("server", after=0.01), "/ws/1")
        tape.open(at, "/other").close("server", 1012, after=3.0)
        case = case_of(tape)
        assert case.count == 6 and case.closer == "server" and case.mode == "abrupt"
        assert len(case.groups) == 2

    def test_only_narrows_to_one_ending(self) -> None:
        tape = Tape()
        at = tape.loop(lambda line, n: line.client("ping", 0.3).end("server", after=0.01), "/ws/1")
        tape.open(at, "/other").close("server", 1012, after=3.0)
        assert case_of(tape, only=7).code == 1012

    def test_paths_are_compared_without_ids(self) -> None:
        assert route_of("/ws/client-17?token=x") == "/ws/{}"
        assert route_of("/api/v1/ws") == "/api/v1/ws"
        assert route_of("/socket.io/?EIO=4") == "/socket.io/"


class TestReactions:
    def test_ends_that_follow_a_message(self) -> None:
        tape = Tape(5)
        tape.loop(lambda line, n: tape.talk(greet(line), 4.0).client("ping", 0.1).end("server", after=0.004))
        case = case_of(tape)
        found = reaction(case, "client")
        assert found is not None and found.weight > 3 and len(found.hits) == case.count
        contrast = EndingContrast(case, found)
        assert contrast.shape.text == 'text "ping"'
        assert contrast.trait(lambda shape: not shape.json).decisive
        assert not contrast.trait(lambda shape: shape.json).fatal

    def test_ends_by_chance_follow_nothing(self) -> None:
        tape = Tape(4)
        tape.count = 9
        tape.loop(lambda line, n: tape.talk(greet(line), tape.some(1, 9), 0.8).wait(tape.some(0.1, 0.7)).end("server"))
        found = reaction(case_of(tape), "client")
        assert found is None or found.weight < 1.5

    def test_a_message_that_slipped_in_behind_the_deadly_one(self) -> None:
        tape = Tape(6)

        def play(line: layouts.Line, n: int) -> None:
            tape.talk(greet(line), 3.0).client(b"\x00", 0.1)
            if n == 1:
                line.client({"type": "message", "id": 5, "text": "hi"}, 0.001)
            line.end("server", after=0.003)

        tape.count = 6
        tape.loop(play)
        case = case_of(tape)
        found = reaction(case, "client")
        assert found is not None
        assert EndingContrast(case, found).trait(lambda shape: shape.opcode == "binary").fatal == 6

    def test_what_did_no_harm_elsewhere_speaks_against(self) -> None:
        tape = Tape(7)
        tape.talk(greet(tape.open(0.1, "/ws/9")), 30.0, 0.5)
        tape.loop(lambda line, n: tape.talk(greet(line), 1.3, 0.5).end("server", after=0.001), "/ws/1")
        case = case_of(tape)
        found = reaction(case, "client")
        if found is not None:
            assert not EndingContrast(case, found).trait(lambda shape: shape.kind == "message").decisive


def test_a_silence_that_did_no_harm_is_remembered() -> None:
    tape = Tape()
    line = greet(tape.open(0.5)).client({"type": "x"}, 20.0)
    line.end("server", after=3.0)
    case = case_of(tape)
    assert 19 < silence.longest(case, None) < 21
    assert 19 < silence.longest(case, "client") < 21


@pytest.mark.parametrize(
    ("headers", "server", "proxy"),
    [
        ([("server", "uvicorn")], "uvicorn", ""),
        ([("Server", "Python/3.13 websockets/17.4")], "websockets", ""),
        ([("Server", "Python/3.11 aiohttp/3.14.5")], "aiohttp", ""),
        ([("Server", "TornadoServer/6.6.1")], "tornado", ""),
        ([("Server", "nginx/1.25.3")], "", "nginx"),
        ([("Server", "cloudflare"), ("CF-RAY", "abc")], "", "Cloudflare"),
        ([("Server", "awselb/2.0")], "", "AWS ALB"),
        ([], "", ""),
    ],
)
def test_stacks_by_their_headers(headers: list[tuple[str, str]], server: str, proxy: str) -> None:
    tape = Tape()
    tape.loop(lambda line, n: line.client(HELLO, 0.1).server(WELCOME, 0.01).end("server", after=0.01), response=headers)
    found = case_of(tape).stack
    assert (found.server, found.proxy) == (server, proxy)


@pytest.mark.measured
def test_judging_costs_little_more_than_showing() -> None:
    """The bar is five times what `hangup show` takes; both in processor time, the best of several turns, and each as it
    reads a recording: event by event, and many at a time."""
    tape = Tape(1)
    line = tape.open(0.5)
    tape.talk(line, 3_000.0, 0.6)
    lines = [ev.encode(event) for event in tape.done()]
    block = b"\n".join(lines) + b"\n"

    def showing() -> float:
        began = time.process_time()
        feed = Ledger().feed
        for data in lines:
            feed(ev.decode(data))
        return time.process_time() - began

    def judging() -> float:
        began = time.process_time()
        TrafficLedger(layouts.header()).feed_all(ev.decode_lines(block))
        return time.process_time() - began

    turns = [(showing(), judging()) for _ in range(15)]
    assert len(lines) > 8_000
    assert min(why for _, why in turns) < 5 * min(show for show, _ in turns)
