"""The player against raw servers: what it says to the byte, when, and what it makes of what comes back."""

from __future__ import annotations

import asyncio
import time
from math import inf
from queue import Queue

import pytest
from hypothesis import HealthCheck, given, settings

from conversing import EXTENSION, KEY, Talk, conversations
from hangup.errors import BackendError
from hangup.experiment.trial import Edit
from hangup.recording import events as ev
from hangup.recording.rebuild import sent_by
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import MemorySink
from hangup.wire import deflate
from hangup.wire.frames import FrameReader
from hangup.wire.messages import Assembler
from hangup.wire.url import parse_target
from harness import DEADLINE, frames
from harness.certificates import Authority
from harness.peers import Answer, Head, Peer, RawServer
from replaying import FAST, run, serving, transcript_of


def text(payload: str) -> bytes:
    """A server's frame."""
    return frames.frame(frames.TEXT, payload.encode())


def exchange(*, end: str = "fin", think: int = 1000) -> Talk:
    """A greeting, a question, an answer, another question, the end."""
    talk = Talk()
    talk.open(1, target="/chat?room=7", headers=[("Sec-WebSocket-Key", "b" * 22 + "=="), ("Cookie", "a=1")])
    talk.wait(1000)
    talk.say(1, "server", "text", b"welcome")
    talk.wait(think)
    talk.say(1, "client", "text", b"one")
    talk.wait(1000)
    talk.say(1, "server", "text", b"answer")
    talk.wait(think)
    talk.say(1, "client", "text", b"two")
    talk.wait(1000)
    if end == "close":
        talk.close(1, "server", 1011, "oops")
        talk.close(1, "client", 1011)
    elif end == "open":
        talk.wait(500_000)
        talk.stop()
    else:
        talk.end(1, "server", end)  # type: ignore[arg-type]
    return talk


def like_recorded(peer: Peer, end: str = "fin") -> None:
    """A server that does what the recorded one did."""
    peer.send(text("welcome"))
    peer.expect_frames(1)
    peer.send(text("answer"))
    peer.expect_frames(2)
    if end == "rst":
        peer.rst()
    elif end == "close":
        peer.send(frames.close(1011, b"oops"))
        peer.expect_frames(3)


# What is said.


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversations(conns=1))
def test_the_bytes_are_the_recorded_ones(talk: Talk) -> None:
    events = [e for e in talk.events if not (isinstance(e, ev.Frame) and e.opcode == "ping" and e.side == "server")]
    shake = next(e for e in events if isinstance(e, ev.Handshake))
    assert shake.response is not None
    if shake.response.status != 101:
        return
    ends = [e for e in events if isinstance(e, ev.End) or (isinstance(e, ev.Frame) and e.opcode == "close")]
    client_first = bool(ends) and ends[0].side == "client"  # type: ignore[union-attr]
    expected = b"".join(sent_by(events, 1, "client"))

    seen: Queue[tuple[bytes, str]] = Queue()

    def listen(peer: Peer) -> None:
        if expected:
            peer.expect(len(expected))
        if not client_first:
            peer.half_close()
        end = peer.wait_end()
        seen.put((peer.received, end.how))

    answer = Answer(headers=[(n, v) for n, v in shake.response.headers if n == "Sec-WebSocket-Extensions"])
    with serving(listen, answer) as server:
        played = run(transcript_of(events), server, ReplaySettings(speed=inf, pace="clock", survive=0.1))
        got, how = seen.get(timeout=DEADLINE)
    assert got[: len(expected)] == expected
    assert got[len(expected) :] in (b"", *_closes(got[len(expected) :])), "nothing more but the player's own CLOSE"
    if client_first and isinstance(ends[0], ev.End) and ends[0].how == "rst":
        assert how == "rst"
    assert played.outcome.sent <= played.outcome.expected


def _closes(data: bytes) -> list[bytes]:
    return [data] if [f.opcode for f in frames.parse(data)] == [frames.CLOSE] else []


def test_the_handshake_is_the_recorded_one_with_a_fresh_key() -> None:
    with serving(like_recorded) as server:
        run(exchange(), server)
        settings = ReplaySettings(speed=inf, survive=0.2, seed=1, headers=[("Cookie", ""), ("X-Mine", "1")])
        run(exchange(), server, settings)
        first, second = server.requests
        port = server.port
    assert first.target == "/chat?room=7"
    names = [name for name, _ in first.headers]
    assert names == ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Cookie"]
    assert first.get("host") == f"127.0.0.1:{port}" and first.get("cookie") == "a=1"
    keys = {first.get("sec-websocket-key"), second.get("sec-websocket-key")}
    assert len(keys) == 2 and "b" * 22 + "==" not in keys
    assert second.get("cookie") is None and second.get("x-mine") == "1"


def test_parameters_can_be_set() -> None:
    with serving(like_recorded) as server:
        run(exchange(), server, ReplaySettings(speed=inf, survive=0.2, sets={"room": "8", "a": "2"}))
        assert server.requests[0].target == "/chat?room=8" and server.requests[0].get("cookie") == "a=2"


# Endings.


@pytest.mark.parametrize("end", ["fin", "rst", "close"])
def test_the_same_ending_at_the_same_frame(end: str) -> None:
    with serving(lambda peer: like_recorded(peer, end)) as server:
        played = run(exchange(end=end), server)
    outcome = played.outcome
    assert outcome.same and outcome.same_frame and not outcome.survived, outcome.differences()
    assert outcome.diverged_at is None and outcome.differences() == []
    assert outcome.live.ending.by == "server" and outcome.live.ending.how == end
    if end == "close":
        assert outcome.live.ending.code == 1011 and "the client closed in turn" in outcome.live.ending.sentence


def test_a_fin_in_the_place_of_a_rst_is_the_same_ending_and_told() -> None:
    with serving(like_recorded) as server:
        outcome = run(exchange(end="rst"), server).outcome
    assert outcome.same and outcome.differences() == ["it ended with a FIN instead of a RST"]


def test_it_survived() -> None:
    def mended(peer: Peer) -> None:
        like_recorded(peer, "fin")
        peer.expect_frames(3)  # the player's CLOSE
        peer.send(frames.close(1000))
        peer.wait_end()

    with serving(mended) as server:
        played = run(exchange(), server)
    outcome = played.outcome
    assert outcome.survived and not outcome.same and outcome.diverged_at == 4
    ending = outcome.live.ending
    assert ending.by == "proxy" and ending.filter == "" and "hangup itself" in ending.sentence, "nobody is to blame"
    assert outcome.live.manner is None
    assert "it stayed open" in outcome.fate


def test_another_ending_earlier() -> None:
    def dies(peer: Peer) -> None:
        peer.send(text("welcome"))
        peer.expect_frames(1)
        peer.send(frames.close(4001, b"no"))
        peer.expect_frames(2)

    with serving(dies) as server:
        outcome = run(exchange(), server).outcome
    assert not outcome.same_ending and outcome.diverged_at == 4
    assert outcome.sent == 1 and outcome.expected == 2
    assert outcome.live.ending.code == 4001


def test_the_same_ending_elsewhere_is_not_the_same() -> None:
    def dies(peer: Peer) -> None:
        peer.send(text("welcome"))
        peer.expect_frames(1)

    with serving(dies) as server:
        outcome = run(exchange(), server).outcome
    assert outcome.same_ending and not outcome.same and not outcome.same_frame
    assert any("earlier" in each for each in outcome.differences())


def test_what_was_left_open_stays_open() -> None:
    def stays(peer: Peer) -> None:
        like_recorded(peer)
        peer.expect_frames(3)
        peer.send(frames.close(1000))
        peer.wait_end()

    with serving(stays) as server:
        outcome = run(exchange(end="open"), server, ReplaySettings(speed=inf)).outcome
    assert outcome.same and outcome.survived


@pytest.mark.parametrize("end", ["close", "fin", "rst", "half"])
def test_a_client_that_left_by_itself_leaves_likewise(end: str) -> None:
    talk = exchange(end="open")
    del talk.events[-1]
    if end == "close":
        talk.close(1, "client", 1001, "away")
        talk.close(1, "server", 1001)
    elif end == "half":
        talk.raw(1, "client", b"\x81\x85abcdhe")
        talk.end(1, "client", "fin")
    else:
        talk.end(1, "client", end)  # type: ignore[arg-type]
    seen: Queue[tuple[bytes, str]] = Queue()

    def polite(peer: Peer) -> None:
        like_recorded(peer)
        if end == "close":
            peer.expect_frames(3)
            peer.send(frames.close(1001))
        how = peer.wait_end().how
        seen.put((peer.received, how))

    with serving(polite) as server:
        outcome = run(talk, server).outcome
        got, last = seen.get(timeout=DEADLINE)
    assert outcome.same, outcome.differences()
    assert outcome.live.ending.by == "client" and outcome.live.ending.how == {"half": "fin"}.get(end, end)
    assert last == ("rst" if end == "rst" else "fin")
    if end == "half":
        assert got.endswith(b"\x81\x85abcdhe")
        assert "in the middle of a text frame" in outcome.live.ending.sentence


def test_a_refused_handshake() -> None:
    talk = Talk()
    talk.open(1, status=403)
    with RawServer(answer=Answer(403, greeting=b"not you")) as server:
        outcome = run(talk, server).outcome
    assert outcome.same and outcome.live.status == 403
    with serving(lambda peer: peer.expect_frames(1) and None) as server:
        outcome = run(talk, server).outcome
    assert outcome.survived and not outcome.same
    with RawServer(answer=Answer(401)) as server:
        assert not run(talk, server).outcome.same
    with RawServer(answer=Answer(403)) as server:
        outcome = run(exchange(), server).outcome
        assert not outcome.same and outcome.sent == 0


def test_no_backend() -> None:
    with RawServer() as server:
        url = server.url
    with pytest.raises(BackendError, match="connection refused"):
        run(exchange(), url)


@pytest.mark.parametrize("nonsense", [b"", b"HTTP/1.1 101 Sw", b"\x15\x03\x01\x00\x02\x02\x28", b"hello"])
def test_an_answer_that_is_none(nonsense: bytes) -> None:
    def answer(peer: Peer) -> None:
        peer.send(nonsense)

    server = RawServer(answer=None, script=lambda peer: (answer(peer), peer.close())[1])
    with server:
        outcome = run(exchange(), server).outcome
    assert not outcome.same and outcome.live.refused and outcome.live.error


# Pace.


def test_a_message_waits_for_what_it_had_waited_for() -> None:
    times: dict[str, float] = {}

    def slow(peer: Peer) -> None:
        peer.send(text("welcome"))
        peer.expect_frames(1)
        time.sleep(0.15)
        assert len(list(frames.parse(peer.received))) == 1, "the answer is not there yet"
        times["answer"] = time.monotonic()
        peer.send(text("answer"))
        peer.expect_frames(2)
        times["two"] = time.monotonic()

    with serving(slow) as server:
        outcome = run(exchange(), server, FAST).outcome
    assert outcome.same and outcome.missing == 0
    assert times["two"] >= times["answer"]


def test_a_server_that_says_less_is_waited_for_with_bounded_patience() -> None:
    def mute(peer: Peer) -> None:
        peer.expect_frames(2)

    began = time.monotonic()
    with serving(mute) as server:
        outcome = run(exchange(), server, ReplaySettings(speed=inf, patience=0.2, survive=0.2)).outcome
    assert outcome.same and outcome.missing == 2 and outcome.first_missing == 1 and outcome.diverged_at == 1
    assert any("2 messages from the server had not arrived" in each for each in outcome.differences())
    assert time.monotonic() - began < 10


def test_a_thousand_missing_answers_cost_no_more_patience_than_one() -> None:
    talk = Talk()
    talk.open(1)
    for i in range(500):
        talk.say(1, "client", "text", b"%d" % i)
        talk.say(1, "server", "text", b"%d" % i)
    talk.end(1, "server", "fin")
    with serving(lambda peer: peer.expect_frames(500) and None) as server:
        outcome = run(talk, server, ReplaySettings(speed=inf, patience=0.2, survive=0.2)).outcome
    assert outcome.sent == 500 and outcome.missing == 500


def test_thinking_time_and_speed() -> None:
    talk = exchange(think=400_000)
    spans = {}
    for speed in (1.0, 4.0):
        gaps: list[float] = []

        def watch(peer: Peer, gaps: list[float] = gaps) -> None:
            peer.send(text("welcome"))
            greeted = time.monotonic()
            peer.expect_frames(1)
            gaps.append(time.monotonic() - greeted)
            peer.send(text("answer"))
            peer.expect_frames(2)

        with serving(watch) as server:
            assert run(talk, server, ReplaySettings(speed=speed, survive=0.2)).outcome.same
        spans[speed] = gaps[0]
    assert spans[1.0] >= 0.39 and 0.095 <= spans[4.0]
    assert spans[4.0] < spans[1.0]


def test_by_the_clock_nothing_is_waited_for() -> None:
    def mute(peer: Peer) -> None:
        peer.expect_frames(2)

    with serving(mute) as server:
        outcome = run(exchange(), server, ReplaySettings(speed=inf, pace="clock", patience=30, survive=20)).outcome
    assert outcome.same and outcome.missing == 0


# Pings.


@pytest.mark.parametrize("answers", [True, False])
def test_pings_are_answered_as_the_recorded_client_did(answers: bool) -> None:
    talk = Talk()
    talk.open(1)
    talk.frame(1, "server", 9, b"x")
    if answers:
        talk.frame(1, "client", 10, b"x")
    talk.wait(1_000_000)
    talk.say(1, "client", "text", b"still here")
    talk.wait(1000)
    talk.end(1, "server", "fin")
    got: Queue[list[frames.Parsed]] = Queue()

    def ask(peer: Peer) -> None:
        peer.expect_frames(1)
        for payload in (b"a", b"b"):
            peer.send(frames.frame(frames.PING, payload))
        peer.send(text("question"))
        if answers:
            got.put(peer.expect_frames(3))

    with serving(ask) as server:
        played = run(talk, server)
    assert played.outcome.same
    pongs = [e for e in played.events if isinstance(e, ev.Frame) and e.opcode == "pong"]
    assert [e.payload for e in pongs] == ([b"a", b"b"] if answers else [])
    assert all(e.side == "client" and e.mask for e in pongs)
    if answers:
        said = got.get(timeout=DEADLINE)
        assert [f.payload for f in said[1:]] == [b"a", b"b"] and all(f.masked for f in said)


@pytest.mark.parametrize("filters", [[], ["answer-ping side=server level=control"]])
def test_a_wrong_pong_is_an_answer_and_is_given_where_the_ping_comes(filters: list[str]) -> None:
    """It is not sent at its recorded time, and not where a filter has answered for the client."""
    talk = Talk()
    talk.open(1)
    talk.frame(1, "server", 9, b"x")
    talk.wait(1000)
    talk.frame(1, "client", 10, b"")
    talk.wait(1_000_000)
    talk.say(1, "client", "text", b"still here")
    talk.wait(1000)
    talk.end(1, "server", "fin")
    got: Queue[list[frames.Parsed]] = Queue()

    def ask(peer: Peer) -> None:
        peer.expect_frames(1)  # the message: nothing was asked yet
        for payload in (b"a", b"b"):
            peer.send(frames.frame(frames.PING, payload))
        got.put(peer.expect_frames(3)[1:])

    with serving(ask) as server:
        run(talk, server, filters=filters)
    said = got.get(timeout=DEADLINE)
    assert [(f.opcode, f.payload) for f in said] == [(10, each) for each in ([b"a", b"b"] if filters else [b"", b""])]


def test_a_pong_never_goes_into_the_middle_of_a_frame() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "binary", bytes(range(256)) * (3 << 12))
    talk.wait(1_000_000)
    talk.end(1, "server", "fin")
    pinged = frames.frame(frames.PING, b"now")
    seen: Queue[bytes] = Queue()

    def ask(peer: Peer) -> None:
        for _ in range(20):
            peer.send(pinged)
        peer.expect_frames(22)
        seen.put(peer.received)

    with serving(ask, Answer(greeting=pinged)) as server:
        played = run(talk, server, ReplaySettings(speed=inf, survive=5))
        parsed = list(frames.parse(seen.get(timeout=DEADLINE)))
    assert {f.opcode for f in parsed} == {frames.BINARY, frames.PONG}
    assert not played.outcome.live.problems


# Compression.


def chat(i: int) -> bytes:
    return b'{"type":"chat","id":%d,"text":"hello hello hello"}' % i


def packed_talk() -> Talk:
    talk = Talk()
    talk.open(1, compressed=True)
    for i in range(4):
        talk.say(1, "client", "text", chat(i), packed=True, cuts=[4] if i % 2 else None)
    talk.wait(1000)
    talk.end(1, "server", "fin")
    return talk


def read_messages(data: bytes, params: deflate.Params | None) -> list[tuple[bytes, bool, int]]:
    """The messages of a client's bytes: data, whether compressed, how many frames."""
    assembler = Assembler(deflate.Inflater(params, "client") if params else None)
    found = []
    for item in FrameReader("client", rsv_data=4 if params else 0).feed(data):
        noted = assembler.frame(item)  # type: ignore[arg-type]
        assert not noted.problems and not item.problems
        if noted.message is not None:
            assert noted.message.data is not None
            found.append((noted.message.data, noted.message.compressed, noted.message.fragments))
    return found


@pytest.mark.parametrize(
    ("extension", "same"),
    [
        (EXTENSION, True),
        ("permessage-deflate; client_no_context_takeover", False),
        ("permessage-deflate; client_max_window_bits=9", None),
        ("", False),
    ],
)
def test_compressed_messages_under_another_negotiation(extension: str, same: bool | None) -> None:
    talk = packed_talk()
    recorded = b"".join(sent_by(talk.events, 1, "client"))
    params = deflate.parse([extension]) if extension else None
    seen: Queue[bytes] = Queue()

    def listen(peer: Peer) -> None:
        peer.expect_frames(6)
        seen.put(peer.received)

    with serving(listen, Answer(headers=[("Sec-WebSocket-Extensions", extension)] if extension else [])) as server:
        outcome = run(talk, server).outcome
    assert outcome.same
    got = seen.get(timeout=DEADLINE)
    assert same is None or (got == recorded) is same
    messages = read_messages(got, params)
    assert [m[0] for m in messages] == [chat(i) for i in range(4)]
    assert [m[2] for m in messages] == [1, 2, 1, 2]
    assert all(m[1] == bool(extension) for m in messages)


def test_a_changed_message_within_a_compressed_stream() -> None:
    seen: Queue[bytes] = Queue()

    def listen(peer: Peer) -> None:
        peer.expect_frames(5)
        seen.put(peer.received)

    with serving(listen, Answer(headers=[("Sec-WebSocket-Extensions", EXTENSION)])) as server:
        run(packed_talk(), server, edits={2: Edit(b"something else entirely", "binary")}, frames={1, 2, 5})
    messages = read_messages(seen.get(timeout=DEADLINE), deflate.parse([EXTENSION]))
    assert [m[0] for m in messages] == [chat(0), b"something else entirely", chat(3)]


# Parts of it, and filters.


def test_what_is_said_in_addition_and_in_another_order() -> None:
    """Recorded messages at other places say what this run has other values for, as in their own."""
    talk = Talk()
    talk.open(1)
    talk.say(1, "server", "text", b'{"type":"welcome","session":"recorded-0001"}')
    for kind in ("a", "b", "c"):
        talk.wait(10_000)
        talk.say(1, "client", "text", b'{"type":"%s","session":"recorded-0001"}' % kind.encode())
    talk.end(1, "server", "fin")
    seen: Queue[bytes] = Queue()

    def listen(peer: Peer) -> None:
        peer.send(text('{"type":"welcome","session":"fresh-000002"}'))
        peer.expect_frames(4)
        seen.put(peer.received)

    def of(kind: str, *, recorded: bool = True) -> Edit:
        return Edit(b'{"type":"%s","session":"recorded-0001"}' % kind.encode(), "text", recorded)

    with serving(listen) as server:
        more = [(3, of("c")), (3, of("c", recorded=False))]
        outcome = run(talk, server, frames={2, 3}, edits={2: of("b"), 3: of("a")}, before=more).outcome
    said = [f.payload.decode() for f in frames.parse(seen.get(timeout=DEADLINE))]
    assert [each[9] for each in said] == ["b", "c", "c", "a"] and outcome.sent == 4
    assert ["fresh-000002" in each for each in said] == [True, True, False, True]


def test_only_some_frames() -> None:
    talk = Talk()
    talk.open(1)
    for i in range(1, 9):
        talk.say(1, "client", "text", b"%d" % i)
        talk.wait(100_000)
    talk.end(1, "server", "fin")
    seen: Queue[bytes] = Queue()

    def listen(peer: Peer) -> None:
        peer.expect_frames(2)
        seen.put(peer.received)

    with serving(listen) as server:
        outcome = run(talk, server, frames={3, 8}).outcome
    assert [f.payload for f in frames.parse(seen.get(timeout=DEADLINE))] == [b"3", b"8"] and outcome.sent == 2


def test_what_a_left_out_frame_was_answered_with_is_not_waited_for() -> None:
    talk = Talk()
    talk.open(1)
    for i in range(200):
        talk.say(1, "client", "text", b"%d" % i)
        talk.say(1, "server", "text", b"answer %d" % i)
    talk.end(1, "server", "fin")
    last = 399

    def answering(peer: Peer) -> None:
        peer.expect_frames(1)
        peer.send(text("answer"))

    with serving(answering) as server:
        outcome = run(talk, server, ReplaySettings(speed=inf, patience=60, survive=0.2), frames={last}).outcome
    assert outcome.sent == 1 and outcome.missing == 0 and outcome.live.ending.how == "fin"


def test_filters_apply() -> None:
    def mended(peer: Peer) -> None:
        peer.send(text("welcome"))
        peer.expect_frames(1)
        peer.send(text("answer"))
        peer.expect_frames(2)
        peer.send(frames.close(1000))
        peer.wait_end()

    with serving(mended) as server:
        played = run(exchange(), server, filters=["drop text=two side=client"])
    assert played.outcome.survived
    actions = [(e.action, e.n) for e in played.events if isinstance(e, ev.FilterEvent)]
    assert ("drop", 4) in actions


def test_a_filter_that_strips_compression_is_heeded_by_the_client() -> None:
    seen: Queue[bytes] = Queue()

    def listen(peer: Peer) -> None:
        peer.expect_frames(6)
        seen.put(peer.received)

    def answer(head: Head) -> Answer:
        offered = head.get("sec-websocket-extensions")
        return Answer(headers=[("Sec-WebSocket-Extensions", EXTENSION)] if offered else [])

    with serving(listen, answer) as server:
        played = run(packed_talk(), server, filters=["strip-header Sec-WebSocket-Extensions"])
    assert len(read_messages(seen.get(timeout=DEADLINE), None)) == 4
    assert played.outcome.same


# Being recorded, called off, and repeated.


def test_the_run_is_recorded_as_a_proxy_would_record_it() -> None:
    with serving(like_recorded) as server:
        played = run(exchange(), server, conn=7)
        received = b"".join(sent_by(played.events, 7, "client"))
    kinds = [type(e).__name__ for e in played.events]
    assert kinds == ["Handshake", "Frame", "Frame", "Frame", "Frame", "End", "End"]
    assert [f.payload for f in frames.parse(received)] == [b"one", b"two"]
    assert received.count(KEY) == 2, "the recorded masking keys"
    assert played.outcome.live.conn == 7 and played.outcome.live.server.startswith("127.0.0.1:")


@pytest.mark.parametrize("moment", ["handshake", "talking", "waiting"])
def test_called_off_it_leaves_nothing_behind(moment: str) -> None:
    reached: list[Peer] = []

    def stuck(peer: Peer) -> None:
        reached.append(peer)
        if moment != "handshake":
            peer.send(text("welcome"))
            peer.expect_frames(1)
        if moment == "waiting":
            peer.send(text("answer"))
            peer.expect_frames(2)
        peer.wait_end()

    async def main(url: str) -> MemorySink:
        sink = MemorySink(100)
        task = asyncio.create_task(
            play(transcript_of(exchange()), parse_target(url), sink, ReplaySettings(speed=inf, patience=60, survive=60))
        )
        while not reached or (moment != "handshake" and len(sink.events) < (3 if moment == "talking" else 5)):
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return sink

    with RawServer(answer=None if moment == "handshake" else Answer(), script=stuck) as server:
        sink = asyncio.run(main(server.url))
        reached[0].wait_end()
    if moment != "handshake":
        assert sink.ledger.connections[1].ending.by == "proxy"


def test_a_recording_with_holes_is_an_error_and_leaves_nothing_behind() -> None:
    from hangup.errors import RecordingError

    talk = exchange()
    second = [e for e in talk.events if isinstance(e, ev.Frame) and e.side == "client"][1]
    second.length = 5000
    ended: Queue[str] = Queue()

    def listen(peer: Peer) -> None:
        peer.send(text("welcome") + text("answer"))
        ended.put(peer.wait_end().how)

    with RawServer(script=listen) as server:
        with pytest.raises(RecordingError, match="max-payload"):
            run(talk, server)
        assert ended.get(timeout=DEADLINE)


def test_many_at_once() -> None:
    transcript = transcript_of(exchange())

    async def main(url: str) -> list[bool]:
        sink = MemorySink()
        where = parse_target(url)
        settings = [ReplaySettings(speed=inf, survive=0.2, seed=i) for i in range(1, 21)]
        plays = [play(transcript, where, sink, each, conn=each.seed) for each in settings]
        return [outcome.same for outcome in await asyncio.gather(*plays)]

    with serving(like_recorded) as server:
        assert asyncio.run(main(server.url)) == [True] * 20


def test_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with RawServer(tls=authority.server(), script=lambda peer: (like_recorded(peer), peer.close())[1]) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(BackendError, match="not trusted"):
            run(exchange(), url)
        assert run(exchange(), url, ReplaySettings(speed=inf, survive=0.2, insecure=True)).outcome.same
        assert run(exchange(), url, ReplaySettings(speed=inf, survive=0.2, ca=authority.ca)).outcome.same
