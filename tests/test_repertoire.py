"""What a recorded server can say, and upon what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversing import Talk, conversations
from hangup.recording.events import Frame
from hangup.recording.rebuild import sent_by
from hangup.replayable.server_script import Cue, Line, Matcher, Repertoire
from test_transcript import InMemory

MS = 1000


class Recorded(Talk):
    """Connection 1, in JSON; times in milliseconds since the last line."""

    def __init__(self) -> None:
        super().__init__()
        self.wait(1 * MS)
        self.open(1)

    def server(self, after: int, message: Any) -> None:
        self.wait(after * MS)
        self.say(1, "server", "text", _data(message))

    def client(self, after: int, message: Any) -> None:
        self.wait(after * MS)
        self.say(1, "client", "text", _data(message))

    def ends(self, after: int) -> Repertoire:
        self.wait(after * MS)
        self.end(1, "server", "fin")
        return self.repertoire()

    def repertoire(self) -> Repertoire:
        return Repertoire(InMemory(self.events), 1)


def _data(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def said(lines: list[Line]) -> list[tuple[int, Any]]:
    """Milliseconds and messages."""
    return [(round(line.delay * 1000), json.loads(line.data or b"null")) for line in lines]


def test_greeting_answers_and_an_end_upon_a_message() -> None:
    talk = Recorded()
    talk.server(5, {"type": "welcome"})
    talk.client(300, {"type": "hello"})
    talk.server(20, {"type": "ack"})
    talk.client(400, b"ping")
    found = talk.ends(3)
    assert said(found.opening) == [(5, {"type": "welcome"})]
    assert [said(cue.answers) for cue in found.cues] == [[(20, {"type": "ack"})], []]
    assert [cue.ends for cue in found.cues] == [False, True] and found.ends_after == pytest.approx(0.003)


def test_an_end_long_after_the_last_message_is_a_timers() -> None:
    talk = Recorded()
    talk.client(10, {"type": "hello"})
    found = talk.ends(2000)
    assert not found.cues[0].ends and found.ends_after == pytest.approx(2.01)


def test_nobody_ended_it() -> None:
    talk = Recorded()
    talk.client(10, {"type": "hello"})
    talk.close(1, "client", 1000)
    found = talk.repertoire()
    assert found.ends_after is None and found.last_words == []


def test_what_the_server_says_by_the_clock_begins_with_what_began_it() -> None:
    talk = Recorded()
    talk.server(5, {"type": "welcome"})
    talk.client(500, {"type": "subscribe"})
    talk.server(10, {"type": "ack"})
    for n in range(8):
        talk.server(300, {"type": "news", "n": n})
        if n in (2, 5):
            talk.client(100, {"type": "click", "n": n})
    found = talk.ends(5000)
    subscribe, *clicks = found.cues
    assert said(subscribe.answers)[0] == (10, {"type": "ack"})
    pushed = said(subscribe.answers)[1:] + said(subscribe.pushes)
    assert [message["n"] for _, message in pushed] == list(range(8)), "news go on whether the client clicks or not"
    assert [cue.answers for cue in clicks] == [[], []] and [cue.pushes for cue in clicks] == [[], []]


def test_an_answer_is_known_by_the_id_that_it_says_back_however_late() -> None:
    talk = Recorded()
    talk.client(10, {"id": "q-77001", "type": "query"})
    talk.client(50, {"id": "q-77002", "type": "query"})
    talk.server(100, {"id": "q-77002", "type": "result"})
    talk.server(900, {"id": "q-77001", "type": "result"})
    found = talk.ends(5000)
    assert [said(cue.answers) for cue in found.cues] == [
        [(1050, {"id": "q-77001", "type": "result"})],
        [(100, {"id": "q-77002", "type": "result"})],
    ]


def test_the_others_chatter_is_no_answer() -> None:
    talk = Recorded()
    for n in range(10):
        talk.client(1000, {"type": "say", "n": n})
        if n == 4:
            talk.server(30, {"type": "joined", "who": "Ada"})
    found = talk.ends(5000)
    assert not any(cue.answers for cue in found.cues)
    assert [said(cue.pushes) for cue in found.cues][0] == [(4030, {"type": "joined", "who": "Ada"})]


def test_echoes() -> None:
    talk = Recorded()
    for message in (b"good morning", b"how are you", b"good bye to you"):
        talk.client(1000, message)
        talk.server(400, message)
    talk.client(1000, b"close the door")
    found = talk.ends(1)
    assert [[line.data for line in cue.answers] for cue in found.cues] == [
        [b"good morning"],
        [b"how are you"],
        [b"good bye to you"],
        [],
    ]


def test_a_slow_first_answer() -> None:
    talk = Recorded()
    talk.client(10, {"type": "login"})
    talk.server(2500, {"type": "session"})
    found = talk.ends(9000)
    assert said(found.cues[0].answers) == [(2500, {"type": "session"})]


def test_heartbeats_go_on() -> None:
    talk = Recorded()
    for _ in range(3):
        talk.wait(2000 * MS)
        talk.frame(1, "server", 9, b"")
    found = talk.ends(500)
    assert [round(beat.period, 3) for beat in found.beats] == [2.0]
    assert found.beats[0].line.sends[0].wire == b"\x89\x00"


def test_engine_io_says_how_often_it_will_ping() -> None:
    talk = Recorded()
    talk.server(5, b'0{"sid":"x","pingInterval":700,"pingTimeout":500}')
    talk.client(5, b"40")
    talk.server(5, b'40{"sid":"y"}')
    found = talk.repertoire()
    assert [(beat.period, beat.line.data) for beat in found.beats] == [(0.7, b"2")]


@given(conversations(conns=1))
def test_nothing_that_the_server_said_is_lost(talk: Talk) -> None:
    events = [e for e in talk.events if not (isinstance(e, Frame) and e.opcode == "ping" and e.side == "client")]
    if not talk.said:
        return
    found = Repertoire(InMemory(events), 1)
    lines = [*found.opening, *(line for cue in found.cues for line in (*cue.answers, *cue.pushes))]
    wires = [step.wire for line in lines for step in line.sends] + [step.wire for step in found.last_words]
    everything = b"".join(sent_by(events, 1, "server"))
    assert sorted(b"".join(wires)) == sorted(everything)
    assert all(line.delay >= 0 for line in lines)
    ended = found.ends_after is not None
    assert ended == (found.survey.by == "server")
    assert sum(cue.ends for cue in found.cues) <= 1


# Matching.


def cues(*messages: Any) -> list[Cue]:
    return [Cue(n, float(n), "text", _data(message)) for n, message in enumerate(messages, 1)]


def match(matcher: Matcher, message: Any) -> int | None:
    found = matcher.match("text", _data(message))
    return None if found is None else found.n


def test_equal_messages_come_first_then_shapes_then_kinds() -> None:
    matcher = Matcher(cues({"type": "a", "x": 1}, {"type": "a", "x": 2}, {"type": "a", "x": 3}, {"type": "b"}))
    assert match(matcher, {"type": "a", "x": 2}) == 2
    assert match(matcher, {"type": "a", "x": 9}) == 1
    assert match(matcher, {"type": "a", "x": 1}) == 3, "the first has come already, so this is the next of its shape"
    assert match(matcher, {"type": "a", "x": 8}) == 3, "all have come: the last one again"
    assert match(matcher, {"type": "b", "more": True}) == 4
    assert match(matcher, {"type": "c"}) is None


def test_of_one_shape_the_likest() -> None:
    matcher = Matcher(
        cues({"id": "1", "type": "subscribe", "q": "ticks"}, {"id": "2", "type": "subscribe", "q": "tickets"})
    )
    assert match(matcher, {"id": "9", "type": "subscribe", "q": "tickets"}) == 2
    assert match(matcher, {"id": "8", "type": "subscribe", "q": "other"}) == 1


def test_what_has_no_shape_comes_in_its_order() -> None:
    matcher = Matcher(cues(b"good morning to you", b"how are you", b"ping"))
    assert [match(matcher, text) for text in (b"ping", b"hi there all", b"fine and you", b"ping")] == [3, 1, 2, 3]


@given(
    st.lists(st.binary(max_size=6) | st.sampled_from([b'{"type":"a"}', b'{"type":"a","n":1}', b"ping"]), max_size=12)
)
def test_whatever_was_recorded_matches_itself_in_order(messages: list[bytes]) -> None:
    matcher = Matcher(cues(*messages))
    for n, message in enumerate(messages, 1):
        found = matcher.match("text", message)
        assert found is not None and found.data == message and found.n == n
