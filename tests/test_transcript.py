"""A recorded connection as a script: what is in it, where it ends, and what is known of it beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversing import SIDES, Talk, conversations
from hangup.errors import RecordingError
from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Event, Header, Side
from hangup.recording.fates import choose
from hangup.recording.ledger import Ledger
from hangup.recording.rebuild import sent_by
from hangup.replayable import client_script
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.wire.frames import header
from recorded import HEADER


class InMemory:
    """A recording that is no file."""

    name = "a recording"
    path: Path | None = None
    torn = complete = False
    skipped = 0
    skips: list[tuple[int, str]] = []

    def __init__(self, events: list[AnyEvent], header: Header = HEADER) -> None:
        self.header = header
        self._events = events

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._events)


def script(talk: Talk, side: Side = "client", conn: int = 1) -> Transcript:
    return Transcript(InMemory(talk.events), conn, side)


def wires(transcript: Transcript) -> list[bytes]:
    return [step.wire for step in transcript.steps() if isinstance(step, Send)]


def demo() -> Talk:
    """What the demo's backend and page do."""
    talk = Talk()
    talk.open(1)
    talk.wait(1000)
    talk.say(1, "server", "text", b'{"type":"welcome"}')
    talk.wait(2000)
    talk.say(1, "client", "text", b'{"type":"hello"}')
    talk.wait(1000)
    talk.say(1, "server", "text", b'{"type":"ack"}')
    talk.wait(400_000)
    talk.say(1, "client", "text", b"ping")
    talk.wait(3000)
    return talk


def test_the_script_of_a_client_that_was_hung_up_on() -> None:
    talk = demo()
    talk.end(1, "server", "fin")
    talk.wait(100)
    talk.say(1, "client", "text", b"too late")
    talk.end(1, "client", "fin")
    transcript = script(talk)
    said = [step.message if isinstance(step, Send) else (step.opcode, step.data) for step in transcript.steps()]
    assert said == [("text", b'{"type":"welcome"}'), b'{"type":"hello"}', ("text", b'{"type":"ack"}'), b"ping"]
    survey = transcript.survey
    assert (survey.by, survey.sent, survey.totals) == ("server", 2, {"client": 2, "server": 2})
    assert survey.reaction == pytest.approx(0.003) and survey.lifetime == pytest.approx(0.407)
    assert not survey.leave.first and survey.last_n == 4


def test_the_script_of_its_server() -> None:
    talk = demo()
    talk.raw(1, "server", b"\x81\x05he")
    talk.end(1, "server", "rst")
    transcript = script(talk, "server")
    assert wires(transcript)[-1] == b"\x81\x05he"
    assert [step.data for step in transcript.steps() if isinstance(step, Hear)] == [b'{"type":"hello"}', b"ping"]
    assert transcript.survey.leave.first and transcript.survey.leave.how == "rst"


def test_a_client_that_left_by_itself() -> None:
    talk = demo()
    talk.close(1, "client", 1000, "bye")
    talk.close(1, "server", 1000, "bye")
    transcript = script(talk)
    last = list(transcript.steps())[-1]
    assert isinstance(last, Send) and last.opcode == "close"
    survey = transcript.survey
    assert survey.by == "client" and survey.leave.first and survey.leave.how == "fin"
    assert survey.sent == 2  # its CLOSE does not count


@pytest.mark.parametrize("by", ["proxy", "mute"])
def test_what_hangup_itself_ended_nobody_ended(by: str) -> None:
    talk = demo()
    talk.events.append(ev.End(at=talk.at, conn=1, side="client", how="fin", by=by))
    talk.wait(1000)
    talk.close(1, "client", 1000)
    transcript = script(talk)
    assert transcript.survey.by == "nobody"
    assert all(step.opcode != "close" for step in transcript.steps())


def test_a_connection_that_is_still_open() -> None:
    talk = demo()
    talk.wait(5_000_000)
    talk.stop()
    survey = script(talk).survey
    assert survey.by == "nobody" and survey.reaction == pytest.approx(5.003)


def test_no_such_connection() -> None:
    with pytest.raises(RecordingError, match="no connection 7"):
        script(demo(), conn=7)


def test_cut_payloads_cannot_be_played() -> None:
    talk = demo()
    frame = next(e for e in talk.events if isinstance(e, ev.Frame) and e.side == "client")
    frame.length, frame.text = 1000, "{"
    transcript = script(talk)
    with pytest.raises(RecordingError, match="max-payload"):
        list(transcript.steps())


# Pings.


def ping_pong(answered: list[bool], wait: int = 1000) -> Transcript:
    talk = Talk()
    talk.open(1)
    for i, yes in enumerate(answered):
        talk.wait(1_000_000)
        talk.frame(1, "server", 9, b"p%d" % i)
        talk.wait(wait)
        if yes:
            talk.frame(1, "client", 10, b"p%d" % i)
    talk.wait(2_000_000)
    talk.end(1, "server", "fin")
    return script(talk)


def test_pongs_are_no_part_of_the_script() -> None:
    transcript = ping_pong([True, True], wait=30_000)
    assert list(transcript.steps()) == []
    assert transcript.survey.sent == 0
    assert transcript.survey.pongs.wait == pytest.approx(0.03)


def test_which_pings_are_answered() -> None:
    pongs = ping_pong([True, True, False]).survey.pongs
    assert [pongs.answers(k) for k in (1, 2, 3, 4, 99)] == [True, True, False, False, False]
    assert all(ping_pong([True, True]).survey.pongs.answers(k) for k in (1, 2, 3))
    assert ping_pong([]).survey.pongs.answers(1), "who never was asked will answer, as every library does"


def test_a_ping_right_before_the_end_tells_nothing() -> None:
    talk = Talk()
    talk.open(1)
    for i in range(2):
        talk.wait(1_000_000)
        talk.frame(1, "server", 9, b"%d" % i)
        if not i:
            talk.frame(1, "client", 10, b"0")
    talk.wait(1000)
    talk.end(1, "server", "fin")
    assert script(talk).survey.pongs.answers(2)


def test_a_pong_that_answers_nothing_is_part_of_the_script() -> None:
    talk = Talk()
    talk.open(1)
    talk.frame(1, "client", 10, b"unasked")
    talk.frame(1, "server", 9, b"a")
    talk.wait(700_000)
    talk.frame(1, "client", 10, b"another")
    talk.wait(1_000_000)
    talk.end(1, "server", "fin")
    transcript = script(talk)
    assert len(wires(transcript)) == 2 and transcript.survey.sent == 2


def test_a_pong_right_after_a_ping_is_its_answer_whatever_it_says() -> None:
    talk = Talk()
    talk.open(1)
    talk.frame(1, "server", 9, b"a")
    talk.wait(20_000)
    talk.frame(1, "client", 10, b"another")
    talk.wait(1_000_000)
    talk.end(1, "server", "fin")
    transcript = script(talk)
    assert not wires(transcript) and transcript.survey.pongs.wrong
    assert transcript.survey.pongs.answer(1, b"x") == b"another"


# Messages of several frames.


def test_the_first_fragment_knows_the_whole_message() -> None:
    talk = Talk()
    talk.open(1, compressed=True)
    talk.say(1, "client", "text", b"hello world", cuts=[3, 6], packed=True)
    talk.say(1, "server", "text", b"between")
    talk.say(1, "client", "text", b"again", packed=True)
    talk.wait(1000)
    talk.end(1, "server", "fin")
    steps = [step for step in script(talk).steps() if isinstance(step, Send)]
    assert [(s.begins, s.fragments, s.message, s.packed) for s in steps] == [
        (True, 3, b"hello world", 1),
        (False, 0, None, 0),
        (False, 1, None, 0),
        (True, 1, b"again", 2),
    ]


def test_a_message_that_never_ends_is_played_as_far_as_it_goes() -> None:
    talk = Talk()
    talk.open(1)
    talk.frame(1, "client", 1, b"begun", fin=False)
    talk.frame(1, "client", 9, b"ping")
    talk.wait(1000)
    talk.end(1, "server", "fin")
    steps = [step for step in script(talk).steps() if isinstance(step, Send)]
    assert [step.opcode for step in steps] == ["text", "ping"] and steps[0].message is None


@pytest.mark.parametrize("limit", [16 << 20, 2 << 20])
def test_a_large_frame_is_one_message_unless_it_is_too_large(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_script, "MESSAGE_LIMIT", limit)
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "binary", b"x" * (3 << 20))
    talk.say(1, "client", "text", b"after it")
    talk.wait(1000)
    talk.end(1, "server", "fin")
    transcript = script(talk)
    parts = wires(transcript)
    assert b"".join(parts) == b"".join(sent_by(talk.events, 1, "client"))
    first, *_ = (step for step in transcript.steps() if isinstance(step, Send))
    assert len(parts) == 2 if limit > 3 << 20 else len(parts) > 2
    assert first.begins and (first.message == b"x" * (3 << 20)) is (limit > 3 << 20)


@pytest.mark.parametrize("whole", [True, False])
def test_a_message_is_played_in_whole_whose_size_was_minded_before_all_of_it_was_there(whole: bool) -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b"hello")
    talk.wait(1000)
    size = 3 << 20
    wire = header(True, 0, 2, b"\0\0\0\0", size) + b"x" * size
    talk.raw(1, "client", wire[: 2 << 20])
    talk.wait(1000)
    talk.frame(1, "server", 8, b"\x03\xf1")
    if whole:
        talk.raw(1, "client", wire[2 << 20 :])
    talk.frame(1, "client", 8, b"\x03\xf1") if whole else None
    talk.end(1, "client", "fin")
    steps = [step for step in script(talk).steps() if isinstance(step, Send)]
    assert [step.message for step in steps[:2]] == [b"hello", b"x" * size if whole else None]
    assert steps[1].begins and b"".join(step.wire for step in steps[1:]) == (wire if whole else wire[: 2 << 20])


def test_a_long_script_is_gone_over_again_for_each_play(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps are those of a script that is short enough to be kept."""
    talk = demo()
    talk.frame(1, "server", 9, b"p")
    talk.frame(1, "client", 10, b"p")
    talk.say(1, "client", "text", b"in three parts", cuts=[3, 6])
    talk.open(2)
    talk.say(2, "client", "text", b"of another connection")
    talk.close(1, "client", 1000, "bye")
    talk.say(1, "server", "text", b"too late")
    talk.end(1, "server", "fin")
    kept = {side: list(script(talk, side).steps()) for side in SIDES}
    for name, most in (("KEPT_FRAMES", 2), ("KEPT_BYTES", 20)):
        with monkeypatch.context() as patched:
            patched.setattr(client_script, name, most)
            for side in SIDES:
                transcript = script(talk, side)
                assert list(transcript.steps()) == kept[side], "a stream"
                assert list(transcript.steps()) == kept[side], "and once more"


# Everything else.


@given(conversations(), st.sampled_from(["client", "server"]))
def test_the_script_has_every_byte_of_its_side(talk: Talk, side: Side) -> None:
    other: Side = "server" if side == "client" else "client"
    for conn in talk.said:
        # Nobody pings the played side, so nothing of it is an answer to a ping.
        events = [
            e
            for e in talk.events
            if not (isinstance(e, ev.Frame) and e.conn == conn and e.opcode == "ping" and e.side == other)
        ]
        transcript = Transcript(InMemory(events), conn, side)
        assert b"".join(wires(transcript)) == b"".join(sent_by(events, conn, side))
        assert wires(transcript) == wires(transcript), "it can be played twice"
        times = [step.at for step in transcript.steps()]
        assert times == sorted(times)


def test_which_connection_is_played_when_nobody_says() -> None:
    talk = Talk()
    for conn in (1, 2, 3, 4):
        talk.open(conn, status=403 if conn == 2 else 101)
    talk.end(1, "server", "fin")
    talk.end(3, "client", "rst")
    talk.close(4, "client", 1000)
    ledger = Ledger()
    for event in talk.events:
        ledger.feed(event)
    chosen = choose(ledger)
    assert [c.failed for c in ledger.connections.values()] == [True, True, True, False]
    assert chosen is not None and chosen.conn == 3
    assert choose(Ledger()) is None


def test_what_is_lost_and_what_filters_did_is_told() -> None:
    talk = demo()
    more: list[Event] = [
        ev.Note(at=1, conn=0, text="lost", lost=3),
        ev.FilterEvent(at=1, conn=1, filter="drop-ping", action="drop", side="server", n=1),
    ]
    survey = Transcript(InMemory([*talk.events, *more]), 1).survey  # type: ignore[list-item]
    assert survey.lost == 3 and survey.filters == 1
